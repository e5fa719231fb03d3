//! Wrong input gets the precise problem, and loses nothing.

use recoup_deployed_tests::Stack;
use serde_json::json;

#[tokio::test]
async fn a_refusal_names_the_parameter_by_its_path() {
    let account = Stack::running().new_account().await;
    account.register_example("pay_bad", "sandbox_succeed").await;
    let merchant = |amount: serde_json::Value| json!({ "payment_id": "pay_bad", "routing": { "merchants": [{ "id": "acc_1", "amount": 1 }, { "id": "acc_2", "amount": amount }] } });
    let cases = [
        (json!({}), "missing_parameter", "payment_id"),
        (json!({ "payment_id": 7 }), "invalid_parameter", "payment_id"),
        (json!({ "payment_id": "pay_bad", "amount": 10.5 }), "invalid_parameter", "amount"),
        (json!({ "payment_id": "pay_bad", "amount": -1 }), "invalid_parameter", "amount"),
        (json!({ "payment_id": "pay_bad", "amount": 0 }), "invalid_parameter", "amount"),
        (json!({ "payment_id": "pay_bad", "amount": "10.505" }), "invalid_parameter", "amount"),
        (json!({ "payment_id": "pay_bad", "amount": "10.000" }), "invalid_parameter", "amount"),
        (
            json!({ "payment_id": "pay_bad", "amount": 1_000_000_000_000_001_u64 }),
            "invalid_parameter",
            "amount",
        ),
        (json!({ "payment_id": "pay_bad", "sandbox": true }), "unknown_parameter", "sandbox"),
        (
            json!({ "payment_id": "pay_bad", "urls": { "webhook": "ftp://example.com" } }),
            "invalid_parameter",
            "urls.webhook",
        ),
        (json!({ "payment_id": "pay_bad", "urls": { "hook": "x" } }), "unknown_parameter", "urls.hook"),
        (json!({ "payment_id": "pay_bad", "reason": "x".repeat(256) }), "invalid_parameter", "reason"),
        (json!({ "payment_id": "pay_bad", "metadata": { "a": 1 } }), "invalid_parameter", "metadata.a"),
        (
            json!({ "payment_id": "pay_bad", "transaction_id": "pay_other" }),
            "invalid_parameter",
            "transaction_id",
        ),
        (merchant(json!(1.5)), "invalid_parameter", "routing.merchants[1].amount"),
    ];
    for (body, code, param) in cases {
        let answer = account.refund(Some("bad"), body.clone()).await;
        assert_eq!((answer.status, answer.text("code"), answer.text("param")), (400, code, param), "{body}");
        assert_eq!(answer.text("request_id"), answer.header("request-id"));
    }
    assert_eq!(account.payment("pay_bad").await["refundable_amount"], 3100);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let account = Stack::running().new_account().await;
    let bodies = [
        ("{", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        (r#"{"payment_id":"a","payment_id":"b"}"#, 400, "invalid_json"),
    ];
    for (body, status, code) in bodies {
        let answer = account.send("POST", "/v1/refunds", &[], Some(body.to_owned())).await;
        assert_eq!((answer.status, answer.text("code")), (status, code), "{body}");
    }
    let large = json!({ "payment_id": "pay_1", "information": "x".repeat(70_000) }).to_string();
    let answer = account.send("POST", "/v1/refunds", &[], Some(large)).await;
    assert_eq!((answer.status, answer.text("code")), (413, "body_too_large"));
    let key = account.refund(Some("white space"), json!({ "payment_id": "pay_1" })).await;
    assert_eq!((key.status, key.text("code")), (400, "invalid_idempotency_key"));
}

#[tokio::test]
async fn a_payments_fixed_terms_stay_and_its_facts_move_forward() {
    let account = Stack::running().new_account().await;
    let payment = |change: serde_json::Value| {
        let mut payment =
            json!({ "amount": 1000, "currency": "EUR", "settlement": "settled", "status": "processing" });
        payment.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        payment
    };
    let first = account.register("pay_facts", payment(json!({}))).await;
    assert_eq!(first.status, 201, "{:?}", first.body);
    assert_eq!(account.register("pay_facts", payment(json!({}))).await.status, 200);

    let early = account.refund(None, json!({ "payment_id": "pay_facts" })).await;
    assert_eq!((early.status, early.text("code")), (422, "payment_not_refundable"));

    for (change, fact) in [
        (json!({ "currency": "USD" }), "currency"),
        (json!({ "settlement": "unsettled" }), "settlement"),
        (json!({ "status": "created" }), "status"),
    ] {
        let answer = account.register("pay_facts", payment(change)).await;
        assert_eq!(
            (answer.status, answer.text("code"), answer.text("param")),
            (409, "payment_conflict", fact)
        );
    }
    let moved =
        account.register("pay_facts", payment(json!({ "status": "completed", "disputed": true }))).await;
    assert_eq!((moved.status, moved.text("status")), (200, "completed"));
    // Until then they could still be corrected.
    for (change, fact) in [
        (json!({ "amount": 1001 }), "amount"),
        (json!({ "routing": { "platform": { "amount": 1000 } } }), "routing"),
    ] {
        let captured = payment(json!({ "status": "completed", "disputed": true }));
        let mut changed = captured.clone();
        changed.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = account.register("pay_facts", changed).await;
        assert_eq!(
            (answer.status, answer.text("code"), answer.text("param")),
            (409, "payment_conflict", fact)
        );
    }
    let disputed = account.refund(None, json!({ "payment_id": "pay_facts" })).await;
    assert_eq!((disputed.status, disputed.text("code")), (422, "payment_disputed"));
}
