//! Queue and stream batches, read record by record, so that an unreadable record fails alone.
//!
//! The readers are written by hand over [`Value`]: a typed event (`SqsEvent`, `SqsEventObj<T>`) is read all or nothing,
//! so one bad record would dead-letter its whole batch. Records borrow from the event.

mod queue;
mod stream;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

pub use queue::{QueueRecord, queue_records};
pub use stream::{Change, Image, StreamRecord, stream_records};

/// An event that is not a batch, or that holds a record without an id. The whole batch must fail: a response that
/// leaves the record without an id out would delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadableEvent(&'static str);

impl fmt::Display for UnreadableEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the event is not a batch of records: {}", self.0)
    }
}

impl std::error::Error for UnreadableEvent {}

/// A record that has an id but lacks something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRecord<'event> {
    /// The id by which the batch response names it.
    pub id: &'event str,
    /// What the record lacks; never any of its content.
    pub why: &'static str,
    raw: &'event Value,
}

impl BadRecord<'_> {
    /// The record as it was received, as JSON text.
    pub fn text(&self) -> String {
        self.raw.to_string()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// The batch response to Lambda. A queue keeps the failed records and deletes the others; a stream continues at the
/// lowest failed sequence number, so every later record is received twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

impl BatchResponse {
    /// Names the records that failed.
    pub fn failing(ids: impl IntoIterator<Item = String>) -> Self {
        let failures = ids.into_iter().map(|id| Failure { item_identifier: id });
        Self { batch_item_failures: failures.collect() }
    }

    /// The ids of the records that failed.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str())
    }
}

/// Reads every record of an event with `read`; `id_at` is the JSON pointer to a record's id.
fn records<'event, T>(
    event: &'event Value,
    id_at: &str,
    read: impl Fn(&'event str, &'event Value) -> Result<T, &'static str>,
) -> Result<Vec<Result<T, BadRecord<'event>>>, UnreadableEvent> {
    let records = event.get("Records").and_then(Value::as_array);
    let records = records.ok_or(UnreadableEvent("it has no list of records"))?;
    let read_one = |raw: &'event Value| {
        let id = text_at(raw, id_at).filter(|id| !id.is_empty());
        let id = id.ok_or(UnreadableEvent("a record has no id"))?;
        Ok(read(id, raw).map_err(|why| BadRecord { id, why, raw }))
    };
    records.iter().map(read_one).collect()
}

fn text_at<'event>(record: &'event Value, pointer: &str) -> Option<&'event str> {
    record.pointer(pointer).and_then(Value::as_str)
}
