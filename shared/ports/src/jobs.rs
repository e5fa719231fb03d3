//! The messages on the queues: their one wire format, and who sends and paces them.

use std::time::Duration;

use recoup_domain::delivery::Target;
use recoup_domain::event::Event;
use recoup_domain::ids::{AccountId, Environment, RefundId, Tenant};
use recoup_domain::refund::Refund;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BoxError;

mod webhook;

/// A message that is not of this program's making.
#[derive(Debug, Error)]
#[error("unreadable job: {0}")]
pub struct UnreadableJob(String);

/// "Ask the processor about this refund."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundJob {
    /// Whose it is.
    pub tenant: Tenant,
    /// Which one.
    pub refund: RefundId,
    /// The number of the question that is due, see [`recoup_domain::refund::Refund::turn`]; a job without one, made by
    /// hand, is always worked on.
    pub turn: Option<u32>,
}

/// "Tell this receiver about this event." Sent for the first try, and again for each one that became due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookJob {
    /// What is told.
    pub event: Event,
    /// To whom.
    pub target: Target,
    /// The number of the try that is due; see [`recoup_domain::delivery::Delivery::turn`].
    pub turn: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundWire {
    environment: String,
    account_id: String,
    refund_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turn: Option<u32>,
}

pub(crate) fn unreadable(why: impl std::fmt::Display) -> UnreadableJob {
    UnreadableJob(why.to_string())
}

/// Says where, and never what.
pub(crate) fn malformed(error: &serde_json::Error) -> UnreadableJob {
    UnreadableJob(format!("{:?} error at column {}", error.classify(), error.column()))
}

pub(crate) fn tenant(environment: &str, account: &str) -> Result<Tenant, UnreadableJob> {
    let environment = Environment::parse(environment).ok_or_else(|| unreadable("unknown environment"))?;
    let account = AccountId::try_from(account).map_err(unreadable)?;
    Ok(Tenant { environment, account })
}

impl RefundJob {
    /// The job of a refund as it stands.
    pub fn of(refund: &Refund) -> Self {
        Self { tenant: refund.tenant.clone(), refund: refund.id.clone(), turn: Some(refund.turn) }
    }

    /// The message's body.
    pub fn to_body(&self) -> String {
        let wire = RefundWire {
            environment: self.tenant.environment.as_str().to_owned(),
            account_id: self.tenant.account.to_string(),
            refund_id: self.refund.to_string(),
            turn: self.turn,
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, UnreadableJob> {
        let wire: RefundWire = serde_json::from_str(body).map_err(|error| malformed(&error))?;
        let tenant = tenant(&wire.environment, &wire.account_id)?;
        let refund = RefundId::try_from(wire.refund_id.as_str()).map_err(unreadable)?;
        Ok(Self { tenant, refund, turn: wire.turn })
    }
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
