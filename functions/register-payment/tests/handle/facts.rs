//! What may be said differently later: each fact, its ways forward, and its ways back.

use serde_json::{Value, json};

use crate::gateway::Event;
use crate::{World, saying};

#[tokio::test]
async fn a_fact_moves_forward_step_by_step_or_at_once_and_never_back() {
    for (fact, values) in [
        ("status", &["created", "started", "processing", "completed"][..]),
        ("settlement", &["unsettled", "settled"]),
        ("payout", &["not_started", "started"]),
    ] {
        for (from, before) in values.iter().enumerate() {
            for (to, after) in values.iter().enumerate() {
                let world = World::saying(&json!({fact: before})).await;
                let reply = world.put(&saying(&json!({fact: after}))).await;
                if to < from {
                    assert_eq!(reply.problem(), (409, "payment_conflict"), "{fact}: {before} to {after}");
                    assert_eq!(reply.body["param"], fact);
                    assert_eq!(world.put(&saying(&json!({}))).await.body[fact], *before);
                } else {
                    assert_eq!(reply.status, 200, "{fact}: {before} to {after}");
                    assert_eq!(reply.body[fact], *after);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_fact_without_an_order_moves_either_way() {
    let until = "2027-11-22T00:00:00.000Z";
    for (fact, one, other) in [
        ("disputed", json!(true), json!(false)),
        ("partial_refunds", json!("full_only"), json!("after_payout")),
        ("refundable_until", json!(until), json!("2026-01-01T00:00:00.000Z")),
        ("refundable_until", json!(until), Value::Null),
        ("metadata", json!({"a": "1", "b": "2"}), json!({"c": "3"})),
        ("metadata", json!({"a": "1"}), json!({})),
    ] {
        let world = World::saying(&json!({fact: one})).await;
        for value in [&other, &one, &one] {
            let reply = world.put(&saying(&json!({fact: value}))).await;
            assert_eq!((reply.status, &reply.body[fact]), (200, value), "{fact}");
        }
    }
}

/// The same request of a caller with these scopes.
fn allowed(event: Event, scopes: &str) -> Event {
    event.with("/requestContext/authorizer/lambda/scopes", scopes)
}

#[tokio::test]
async fn only_an_administrator_lifts_a_dispute_or_gives_more_time() {
    let (sooner, later) = (json!("2027-01-01T00:00:00.000Z"), json!("2027-11-22T00:00:00.000Z"));
    for (fact, strict, loose) in [
        ("disputed", &json!(true), &json!(false)),
        ("refundable_until", &sooner, &later),
        ("refundable_until", &sooner, &Value::Null),
    ] {
        let world = World::saying(&json!({fact: loose})).await;
        let stricter = allowed(saying(&json!({fact: strict})), "payments:write");
        let looser = saying(&json!({fact: loose}));
        for _ in 0..2 {
            assert_eq!(world.put(&stricter).await.status, 200, "{fact} becomes {strict}");
        }
        let refused = world.put(&allowed(looser.clone(), "payments:read payments:write")).await;
        assert_eq!(refused.problem(), (403, "insufficient_scope"), "{fact}: {strict} becomes {loose}");
        assert!(refused.text.contains("payments:admin"), "{}", refused.text);
        assert_eq!(world.put(&saying(&json!({}))).await.body[fact], *strict);
        let lifted = world.put(&allowed(looser, "payments:write payments:admin")).await;
        assert_eq!(lifted.status, 200, "{fact}: {strict} becomes {loose}");
        assert_eq!(world.put(&saying(&json!({}))).await.body[fact], *loose);
    }
}

#[tokio::test]
async fn whoever_may_not_read_payments_is_told_which_one_changed() {
    let world = World::saying(&json!({})).await;
    for fields in [json!({"disputed": true}), json!({"disputed": true})] {
        let reply = world.put(&allowed(saying(&fields), "payments:write")).await;
        assert_eq!((reply.status, &reply.body["object"]), (200, &json!("payment")));
        let mut members: Vec<&String> = reply.body.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["_links", "id", "object"]);
    }
}

#[tokio::test]
async fn what_is_not_said_stays_as_it_was() {
    let said = json!({
        "status": "started", "settlement": "unsettled", "payout": "not_started", "disputed": true,
        "partial_refunds": "full_only", "refundable_until": "2027-11-22T00:00:00.000Z", "metadata": {"a": "1"},
    });
    let world = World::saying(&said).await;
    for fields in [json!({}), json!({"status": null, "metadata": null, "disputed": null})] {
        let body = world.put(&saying(&fields)).await.body;
        for (fact, value) in said.as_object().unwrap() {
            assert_eq!(&body[fact], value, "{fact}");
        }
    }
}

#[tokio::test]
async fn a_changed_fact_costs_two_calls_and_its_repeat_one() {
    let world = World::saying(&json!({})).await;
    let disputed = saying(&json!({"disputed": true}));
    assert_eq!(world.put(&disputed).await.status, 200);
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["GetItem", "UpdateItem"]);
    assert!(calls.write_units() <= 1.0, "{calls}");
    assert_eq!(world.put(&disputed).await.status, 200);
    assert_eq!(world.table.take_calls().operations(), ["GetItem"]);
}

#[tokio::test]
async fn two_facts_that_move_at_once_are_both_kept() {
    let world = World::saying(&json!({"settlement": "unsettled"})).await;
    let (settled, disputed) = (saying(&json!({"settlement": "settled"})), saying(&json!({"disputed": true})));
    let (one, other) = tokio::join!(world.put(&settled), world.put(&disputed));
    assert_eq!((one.status, other.status), (200, 200));
    let body = world.put(&saying(&json!({}))).await.body;
    assert_eq!((&body["settlement"], &body["disputed"]), (&json!("settled"), &json!(true)));
    assert_eq!(world.payment().await.revision, 3);
}

#[tokio::test]
async fn what_is_not_captured_yet_is_corrected_and_what_is_captured_is_not() {
    let routed = |amount: u64, status: &str| {
        let seller = json!([{"account_id": "a", "amount": amount - 100}]);
        json!({"amount": amount, "status": status, "invoice_details": [{"id": "l1", "amount": amount}],
               "routing": {"platform": {"amount": 100}, "merchants": seller}})
    };
    // Authorised 10.00, captured 9.00.
    let world = World::saying(&routed(1000, "processing")).await;
    let captured = world.put(&saying(&routed(900, "completed"))).await;
    assert_eq!((captured.status, &captured.body["amount"]), (200, &json!(900)), "{}", captured.text);
    let payment = world.payment().await;
    assert_eq!(payment.contradiction(), None);
    assert_eq!(payment.refundable, recoup_testing::fixtures::eur(900));
    assert_eq!(
        payment.seal_under(&recoup_testing::fixtures::seal_key()),
        recoup_domain::seal::Sealed::Intact
    );
    let item = world.table.item("payment").await;
    for (fields, param) in [
        (routed(1000, "completed"), "amount"),
        (json!({"amount": 900, "invoice_details": []}), "invoice_details"),
    ] {
        let refused = world.put(&saying(&fields)).await;
        assert_eq!((refused.problem(), &refused.body["param"]), ((409, "payment_conflict"), &json!(param)));
    }
    assert_eq!(world.table.item("payment").await, item);
}

#[tokio::test]
async fn a_correction_fits_what_it_leaves_and_changes_no_charge() {
    let lines = json!([{"id": "l1", "amount": 5000}]);
    let world = World::saying(&json!({"status": "processing", "invoice_details": lines})).await;
    let item = world.table.item("payment").await;
    let alone = world.put(&saying(&json!({"amount": 4000}))).await;
    assert_eq!((alone.problem(), &alone.body["param"]), ((400, "invalid_parameter"), &json!("amount")));
    for fields in [json!({"currency": "USD"}), json!({"processor": {"name": "http", "reference": "1"}})] {
        assert_eq!(world.put(&saying(&fields)).await.problem(), (409, "payment_conflict"), "{fields}");
    }
    assert_eq!(world.table.item("payment").await, item);
    // Lines may go, and then the amount stands alone.
    let corrected = world.put(&saying(&json!({"amount": 4000, "invoice_details": []}))).await;
    assert_eq!(
        (corrected.status, &corrected.body["invoice_details"]),
        (200, &json!([])),
        "{}",
        corrected.text
    );
    assert!(!world.table.item("payment").await.contains_key("lines"));
}
