//! The messages on the queues: their one wire format, and who sends and paces them.

use std::time::Duration;

use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::event::Event;
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BoxError;

/// A message that is not of this program's making.
#[derive(Debug, Error)]
#[error("unreadable job: {0}")]
pub struct UnreadableJob(String);

/// "Ask the processor about this refund."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundJob {
    /// Whose it is.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// Which one.
    #[serde(rename = "refund_id")]
    pub refund: RefundId,
    /// The number of the question that is due, see [`recoup_domain::refund::Refund::turn`]; a job without one, made by
    /// hand, is always worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
}

impl RefundJob {
    /// The job of a refund as it stands.
    pub fn of(refund: &Refund) -> Self {
        Self { tenant: refund.tenant.clone(), refund: refund.id.clone(), turn: Some(refund.turn) }
    }
}

/// "Tell this receiver about this event." Sent for the first try, and again for each one that became due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookJob {
    /// Whose it is.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// What is told.
    #[serde(rename = "event_id")]
    pub event: EventId,
    /// The refund that the event is about, if it is about one.
    #[serde(rename = "refund_id", skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// To whom.
    pub target: Target,
    /// The number of the try that is due; see [`recoup_domain::delivery::Delivery::turn`].
    pub turn: u32,
}

impl WebhookJob {
    /// The job of an event's first try.
    pub fn first(event: &Event, target: Target) -> Self {
        let (tenant, refund) = (event.tenant.clone(), event.refund().cloned());
        Self { tenant, event: event.id.clone(), refund, target, turn: 1 }
    }

    /// The job of the try for which a delivery waits.
    pub fn of(delivery: Delivery) -> Self {
        let Delivery { tenant, event, refund, target, turn, .. } = delivery;
        Self { tenant, event, refund, target, turn }
    }
}

/// Reads a job from a message's body. What it does not know in it is of another version, and left alone.
pub fn read_job<T: DeserializeOwned>(body: &str) -> Result<T, UnreadableJob> {
    // Says where, and never what.
    serde_json::from_str(body)
        .map_err(|error| UnreadableJob(format!("{:?} error at column {}", error.classify(), error.column())))
}

/// Which queue a webhook job takes: who fails does not stand in the way of who does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// First tries to receivers that are not known to fail.
    First,
    /// Everything else.
    Retries,
}

/// A message for one of the queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// For the refund jobs.
    Refund {
        /// The job.
        job: RefundJob,
        /// How long the queue hides it; at most [`recoup_domain::waiting::QUEUE_WAIT_MAX`].
        delay: Duration,
    },
    /// For the webhook jobs.
    Webhook {
        /// The job.
        job: WebhookJob,
        /// Which of the two queues.
        lane: Lane,
        /// How long the queue hides it; at most [`recoup_domain::waiting::QUEUE_WAIT_MAX`].
        delay: Duration,
    },
}

/// Why a message did not reach its queue.
#[derive(Debug, Error)]
#[error("the queue did not take the message")]
pub struct SendJobError(#[source] pub BoxError);

/// The only way onto the queues.
pub trait Jobs {
    /// Sends all, in as few calls as the queues allow; the answer names those that were not taken.
    fn send(&self, jobs: &[Job]) -> impl Future<Output = Vec<(usize, SendJobError)>> + Send;

    /// Keeps a record that nobody can read where a person will find it.
    fn bury(&self, record: &str) -> impl Future<Output = Result<(), SendJobError>> + Send;
}

/// Says when a message that could not be finished comes back.
pub trait Pace {
    /// Hides the message for so many seconds, at most 12 hours after it was received.
    fn again_in(
        &self,
        receipt_handle: &str,
        seconds: u32,
    ) -> impl Future<Output = Result<(), SendJobError>> + Send;
}
