//! The messages on the queues: their one wire format, and who sends and paces them.

use recoup_domain::ids::{AccountId, Environment, EventId, RefundId, Tenant};
use recoup_domain::text::TargetUrl;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BoxError;

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
}

/// "Tell this receiver about this change."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookJob {
    /// Whose it is.
    pub tenant: Tenant,
    /// The change; the `webhook-id` of every try.
    pub event: EventId,
    /// The refund that changed, for the log.
    pub refund: RefundId,
    /// The receiver.
    pub url: TargetUrl,
    /// What it is told: the same bytes on every try.
    pub body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundWire {
    environment: String,
    account_id: String,
    refund_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookWire {
    environment: String,
    account_id: String,
    event_id: String,
    refund_id: String,
    url: String,
    body: String,
}

fn unreadable(why: impl std::fmt::Display) -> UnreadableJob {
    UnreadableJob(why.to_string())
}

/// Says where, and never what: the body may hold a URL with a token.
fn malformed(error: &serde_json::Error) -> UnreadableJob {
    UnreadableJob(format!("{:?} error at column {}", error.classify(), error.column()))
}

fn tenant(environment: &str, account: &str) -> Result<Tenant, UnreadableJob> {
    let environment = Environment::parse(environment).ok_or_else(|| unreadable("unknown environment"))?;
    let account = AccountId::try_from(account).map_err(unreadable)?;
    Ok(Tenant { environment, account })
}

impl RefundJob {
    /// The message's body.
    pub fn to_body(&self) -> String {
        let wire = RefundWire {
            environment: self.tenant.environment.as_str().to_owned(),
            account_id: self.tenant.account.to_string(),
            refund_id: self.refund.to_string(),
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, UnreadableJob> {
        let wire: RefundWire = serde_json::from_str(body).map_err(|error| malformed(&error))?;
        let tenant = tenant(&wire.environment, &wire.account_id)?;
        let refund = RefundId::try_from(wire.refund_id.as_str()).map_err(unreadable)?;
        Ok(Self { tenant, refund })
    }
}

impl WebhookJob {
    /// The message's body.
    pub fn to_body(&self) -> String {
        let wire = WebhookWire {
            environment: self.tenant.environment.as_str().to_owned(),
            account_id: self.tenant.account.to_string(),
            event_id: self.event.to_string(),
            refund_id: self.refund.to_string(),
            url: self.url.as_str().to_owned(),
            body: self.body.clone(),
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, UnreadableJob> {
        let wire: WebhookWire = serde_json::from_str(body).map_err(|error| malformed(&error))?;
        Ok(Self {
            tenant: tenant(&wire.environment, &wire.account_id)?,
            event: EventId::try_from(wire.event_id.as_str()).map_err(unreadable)?,
            refund: RefundId::try_from(wire.refund_id.as_str()).map_err(unreadable)?,
            url: TargetUrl::checked(wire.url),
            body: wire.body,
        })
    }
}

/// A message for one of the queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// For the refund jobs.
    Refund(RefundJob),
    /// For the webhook jobs.
    Webhook(WebhookJob),
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
