//! Changes of a DynamoDB table, as its stream tells them.

use serde_json::{Map, Value};

use crate::{BadRecord, UnreadableEvent, records, text_at};

/// An item in DynamoDB's own JSON: `{"pk": {"S": "…"}}`.
pub type Image = Map<String, Value>;

/// What became of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Insert,
    /// It was there and differs.
    Modify,
    /// It is gone.
    Remove,
}

/// One change of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRecord<'event> {
    /// By which the batch response names it.
    pub sequence_number: &'event str,
    /// What became of the item.
    pub change: Change,
    /// The item before; always there unless it is new.
    pub old_image: Option<&'event Image>,
    /// The item after; always there unless it is gone.
    pub new_image: Option<&'event Image>,
    raw: &'event Value,
}

impl StreamRecord<'_> {
    /// The record as it came, as JSON text: what is buried if nobody can read its images.
    pub fn text(&self) -> String {
        self.raw.to_string()
    }
}

/// The changes of an event, each read alone, in the order in which the stream has them.
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
