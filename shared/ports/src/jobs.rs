//! The messages on the queues: their wire format, and how they are sent and paced.

use std::time::Duration;

use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::event::Event;
use recoup_domain::ids::{EventId, PaymentId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BoxError;

/// A message that Recoup cannot have written.
#[derive(Debug, Error)]
#[error("unreadable job: {0}")]
pub struct UnreadableJob(String);

/// Ask the processor about this refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundJob {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The refund.
    #[serde(rename = "refund_id")]
    pub refund: RefundId,
    /// The number of the question that is due, see [`recoup_domain::refund::Refund::turn`]; a job without one, written
    /// by hand, is never stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
}

impl RefundJob {
    /// The job that is due for a refund.
    pub fn of(refund: &Refund) -> Self {
        Self { tenant: refund.tenant.clone(), refund: refund.id.clone(), turn: Some(refund.turn) }
    }
}

/// Ask the processor whether this payment's terms are its charge's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentJob {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The payment.
    #[serde(rename = "payment_id")]
    pub payment: PaymentId,
    /// The number of the question that is due, see [`recoup_domain::verification::Awaited::turn`].
    pub turn: u32,
}

/// A message on the queue of refund jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessorJob {
    /// It is about a refund.
    Refund(RefundJob),
    /// It is about a payment.
    Payment(PaymentJob),
}

impl ProcessorJob {
    /// Reads a message's body.
    pub fn read(body: &str) -> Result<Self, UnreadableJob> {
        match read_job(body).map(Self::Refund) {
            Ok(job) => Ok(job),
            Err(error) => read_job(body).map(Self::Payment).map_err(|_| error),
        }
    }
}

/// Deliver this event to this receiver. One is sent for each attempt that becomes due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookJob {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The event.
    #[serde(rename = "event_id")]
    pub event: EventId,
    /// The refund that the event is about, if it is about one.
    #[serde(rename = "refund_id", skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// The receiver.
    pub target: Target,
    /// The number of the attempt that is due; see [`recoup_domain::delivery::Delivery::turn`].
    pub turn: u32,
}

impl WebhookJob {
    /// The job of an event's first attempt.
    pub fn first(event: &Event, target: Target) -> Self {
        let (tenant, refund) = (event.tenant.clone(), event.refund().cloned());
        Self { tenant, event: event.id.clone(), refund, target, turn: 1 }
    }

    /// The job of the attempt for which a delivery waits.
    pub fn of(delivery: Delivery) -> Self {
        let Delivery { tenant, event, refund, target, turn, .. } = delivery;
        Self { tenant, event, refund, target, turn }
    }
}

/// Reads a job from a message's body. Unknown fields are another version's, and are ignored.
pub fn read_job<T: DeserializeOwned>(body: &str) -> Result<T, UnreadableJob> {
    // The error says where, never what: the body may hold personal data.
    serde_json::from_str(body)
        .map_err(|error| UnreadableJob(format!("{:?} error at column {}", error.classify(), error.column())))
}

/// Which of the two queues a webhook job takes, so that failing receivers do not delay the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// First attempts to receivers that are not known to fail.
    First,
    /// Everything else.
    Retries,
}

/// A message for one of the queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// For the queue of refund jobs.
    Refund {
        /// The job.
        job: RefundJob,
        /// How long the queue hides it; at most [`recoup_domain::waiting::QUEUE_WAIT_MAX`].
        delay: Duration,
    },
    /// For the queue of refund jobs, too.
    Payment {
        /// The job.
        job: PaymentJob,
        /// How long the queue hides it; at most [`recoup_domain::waiting::QUEUE_WAIT_MAX`].
        delay: Duration,
    },
    /// For the queues of webhook jobs.
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
#[error("the queue did not accept the message")]
pub struct SendJobError(#[source] pub BoxError);

/// Sends messages. No message reaches a queue any other way.
pub trait Jobs {
    /// Sends all jobs, in as few calls as the queues allow; the answer names, by position, those not accepted.
    fn send(&self, jobs: &[Job]) -> impl Future<Output = Vec<(usize, SendJobError)>> + Send;

    /// Sends an unreadable record to a dead-letter queue, where a person will find it.
    fn dead_letter(&self, record: &str) -> impl Future<Output = Result<(), SendJobError>> + Send;
}

/// Sets when an unfinished message is received again.
pub trait Pace {
    /// Hides the message for `seconds`, at most until 12 hours after it was received.
    fn again_in(
        &self,
        receipt_handle: &str,
        seconds: u32,
    ) -> impl Future<Output = Result<(), SendJobError>> + Send;
}
