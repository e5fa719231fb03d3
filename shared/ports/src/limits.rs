//! The shared buckets of tokens that limit requests.

use std::time::Duration;

use recoup_domain::ids::{KeyId, Tenant};
use recoup_domain::limit::{FullAt, Limit};
use recoup_domain::time::Timestamp;

use crate::WriteError;

/// The time between two questions that imports bring. Stripe takes 25 requests a second of one kind, and refunds ask it,
/// too: half of them make a million in a day.
pub const SLOT: Duration = Duration::from_millis(80);

/// Whose requests are limited together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Those of an account in one environment.
    Account(Tenant),
    /// Those of an API key, or of a client with all its tokens.
    Key(KeyId),
}

/// What a process got of a shared bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    /// So many tokens, which no other process gets; 0 if the bucket is empty.
    pub tokens: u32,
    /// The bucket as it now is.
    pub full_at: FullAt,
}

/// Gives out tokens of shared buckets.
pub trait Leases {
    /// Takes as many tokens as [`Limit::lease`] says. `seen` is the bucket as the process last saw it.
    fn lease(
        &self,
        subject: &Subject,
        limit: Limit,
        seen: FullAt,
        now: Timestamp,
    ) -> impl Future<Output = Result<Leased, WriteError>> + Send;
}

/// Spreads the questions to processors that imports bring over time.
pub trait Slots {
    /// Takes the next `count` moments of an account, one every [`SLOT`], and returns the first: now, or after those that
    /// were taken before.
    fn take_slots(
        &self,
        tenant: &Tenant,
        count: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Timestamp, WriteError>> + Send;
}
