//! What can be made to go wrong between the SDK and the table, as AWS would do it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// One way to go wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The endpoint answers with an error and does nothing: status and body.
    Refuse(u16, Value),
    /// The endpoint answers with a text that may be no JSON, and does nothing: status and body.
    Garble(u16, String),
    /// The connection breaks before anything is sent.
    LoseRequest,
    /// The endpoint does it; the connection breaks before the answer.
    LoseAnswer,
    /// The endpoint does it; the answer comes too late for the client's timeout.
    AnswerTooLate,
    /// The endpoint does it, and others do this before the answer arrives.
    Meanwhile(Others),
}

/// What others do between a request and its answer.
#[derive(Clone)]
pub struct Others(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>);

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Others")
    }
}

impl Others {
    pub(crate) async fn act(&self) {
        self.0().await;
    }
}

/// An error as DynamoDB writes it.
fn refusal(status: u16, name: &str, message: &str) -> (u16, Value) {
    (status, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": message }))
}

impl Fault {
    /// A transaction cancelled because others are writing: for each of its writes, whether that one is.
    pub fn conflict<const WRITES: usize>(in_conflict: [bool; WRITES]) -> Self {
        Self::cancelled(in_conflict.map(|conflict| if conflict { "TransactionConflict" } else { "None" }))
    }

    /// A transaction cancelled for the reasons with these codes, one for each of its writes.
    pub fn cancelled<const WRITES: usize>(codes: [&str; WRITES]) -> Self {
        Self::cancelled_at(codes.map(|code| (code, None)))
    }

    /// The same, with the items as they were, in DynamoDB's JSON (as the stream's images are).
    pub fn cancelled_at<const WRITES: usize>(reasons: [(&str, Option<Value>); WRITES]) -> Self {
        let reasons = reasons.into_iter().map(|(code, item)| match item {
            None => json!({ "Code": code }),
            Some(item) => json!({ "Code": code, "Item": item }),
        });
        let (status, mut body) = refusal(
            400,
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons",
        );
        body["CancellationReasons"] = reasons.collect();
        Self::Refuse(status, body)
    }

    /// Others do this before the answer arrives, on a store of their own ([`crate::TestTable::others`]).
    pub fn meanwhile<F: Future<Output = ()> + Send + 'static>(
        act: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self::Meanwhile(Others(Arc::new(move || Box::pin(act()))))
    }

    /// A single write refused because a transaction is writing the same item.
    pub fn write_conflict() -> Self {
        let (status, body) =
            refusal(400, "TransactionConflictException", "Transaction is ongoing for the item");
        Self::Refuse(status, body)
    }

    /// The same transaction is still being written.
    pub fn in_progress() -> Self {
        let (status, body) = refusal(400, "TransactionInProgressException", "The transaction is in progress");
        Self::Refuse(status, body)
    }

    /// Too many requests.
    pub fn throttled() -> Self {
        let (status, mut body) = refusal(400, "ThrottlingException", "Rate of requests exceeds the limit");
        body["__type"] = json!("com.amazon.coral.availability#ThrottlingException");
        Self::Refuse(status, body)
    }

    /// AWS is ill.
    pub fn server_error() -> Self {
        let (status, body) = refusal(500, "InternalServerError", "Internal server error");
        Self::Refuse(status, body)
    }
}

#[derive(Debug)]
struct Planned {
    operation: &'static str,
    times: u32,
    fault: Fault,
}

/// Faults still to come, in the order in which they were planned.
#[derive(Debug, Default)]
pub(crate) struct Plan(Mutex<Vec<Planned>>);

impl Plan {
    pub(crate) fn add(&self, operation: &'static str, times: u32, fault: Fault) {
        self.0.lock().expect("no test panics here").push(Planned { operation, times, fault });
    }

    pub(crate) fn clear(&self) {
        self.0.lock().expect("no test panics here").clear();
    }

    /// The fault of the next request of this operation, if one is planned.
    pub(crate) fn next(&self, operation: &str) -> Option<Fault> {
        let mut plan = self.0.lock().expect("no test panics here");
        plan.retain(|planned| planned.times > 0);
        let planned = plan.iter_mut().find(|planned| planned.operation == operation)?;
        planned.times -= 1;
        Some(planned.fault.clone())
    }
}
