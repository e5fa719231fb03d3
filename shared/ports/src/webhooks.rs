//! Sending webhooks.

use std::time::Duration;

use recoup_domain::ids::Tenant;
use recoup_domain::sealed::StoredSecrets;
use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use thiserror::Error;

use crate::ReadError;

/// Reads each tenant's webhook secrets.
pub trait WebhookSecrets {
    /// The secrets that sign webhooks to refunds' own URLs.
    fn webhook_secrets(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<StoredSecrets>, ReadError>> + Send;
}

/// Where webhooks may go: checked against the URL when it is given, and against its address on connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// https, port 443 or from 1024, public addresses.
    Public,
    /// Anywhere, plain http included: the local stack alone.
    Anywhere,
}

impl Reach {
    /// The reach that the setting `ALLOW_PRIVATE_WEBHOOK_TARGETS` allows.
    pub fn allowing_private(allowed: bool) -> Self {
        if allowed { Self::Anywhere } else { Self::Public }
    }
}

/// Why a receiver gave no answer. Never holds the URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// We do not send to this target: not https, a port that is not allowed, or not a public address.
    #[error("the target is not allowed: {0}")]
    Forbidden(&'static str),
    /// The receiver did not answer in time.
    #[error("no answer within the time allowed")]
    TimedOut,
    /// The connection could not be made, or broke.
    #[error("the connection failed: {0}")]
    Connection(String),
}

/// A receiver's answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long the receiver asks us to wait, if it does: `retry-after` in seconds or as a date.
    pub retry_after: Option<Duration>,
    /// The first bytes of its body as text, at most [`Reply::HEAD_MAX`]; what is not UTF-8 is replaced.
    pub head: String,
}

impl Reply {
    /// Most bytes of [`Reply::head`].
    pub const HEAD_MAX: usize = 256;
}

/// Sends to receivers. Redirects are not followed.
pub trait Deliver {
    /// Posts a message once and returns the answer, whatever its status.
    fn deliver(
        &self,
        url: &TargetUrl,
        message: &Signed,
    ) -> impl Future<Output = Result<Reply, SendError>> + Send;
}
