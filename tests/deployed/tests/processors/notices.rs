//! What an adapter tells by itself, through the gateway: its signature is all it needs, and all that counts.

use recoup_deployed_tests::{Account, Answer, Stack};
use recoup_domain::signing::{Secret, Secrets, sign};
use recoup_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::{Shop, balance, refunded, registered};

/// Nobody listens there: what the adapter did is known from its notices alone.
const NOBODY: &str = "http://127.0.0.1:9";

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap()).unwrap()
}

/// Sends a notice that this secret signed.
async fn notice(shop: &Shop, secret: &Secret, of: &str, says: Value) -> Answer {
    let mut notice = json!({ "environment": "sandbox", "account_id": shop.id, "refund_id": of });
    notice.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
    let signed = sign("msg_1", now(), notice.to_string(), &Secrets::first(secret.clone()));
    let headers = [
        ("webhook-id", signed.id.as_str()),
        ("webhook-timestamp", signed.timestamp.as_str()),
        ("webhook-signature", signed.signature.as_str()),
    ];
    let nobody: Account = Stack::running().with_authorization(None);
    nobody.send("POST", "/v1/processors/http/notifications", &headers, Some(signed.body)).await
}

#[tokio::test]
async fn a_signed_notice_ends_a_refund_once_and_nothing_else_does() {
    let shop = Shop::new().await;
    let (secret, other) = (Secret::new(vec![7; 32]).unwrap(), Secret::new(vec![8; 32]).unwrap());
    shop.store_keys("sandbox", "http", json!({ "base_url": NOBODY, "secrets": [secret.reveal()] })).await;
    let caller = shop.caller("sandbox").await;
    registered(&caller, "pay_1", "http", "bank-payment-1").await;
    let id = refunded(&caller, "pay_1", None).await;
    let refund = caller.refund_in(&id, "processing").await;
    assert_eq!(refund["pending_reason"], "processor_outcome_unknown");

    let yes = || json!({ "status": "succeeded", "reference": "bank-7" });
    let forged = notice(&shop, &other, &id, yes()).await;
    assert_eq!((forged.status, forged.text("code")), (403, "invalid_signature"));
    assert_eq!(balance(&caller, "pay_1").await, [600, 400, 0]);

    let applied = notice(&shop, &secret, &id, yes()).await;
    assert_eq!((applied.status, applied.text("outcome")), (200, "applied"), "{:?}", applied.body);
    let refund = caller.refund_in(&id, "succeeded").await;
    assert_eq!(refund["processor_reference"], "bank-7");
    for old_news in [yes(), json!({ "status": "pending" })] {
        let again = notice(&shop, &secret, &id, old_news).await;
        assert_eq!((again.status, again.text("outcome")), (200, "unchanged"), "{:?}", again.body);
    }
    // What contradicts an end is believed only if the adapter, asked, says the same; it does not answer.
    let failure = json!({ "code": "declined", "message": "No." });
    let contrary = notice(&shop, &secret, &id, json!({ "status": "failed", "failure": failure })).await;
    assert_eq!((contrary.status, contrary.text("code")), (503, "unavailable"), "{:?}", contrary.body);
    assert_eq!(balance(&caller, "pay_1").await, [600, 0, 400]);
    assert_eq!(caller.get(&format!("/v1/refunds/{id}")).await.text("status"), "succeeded");
}
