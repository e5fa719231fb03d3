//! What the Altafinex document asks, row by row, with its own sample requests.

use futures_util::future::join_all;
use recoup_deployed_tests::{Account, Answer, Receiver, Stack};
use serde_json::{Value, json};

/// The payment of the document's samples.
const PAYMENT: &str = "pay_1234567890abcdef";
const AMOUNT: u64 = 10_000;

async fn with_payment(reference: &str) -> Account {
    let account = Stack::running().new_account().await;
    account.register_plain(PAYMENT, AMOUNT, reference).await;
    account
}

/// The document's first sample.
fn full() -> Value {
    json!({ "payment_id": PAYMENT, "amount": 10000, "reason": "Customer requested refund" })
}

/// The document's second sample.
fn partial() -> Value {
    json!({ "payment_id": PAYMENT, "amount": 5000, "reason": "Partial refund for damaged item" })
}

fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.text("code")), (422, code), "{:?}", answer.body);
}

#[tokio::test]
async fn a1_a_full_refund_has_an_amount_in_minor_units_a_key_and_a_reason() {
    let account = with_payment("sandbox_succeed").await;
    let refund = account.refund(Some("refund-1763805600000"), full()).await;
    assert_eq!(refund.status, 201, "{:?}", refund.body);
    assert_eq!((refund.body["amount"].as_u64(), refund.text("amount_decimal")), (Some(AMOUNT), "100.00"));
    assert_eq!((refund.text("reason"), refund.text("reason_code")), ("Customer requested refund", "other"));
    account.refund_in(refund.text("id"), "succeeded").await;
    let payment = account.payment(PAYMENT).await;
    assert_eq!((&payment["status"], &payment["refunded_amount"]), (&json!("refunded"), &json!(AMOUNT)));
}

#[tokio::test]
async fn a2_partial_refunds_add_up_to_the_payment_and_never_to_more() {
    let account = with_payment("sandbox_succeed").await;
    let first = account.refund(Some("partial-refund-1"), partial()).await;
    assert_eq!((first.status, first.body["amount"].as_u64()), (201, Some(5_000)), "{:?}", first.body);
    assert_eq!(account.payment(PAYMENT).await["refundable_amount"], 5_000);

    let too_much = account.refund(Some("partial-refund-2"), full()).await;
    assert_refused(&too_much, "amount_exceeds_refundable");
    assert_eq!(too_much.body["refundable_amount"], 5_000);

    let second = account.refund(Some("partial-refund-2"), partial()).await;
    assert_eq!(second.status, 201, "{:?}", second.body);
    let third = account.refund(Some("partial-refund-3"), json!({ "payment_id": PAYMENT, "amount": 1 })).await;
    assert_refused(&third, "payment_already_refunded");

    for refund in [&first, &second] {
        account.refund_in(refund.text("id"), "succeeded").await;
    }
    let payment = account.payment(PAYMENT).await;
    assert_eq!((&payment["refunded_amount"], &payment["refund_status"]), (&json!(AMOUNT), &json!("full")));
}

#[tokio::test]
async fn a3_only_a_completed_payment_can_be_refunded() {
    let account = Stack::running().new_account().await;
    let payment = |status: &str| json!({ "amount": AMOUNT, "currency": "EUR", "status": status });
    for status in ["created", "started", "processing"] {
        account.register(PAYMENT, payment(status)).await;
        for wish in [full(), partial()] {
            assert_refused(&account.refund(Some("early"), wish).await, "payment_not_refundable");
        }
        let payment = account.payment(PAYMENT).await;
        assert_eq!((&payment["status"], &payment["refundable_amount"]), (&json!(status), &json!(AMOUNT)));
    }
    account.register(PAYMENT, payment("completed")).await;
    let refund = account.refund(Some("early"), full()).await;
    assert_eq!(refund.status, 201, "{:?}", refund.body);
}

#[tokio::test]
async fn a4_a_refund_is_seen_being_processed_processed_or_failed_with_a_message() {
    let account = with_payment("sandbox_succeed").await;
    let processed = account.refund(None, full()).await;
    assert_eq!((processed.text("status"), &processed.body["failure"]), ("initiated", &Value::Null));
    let processed = account.refund_in(processed.text("id"), "succeeded").await;
    assert_eq!((&processed["has_failed"], &processed["failure"]), (&json!(false), &Value::Null));

    let account = with_payment("sandbox_fail").await;
    let failed = account.refund(None, full()).await;
    assert_eq!((failed.status, failed.text("status")), (201, "initiated"), "{:?}", failed.body);
    let failed = account.refund_in(failed.text("id"), "failed").await;
    assert_eq!((&failed["has_failed"], &failed["failure"]["code"]), (&json!(true), &json!("declined")));
    assert!(failed["failure"]["message"].as_str().is_some_and(|message| message.ends_with('.')));
}

