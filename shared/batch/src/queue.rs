//! The messages of an SQS queue.

use serde_json::Value;

use crate::{BadRecord, UnreadableEvent, records, text_at};

/// A message, as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRecord<'event> {
    /// The id by which the batch response names it.
    pub message_id: &'event str,
    /// The handle that changes its visibility; valid for this receipt only.
    pub receipt_handle: &'event str,
    /// How often it was received, including this time: from 1.
    pub receive_count: u32,
    /// The message's body.
    pub body: &'event str,
}

/// The messages of an event, each read separately, in the event's order.
pub fn queue_records(event: &Value) -> Result<Vec<Result<QueueRecord<'_>, BadRecord<'_>>>, UnreadableEvent> {
    records(event, "/messageId", |message_id, record| {
        let count = text_at(record, "/attributes/ApproximateReceiveCount");
        Ok(QueueRecord {
            message_id,
            receipt_handle: text_at(record, "/receiptHandle").ok_or("it has no receipt handle")?,
            receive_count: count.and_then(|count| count.parse().ok()).ok_or("it has no receive count")?,
            body: text_at(record, "/body").ok_or("it has no body")?,
        })
    })
}
