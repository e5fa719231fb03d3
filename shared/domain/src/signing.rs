//! Signatures as Standard Webhooks 1.0 defines them, and the secrets they are made with.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::or_abort::OrAbort;
use crate::time::Timestamp;

/// HMAC-SHA-256 over texts, one after the other.
pub fn hmac_sha256(key: &[u8], texts: &[&str]) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key);
    let mut mac = mac.or_abort("HMAC takes a key of any length");
    for text in texts {
        mac.update(text.as_bytes());
    }
    mac
}

/// The bytes of a signing secret, never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Fewest and most bytes that Standard Webhooks 1.0 allows.
    pub const LENGTHS: RangeInclusive<usize> = 24..=64;
    const PREFIX: &str = "whsec_";

    /// A secret of these bytes; `None` if their number is out of bounds.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        Self::LENGTHS.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// A new secret of 256 random bits.
    pub fn of_256_bits(bits: [u128; 2]) -> Self {
        Self(bits.iter().flat_map(|half| half.to_be_bytes()).collect())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that its owner keeps, `whsec_…`.
    pub fn reveal(&self) -> String {
        format!("{}{}", Self::PREFIX, STANDARD.encode(&self.0))
    }

    /// Reads `whsec_…` back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(STANDARD.decode(text.strip_prefix(Self::PREFIX)?).ok()?)
    }

    /// The HMAC of `id.timestamp.body`.
    fn mac(&self, id: &str, timestamp: &str, body: &str) -> Hmac<Sha256> {
        hmac_sha256(&self.0, &[id, ".", timestamp, ".", body])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret that was replaced and still signs beside its successor; `S` as in [`Secrets`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired<S = Secret> {
    /// The secret.
    pub secret: S,
    /// The moment from which it no longer signs.
    pub until: Timestamp,
}

/// One receiver's secrets: the current one, and those that still sign beside it. They are [`Secret`]s to sign with, and
/// [`StoredSecret`](crate::sealed::StoredSecret)s wherever nobody signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets<S = Secret> {
    /// The newest secret.
    pub current: S,
    /// The replaced secrets, newest first.
    pub retired: Vec<Retired<S>>,
}

/// Too many replaced secrets still sign; another rotation would drop one before the time it was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{} earlier secrets are still valid; the first of them ends {}", Secrets::RETIRED_MAX, .0.rfc3339())]
pub struct TooManySecrets(pub Timestamp);

impl Secrets {
    /// Most secrets that sign beside the current one. A receiver that still verifies with an earlier one must not lose
    /// it before the time it was promised, so a further rotation is refused rather than the oldest dropped.
    pub const RETIRED_MAX: usize = 3;

    /// Hours for which a replaced secret still signs by default.
    pub const OVERLAP_HOURS: u32 = 24;
    /// Most hours for which a replaced secret may still sign.
    pub const OVERLAP_HOURS_MAX: u32 = 168;

    /// The overlap for a number of hours, or by default; `None` out of bounds.
    pub fn overlap(hours: Option<u32>) -> Option<Duration> {
        let hours = hours.unwrap_or(Self::OVERLAP_HOURS);
        (hours <= Self::OVERLAP_HOURS_MAX).then(|| Duration::from_hours(u64::from(hours)))
    }
}

impl<S: Clone> Secrets<S> {
    /// A receiver's first secret.
    pub fn first(current: S) -> Self {
        Self { current, retired: Vec::new() }
    }

    /// The secrets that sign at a moment, the current one first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &S> {
        let retired = self.retired.iter().filter(move |retired| now < retired.until);
        std::iter::once(&self.current).chain(retired.map(|retired| &retired.secret))
    }

    /// Replaces the current secret, which still signs beside the new one until the overlap is over.
    pub fn rotated(&self, new: S, now: Timestamp, overlap: Duration) -> Result<Self, TooManySecrets> {
        let until = now.plus(overlap);
        let mut retired: Vec<Retired<S>> =
            self.retired.iter().filter(|retired| now < retired.until).cloned().collect();
        if !overlap.is_zero() {
            let first = retired.iter().map(|retired| retired.until).min();
            if let Some(first) = first.filter(|_| retired.len() >= Secrets::RETIRED_MAX) {
                return Err(TooManySecrets(first));
            }
            retired.insert(0, Retired { secret: self.current.clone(), until });
        }
        Ok(Self { current: new, retired })
    }
}