/// Days since 1970-01-01, a Thursday, of a date written as 2026-11-25.
fn day_number(date: &str) -> i64 {
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().expect("a number")).collect();
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let february = if leap(parts[0]) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i64 = (1970..parts[0]).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let before: i64 = months.iter().zip(1..parts[1]).map(|(days, _)| days).sum();
    [years, before, parts[2], -1].iter().sum()
}

fn is_weekday(day: i64) -> bool {
    // 1970-01-03 and -04 were a Saturday and a Sunday.
    !matches!(day % 7, 2 | 3)
}

#[tokio::test]
async fn a5_the_money_is_expected_after_three_to_five_business_days() {
    let account = with_payment("sandbox_succeed").await;
    let refund = account.refund(None, full()).await;
    let made = day_number(&refund.text("created_at")[..10]);
    for (end, business_days) in [("earliest", 3), ("latest", 5)] {
        let expected = day_number(refund.body["arrival_estimate"][end].as_str().expect("a date"));
        let between = (made + 1..=expected).filter(|day| is_weekday(*day)).count();
        assert!(is_weekday(expected), "{:?}", refund.body);
        assert_eq!(between, business_days, "{:?}", refund.body);
    }
}

#[tokio::test]
async fn a6_a_webhook_tells_when_the_refund_completes() {
    let mut receiver = Receiver::start().await;
    let account = with_payment("sandbox_succeed").await;
    let mut wish = full();
    wish["urls"] = json!({ "webhook": receiver.url });
    let refund = account.refund(None, wish).await;
    let told = receiver.take(2).await;
    let completed = told.iter().find(|webhook| webhook.kind() == "refund.succeeded").expect("told of it");
    completed.assert_signed_by(&account.webhook_secret);
    assert_eq!(completed.body["data"]["id"], refund.body["id"]);
    assert_eq!(completed.body["data"]["status"], "succeeded");
}

#[tokio::test]
async fn a7_the_same_key_never_refunds_twice() {
    let account = with_payment("sandbox_succeed").await;
    let key = Some("partial-refund-1763805600000");
    let at_once = join_all((0..5).map(|_| account.refund(key, partial()))).await;
    let id = at_once.iter().find(|answer| answer.status == 201).expect("one refund").text("id").to_owned();
    for answer in &at_once {
        let in_use = (answer.status, answer.text("code")) == (409, "idempotency_key_in_use");
        assert!(in_use || (answer.status, answer.text("id")) == (201, id.as_str()), "{:?}", answer.body);
    }
    account.refund_in(&id, "succeeded").await;
    // Nor later, when all of the payment is refunded and the request alone would be refused.
    let rest = account.refund(None, json!({ "payment_id": PAYMENT })).await;
    assert_eq!(rest.body["amount"], 5_000, "{:?}", rest.body);
    let again = account.refund(key, partial()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"), "{:?}", again.body);
    assert_eq!((again.text("id"), again.text("status")), (id.as_str(), "succeeded"));
    let listed = account.get(&format!("/v1/payments/{PAYMENT}/refunds")).await;
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(2));
}

/// The API's half of the row: what the merchant's page does, it does by these calls. The page comes later.
#[tokio::test]
async fn a8_a_payment_is_found_refunded_in_part_or_whole_and_watched() {
    let account = with_payment("sandbox_succeed").await;
    let found = account.payment(PAYMENT).await;
    assert_eq!((&found["refundable_amount"], &found["refund_status"]), (&json!(AMOUNT), &json!("none")));
    let part = account.refund(None, partial()).await;
    let rest = account.send("POST", &format!("/v1/payments/{PAYMENT}/refunds"), &[], None).await;
    assert_eq!((part.status, rest.status, rest.body["amount"].as_u64()), (201, 201, Some(5_000)));
    let listed = account.get(&format!("/v1/payments/{PAYMENT}/refunds")).await;
    let ids: Vec<&Value> = listed.body["data"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&rest.body["id"], &part.body["id"]]);
    for refund in [&part, &rest] {
        account.refund_in(refund.text("id"), "succeeded").await;
    }
    assert_eq!(account.payment(PAYMENT).await["refund_status"], "full");
}
