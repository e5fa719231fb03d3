//! `update-refund`, driven with the gateway's events over a real table.
#![cfg(test)]

#[path = "../../../tests/events/gateway.rs"]
mod gateway;

use gateway::{Event, Reply};
use recoup_domain::refund::Refund;
use recoup_ports::payments::{Payments, Register};
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::settlement::{HandedOver, Settle, Settled};
use recoup_storage::Table;
use recoup_testing::{Fault, TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};
use update_refund::{Context, handle};

const GET_REFUND: &str = include_str!("../../../tests/events/get-refund.json");

/// A refund of the getpaid example that was just made, and the function over its table.
struct World {
    table: TestTable,
    context: Context<Table>,
    refund: Refund,
}

impl World {
    async fn new() -> Self {
        let table = TestTable::new();
        let payment = fixtures::getpaid_payment();
        table.store().register(&payment).await.unwrap();
        let reservation = fixtures::decided(&payment, &fixtures::getpaid_wanted(), "key-1");
        assert!(matches!(table.store().reserve(&reservation).await, Ok(Reserved::New)));
        table.take_calls();
        let public_url = PublicUrl::new("https://api.example.com");
        let context = Context { store: table.store(), public_url, now: || fixtures::later(5_000) };
        Self { table, context, refund: reservation.refund }
    }

    async fn send(&self, event: Event) -> Reply {
        Reply::read(&event, handle(&self.context, event.request()).await)
    }

    fn cancelling(&self) -> Event {
        let path = format!("/v1/refunds/{}/cancel", self.refund.id);
        let event = Event::of_fixtures_tenant(GET_REFUND).of_refund(self.refund.id.as_str());
        let event = event.with("/rawPath", path.as_str()).with("/requestContext/http/path", path.as_str());
        event.route("POST /v1/refunds/{refund_id}/cancel")
    }

    async fn cancel(&self) -> Reply {
        self.send(self.cancelling()).await
    }

    async fn patch(&self, body: &Value) -> Reply {
        let event = Event::of_fixtures_tenant(GET_REFUND).of_refund(self.refund.id.as_str());
        self.send(event.route("PATCH /v1/refunds/{refund_id}").json(body)).await
    }

    async fn refundable(&self) -> u64 {
        let (tenant, payment) = (&self.refund.tenant, &self.refund.payment_id);
        let payment = self.table.store().payment(tenant, payment).await.unwrap().unwrap();
        self.table.take_calls();
        payment.refundable.minor()
    }

