//! What processors tell by themselves, through the gateway: a signature is all they need, and all that counts.

use hmac::{Hmac, KeyInit, Mac};
use recoup_deployed_tests::{Account, Answer, Stack};
use recoup_domain::signing::{Secret, Secrets, sign};
use recoup_domain::time::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Shop, balance, refunded, registered};

/// Nobody listens there: what the adapter did is known from its notices alone.
const NOBODY: &str = "http://127.0.0.1:9";
/// A request of Stripe's, as the gateway hands it over.
const RECORDED: &str = include_str!("../../../../events/settle-refund.json");

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
    assert_eq!(refund["pending_reason"], "processor_busy", "nobody listens, so nothing was sent");

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

/// Sends Stripe's event about a refund, signed with this secret.
async fn event(shop: &Shop, secret: &str, of: &str, status: &str) -> Answer {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let mut event: Value = serde_json::from_str(recorded["body"].as_str().unwrap()).unwrap();
    event["livemode"] = json!(false);
    let refund = &mut event["data"]["object"];
    (refund["amount"], refund["currency"], refund["status"]) = (json!(400), json!("eur"), json!(status));
    refund["metadata"] = json!({
        "recoup_refund_id": of, "recoup_account_id": shop.id, "recoup_environment": "sandbox",
    });
    signed(secret, "", event.to_string()).await
}

/// Sends what this secret signed to Stripe's address, with this query.
async fn signed(secret: &str, query: &str, body: String) -> Answer {
    let seconds = now().unix_millis() / 1_000;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let signature = mac.finalize().into_bytes();
    let start = format!("t={seconds},v1=");
    let signature = signature.iter().fold(start, |header, byte| format!("{header}{byte:02x}"));
    let nobody: Account = Stack::running().with_authorization(None);
    let headers = [("stripe-signature", signature.as_str())];
    nobody.send("POST", &format!("/v1/processors/stripe/notifications{query}"), &headers, Some(body)).await
}

#[tokio::test]
async fn stripes_signed_event_ends_a_refund_whose_answer_never_came() {
    let shop = Shop::new().await;
    // A live key is never sent for the sandbox: what became of the refund is known from the event alone.
    let keys = json!({ "key": "sk_live_51NotForTheSandbox", "signing_secrets": ["whsec_OfTheEvents1"] });
    shop.store_keys("sandbox", "stripe", keys).await;
    let caller = shop.caller("sandbox").await;
    registered(&caller, "pay_1", "stripe", "pi_1").await;
    let id = refunded(&caller, "pay_1", None).await;
    caller.refund_in(&id, "processing").await;

    let forged = event(&shop, "whsec_OfSomebodyElse", &id, "succeeded").await;
    assert_eq!((forged.status, forged.text("code")), (403, "invalid_signature"));
    let applied = event(&shop, "whsec_OfTheEvents1", &id, "succeeded").await;
    assert_eq!((applied.status, applied.text("outcome")), (200, "applied"), "{:?}", applied.body);
    let refund = caller.refund_in(&id, "succeeded").await;
    assert!(refund["processor_reference"].as_str().unwrap().starts_with("re_"), "{refund}");
    let again = event(&shop, "whsec_OfTheEvents1", &id, "pending").await;
    assert_eq!((again.status, again.text("outcome")), (200, "unchanged"), "{:?}", again.body);
    assert_eq!(balance(&caller, "pay_1").await, [600, 0, 400]);
}

/// Sends Stripe's event about a dispute of the charge `pi_1`, created so many seconds ago.
async fn dispute(shop: &Shop, secret: &str, status: &str, seconds_ago: u64) -> Answer {
    let event = json!({
        "id": "evt_1", "object": "event", "type": "charge.dispute.updated", "livemode": false,
        "created": now().minus(std::time::Duration::from_secs(seconds_ago)).unix_seconds(),
        "data": { "object": {
            "id": "dp_1", "object": "dispute", "amount": 800, "currency": "eur", "status": status, "charge": "ch_1",
            "payment_intent": "pi_1", "reason": "fraudulent", "is_charge_refundable": false, "balance_transactions": [],
        } },
    });
    let query = format!("?environment=sandbox&account_id={}", shop.id);
    signed(secret, &query, event.to_string()).await
}

#[tokio::test]
async fn a_dispute_at_stripe_blocks_a_refund_and_a_lost_one_takes_its_amount() {
    let shop = Shop::new().await;
    // A live key is never sent for the sandbox, so the refund stays held.
    let keys = json!({ "key": "sk_live_51NotForTheSandbox", "signing_secrets": ["whsec_OfTheEvents1"] });
    shop.store_keys("sandbox", "stripe", keys).await;
    let caller = shop.caller("sandbox").await;
    registered(&caller, "pay_1", "stripe", "pi_1").await;
    refunded(&caller, "pay_1", None).await;

    let opened = dispute(&shop, "whsec_OfTheEvents1", "needs_response", 30).await;
    let told = (opened.status, opened.text("outcome"), opened.text("payment_id"));
    assert_eq!(told, (200, "applied", "pay_1"), "{:?}", opened.body);
    let wanted = json!({ "payment_id": "pay_1", "amount": 100 });
    let refused = caller.refund(None, wanted).await;
    assert_eq!((refused.status, refused.text("code")), (422, "payment_disputed"), "{:?}", refused.body);

    for (seconds_ago, outcome) in [(20, "applied"), (20, "unchanged"), (40, "unchanged")] {
        let lost = dispute(&shop, "whsec_OfTheEvents1", "lost", seconds_ago).await;
        assert_eq!((lost.status, lost.text("outcome")), (200, outcome), "{:?}", lost.body);
    }
    assert_eq!(balance(&caller, "pay_1").await, [0, 400, 0]);
    let payment = caller.get("/v1/payments/pay_1").await.body;
    assert_eq!((&payment["charged_back_amount"], &payment["disputed"]), (&json!(600), &json!(false)));
    let [told] = payment["disputes"].as_array().unwrap().as_slice() else { panic!("{payment}") };
    assert_eq!((&told["status"], &told["excess_amount"]), (&json!("lost"), &json!(200)));

    let won = dispute(&shop, "whsec_OfTheEvents1", "won", 10).await;
    assert_eq!((won.status, won.text("outcome")), (200, "applied"), "{:?}", won.body);
    assert_eq!(balance(&caller, "pay_1").await, [600, 400, 0]);
}
