//! What a create costs, counted on the wire.

use recoup_testing::fixtures::{SELLER, SUPPLIER};
use serde_json::json;

use crate::{PAYMENT, World, asking, plain, recorded, routed};

#[tokio::test]
async fn a_new_refund_costs_two_calls() {
    let world = World::with(&routed()).await;
    assert_eq!(world.post(&recorded()).await.status, 201);
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["BatchGetItem", "TransactWriteItems"]);
    assert!(calls.read_units() <= 2.0, "{calls}");
    assert!(calls.write_units() <= 5.0, "{calls}");
}

#[tokio::test]
async fn a_new_refund_without_a_key_costs_two_calls() {
    let world = World::with(&routed()).await;
    assert_eq!(world.post(&recorded().without("/headers/idempotency-key")).await.status, 201);
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["GetItem", "TransactWriteItems"]);
    assert!(calls.read_units() <= 1.0, "{calls}");
    assert!(calls.write_units() <= 5.0, "{calls}");
}

#[tokio::test]
async fn a_refund_with_everything_in_it_stays_within_the_budget() {
    let world = World::with(&routed()).await;
    let merchants = json!([{"account_id": SELLER, "amount": 1000}, {"account_id": SUPPLIER, "amount": 100}]);
    let body = json!({
        "payment_id": PAYMENT, "amount": 1100, "currency": "EUR", "expected_refundable_amount": 3100,
        "reason": "customer_request", "description": "Refund for ORD-123456", "reference": "REFUND-123456",
        "metadata": {"order": "ORD-123456", "agent": "jane"}, "invoice_detail_ids": ["iid_2"],
        "routing": {"merchants": merchants}, "urls": {"webhook": "https://shop.example.com/webhooks/refunds"},
    });
    assert_eq!(world.post(&asking(&body)).await.status, 201);
    let calls = world.table.take_calls();
    assert_eq!(calls.count(), 2);
    assert!(calls.read_units() <= 2.0 && calls.write_units() <= 5.0, "{calls}");
}

#[tokio::test]
async fn a_replay_costs_one_call() {
    let world = World::with(&routed()).await;
    world.post(&recorded()).await;
    world.table.take_calls();
    assert_eq!(world.post(&recorded()).await.header("idempotent-replayed"), Some("true"));
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["BatchGetItem"]);
    assert!(calls.read_units() <= 2.0, "{calls}");
}

#[tokio::test]
async fn a_refusal_costs_one_call() {
    let world = World::with(&plain()).await;
    for event in [
        asking(&json!({"payment_id": PAYMENT, "amount": 5001})),
        asking(&json!({"payment_id": PAYMENT, "amount": 5001})).without("/headers/idempotency-key"),
    ] {
        assert_eq!(world.post(&event).await.status, 422);
        let calls = world.table.take_calls();
        assert_eq!(calls.count(), 1, "{calls}");
        assert!(calls.read_units() <= 2.0, "{calls}");
    }
}