/// A signed message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Header `webhook-id`.
    pub id: String,
    /// Header `webhook-timestamp`: seconds since 1970.
    pub timestamp: String,
    /// Header `webhook-signature`: one `v1,…` per secret that signs, separated by spaces.
    pub signature: String,
    /// The exact body that was signed.
    pub body: String,
}

/// Signs a message with every secret that is valid now.
pub fn sign(id: &str, now: Timestamp, body: String, secrets: &Secrets) -> Signed {
    let timestamp = now.unix_seconds().to_string();
    let signatures = secrets.signing(now).map(|secret| {
        format!("v1,{}", STANDARD.encode(secret.mac(id, &timestamp, &body).finalize().into_bytes()))
    });
    let signature = signatures.collect::<Vec<_>>().join(" ");
    Signed { id: id.to_owned(), timestamp, signature, body }
}

/// Whether a signature header contains a signature made with this secret, whatever else it contains. The caller
/// judges the age of the timestamp.
pub fn verifies(secret: &Secret, id: &str, timestamp: &str, body: &str, signatures: &str) -> bool {
    signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|one| {
        // Compares in constant time.
        STANDARD.decode(one).is_ok_and(|code| secret.mac(id, timestamp, body).verify_slice(&code).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(seconds.checked_mul(1_000).unwrap()).unwrap()
    }

    fn secret(byte: u8) -> Secret {
        Secret::new(vec![byte; 32]).unwrap()
    }

    #[test]
    fn the_example_of_standard_webhooks_is_signed_as_it_is_there() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#.to_owned();
        let signed = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at(1_614_265_330), body, &Secrets::first(secret));
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signed.timestamp, "1614265330");
    }

    #[test]
    fn a_replaced_secret_signs_beside_its_successor_until_the_overlap_is_over() {
        let first = Secrets::first(secret(1));
        let second = first.rotated(secret(2), at(100), Duration::from_mins(1)).unwrap();
        let signing = |now| second.signing(at(now)).cloned().collect::<Vec<_>>();
        assert_eq!(signing(100), [secret(2), secret(1)]);
        assert_eq!(signing(159), [secret(2), secret(1)]);
        assert_eq!(signing(160), [secret(2)]);
        let signed = sign("evt_1", at(120), "{}".to_owned(), &second);
        assert_eq!(signed.signature.split(' ').count(), 2);
        for secret in [secret(1), secret(2)] {
            assert!(verifies(&secret, "evt_1", &signed.timestamp, "{}", &signed.signature));
        }
        for (id, timestamp, body) in [("evt_2", "120", "{}"), ("evt_1", "121", "{}"), ("evt_1", "120", "{ }")]
        {
            assert!(!verifies(&secret(1), id, timestamp, body, &signed.signature));
        }
        assert!(!verifies(&secret(3), "evt_1", &signed.timestamp, "{}", &signed.signature));
    }

    #[test]
    fn without_an_overlap_the_old_secret_ends_at_once() {
        let rotated = Secrets::first(secret(1)).rotated(secret(2), at(100), Duration::ZERO).unwrap();
        assert_eq!(rotated, Secrets::first(secret(2)));
    }

    #[test]
    fn a_promised_overlap_is_kept_rather_than_cut_by_one_more_rotation() {
        let mut secrets = Secrets::first(secret(0));
        for number in 1..=3 {
            let now = at(u64::from(number));
            secrets = secrets.rotated(secret(number), now, Duration::from_mins(1)).unwrap();
        }
        let refused = secrets.rotated(secret(4), at(10), Duration::from_mins(1));
        assert_eq!(refused, Err(TooManySecrets(at(61))));
        assert!(secrets.rotated(secret(4), at(61), Duration::from_mins(1)).is_ok());
        assert!(secrets.rotated(secret(4), at(10), Duration::ZERO).is_ok(), "it leaves nobody more behind");
    }

    #[test]
    fn a_secret_is_read_as_it_was_shown_and_not_printed() {
        assert_eq!(Secret::parse(&secret(7).reveal()), Some(secret(7)));
        for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%"] {
            assert_eq!(Secret::parse(text), None, "{text}");
        }
        assert_eq!(format!("{:?}", secret(7)), "Secret(…)");
    }
}
