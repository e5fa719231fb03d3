//! What the `ProcessOut` document asks, row by row. It prints a list of fields and no request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_deployed_tests::{Account, Stack};
use serde_json::{Value, json};

/// A payment of an invoice with three lines: 20.00, 11.00 and 0.50 EUR.
async fn with_invoice(id: &str, reference: &str) -> Account {
    let account = Stack::running().new_account().await;
    let answer = account.register(id, invoice(reference)).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    account
}

fn invoice(reference: &str) -> Value {
    json!({
        "amount": "31.50", "currency": "EUR",
        "invoice_details": [
            { "id": "iid_1", "amount": "20.00" }, { "id": "iid_2", "amount": "11.00" },
            { "id": "iid_3", "amount": "0.50" },
        ],
        "processor": { "name": "sandbox", "reference": reference },
    })
}

#[tokio::test]
async fn p1_an_amount_in_a_string_is_in_major_units_of_its_currency() {
    let account = Stack::running().new_account().await;
    for (currency, written, minor) in
        [("EUR", "10.5", 1_050), ("EUR", "10", 1_000), ("JPY", "500", 500), ("KWD", "1.234", 1_234)]
    {
        let id = format!("tr_{currency}_{minor}");
        account.register(&id, json!({ "amount": 10_000, "currency": currency })).await;
        let refund = account.refund(None, json!({ "transaction_id": id, "amount": written })).await;
        assert_eq!((refund.status, refund.body["amount"].as_u64()), (201, Some(minor)), "{:?}", refund.body);
    }
    for (currency, written) in [("EUR", "10.505"), ("EUR", "10.000"), ("JPY", "5.0"), ("KWD", "1.2345")] {
        let id = format!("tr_{currency}_excess");
        account.register(&id, json!({ "amount": 100_000, "currency": currency })).await;
        let refused = account.refund(None, json!({ "transaction_id": id, "amount": written })).await;
        assert_eq!((refused.status, refused.text("param")), (400, "amount"), "{:?}", refused.body);
    }
}

#[tokio::test]
async fn p2_transaction_id_names_the_payment_and_is_expandable() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    let refund = account.refund(None, json!({ "transaction_id": "tr_1", "amount": "1.00" })).await;
    assert_eq!((refund.text("transaction_id"), refund.text("payment_id")), ("tr_1", "tr_1"));
    let path = format!("/v1/refunds/{}?expand=transaction_id", refund.text("id"));
    let expanded = account.get(&path).await;
    let transaction = &expanded.body["transaction_id"];
    assert_eq!((&transaction["id"], &transaction["amount_decimal"]), (&json!("tr_1"), &json!("31.50")));
    assert_eq!(expanded.text("payment_id"), "tr_1");

    let both = json!({ "transaction_id": "tr_1", "payment_id": "tr_2" });
    let refused = account.refund(None, both).await;
    assert_eq!((refused.status, refused.text("param")), (400, "transaction_id"));
}

