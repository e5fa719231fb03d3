//! Receivers of webhooks that answer as a test says.

use std::sync::Mutex;

use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use recoup_domain::time::Timestamp;
use recoup_ports::webhooks::{Deliver, Reply, SendError};

use crate::world::now;

/// One arrival at a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// When.
    pub(crate) at: Timestamp,
    /// Where.
    pub(crate) url: String,
    /// Its `webhook-id`.
    pub(crate) id: String,
}

/// What a receiver answers to an event that it had so often before.
pub(crate) type Answers = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// Receivers that answer as a test says.
pub(crate) struct Receivers {
    pub(crate) answer: Box<Answers>,
    pub(crate) arrivals: Mutex<Vec<Arrival>>,
}

impl Deliver for Receivers {
    async fn deliver(&self, url: &TargetUrl, message: &Signed) -> Result<Reply, SendError> {
        let mut arrivals = self.arrivals.lock().unwrap();
        let url = url.as_str().to_owned();
        let before = arrivals.iter().filter(|one| one.url == url && one.id == message.id).count();
        let reply = (self.answer)(&url, before);
        arrivals.push(Arrival { at: now(), url, id: message.id.clone() });
        Ok(reply)
    }
}

pub(crate) fn reply(status: u16) -> Reply {
    Reply { status, retry_after: None, head: String::new() }
}
