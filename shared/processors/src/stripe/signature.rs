//! Stripe's own way to sign what it sends: `Stripe-Signature: t=1795000000,v1=5257a8…,v1=…`.
//!
//! From <https://docs.stripe.com/webhooks#verify-manually>: HMAC-SHA-256 in hexadecimal over `t.body`.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::Mac;
use recoup_domain::signing::hmac_sha256;
use recoup_domain::time::Timestamp;

use super::StripeSigningSecret;
use crate::notification::{NotGenuine, judge_age};

/// Most signatures of one header that are looked at; Stripe sends one for each secret in use.
const SIGNATURES_MAX: usize = 16;

/// Whether one of these secrets signed this body, not more than five minutes ago.
pub(super) fn verify(
    secrets: &[StripeSigningSecret],
    header: &str,
    body: &str,
    now: Timestamp,
) -> Result<(), NotGenuine> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let timestamp = parts().find_map(|(key, value)| (key == "t").then_some(value));
    let timestamp = timestamp.ok_or(NotGenuine::Malformed)?;
    let seconds: u64 = timestamp.parse().map_err(|_| NotGenuine::Malformed)?;
    let told = parts().filter_map(|(key, value)| (key == "v1").then_some(value));
    let told = told.filter_map(|value| HEXLOWER_PERMISSIVE.decode(value.as_bytes()).ok());
    let genuine = told.take(SIGNATURES_MAX).any(|told| {
        secrets.iter().any(|secret| {
            // Compares in constant time.
            hmac_sha256(secret.bytes(), &[timestamp, ".", body]).verify_slice(&told).is_ok()
        })
    });
    if genuine { judge_age(seconds, now) } else { Err(NotGenuine::Forged) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}";
    // Made with Python's hmac module, as Stripe's own library does.
    const SIGNED: &str = "e8e864e8bfa64e29e1e9059127ac6eaecb914355ba30154953441e64c397c60f";

    fn secret(text: &str) -> StripeSigningSecret {
        StripeSigningSecret::parse(text).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(seconds.checked_mul(1_000).unwrap()).unwrap()
    }

    fn verified(header: &str, body: &str, now: u64) -> Result<(), NotGenuine> {
        verify(&[secret("whsec_another1"), secret("whsec_test_secret")], header, body, at(now))
    }

    #[test]
    fn what_stripe_signed_is_genuine_whatever_stands_beside_it() {
        let zeros = "0".repeat(64);
        for header in [
            format!("t=1795000000,v1={SIGNED}"),
            format!("t=1795000000,v1={zeros},v1={SIGNED},v0={zeros}"),
            format!("v1={SIGNED}, t=1795000000"),
            format!("t=1795000000,v1=zz,v1,=,v1={SIGNED}"),
        ] {
            assert_eq!(verified(&header, BODY, 1_795_000_000), Ok(()), "{header}");
        }
    }

    #[test]
    fn what_another_signed_or_changed_is_forged() {
        let good = format!("t=1795000000,v1={SIGNED}");
        assert_eq!(verified(&good, "{}", 1_795_000_000), Err(NotGenuine::Forged));
        let moved = format!("t=1795000001,v1={SIGNED}");
        assert_eq!(verified(&moved, BODY, 1_795_000_000), Err(NotGenuine::Forged));
        let old_scheme = format!("t=1795000000,v0={SIGNED}");
        assert_eq!(verified(&old_scheme, BODY, 1_795_000_000), Err(NotGenuine::Forged));
        let cut = format!("t=1795000000,v1={}", SIGNED.split_at(62).0);
        assert_eq!(verified(&cut, BODY, 1_795_000_000), Err(NotGenuine::Forged));
        let only_another = verify(&[secret("whsec_another1")], &good, BODY, at(1_795_000_000));
        assert_eq!(only_another, Err(NotGenuine::Forged));
        assert_eq!(verify(&[], &good, BODY, at(1_795_000_000)), Err(NotGenuine::Forged));
    }

    #[test]
    fn a_signature_lasts_five_minutes_in_both_directions() {
        let header = format!("t=1795000000,v1={SIGNED}");
        for now in [1_794_999_700, 1_795_000_300] {
            assert_eq!(verified(&header, BODY, now), Ok(()), "{now}");
        }
        for now in [1_794_999_699, 1_795_000_301, 0] {
            assert_eq!(verified(&header, BODY, now), Err(NotGenuine::Stale), "{now}");
        }
    }

    #[test]
    fn a_header_without_a_time_is_malformed() {
        for header in ["", "t=", "t=-1,v1=00", "t=now", &format!("v1={SIGNED}"), "t=99999999999999999999999"]
        {
            assert_eq!(verified(header, BODY, 1_795_000_000), Err(NotGenuine::Malformed), "{header}");
        }
    }
}
