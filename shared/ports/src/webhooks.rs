//! Telling the merchant.

use std::time::Duration;

use recoup_domain::ids::Tenant;
use recoup_domain::signing::{Secrets, Signed};
use recoup_domain::text::TargetUrl;
use thiserror::Error;

use crate::ReadError;

/// Knows each tenant's own secrets.
pub trait WebhookSecrets {
    /// The secrets that sign what is sent to refunds' own URLs.
    fn webhook_secrets(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<Secrets>, ReadError>> + Send;
}

/// How far webhooks may go: judged by what a URL says when it is given, and by its address when it is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// https, port 443 or from 1024, public addresses.
    Public,
    /// Anywhere, plain http included: the local stack alone.
    Anywhere,
}

impl Reach {
    /// As the setting `ALLOW_PRIVATE_WEBHOOK_TARGETS` has it.
    pub fn allowing_private(allowed: bool) -> Self {
        if allowed { Self::Anywhere } else { Self::Public }
    }
}

/// Why no answer came from a receiver. Never holds the URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The target is not one we send to: not https, a closed port, or not a public address.
    #[error("the target is not allowed: {0}")]
    Forbidden(&'static str),
    /// It did not answer in time.
    #[error("no answer within the time allowed")]
    TimedOut,
    /// No connection, or it broke.
    #[error("the connection failed: {0}")]
    Connection(String),
}

/// What a receiver said, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long it asks us to wait, if it does: `retry-after` in seconds or as a date.
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
    /// Posts once; what the receiver said, whatever it is.
    fn deliver(
        &self,
        url: &TargetUrl,
        message: &Signed,
    ) -> impl Future<Output = Result<Reply, SendError>> + Send;
}
