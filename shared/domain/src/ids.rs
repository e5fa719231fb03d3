//! Names of things: one type each, checked when made, so that they cannot be mixed or forged.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::text_form::text_form;
use crate::time::Timestamp;

/// A text that is no id of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidId(&'static str);

/// Characters in the part of a made id that follows its prefix.
const MADE_LENGTH: usize = 26;
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 128 bits as 26 characters of Crockford base32, lower case.
pub(crate) fn crockford(bits: u128) -> String {
    (0..MADE_LENGTH)
        .rev()
        .map(|place| {
            let shift = u32::try_from(place.saturating_mul(5)).unwrap_or(u32::MAX);
            let digit = bits.checked_shr(shift).unwrap_or(0) & 31;
            let index = usize::try_from(digit).unwrap_or(0);
            char::from(CROCKFORD.get(index).copied().unwrap_or(b'0'))
        })
        .collect()
}

/// The first 128 bits of SHA-256 over parts that hold no NUL, joined by NUL.
fn hashed(parts: &[&str]) -> u128 {
    let digest: [u8; 32] = Sha256::digest(parts.join("\0")).into();
    digest.iter().take(16).fold(0, |bits: u128, byte| bits.wrapping_shl(8) | u128::from(*byte))
}

pub(crate) fn is_crockford(text: &str) -> bool {
    text.bytes().all(|byte| CROCKFORD.contains(&byte))
}

fn is_made(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == MADE_LENGTH && is_crockford(rest))
}

/// Letters, digits, `_`, `-`, `.` and `:`, 1 to 64 of them: safe in a path, a key and a log.
fn is_given(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:expr, $problem:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;

            fn try_from(text: &str) -> Result<Self, InvalidId> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId($problem)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        text_form!([] $name, this => this.as_str(), text => Self::try_from(text.as_str()));
    };
}

macro_rules! made_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        id!($(#[$doc])* $name, |text| is_made(text, $prefix), concat!("must be ", $prefix, " and 26 characters"));

        impl $name {
            /// The id of these 128 bits: random ones, or those of a hash.
            pub fn from_bits(bits: u128) -> Self {
                Self(format!(concat!($prefix, "{}"), crockford(bits)))
            }
        }
    };
}

made_id!(
    /// A merchant, platform or provider that uses this deployment.
    AccountId, "acct_"
);
made_id!(
    /// A refund: derived from its idempotency key, or random where no key was sent.
    RefundId, "rfd_"
);
made_id!(
    /// An announced change of a refund; the `webhook-id` of every try to deliver it.
    EventId, "evt_"
);
made_id!(
    /// A receiver of an account's events.
    EndpointId, "whe_"
);
made_id!(
    /// An API key, without its secret part.
    KeyId, "key_"
);

id!(
    /// A payment, as the caller names it.
    PaymentId, is_given, "must be 1 to 64 letters, digits or any of _ - . :"
);
id!(
    /// A merchant to whom part of a payment was routed, as the caller names it.
    ActorId, is_given, "must be 1 to 64 letters, digits or any of _ - . :"
);
id!(
    /// A line of the payment's invoice, as the caller names it.
    LineId, is_given, "must be 1 to 64 letters, digits or any of _ - . :"
);
id!(
    /// The caller's name for one wish to refund; 1 to 255 visible ASCII characters.
    IdempotencyKey,
    |text| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "must be 1 to 255 visible ASCII characters"
);

impl RefundId {
    /// The one refund that this key can ever mean for this tenant.
    pub fn of_key(tenant: &Tenant, key: &IdempotencyKey) -> Self {
        let account = tenant.account.as_str();
        Self::from_bits(hashed(&["refund", tenant.environment.as_str(), account, key.as_str()]))
    }
}

impl EventId {
    /// The bits of an id behind its time.
    const HASH_BITS: u32 = 80;

    /// The id of a refund's change number `sequence`: the same however often it is announced.
    pub fn of_change(tenant: &Tenant, refund: &RefundId, sequence: u32, at: Timestamp) -> Self {
        let account = tenant.account.as_str();
        let sequence = sequence.to_string();
        Self::at(at, hashed(&["event", tenant.environment.as_str(), account, refund.as_str(), &sequence]))
    }

    /// The id of the event that tells of an endpoint switched off.
    pub fn of_disabled(tenant: &Tenant, endpoint: &EndpointId, at: Timestamp) -> Self {
        let account = tenant.account.as_str();
        let parts = ["disabled", tenant.environment.as_str(), account, endpoint.as_str(), &at.rfc3339()];
        Self::at(at, hashed(&parts))
    }

    /// The least id of all events that happen at or after a moment.
    pub fn earliest_at(at: Timestamp) -> Self {
        Self::at(at, 0)
    }

    /// When it happened, to the millisecond: the first 48 bits say so, therefore ids sort by time.
    pub fn time(&self) -> Timestamp {
        let digits = self.0.bytes().skip("evt_".len());
        let bits = digits.fold(0_u128, |bits, digit| {
            let value = CROCKFORD.iter().position(|known| *known == digit).unwrap_or(0);
            bits.wrapping_shl(5) | u128::try_from(value).unwrap_or(0)
        });
        let millis = u64::try_from(bits.wrapping_shr(Self::HASH_BITS)).unwrap_or(u64::MAX);
        Timestamp::from_unix_millis(millis).unwrap_or(Timestamp::LAST)
    }

    fn at(at: Timestamp, hash: u128) -> Self {
        let time = u128::from(at.unix_millis()).wrapping_shl(Self::HASH_BITS);
        let hash = hash & 1_u128.wrapping_shl(Self::HASH_BITS).wrapping_sub(1);
        Self::from_bits(time | hash)
    }
}

/// Real money, or a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Environment {
    /// Nothing moves.
    Sandbox,
    /// Money moves.
    Live,
}

impl Environment {
    /// `sandbox` or `live`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Live => "live",
        }
    }

    /// Reads `sandbox` or `live`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sandbox, Self::Live].into_iter().find(|environment| environment.as_str() == text)
    }
}

text_form!([] Environment, this => this.as_str(), text => Self::parse(&text).ok_or("unknown Environment"));

/// Whose data: every read and write names one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tenant {
    /// Sandbox or live.
    pub environment: Environment,
    /// The account.
    #[serde(rename = "account_id")]
    pub account: AccountId,
}
