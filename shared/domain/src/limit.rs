//! Limits on requests: a bucket of tokens for each account and each key, shared by all processes.
//!
//! A request takes a token that its process holds. A process begins with a small allowance, which fills up again slowly;
//! what goes beyond is leased from the shared bucket, several tokens at once while there are plenty, and one at a time
//! when few are left. So tokens that other processes hold and do not use are never the last ones.

use std::time::Duration;

use crate::time::{Timestamp, whole_millis};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
/// A process counts in millionths of a token.
const PARTS: u64 = 1_000_000;
/// A process leases a twentieth of what is left, so that many processes at once leave something to each other.
const SHARE_OF_LEFT: u32 = 20;
/// Most tokens that a process holds.
const ALLOWANCE_MAX: u32 = 10;
/// A bucket that would take so much longer than it can to be full was written by a clock that is wrong.
const CLOCKS_DIFFER_MAX: u64 = 60 * NANOS_PER_SECOND;

/// So many requests a second on average, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    rate: u32,
    burst: u32,
}

/// The limits of each account and of each key; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of an account in one environment.
    pub account: Option<Limit>,
    /// Of an API key, or of a client with all its tokens.
    pub key: Option<Limit>,
}

impl Limits {
    /// Reads `100/200 50/100`: rate and burst of an account, then of a key. A rate of 0 is no limit.
    pub fn parse(text: &str) -> Option<Self> {
        let (account, key) = text.split_once(' ')?;
        let one = |text: &str| {
            let (rate, burst) = text.split_once('/')?;
            match (rate.parse().ok()?, burst.parse().ok()?) {
                (0, _) => Some(None),
                (rate, burst) => Limit::new(rate, burst).map(Some),
            }
        };
        Some(Self { account: one(account)?, key: one(key)? })
    }
}

/// The moment at which a shared bucket will be full again, in nanoseconds since 1970: all that is known of it. The default
/// is a full one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FullAt(pub u64);

impl FullAt {
    /// A bucket that is full now.
    pub fn of(now: Timestamp) -> Self {
        Self(now.unix_millis().saturating_mul(NANOS_PER_MILLI))
    }

    fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// How long it takes until the bucket is full.
    pub fn since(self, now: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(Self::of(now).0))
    }
}

impl Limit {
    /// At least one, and at most 10,000 requests a second and 100,000 at once.
    pub fn new(rate: u32, burst: u32) -> Option<Self> {
        let is_bounded = (1..=10_000).contains(&rate) && (1..=100_000).contains(&burst);
        is_bounded.then_some(Self { rate, burst })
    }

    /// Requests a second, on average.
    pub fn rate(self) -> u32 {
        self.rate
    }

    /// Requests at once.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// What a process holds at first, and at most.
    pub fn allowance(self) -> u32 {
        (self.burst / SHARE_OF_LEFT).clamp(1, ALLOWANCE_MAX)
    }

    /// How long so many tokens take to fill up, in nanoseconds.
    pub fn nanos_of(self, tokens: u32) -> u64 {
        let nanos = u64::from(tokens).saturating_mul(NANOS_PER_SECOND);
        nanos.checked_div(self.rate.into()).unwrap_or(u64::MAX)
    }

    /// The time in which an empty bucket fills up.
    pub fn window(self) -> Duration {
        Duration::from_nanos(self.nanos_of(self.burst))
    }

    /// The tokens in the shared bucket.
    pub fn left(self, full_at: FullAt, now: Timestamp) -> u32 {
        let nanos = full_at.0.saturating_sub(FullAt::of(now).0);
        let missing = nanos.saturating_mul(self.rate.into()).div_ceil(NANOS_PER_SECOND);
        u32::try_from(missing).map_or(0, |missing| self.burst.saturating_sub(missing))
    }

    /// How long the shared bucket has no token.
    pub fn empty_for(self, full_at: FullAt, now: Timestamp) -> Duration {
        let but_one = self.nanos_of(self.burst.saturating_sub(1));
        full_at.since(now).saturating_sub(Duration::from_nanos(but_one))
    }

    /// How many tokens a process that holds none leases now: fewer where few are left, 0 where none is.
    pub fn lease(self, full_at: FullAt, now: Timestamp) -> u32 {
        match self.left(full_at, now) {
            0 => 0,
            left => (left / SHARE_OF_LEFT).clamp(1, self.allowance()),
        }
    }

    /// The bucket after so many tokens were taken.
    pub fn taken(self, full_at: FullAt, tokens: u32, now: Timestamp) -> FullAt {
        full_at.max(FullAt::of(now)).plus(self.nanos_of(tokens))
    }

    /// The emptiest bucket from which so many tokens can be taken.
    pub fn emptiest(self, tokens: u32, now: Timestamp) -> FullAt {
        FullAt::of(now).plus(self.nanos_of(self.burst.saturating_sub(tokens)))
    }

    /// A bucket that fills up later than this was written by mistake, and counts as full: a clock that is wrong must not
    /// shut an account out.
    pub fn latest(self, now: Timestamp) -> FullAt {
        self.emptiest(0, now).plus(CLOCKS_DIFFER_MAX)
    }
}

/// The tokens that one process holds of one bucket.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    parts: u64,
    at: Timestamp,
}

impl Held {
    /// The allowance of a process that begins.
    pub fn first(limit: Limit, now: Timestamp) -> Self {
        Self { parts: most(limit), at: now }
    }

    /// Adds what has filled up since: a five-hundredth of the limit's rate.
    pub fn refill(&mut self, limit: Limit, now: Timestamp) {
        let millis = whole_millis(now.since(self.at));
        // A five-hundredth of the rate, in millionths a millisecond, is twice the rate.
        let filled = millis.saturating_mul(u64::from(limit.rate).saturating_mul(2));
        self.parts = self.parts.saturating_add(filled).min(most(limit));
        self.at = self.at.max(now);
    }

    /// Adds tokens, as far as there is room.
    pub fn add(&mut self, limit: Limit, tokens: u32) {
        self.parts = self.parts.saturating_add(u64::from(tokens).saturating_mul(PARTS)).min(most(limit));
    }

    /// Takes one token, if there is one.
    pub fn take(&mut self) -> bool {
        let left = self.parts.checked_sub(PARTS);
        self.parts = left.unwrap_or(self.parts);
        left.is_some()
    }

    /// Whole tokens.
    pub fn tokens(self) -> u32 {
        u32::try_from(self.parts / PARTS).unwrap_or(u32::MAX)
    }
}

fn most(limit: Limit) -> u64 {
    u64::from(limit.allowance()).saturating_mul(PARTS)
}
