//! What is read at the door.

use serde_json::{Value, json};

use crate::gateway::{Event, Reply};
use crate::{World, recorded, saying};

/// What is answered to an event that must not reach the table.
async fn at_the_door(event: &Event) -> Reply {
    let world = World::new();
    let reply = world.put(event).await;
    assert_eq!(world.table.take_calls().count(), 0, "{}", reply.text);
    reply
}

#[tokio::test]
async fn parts_that_do_not_add_up_to_the_amount_are_refused() {
    let routing = |platform: u64, seller: u64| json!({"routing": {"platform": {"amount": platform}, "merchants": [{"account_id": "a", "amount": seller}]}});
    let lines = |one: u64, two: u64| json!({"invoice_details": [{"id": "l1", "amount": one}, {"id": "l2", "amount": two}]});
    for (fields, param) in [
        (routing(1000, 3999), "routing"),
        (routing(1000, 4001), "routing"),
        (routing(0, 0), "routing"),
        (routing(1_000_000_000_000_000, 1_000_000_000_000_000), "routing"),
        (lines(4000, 999), "invoice_details"),
        (lines(4000, 1001), "invoice_details"),
        (lines(1_000_000_000_000_000, 1_000_000_000_000_000), "invoice_details"),
    ] {
        let reply = at_the_door(&saying(&fields)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{fields}");
        assert_eq!(reply.body["param"], param);
    }
    for fields in [routing(1000, 4000), routing(5000, 0), lines(4999, 1), json!({"invoice_details": []})] {
        assert_eq!(World::new().put(&saying(&fields)).await.status, 201, "{fields}");
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_is_named_by_its_path() {
    let merchants = |list: Value| json!({"routing": {"merchants": list}});
    let twice = json!([{"account_id": "a", "amount": 2500}, {"account_id": "a", "amount": 2500}]);
    let many: Vec<Value> = (0..51).map(|n| json!({"account_id": format!("a{n}"), "amount": 1})).collect();
    let same = json!([{"id": "l", "amount": 2500}, {"id": "l", "amount": 2500}]);
    for (fields, param) in [
        (json!({"amount": 0}), "amount"),
        (json!({"amount": "50.000"}), "amount"),
        (json!({"amount": 50.5}), "amount"),
        (json!({"amount": -1}), "amount"),
        (json!({"amount": 1_000_000_000_000_001_u64}), "amount"),
        (json!({"currency": "eur"}), "currency"),
        (json!({"currency": "XAU"}), "currency"),
        (json!({"currency": "JPY", "amount": "50.0"}), "amount"),
        (json!({"status": "captured"}), "status"),
        (json!({"settlement": true}), "settlement"),
        (json!({"payout": "done"}), "payout"),
        (json!({"disputed": "no"}), "disputed"),
        (json!({"partial_refunds": "none"}), "partial_refunds"),
        (json!({"refundable_until": "2027-11-22"}), "refundable_until"),
        (json!({"refundable_until": 1_795_345_200}), "refundable_until"),
        (json!({"metadata": {"a": null}}), "metadata.a"),
        (json!({"processor": {"name": "paypal"}}), "processor.name"),
        (json!({"processor": {"name": "http", "reference": ""}}), "processor.reference"),
        (json!({"processor": {"name": "sandbox", "reference": ""}}), "processor.reference"),
        (merchants(twice), "routing"),
        (merchants(json!(many)), "routing.merchants"),
        (merchants(json!([{"account_id": "no id", "amount": 5000}])), "routing.merchants[0].account_id"),
        (merchants(json!([{"account_id": "a", "amount": "1.001"}])), "routing.merchants[0].amount"),
        (json!({"invoice_details": same}), "invoice_details"),
        (json!({"invoice_details": [{"id": "", "amount": 5000}]}), "invoice_details[0].id"),
        (
            json!({"invoice_details": [{"id": "l1", "amount": 5000}, {"id": "l2", "amount": 0}]}),
            "invoice_details[1].amount",
        ),
    ] {
        let reply = at_the_door(&saying(&fields)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{fields}: {}", reply.text);
        assert_eq!(reply.body["param"], param, "{fields}");
    }
}

#[tokio::test]
async fn what_is_missing_or_unknown_is_named_by_its_path() {
    for (body, code, param) in [
        (json!({"amount": 1}), "missing_parameter", "currency"),
        (json!({"currency": "EUR"}), "missing_parameter", "amount"),
        (json!({"amount": 1, "currency": "EUR", "processor": {}}), "missing_parameter", "processor.name"),
        // Only the sandbox has a reference for those who name none.
        (
            json!({"amount": 1, "currency": "EUR", "processor": {"name": "stripe"}}),
            "missing_parameter",
            "processor.reference",
        ),
        (
            json!({"amount": 1, "currency": "EUR", "processor": {"name": "http", "reference": null}}),
            "missing_parameter",
            "processor.reference",
        ),
        (
            json!({"amount": 1, "currency": "EUR", "routing": {"merchants": [{"id": "a", "amount": 1}]}}),
            "unknown_parameter",
            "routing.merchants[0].id",
        ),
        (
            json!({"amount": 1, "currency": "EUR", "routing": {"merchants": [{"amount": 1}]}}),
            "missing_parameter",
            "routing.merchants[0].account_id",
        ),
        (json!({"amount": 1, "currency": "EUR", "captured": true}), "unknown_parameter", "captured"),
        (json!({"amount": 1, "currncy": "EUR"}), "unknown_parameter", "currncy"),
        (json!({"amount": 1, "processor": {"nam": "stripe"}}), "unknown_parameter", "processor.nam"),
        (
            json!({"amount": 1, "currency": "EUR", "invoice_details": [{"id": "l", "amount": 1, "tax": 0}]}),
            "unknown_parameter",
            "invoice_details[0].tax",
        ),
    ] {
        let reply = at_the_door(&recorded().json(&body)).await;
        assert_eq!(reply.problem(), (400, code), "{body}");
        assert_eq!(reply.body["param"], param, "{body}");
    }
    let empty = recorded().without("/body").without("/headers/content-length");
    assert_eq!(at_the_door(&empty).await.problem(), (400, "missing_parameter"));
    let twice = recorded().text(r#"{"amount": 1, "currency": "EUR", "amount": 2}"#);
    assert_eq!(at_the_door(&twice).await.problem(), (400, "invalid_json"));
    let text = recorded().header("content-type", "text/plain");
    assert_eq!(at_the_door(&text).await.problem(), (415, "unsupported_media_type"));
}

#[tokio::test]
async fn a_payment_has_an_id_that_is_safe_in_a_path() {
    for id in ["no%20id", "a/b", "é", "nul\0", &"p".repeat(65), ".", ".."] {
        let reply = at_the_door(&recorded().with("/pathParameters/payment_id", id)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{id}");
        assert_eq!(reply.body["param"], "payment_id");
    }
    for id in ["1", "...", ".a", "ORD-123:456_7.8", &"p".repeat(64)] {
        assert_eq!(World::new().put(&recorded().of_payment(id)).await.status, 201, "{id}");
    }
}

#[tokio::test]
async fn a_credential_without_the_scope_may_not_register() {
    let scopes = "/requestContext/authorizer/lambda/scopes";
    let others = "payments:read refunds:read refunds:write webhooks:manage";
    let reply = at_the_door(&recorded().with(scopes, others)).await;
    assert_eq!(reply.problem(), (403, "insufficient_scope"));
    assert_eq!(World::new().put(&recorded().with(scopes, "payments:write")).await.status, 201);
    let stranger = recorded().without("/requestContext/authorizer");
    assert_eq!(at_the_door(&stranger).await.problem(), (500, "internal_error"));
}

#[tokio::test]
async fn nothing_new_is_registered_in_a_withdrawn_currency() {
    let world = World::new();
    for code in ["ANG", "BGN", "HRK"] {
        let reply = world.put(&saying(&json!({"currency": code}))).await;
        assert_eq!((reply.problem(), &reply.body["param"]), ((400, "invalid_parameter"), &json!("currency")));
        assert!(reply.text.contains(&format!("{code} is not in force")), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_payment_in_a_currency_withdrawn_since_still_moves_forward() {
    let world = World::saying(&json!({})).await;
    let item = world.table.item("payment").await;
    world.table.set_text(&item, "currency", "BGN").await;
    // It was registered before there were seals.
    world.edit("REMOVE seal", None).await;
    let reply = world.put(&saying(&json!({"currency": "BGN", "disputed": true}))).await;
    assert_eq!((reply.status, &reply.body["disputed"]), (200, &json!(true)), "{}", reply.text);
}

#[tokio::test]
async fn metadata_have_a_bound_in_bytes() {
    let pairs = |value: String| {
        let pairs = (0..50).map(|number| (format!("{number:040}"), json!(value)));
        json!({"metadata": pairs.collect::<serde_json::Map<_, _>>()})
    };
    assert_eq!(World::new().put(&saying(&pairs("x".repeat(500)))).await.status, 201);
    let world = World::new();
    let reply = world.put(&saying(&pairs("é".repeat(500)))).await;
    assert_eq!((reply.problem(), &reply.body["param"]), ((400, "invalid_parameter"), &json!("metadata")));
    assert!(reply.text.contains("32768 bytes"), "{}", reply.text);
    assert!(world.table.items().await.is_empty());
}

#[tokio::test]
async fn a_payment_that_its_processor_could_not_refund_is_not_registered() {
    let of = |currency: &str, amount: &str, processor: Value| {
        recorded().json(&json!({ "currency": currency, "amount": amount, "processor": processor }))
    };
    let stripe = || json!({ "name": "stripe", "reference": "ch_1" });
    for (currency, amount, detail) in
        [("LYD", "5.000", "LYD"), ("KWD", "5.124", "0.010"), ("MGA", "5.20", "multiples of 1.00")]
    {
        let world = World::new();
        let reply = world.put(&of(currency, amount, stripe())).await;
        assert_eq!(reply.problem(), (422, "processor_cannot"), "{}", reply.text);
        assert!(reply.text.contains(detail), "{}", reply.text);
        let http = json!({ "name": "http", "reference": "1" });
        assert_eq!(world.put(&of(currency, amount, http)).await.status, 201, "{currency}");
    }
    for (currency, amount) in [("UGX", "500"), ("KWD", "5.120"), ("MGA", "5.00"), ("ISK", "5")] {
        assert_eq!(World::new().put(&of(currency, amount, stripe())).await.status, 201, "{currency}");
    }
}