    async fn stored(&self) -> Refund {
        let refund = self.table.store().refund(&self.refund.tenant, &self.refund.id).await;
        self.table.take_calls();
        refund.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_cancelled_refund_gives_its_amounts_back_once_and_stays_cancelled() {
    let world = World::new().await;
    for calls in [vec!["GetItem", "TransactWriteItems"], vec!["GetItem"]] {
        let reply = world.cancel().await;
        assert_eq!((reply.status, &reply.body["status"]), (200, &json!("cancelled")));
        assert_eq!(world.table.take_calls().operations(), calls);
        assert_eq!(world.refundable().await, 3_100);
    }
    let store = world.table.store();
    let handed = store.hand_over(&world.stored().await, fixtures::later(6_000)).await;
    assert_eq!(handed.unwrap(), HandedOver::TooLate);
}

#[tokio::test]
async fn what_was_handed_over_or_has_ended_is_no_longer_cancelled() {
    let world = World::new().await;
    let store = world.table.store();
    assert_eq!(store.hand_over(&world.refund, fixtures::later(1_000)).await.unwrap(), HandedOver::Yes);
    assert_eq!(world.cancel().await.problem(), (409, "refund_not_cancellable"));

    let change = fixtures::moved(&world.refund, fixtures::succeeded());
    assert_eq!(store.carry_out(&change).await.unwrap(), Settled::Applied);
    assert_eq!(world.cancel().await.problem(), (409, "refund_not_cancellable"));
    assert_eq!(world.refundable().await, 1_600);
}

#[tokio::test]
async fn whoever_may_not_read_refunds_does_not_learn_how_one_ended() {
    let world = World::new().await;
    let change = fixtures::moved(&world.refund, fixtures::failed());
    assert_eq!(world.table.store().carry_out(&change).await.unwrap(), Settled::Applied);
    let event = world.cancelling();
    let told = world.send(event.clone()).await;
    assert!(told.text.contains("ended as failed"), "{}", told.text);
    let event = event.with("/requestContext/authorizer/lambda/scopes", "refunds:write");
    let told = world.send(event).await;
    assert_eq!(told.problem(), (409, "refund_not_cancellable"));
    assert!(!told.text.contains("fail"), "{}", told.text);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_whose_answer_was_lost_or_that_met_a_conflict_gives_back_once() {
    for fault in [
        Fault::LoseAnswer,
        Fault::LoseRequest,
        Fault::conflict([true, false]),
        Fault::conflict([false, true]),
    ] {
        let world = World::new().await;
        world.table.fail("TransactWriteItems", 1, fault);
        assert_eq!(world.cancel().await.status, 200);
        assert_eq!(world.refundable().await, 3_100);
        assert_eq!(world.stored().await.version.sequence, 2);
    }
}

#[tokio::test]
async fn a_hand_over_between_read_and_write_wins_over_the_cancel() {
    let world = World::new().await;
    // The cancel was decided on the refund as it was before the hand-over.
    let before = world.stored().await;
    let store = world.table.store();
    store.hand_over(&before, fixtures::later(1_000)).await.unwrap();
    let cancel = fixtures::cancelled(&before, fixtures::later(2_000));
    assert_eq!(store.carry_out(&cancel).await.unwrap(), Settled::Overtaken);
    assert_eq!(world.refundable().await, 1_600);
}

#[tokio::test]
async fn metadata_are_set_and_removed_key_by_key_and_nothing_else_is_touched() {
    let world = World::new().await;
    let reply = world.patch(&json!({ "metadata": { "parcel": "7", "gone": null } })).await;
    assert_eq!((reply.status, &reply.body["metadata"]["parcel"]), (200, &json!("7")));
    let changed = world.stored().await;
    assert_eq!(
        (changed.version.sequence, changed.amount, &changed.version.state),
        (2, world.refund.amount, &world.refund.version.state)
    );

    // The same again changes nothing, and is not announced.
    world.patch(&json!({ "metadata": { "parcel": "7" } })).await;
    assert_eq!(world.stored().await.version.sequence, 2);
    world.patch(&json!({ "metadata": { "parcel": null } })).await;
    assert_eq!(world.stored().await.version.metadata, world.refund.version.metadata);
}

#[tokio::test]
async fn a_change_that_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    let many: serde_json::Map<String, Value> =
        (0..51).map(|number| (number.to_string(), json!("x"))).collect();
    for (body, code, param) in [
        (json!({}), "missing_parameter", "metadata"),
        (json!({ "metadata": { "a": 1 } }), "invalid_parameter", "metadata.a"),
        (json!({ "metadata": many }), "invalid_parameter", "metadata"),
        (json!({ "metadata": {}, "amount": 1 }), "unknown_parameter", "amount"),
        // What is unknown explains what is missing.
        (json!({ "amount": 1 }), "unknown_parameter", "amount"),
        (json!({ "metadata": { "note": "a\0b" } }), "invalid_parameter", "metadata.note"),
    ] {
        let reply = world.patch(&body).await;
        assert_eq!(reply.problem(), (400, code), "{body}");
        assert_eq!(reply.body["param"], param);
    }
    assert_eq!(world.stored().await, world.refund);
    let stranger = Event::of_fixtures_tenant(GET_REFUND).of_refund("rfd_00000000000000000000000000");
    let stranger = stranger.route("PATCH /v1/refunds/{refund_id}").json(&json!({ "metadata": {} }));
    assert_eq!(world.send(stranger).await.problem(), (404, "refund_not_found"));
}

#[tokio::test]
async fn metadata_change_a_hundred_times_and_then_stay() {
    let world = World::new().await;
    for number in 0..100 {
        assert_eq!(world.patch(&json!({ "metadata": { "n": number.to_string() } })).await.status, 200);
    }
    let last = world.stored().await;
    let refused = world.patch(&json!({ "metadata": { "n": "one more" } })).await;
    assert_eq!(refused.problem(), (409, "too_many_changes"));
    assert_eq!(world.table.take_calls().operations(), ["GetItem"]);
    // What changes nothing is no change, and what is not metadata still changes.
    assert_eq!(world.patch(&json!({ "metadata": { "n": "99" } })).await.status, 200);
    assert_eq!(world.stored().await, last);
    assert_eq!(world.cancel().await.body["status"], "cancelled");
}

#[tokio::test]
async fn whoever_changes_or_cancels_a_refund_is_kept_with_the_change() {
    let world = World::new().await;
    world.patch(&json!({ "metadata": { "k": "v" } })).await;
    world.cancel().await;
    let stored = world.stored().await;
    let by: Vec<_> = stored.history.iter().map(|change| change.by.clone().unwrap().id).collect();
    let key = fixtures::text("key_01j9x4n0q2s6fy8tm5vgb3wkzd");
    assert_eq!(by, [key.clone(), key]);
    assert_eq!(stored.created_by, Some(fixtures::by_key()));
    let event = stored.event(&stored.event_ids().next().unwrap()).unwrap();
    assert_eq!(event.by.unwrap().name, Some(fixtures::text("shop backend")));
}