#[tokio::test]
async fn p3_the_reasons_customer_request_duplicate_and_fraud_are_known_by_code() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    for (reason, code) in [
        ("customer_request", "customer_request"),
        ("duplicate", "duplicate"),
        ("fraud", "fraud"),
        ("The vase arrived broken", "other"),
    ] {
        let wish = json!({ "transaction_id": "tr_1", "amount": 1, "reason": reason });
        let refund = account.refund(None, wish).await;
        assert_eq!((refund.text("reason"), refund.text("reason_code")), (reason, code));
    }
    let silent = account.refund(None, json!({ "transaction_id": "tr_1", "amount": 1 })).await;
    assert_eq!((&silent.body["reason"], &silent.body["reason_code"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn p4_information_metadata_and_invoice_details_are_kept_with_the_refund() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    let wish = json!({
        "transaction_id": "tr_1", "information": "Returned in the shop",
        "metadata": { "order": "1042", "clerk": "Zoë" }, "invoice_detail_ids": ["iid_2", "iid_3"],
    });
    let created = account.refund(None, wish.clone()).await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    let read = account.get(&format!("/v1/refunds/{}", created.text("id"))).await;
    for field in ["information", "metadata", "invoice_detail_ids"] {
        assert_eq!(created.body[field], wish[field]);
        assert_eq!(read.body[field], wish[field]);
    }
    for (metadata, param) in [(json!({ "a": 1 }), "metadata.a"), (json!(["a"]), "metadata")] {
        let refused = account.refund(None, json!({ "transaction_id": "tr_1", "metadata": metadata })).await;
        assert_eq!((refused.status, refused.text("param")), (400, param), "{:?}", refused.body);
    }
}

/// A failure after an announced success needs a processor that takes successes back; the sandbox has none
/// yet, so that half of the row is tested with the domain (`Refund::step`) and comes here with the processor.
#[tokio::test]
async fn p5_has_failed_tells_of_a_failure_that_came_after_the_answer() {
    let account = with_invoice("tr_1", "sandbox_fail").await;
    let wish = json!({ "transaction_id": "tr_1", "invoice_detail_ids": ["iid_1"] });
    let created = account.refund(None, wish.clone()).await;
    assert_eq!((created.status, &created.body["has_failed"]), (201, &json!(false)), "{:?}", created.body);
    let failed = account.refund_in(created.text("id"), "failed").await;
    assert_eq!(failed["has_failed"], true);
    let payment = account.payment("tr_1").await;
    assert_eq!((&payment["refundable_amount"], &payment["held_amount"]), (&json!(3_150), &json!(0)));
    assert_eq!(payment["invoice_details"][0]["refunded"], false);
    // What failed gave its line back, too.
    assert_eq!(account.refund(None, wish).await.status, 201);
}

#[tokio::test]
async fn p6_what_is_read_only_is_refused_in_a_request() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    for (field, value) in [
        ("id", json!("rfd_473cr1y0ghbyc3m1yfbwvn3nxx")),
        ("has_failed", json!(false)),
        ("sandbox", json!(true)),
        ("created_at", json!("2026-11-22T00:00:00.000Z")),
    ] {
        let wish = json!({ "transaction_id": "tr_1", "amount": "1.00", field: value });
        let refused = account.refund(None, wish).await;
        assert_eq!(
            (refused.status, refused.text("code"), refused.text("param")),
            (400, "unknown_parameter", field)
        );
    }
    let refund = account.refund(None, json!({ "transaction_id": "tr_1", "amount": "1.00" })).await;
    assert_eq!((&refund.body["sandbox"], &refund.body["has_failed"]), (&json!(true), &json!(false)));
    let created_at = refund.text("created_at");
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");
    assert_eq!(account.payment("tr_1").await["refundable_amount"], 3_050);
}

#[tokio::test]
async fn p7_a_refund_is_made_with_basic_authentication() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Basic" })).await.unwrap();
    let account_id = made["account_id"].as_str().unwrap();
    let key = json!({ "command": "create_api_key", "account_id": account_id, "environment": "sandbox" });
    let key = stack.admin(key).await.unwrap();
    let key = key["secret"].as_str().unwrap();
    for (number, user_and_password) in [format!("{account_id}:{key}"), format!("{key}:")].iter().enumerate() {
        let header = format!("Basic {}", STANDARD.encode(user_and_password));
        let caller = stack.with_authorization(Some(&header));
        let id = format!("tr_{number}");
        caller.register(&id, invoice("sandbox_succeed")).await;
        let refund = caller.refund(None, json!({ "transaction_id": id })).await;
        assert_eq!((refund.status, refund.text("amount_decimal")), (201, "31.50"), "{:?}", refund.body);
    }
}

#[tokio::test]
async fn p8_a_part_of_an_invoice_is_refunded_by_its_lines_each_of_them_once() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    let lines = |ids: &[&str]| json!({ "transaction_id": "tr_1", "invoice_detail_ids": ids });
    let refund = account.refund(None, lines(&["iid_2", "iid_3"])).await;
    assert_eq!((refund.status, refund.text("amount_decimal")), (201, "11.50"), "{:?}", refund.body);
    let again = account.refund(None, lines(&["iid_1", "iid_3"])).await;
    assert_eq!((again.status, again.text("code")), (422, "invoice_detail_already_refunded"));
    let unknown = account.refund(None, lines(&["iid_9"])).await;
    assert_eq!((unknown.status, unknown.text("code")), (422, "invoice_detail_unknown"));

    // Less than the line is worth is a part of it; more is not.
    let mut less = lines(&["iid_1"]);
    less["amount"] = json!("20.01");
    let more = account.refund(None, less.clone()).await;
    assert_eq!((more.status, more.text("code")), (422, "amount_exceeds_refundable"));
    less["amount"] = json!("15.00");
    let less = account.refund(None, less).await;
    assert_eq!((less.status, less.body["amount"].as_u64()), (201, Some(1_500)), "{:?}", less.body);
    let refunded: Vec<Value> = account.payment("tr_1").await["invoice_details"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["refunded"].clone())
        .collect();
    assert_eq!(refunded, [true, true, true]);
}

