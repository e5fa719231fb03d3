//! What we sign, the `standardwebhooks` crate verifies, whatever the body and the secret.

use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use proptest::prelude::*;
use recoup_domain::signing::{Secret, Secrets, Signed, sign, verifies};
use recoup_domain::time::Timestamp;
use standardwebhooks::Webhook;

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_millis(u64::try_from(now.as_millis()).unwrap()).unwrap()
}

fn headers(signed: &Signed) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", signed.id.parse().unwrap());
    headers.insert("webhook-timestamp", signed.timestamp.parse().unwrap());
    headers.insert("webhook-signature", signed.signature.parse().unwrap());
    headers
}

fn secret() -> impl Strategy<Value = Secret> {
    prop::collection::vec(any::<u8>(), Secret::LENGTHS).prop_map(|bytes| Secret::new(bytes).unwrap())
}

proptest! {
    #[test]
    fn a_receiver_verifies_with_any_valid_secret_and_with_no_other(
        secrets in prop::collection::vec(secret(), 1..=4),
        stranger in secret(),
        body in any::<String>(),
        other in any::<String>(),
    ) {
        prop_assume!(!secrets.contains(&stranger) && body != other);
        let now = now();
        let mut kept = Secrets::first(secrets[0].clone());
        for secret in &secrets[1..] {
            kept = kept.rotated(secret.clone(), now, std::time::Duration::from_mins(1)).unwrap();
        }
        let signed = sign("evt_1", now, body.clone(), &kept);
        let headers = headers(&signed);
        for secret in &secrets {
            let receiver = Webhook::new(&secret.reveal()).unwrap();
            prop_assert!(receiver.verify(body.as_bytes(), &headers).is_ok());
            prop_assert!(receiver.verify(other.as_bytes(), &headers).is_err());
            prop_assert!(verifies(secret, "evt_1", &signed.timestamp, &body, &signed.signature));
        }
        prop_assert!(Webhook::new(&stranger.reveal()).unwrap().verify(body.as_bytes(), &headers).is_err());
        prop_assert!(!verifies(&stranger, "evt_1", &signed.timestamp, &body, &signed.signature));
    }

    #[test]
    fn what_others_sign_we_verify_and_no_header_breaks_us(
        secret in secret(), body in any::<String>(), noise in any::<String>(),
    ) {
        let seconds = i64::try_from(now().unix_millis() / 1_000).unwrap();
        let sender = Webhook::new(&secret.reveal()).unwrap();
        let signature = sender.sign("evt_1", seconds, body.as_bytes()).unwrap();
        prop_assert!(verifies(&secret, "evt_1", &seconds.to_string(), &body, &signature));
        let beside = format!("{noise} {signature}");
        prop_assert!(verifies(&secret, "evt_1", &seconds.to_string(), &body, &beside));
        prop_assert!(!verifies(&secret, "evt_1", &seconds.to_string(), &body, &noise));
    }
}
