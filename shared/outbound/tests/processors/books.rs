//! What a stand-in for a processor remembers, and how its next answers go wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::faults::Fault;
use crate::server::{Reply, Request, Server};

/// Shared by a server and the test that looks into it.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<Inner>>);

#[derive(Default)]
pub(crate) struct Inner {
    /// Everything that was ever done, oldest first.
    pub(crate) refunds: Vec<Value>,
    /// The answers that are given again, by idempotency key: what was asked, the status, the body.
    pub(crate) answers: BTreeMap<String, (String, u16, Value)>,
    /// What becomes of the next refunds.
    pub(crate) status: Option<&'static str>,
    /// Instead of doing it, this is answered.
    pub(crate) refusal: Option<(u16, Value)>,
    /// Reversals of transfers and refunds of fees, each with the path under which it was made.
    pub(crate) parts: Vec<(String, Value)>,
    /// Instead of taking a part, or listing them, this is answered.
    pub(crate) part_refusal: Option<(u16, Value)>,
    /// Whether actors lack the money for their parts.
    pub(crate) short: bool,
    /// What an adapter says of parts, if it does.
    pub(crate) recovery: Option<Value>,
    faults: VecDeque<Fault>,
}

impl Books {
    pub(crate) fn open(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// The next requests go wrong, each in its turn.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.open().faults.extend(faults);
    }

    fn next_fault(&self) -> Option<Fault> {
        self.open().faults.pop_front()
    }

    /// A server that answers from these books, and goes wrong as they say.
    pub(crate) async fn served(&self, answer: fn(&Self, &Request) -> Reply) -> Server {
        let books = self.clone();
        let served = Server::answering(move |request| match books.next_fault() {
            Some(fault) => fault.apply(|| answer(&books, request)),
            None => answer(&books, request),
        });
        served.await
    }

    /// Everything they have turns to another status.
    pub(crate) fn turn(&self, status: &str) {
        for refund in &mut self.open().refunds {
            refund["status"] = json!(status);
        }
    }
}