#[tokio::test]
async fn p8_a_line_is_refunded_in_parts_until_nothing_of_it_is_left() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    let part =
        |amount: &str| json!({ "transaction_id": "tr_1", "lines": [{ "id": "iid_1", "amount": amount }] });
    let left = async || {
        let payment = account.payment("tr_1").await;
        let lines = payment["invoice_details"].as_array().unwrap();
        lines.iter().map(|line| line["refundable_amount_decimal"].clone()).collect::<Value>()
    };
    let first = account.refund(None, part("5.00")).await;
    assert_eq!(
        (first.status, &first.body["invoice_detail_ids"]),
        (201, &json!(["iid_1"])),
        "{:?}",
        first.body
    );
    assert_eq!(first.body["lines"], json!([{ "id": "iid_1", "amount": 500, "amount_decimal": "5.00" }]));
    assert_eq!(left().await, json!(["15.00", "11.00", "0.50"]));
    let more = account.refund(None, part("15.01")).await;
    assert_eq!((more.status, more.text("code")), (422, "line_amount_exceeds_refundable"));
    assert_eq!(more.body["refundable_amount"], 1_500);
    assert_eq!(account.refund(None, part("15.00")).await.status, 201);
    assert_eq!(left().await, json!(["0.00", "11.00", "0.50"]));
    // A refund of everything leaves nothing of any line.
    assert_eq!(account.refund(None, json!({ "transaction_id": "tr_1" })).await.status, 201);
    assert_eq!(left().await, json!(["0.00", "0.00", "0.00"]));
}

#[tokio::test]
async fn p8_an_empty_list_of_lines_is_refused_and_is_not_the_whole_payment() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    for wish in [
        json!({ "transaction_id": "tr_1", "invoice_detail_ids": [] }),
        json!({ "transaction_id": "tr_1", "invoice_detail_ids": [], "amount": "1.00" }),
    ] {
        let refused = account.refund(None, wish).await;
        assert_eq!(
            (refused.status, refused.text("param")),
            (400, "invoice_detail_ids"),
            "{:?}",
            refused.body
        );
    }
    assert_eq!(account.payment("tr_1").await["refundable_amount"], 3_150);
}

#[tokio::test]
async fn p8_a_partial_refund_stands_in_for_a_partial_capture() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    // Captured in full, and what a partial capture would have left out goes back.
    let refund = account.refund(None, json!({ "transaction_id": "tr_1", "amount": "11.50" })).await;
    account.refund_in(refund.text("id"), "succeeded").await;
    let payment = account.payment("tr_1").await;
    assert_eq!((&payment["status"], &payment["refund_status"]), (&json!("completed"), &json!("partial")));
    assert_eq!(payment["refundable_amount_decimal"], "20.00");
}

/// The API's half of the row, on which the merchant's page will stand; the page itself comes later.
#[tokio::test]
async fn p9_what_a_dashboard_shows_and_does_the_api_answers() {
    let account = with_invoice("tr_1", "sandbox_succeed").await;
    let seen = account.payment("tr_1").await;
    let offered =
        json!({ "transaction_id": "tr_1", "expected_refundable_amount": seen["refundable_amount"] });
    let quote = account.send("POST", "/v1/refunds/quote", &[], Some(offered.to_string())).await;
    assert_eq!((quote.status, quote.text("amount_decimal")), (200, "31.50"), "{:?}", quote.body);
    let confirmed = account.refund(Some("clicked"), offered).await;
    assert_eq!(confirmed.status, 201, "{:?}", confirmed.body);
    account.refund_in(confirmed.text("id"), "succeeded").await;
    let listed = account.get("/v1/refunds?payment_id=tr_1&status=succeeded").await;
    assert_eq!(listed.body["data"][0]["id"], confirmed.body["id"]);
    assert_eq!(account.payment("tr_1").await["status"], "refunded");
}
