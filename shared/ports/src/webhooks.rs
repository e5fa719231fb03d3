//! Telling the merchant.

use std::fmt;

use recoup_domain::ids::Tenant;
use recoup_domain::text::TargetUrl;
use thiserror::Error;

use crate::ReadError;

/// The bytes that sign webhooks; never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// Fewest and most bytes, as Standard Webhooks 1.0 asks.
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

    /// Takes a secret of a good length.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        Self::LENGTHS.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// A new secret of 256 random bits.
    pub fn of_256_bits(bits: [u128; 2]) -> Self {
        Self(bits.iter().flat_map(|half| half.to_be_bytes()).collect())
    }

    /// The bytes.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// Knows each tenant's own secret.
pub trait WebhookSecrets {
    /// The secret that signs what is sent to refunds' own URLs.
    fn webhook_secret(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<WebhookSecret>, ReadError>> + Send;
}

/// A signed announcement, ready to be sent.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Header `webhook-id`.
    pub id: String,
    /// Header `webhook-timestamp`: seconds since 1970.
    pub timestamp: String,
    /// Header `webhook-signature`.
    pub signature: String,
    /// The very bytes that were signed.
    pub body: String,
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

/// Sends to receivers. Redirects are not followed.
pub trait Deliver {
    /// Posts once; the answer's status, whatever it is.
    fn deliver(
        &self,
        url: &TargetUrl,
        message: &Signed,
    ) -> impl Future<Output = Result<u16, SendError>> + Send;
}
