//! What the Yoco document asks, row by row. Its samples are a payment's id in the path and no body, or metadata.

use futures_util::future::join_all;
use recoup_deployed_tests::{Account, Answer, Stack};
use serde_json::{Value, json};

const CHECKOUT: &str = "ch_mQ3pWxLbkJ6tVrZ9";

async fn with_checkout(change: Value) -> Account {
    let account = Stack::running().new_account().await;
    assert_eq!(account.register(CHECKOUT, checkout(change)).await.status, 201);
    account
}

fn checkout(change: Value) -> Value {
    let mut payment = json!({ "amount": 2_000, "currency": "ZAR" });
    let Value::Object(change) = change else { panic!("an object") };
    payment.as_object_mut().unwrap().extend(change);
    payment
}

/// A refund as the document addresses it.
async fn refund(account: &Account, key: Option<&str>, body: Option<Value>) -> Answer {
    let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    let path = format!("/v1/payments/{CHECKOUT}/refunds");
    account.send("POST", &path, &headers, body.map(|body| body.to_string())).await
}

#[tokio::test]
async fn y1_a_refund_addressed_by_the_path_takes_the_whole_charge() {
    for body in [None, Some(json!({})), Some(json!({ "metadata": { "case": "8731" } }))] {
        let account = with_checkout(json!({})).await;
        let refund = refund(&account, None, body.clone()).await;
        assert_eq!((refund.status, refund.body["amount"].as_u64()), (201, Some(2_000)), "{:?}", refund.body);
        assert_eq!(refund.text("payment_id"), CHECKOUT);
        let metadata = body.map_or(json!({}), |body| body.get("metadata").cloned().unwrap_or(json!({})));
        assert_eq!(refund.body["metadata"], metadata);
    }
}

#[tokio::test]
async fn y2_a_payment_of_full_refunds_only_refuses_a_part_and_gives_the_whole() {
    let account = with_checkout(json!({ "partial_refunds": "full_only" })).await;
    for part in [1, 1_999] {
        let refused = refund(&account, Some("whole"), Some(json!({ "amount": part }))).await;
        assert_eq!((refused.status, refused.text("code")), (422, "partial_refund_not_allowed"));
    }
    assert_eq!(account.payment(CHECKOUT).await["refundable_amount"], 2_000);
    let whole = refund(&account, Some("whole"), Some(json!({ "amount": "20.00" }))).await;
    assert_eq!(whole.status, 201, "{:?}", whole.body);
}

#[tokio::test]
async fn y3_the_idempotency_key_is_optional_and_makes_a_retry_safe() {
    let account = with_checkout(json!({})).await;
    let without = refund(&account, None, Some(json!({ "amount": 1 }))).await;
    let another = refund(&account, None, Some(json!({ "amount": 1 }))).await;
    assert_eq!((without.status, another.status), (201, 201));
    assert_ne!(without.body["id"], another.body["id"]);

    let first = refund(&account, Some("once"), None).await;
    let retry = refund(&account, Some("once"), None).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    assert_eq!((retry.status, retry.header("idempotent-replayed")), (201, "true"), "{:?}", retry.body);
    assert_eq!(first.body["id"], retry.body["id"]);
    assert_eq!(account.payment(CHECKOUT).await["refundable_amount"], 0);
}

#[tokio::test]
async fn y4_the_payments_status_goes_from_created_to_refunded_with_its_refund() {
    let account = with_checkout(json!({ "status": "created" })).await;
    for status in ["created", "started", "processing", "completed"] {
        let moved = account.register(CHECKOUT, checkout(json!({ "status": status }))).await;
        assert_eq!((moved.status, moved.text("status")), (200, status));
    }
    let given = refund(&account, None, None).await;
    account.refund_in(given.text("id"), "succeeded").await;
    assert_eq!(account.payment(CHECKOUT).await["status"], "refunded");

    // A refund that was accepted and then failed never shows as refunded.
    let failing = json!({ "processor": { "name": "sandbox", "reference": "sandbox_fail" } });
    let account = with_checkout(failing).await;
    let accepted = refund(&account, None, None).await;
    assert_eq!(accepted.status, 201, "{:?}", accepted.body);
    account.refund_in(accepted.text("id"), "failed").await;
    let payment = account.payment(CHECKOUT).await;
    assert_eq!((&payment["status"], &payment["refund_status"]), (&json!("completed"), &json!("none")));
}

#[tokio::test]
async fn y5_before_settlement_a_refund_is_a_reversal_and_the_payment_reversed() {
    let account = with_checkout(json!({ "settlement": "unsettled" })).await;
    let part = refund(&account, None, Some(json!({ "amount": 500 }))).await;
    assert_eq!((part.status, part.text("kind")), (201, "reversal"), "{:?}", part.body);
    account.refund_in(part.text("id"), "succeeded").await;
    assert_eq!(account.payment(CHECKOUT).await["status"], "completed");
    let rest = refund(&account, None, None).await;
    assert_eq!((rest.status, rest.text("kind")), (201, "reversal"), "{:?}", rest.body);
    account.refund_in(rest.text("id"), "succeeded").await;
    let payment = account.payment(CHECKOUT).await;
    assert_eq!((&payment["status"], &payment["refund_status"]), (&json!("reversed"), &json!("full")));
}

