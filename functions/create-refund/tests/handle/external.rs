//! A refund that was paid otherwise: into the books, past every processor.

use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Processor, ProcessorName, Terms};
use recoup_ports::refunds::Refunds;
use recoup_testing::fixtures::{self, SELLER};
use recoup_views::RefundView;
use serde_json::{Value, json};

use crate::{PAYMENT, World, asking, parts, plain, routed};

fn transfer() -> Value {
    json!({"payment_id": PAYMENT, "amount": 1500, "external": {"method": "bank_transfer", "reference": "SEPA-1"}})
}

#[tokio::test]
async fn what_was_paid_otherwise_succeeds_at_once_and_once() {
    let world = World::with(&plain()).await;
    let reply = world.post(&asking(&transfer())).await;
    assert_eq!((reply.status, &reply.body["status"]), (201, &json!("succeeded")));
    assert_eq!((&reply.body["origin"], &reply.body["sequence"]), (&json!("external"), &json!(1)));
    assert_eq!(reply.body["external"], transfer()["external"]);
    assert_eq!(reply.body["arrival_estimate"], Value::Null);
    let again = world.post(&asking(&transfer())).await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &reply.body));
    world.assert_one_refund_of(1500).await;
    let id = reply.body["id"].as_str().unwrap().try_into().unwrap();
    let stored = world.table.store().refund(&fixtures::tenant(), &id).await.unwrap().unwrap();
    let view = RefundView::of(&stored, &world.context.public_url);
    assert_eq!(serde_json::to_value(view).unwrap(), reply.body);
}

#[tokio::test]
async fn an_external_refund_takes_of_actors_and_lines_as_any_other() {
    let world = World::with(&routed()).await;
    let mut body = transfer();
    body["routing"] = json!({"merchants": [{"id": SELLER, "amount": 1500}]});
    assert_eq!(world.post(&asking(&body)).await.status, 201);
    assert_eq!(parts(&world.payment().await.routing.unwrap().refundable), [100, 1000, 500]);
    let more = asking(&body).header("idempotency-key", "more");
    assert_eq!(world.post(&more).await.problem(), (422, "actor_amount_exceeds_refundable"));
}

#[tokio::test]
async fn what_the_processor_cannot_pay_can_be_paid_otherwise() {
    let processor = Processor::of(ProcessorName::Stripe, fixtures::text("pi_1"));
    let amount = Money::of_minor(5_124, Currency::parse("KWD").unwrap()).unwrap();
    let world =
        World::with(&fixtures::registered(PAYMENT, Terms { amount, processor, ..fixtures::terms(1) })).await;
    let ask = |body: Value| asking(&body);
    let whole = json!({"payment_id": PAYMENT});
    assert_eq!(world.post(&ask(whole)).await.problem(), (422, "processor_cannot"));
    let whole = json!({"payment_id": PAYMENT, "external": {"method": "cash"}});
    assert_eq!(world.post(&ask(whole)).await.status, 201);
}

#[tokio::test]
async fn paid_otherwise_or_in_another_way_is_another_request() {
    let world = World::with(&plain()).await;
    assert_eq!(world.post(&asking(&transfer())).await.status, 201);
    for external in [json!({"method": "cash"}), json!({"method": "bank_transfer", "reference": "SEPA-2"})] {
        let mut other = transfer();
        other["external"] = external;
        assert_eq!(world.post(&asking(&other)).await.problem(), (422, "idempotency_key_reused"));
    }
    let mut ours = transfer();
    ours.as_object_mut().unwrap().remove("external");
    assert_eq!(world.post(&asking(&ours)).await.problem(), (422, "idempotency_key_reused"));
    world.assert_one_refund_of(1500).await;
}

#[tokio::test]
async fn how_it_was_paid_is_said_in_full_or_refused() {
    let world = World::with(&plain()).await;
    for external in
        [json!(null), json!({}), json!({"method": ""}), json!({"method": "m".repeat(65)}), json!("cash")]
    {
        let reply = world.post(&asking(&json!({"payment_id": PAYMENT, "external": external}))).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
    }
    world.assert_untouched(&plain()).await;
}
