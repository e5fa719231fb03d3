//! Ids: one type for each kind of thing, checked when made, so that they cannot be mixed up or forged.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use ulid::{ULID_LEN, Ulid};

use crate::or_abort::OrAbort;
use crate::payment::ProcessorName;
use crate::text::Text;
use crate::text_form::text_form;
use crate::time::Timestamp;

/// A text that is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidId(&'static str);

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 128 bits as 26 characters of Crockford base32, as in a ULID, but in lower case.
pub(crate) fn crockford(bits: u128) -> String {
    Ulid::from(bits).array_to_str(&mut [0; ULID_LEN]).to_ascii_lowercase()
}

/// The first 128 bits of SHA-256.
pub(crate) fn first_128_bits(of: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(of).into();
    let (half, _) = digest.split_first_chunk().or_abort("32 bytes begin with 16");
    u128::from_be_bytes(*half)
}

/// The first 128 bits of the hash of the parts, joined by NUL; no part may hold a NUL.
fn hashed(parts: &[&str]) -> u128 {
    first_128_bits(&parts.join("\0"))
}

pub(crate) fn is_crockford(text: &str) -> bool {
    text.bytes().all(|byte| CROCKFORD.contains(&byte))
}

fn is_made(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == ULID_LEN && is_crockford(rest))
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
    /// A refund: its id is derived from its idempotency key, or random where no key was sent.
    RefundId, "rfd_"
);
made_id!(
    /// An event; its id is the `webhook-id` of every attempt to deliver it.
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
    /// The caller's name for one refund request; 1 to 255 visible ASCII characters.
    IdempotencyKey,
    |text| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "must be 1 to 255 visible ASCII characters"
);

impl RefundId {
    /// The id of the only refund that this key can ever stand for in this tenant.
    pub fn of_key(tenant: &Tenant, key: &IdempotencyKey) -> Self {
        let account = tenant.account.as_str();
        Self::from_bits(hashed(&["refund", tenant.environment.as_str(), account, key.as_str()]))
    }

    /// The id of a refund that was made at a processor without us: the same whoever tells of it, however often.
    pub fn of_processor(tenant: &Tenant, processor: ProcessorName, reference: &Text<255>) -> Self {
        let (environment, account) = (tenant.environment.as_str(), tenant.account.as_str());
        let parts = ["processor refund", environment, account, processor.as_str(), reference.as_str()];
        Self::from_bits(hashed(&parts))
    }
}

impl EventId {
    /// The id of the event of a refund's change number `sequence`: the same however often it is announced.
    pub fn of_change(tenant: &Tenant, refund: &RefundId, sequence: u32, at: Timestamp) -> Self {
        let account = tenant.account.as_str();
        let sequence = sequence.to_string();
        Self::at(at, hashed(&["event", tenant.environment.as_str(), account, refund.as_str(), &sequence]))
    }

    /// The id of the event of an endpoint that was switched off.
    pub fn of_disabled(tenant: &Tenant, endpoint: &EndpointId, at: Timestamp) -> Self {
        let account = tenant.account.as_str();
        let parts = ["disabled", tenant.environment.as_str(), account, endpoint.as_str(), &at.rfc3339()];
        Self::at(at, hashed(&parts))
    }

    /// The lowest id that an event at or after a moment can have.
    pub fn earliest_at(at: Timestamp) -> Self {
        Self::at(at, 0)
    }

    /// When the event happened, to the millisecond: the id's first 48 bits, so that ids sort by time.
    pub fn time(&self) -> Timestamp {
        let ulid = self.0.get("evt_".len()..).and_then(|text| Ulid::from_string(text).ok());
        let millis = ulid.or_abort("an event id is a ULID").timestamp_ms();
        // A caller may have made up an id with a later time.
        Timestamp::from_unix_millis(millis).unwrap_or(Timestamp::LAST)
    }

    fn at(at: Timestamp, hash: u128) -> Self {
        Self::from_bits(Ulid::from_parts(at.unix_millis(), hash).into())
    }
}

/// Whether real money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Environment {
    /// No money moves.
    Sandbox,
    /// Real money moves.
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

/// An account in one environment. Every read and write names one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tenant {
    /// Sandbox or live.
    pub environment: Environment,
    /// The account.
    #[serde(rename = "account_id")]
    pub account: AccountId,
}