#[tokio::test]
async fn y5_after_settlement_it_is_a_refund_and_the_payment_ends_refunded() {
    let account = with_checkout(json!({ "settlement": "unsettled" })).await;
    let before = refund(&account, None, Some(json!({ "amount": 500 }))).await;
    account.register(CHECKOUT, checkout(json!({ "settlement": "settled" }))).await;
    let after = refund(&account, None, None).await;
    assert_eq!((before.text("kind"), after.text("kind")), ("reversal", "refund"));
    for refund in [&before, &after] {
        account.refund_in(refund.text("id"), "succeeded").await;
    }
    // Not all of it went back before settlement.
    assert_eq!(account.payment(CHECKOUT).await["status"], "refunded");
}

#[tokio::test]
async fn y6_a_wrong_key_is_403_and_another_request_under_a_used_key_is_422() {
    let stack = Stack::running();
    for wrong in ["Bearer sk_sandbox_wrong", "Bearer sk_live_wrong", "Basic c2tfc2FuZGJveF93cm9uZzo="] {
        let answer = refund(&stack.with_authorization(Some(wrong)), None, None).await;
        assert_eq!(answer.status, 403, "{wrong}");
    }
    assert_eq!(refund(&stack.with_authorization(None), None, None).await.status, 401);

    let account = with_checkout(json!({})).await;
    let first = refund(&account, Some("used"), Some(json!({ "amount": 100 }))).await;
    assert_eq!(first.status, 201, "{:?}", first.body);
    let other_parameters = refund(&account, Some("used"), Some(json!({ "amount": 101 }))).await;
    let other_path = json!({ "payment_id": CHECKOUT, "amount": 100 });
    let other_path = account.refund(Some("used"), other_path).await;
    for answer in [other_parameters, other_path] {
        assert_eq!((answer.status, answer.text("code")), (422, "idempotency_key_reused"));
    }
    assert_eq!(account.payment(CHECKOUT).await["refundable_amount"], 1_900);
}

/// When two writes of one key collide, DynamoDB says so and the loser is told 409. The local table lets one
/// wait for the other instead, so that 409 itself is provoked at the handler; here, whoever is told it at all
/// is told rightly.
#[tokio::test]
async fn y6_the_same_key_in_process_is_the_one_refund_or_409() {
    let account = with_checkout(json!({})).await;
    let answers = join_all((0..8).map(|_| refund(&account, Some("racing"), None))).await;
    let id = answers.iter().find(|answer| answer.status == 201).expect("a winner").text("id");
    for answer in &answers {
        match answer.status {
            201 => assert_eq!(answer.text("id"), id),
            status => {
                assert_eq!((status, answer.text("code")), (409, "idempotency_key_in_use"));
                assert!(!answer.header("retry-after").is_empty());
            }
        }
    }
    assert_eq!(account.payment(CHECKOUT).await["refundable_amount"], 0);
}

/// Nothing of the sandbox can be seen, used or repeated with live credentials, nor the other way round.
#[tokio::test]
async fn y7_live_and_test_credentials_of_one_account_are_kept_apart() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Two worlds" })).await.unwrap();
    let key = async |environment: &str| {
        let key = stack.credential("create_api_key", made["account_id"].as_str().unwrap(), environment).await;
        key["secret"].as_str().unwrap().to_owned()
    };
    let (test_key, live_key) = (key("sandbox").await, key("live").await);
    assert!(test_key.starts_with("sk_sandbox_") && live_key.starts_with("sk_live_"));
    let caller = |key: &str| stack.with_authorization(Some(&format!("Bearer {key}")));
    let (test, live) = (caller(&test_key), caller(&live_key));

    assert_eq!(test.register(CHECKOUT, checkout(json!({}))).await.status, 201);
    let refunded = refund(&test, Some("k"), None).await;
    assert_eq!((refunded.status, &refunded.body["sandbox"]), (201, &json!(true)));
    let path = format!("/v1/refunds/{}", refunded.text("id"));
    for unseen in [
        live.get(&format!("/v1/payments/{CHECKOUT}")).await,
        live.get(&format!("/v1/payments/{CHECKOUT}/refunds")).await,
        live.get(&path).await,
        refund(&live, Some("k"), None).await,
    ] {
        assert_eq!(unseen.status, 404, "{:?}", unseen.body);
    }
    assert_eq!(live.get("/v1/refunds").await.body["data"], json!([]));
    let rehearsal = live.register(CHECKOUT, checkout(json!({}))).await;
    assert_eq!((rehearsal.status, rehearsal.text("param")), (400, "processor.name"));

    // The same payment of real money is another payment, with a refund of its own under the same key.
    let real = checkout(json!({ "processor": { "name": "http", "reference": CHECKOUT } }));
    assert_eq!(live.register(CHECKOUT, real).await.body["sandbox"], json!(false));
    let real = refund(&live, Some("k"), None).await;
    assert_eq!((real.status, &real.body["sandbox"]), (201, &json!(false)), "{:?}", real.body);
    assert_ne!(real.text("id"), refunded.text("id"));
    assert_eq!(test.get(&format!("/v1/refunds/{}", real.text("id"))).await.status, 404);

    // A key is of its world by what is stored, not by how it looks.
    let forged = test_key.replacen("sk_sandbox_", "sk_live_", 1);
    assert_eq!(caller(&forged).get("/v1/refunds").await.status, 403);
}
