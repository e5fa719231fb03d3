//! One refund, all the way: the example of the getpaid documents on the deployed stack.

use recoup_deployed_tests::{Receiver, Stack};
use serde_json::{Value, json};

const SELLER: &str = "acc_4zjjxn0nm1tnweqbttedkvnsc8";
const SUPPLIER: &str = "acc_4djj3n0hm1tn2eqwetedkvnsc3";

/// The printed request of the getpaid documents, with our receiver's URL.
fn partial(payment: &str, webhook: &str) -> Value {
    json!({
        "payment_id": payment,
        "description": "Refund for ORD-123456",
        "routing": { "merchants": [{ "id": SELLER, "amount": 1000 }, { "id": SUPPLIER, "amount": 500 }] },
        "reference": "REFUND-123456",
        "urls": { "webhook": webhook },
    })
}

#[tokio::test]
async fn a_partial_refund_is_initiated_succeeds_is_deducted_and_is_announced() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_example("pay_main", "sandbox_succeed").await;

    let created = account.refund(Some("main-1"), partial("pay_main", &receiver.url)).await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    assert_eq!(created.text("status"), "initiated");
    assert_eq!((created.body["amount"].as_u64(), created.text("amount_decimal")), (Some(1500), "15.00"));
    assert!(!created.header("request-id").is_empty());
    let id = created.text("id").to_owned();
    assert!(created.body["_links"]["self"]["href"].as_str().unwrap().ends_with(&format!("/v1/refunds/{id}")));

    let webhooks = receiver.take(2).await;
    let kinds: Vec<&str> = webhooks.iter().map(recoup_deployed_tests::Webhook::kind).collect();
    assert_eq!(kinds, ["refund.initiated", "refund.succeeded"]);
    for webhook in &webhooks {
        webhook.assert_signed_by(&account.webhook_secret);
        assert_eq!(webhook.body["data"]["id"], id.as_str());
    }
    assert_ne!(webhooks[0].id(), webhooks[1].id());

    // The receiver was told of the success, so it is readable: reads are consistent.
    let refund = account.get(&format!("/v1/refunds/{id}")).await;
    assert_eq!(refund.text("status"), "succeeded");
    let payment = account.payment("pay_main").await;
    let left = |actor: &Value| actor["refundable_amount"].as_u64().unwrap();
    assert_eq!(left(&payment["routing"]["platform"]), 100);
    assert_eq!(left(&payment["routing"]["merchants"][0]), 1500);
    assert_eq!(left(&payment["routing"]["merchants"][1]), 0);
    assert_eq!((left(&payment), payment["refunded_amount"].as_u64()), (1600, Some(1500)));
    assert_eq!(payment["refund_status"], "partial");
}

#[tokio::test]
async fn a_repeated_request_is_the_same_refund_and_a_reused_key_is_refused() {
    let account = Stack::running().new_account().await;
    account.register_plain("pay_again", 5_000, "sandbox_succeed").await;
    let wanted = json!({ "payment_id": "pay_again", "amount": 1000 });

    let first = account.refund(Some("again"), wanted.clone()).await;
    let second =
        account.refund(Some("\"again\""), json!({ "amount": "10.00", "transaction_id": "pay_again" })).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    assert_eq!((second.status, second.header("idempotent-replayed")), (201, "true"), "{:?}", second.body);
    assert_eq!(first.body["id"], second.body["id"]);

    let other = account.refund(Some("again"), json!({ "payment_id": "pay_again", "amount": 1001 })).await;
    assert_eq!((other.status, other.text("code")), (422, "idempotency_key_reused"));
    assert_eq!(account.payment("pay_again").await["refundable_amount"], 4_000);
}

#[tokio::test]
async fn more_than_is_left_is_refused_with_what_is_left() {
    let account = Stack::running().new_account().await;
    account.register_example("pay_more", "sandbox_succeed").await;

    let total = account.refund(Some("more"), json!({ "payment_id": "pay_more", "amount": 3101 })).await;
    assert_eq!((total.status, total.text("code")), (422, "amount_exceeds_refundable"));
    assert_eq!(total.body["refundable_amount"], 3100);
    assert_eq!(total.header("content-type"), "application/problem+json");

    let routing = json!({ "merchants": [{ "account_id": SUPPLIER, "amount": 501 }] });
    let actor = account.refund(Some("more"), json!({ "payment_id": "pay_more", "routing": routing })).await;
    assert_eq!((actor.status, actor.text("code")), (422, "actor_amount_exceeds_refundable"));
    assert_eq!(actor.body["actors"][0]["account_id"], SUPPLIER);
    assert_eq!(actor.body["actors"][0]["refundable_amount"], 500);

    // A refused request stores nothing: its key is free.
    let fits = account.refund(Some("more"), json!({ "payment_id": "pay_more" })).await;
    assert_eq!((fits.status, fits.body["amount"].as_u64()), (201, Some(3100)), "{:?}", fits.body);
    let again = account.refund(None, json!({ "payment_id": "pay_more" })).await;
    assert_eq!((again.status, again.text("code")), (422, "payment_already_refunded"));
}

#[tokio::test]
async fn a_failed_refund_gives_every_actor_its_amount_back() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_example("pay_fail", "sandbox_fail").await;

    let created = account.refund(None, partial("pay_fail", &receiver.url)).await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    let webhooks = receiver.take(2).await;
    let failed =
        webhooks.iter().find(|webhook| webhook.kind() == "refund.failed").expect("told of the failure");
    assert_eq!(failed.body["data"]["has_failed"], true);
    assert_eq!(failed.body["data"]["failure"]["code"], "declined");

    let payment = account.payment("pay_fail").await;
    let refundable: Vec<_> = payment["routing"]["merchants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|merchant| merchant["refundable_amount"].as_u64().unwrap())
        .collect();
    assert_eq!((payment["refundable_amount"].as_u64(), refundable), (Some(3100), vec![2500, 500]));
}

#[tokio::test]
async fn the_payment_of_a_full_refund_ends_refunded() {
    let account = Stack::running().new_account().await;
    account.register_plain("pay_full", 1_000, "sandbox_succeed").await;
    let created = account.send("POST", "/v1/payments/pay_full/refunds", &[], None).await;
    assert_eq!((created.status, created.body["amount"].as_u64()), (201, Some(1_000)), "{:?}", created.body);
    account.refund_in(created.text("id"), "succeeded").await;
    let payment = account.payment("pay_full").await;
    assert_eq!(
        (payment["status"].as_str(), payment["refund_status"].as_str()),
        (Some("refunded"), Some("full"))
    );
}
