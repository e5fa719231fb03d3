//! Messages of an SQS queue.

use serde_json::Value;

use crate::{BadRecord, UnreadableEvent, records, text_at};

/// A message, as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRecord<'event> {
    /// By which the batch response names it.
    pub message_id: &'event str,
    /// By which its visibility is changed; valid for this receipt alone.
    pub receipt_handle: &'event str,
    /// How often it was received, this time included: from 1.
    pub receive_count: u32,
    /// What was sent.
    pub body: &'event str,
}

/// The messages of an event, each read alone, in the event's order.
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
