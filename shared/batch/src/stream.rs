//! The changes of a DynamoDB table, as its stream reports them.

use serde_json::{Map, Value};

use crate::{BadRecord, UnreadableEvent, records, text_at};

/// An item in DynamoDB's own JSON: `{"pk": {"S": "…"}}`.
pub type Image = Map<String, Value>;

/// The kind of a change to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The item is new.
    Insert,
    /// The item has changed.
    Modify,
    /// The item is deleted.
    Remove,
}

/// One change of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRecord<'event> {
    /// The number by which the batch response names it.
    pub sequence_number: &'event str,
    /// The kind of the change.
    pub change: Change,
    /// The item before the change; always there unless the item is new.
    pub old_image: Option<&'event Image>,
    /// The item after the change; always there unless the item is deleted.
    pub new_image: Option<&'event Image>,
    raw: &'event Value,
}

impl StreamRecord<'_> {
    /// The record as it was received, as JSON text: it is dead-lettered if its images cannot be read.
    pub fn text(&self) -> String {
        self.raw.to_string()
    }
}

/// The changes of an event, each read separately, in the stream's order.
pub fn stream_records(
    event: &Value,
) -> Result<Vec<Result<StreamRecord<'_>, BadRecord<'_>>>, UnreadableEvent> {
    records(event, "/dynamodb/SequenceNumber", |sequence_number, record| {
        let change = match text_at(record, "/eventName") {
            Some("INSERT") => Change::Insert,
            Some("MODIFY") => Change::Modify,
            Some("REMOVE") => Change::Remove,
            Some(_) | None => return Err("it has no known event name"),
        };
        let old_image = record.pointer("/dynamodb/OldImage").and_then(Value::as_object);
        let new_image = record.pointer("/dynamodb/NewImage").and_then(Value::as_object);
        if change != Change::Insert && old_image.is_none() {
            return Err("it has no old image");
        }
        if change != Change::Remove && new_image.is_none() {
            return Err("it has no new image");
        }
        Ok(StreamRecord { sequence_number, change, old_image, new_image, raw: record })
    })
}
