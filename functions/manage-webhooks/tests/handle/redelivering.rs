//! Redeliveries: writes that the table's stream turns into tries.

use recoup_domain::delivery::{Delivery, GivenUp, Standing, Target};
use recoup_domain::endpoint::DisabledReason;
use recoup_domain::event::Event;
use recoup_domain::ids::EndpointId;
use recoup_ports::endpoints::{EndpointHealth, Endpoints};
use recoup_ports::events::{DeliveryRecorded, Events, RecordDeliveries};
use recoup_testing::{Fault, fixtures};
use serde_json::{Value, json};

use crate::{World, now, set_clock, target, tried};

const URL: &str = "https://shop.example.com/";

async fn deliveries(world: &World, event: &Event) -> Vec<Delivery> {
    let recorded = world.table.store().event(&event.tenant, &event.id).await.unwrap();
    world.table.take_calls();
    recorded.map(|recorded| recorded.deliveries).unwrap_or_default()
}

async fn again(world: &World, event: &Event, body: Option<Value>) -> crate::Reply {
    world.send("POST", &format!("/v1/events/{}/redeliver", event.id), body).await
}

#[tokio::test]
async fn everybody_who_would_be_told_now_is_told_again() {
    let world = World::new().await;
    let (all, _) = world.endpoint(json!({ "url": URL })).await;
    let (listens, _) = world.endpoint(json!({ "url": URL, "events": ["refund.initiated"] })).await;
    world.endpoint(json!({ "url": URL, "events": ["refund.failed"] })).await;
    world.endpoint(json!({ "url": URL, "enabled": false })).await;
    let refund = world.refund("key-1", 0, Some("https://own.example.com/")).await;
    let event = fixtures::beginning(&refund);
    let before = tried(&event, &target(&all), 100, 204);
    world.note(&event, &before).await;

    let told = again(&world, &event, None).await;
    assert_eq!(told.status, 202, "{}", told.text);
    let stored = deliveries(&world, &event).await;
    let targets: Vec<&Target> = stored.iter().map(|delivery| &delivery.target).collect();
    assert_eq!(targets, [&target(&all), &target(&listens), &Target::RefundUrl]);
    for delivery in &stored {
        assert_eq!((delivery.standing, delivery.tries), (Standing::Scheduled(now()), 0));
    }
    assert_eq!(stored[0], before.again(now()), "its tries are not forgotten");
    assert_eq!(stored[1], Delivery::first(&event, target(&listens), now()));
    assert_eq!(told.body, world.get(&format!("/v1/events/{}", event.id)).await.body);
    assert_eq!(told.body["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_endpoint_alone_is_told_again_whatever_it_listens_to() {
    let world = World::new().await;
    world.endpoint(json!({ "url": URL })).await;
    let (deaf, _) = world.endpoint(json!({ "url": URL, "events": ["refund.failed"] })).await;
    let event = fixtures::beginning(&world.refund("key-1", 0, Some("https://own.example.com/")).await);
    let told = again(&world, &event, Some(json!({ "endpoint_id": deaf }))).await;
    assert_eq!((told.status, told.body["deliveries"].as_array().unwrap().len()), (202, 1));
    let stored = deliveries(&world, &event).await;
    assert_eq!(stored, [Delivery::first(&event, target(&deaf), now())]);
}

#[tokio::test]
async fn who_cannot_be_told_is_refused_and_nothing_is_written() {
    let world = World::new().await;
    let event = fixtures::beginning(&world.refund("key-1", 0, None).await);
    assert_eq!(again(&world, &event, None).await.problem(), (409, "no_receiver"));
    let (off, _) = world.endpoint(json!({ "url": URL, "enabled": false })).await;
    world.endpoint(json!({ "url": URL, "events": ["refund.failed"] })).await;
    assert_eq!(again(&world, &event, None).await.problem(), (409, "no_receiver"));
    let nobody = EndpointId::from_bits(99).to_string();
    for (id, refusal) in [
        (off.as_str(), (409, "endpoint_disabled")),
        (nobody.as_str(), (404, "endpoint_not_found")),
        ("whe_1", (400, "invalid_parameter")),
    ] {
        let refused = again(&world, &event, Some(json!({ "endpoint_id": id }))).await;
        assert_eq!(refused.problem(), refusal, "{id}");
    }
    let unknown = fixtures::beginning(&world.refund("key-2", 1, None).await);
    let unknown = Event { id: recoup_domain::ids::EventId::earliest_at(fixtures::later(1)), ..unknown };
    assert_eq!(again(&world, &unknown, None).await.problem(), (404, "event_not_found"));
    assert_eq!(deliveries(&world, &event).await, []);
}

#[tokio::test]
async fn a_wait_is_brought_forward_and_what_was_given_up_begins_again() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let refund = world.refund("key-1", 0, Some("https://own.example.com/")).await;
    let event = fixtures::beginning(&refund);
    let mut waits = tried(&event, &target(&id), 100, 500);
    for millis in [200, 300] {
        let attempt = tried(&event, &target(&id), millis, 500).attempts.remove(0);
        waits = waits.after(attempt, None, 1_000);
    }
    assert!(waits.rests, "half an hour is too long for a queue");
    let given_up = tried(&event, &Target::RefundUrl, 100, 500).given_up(GivenUp::EndpointDeleted);
    world.note(&event, &waits).await;
    world.note(&event, &given_up).await;
    assert_eq!(again(&world, &event, None).await.status, 202);
    assert_eq!(deliveries(&world, &event).await, [waits.again(now()), given_up.again(now())]);
    // Twice is one more try at most: the message of the turn before is stale.
    set_clock(61_000);
    assert_eq!(again(&world, &event, None).await.status, 202);
    let stored = deliveries(&world, &event).await;
    assert_eq!(stored[0].turn, waits.turn + 2);
    assert_eq!(stored[0].standing, Standing::Scheduled(now()));
    let event_is_the_same = stored.iter().all(|delivery| delivery.event == event.id);
    assert!(event_is_the_same, "the webhook-id stays");
}

#[tokio::test]
async fn the_other_endpoints_are_told_again_that_one_was_switched_off() {
    let world = World::new().await;
    let (failed, _) = world.endpoint(json!({ "url": URL })).await;
    let (other, _) = world.endpoint(json!({ "url": URL })).await;
    let store = world.table.store();
    let id = EndpointId::try_from(failed.as_str()).unwrap();
    let endpoint = store.endpoint(&fixtures::tenant(), &id).await.unwrap().unwrap();
    store.switch_off(&endpoint, DisabledReason::Gone, now()).await.unwrap();
    let event = Event::of_disabled(&fixtures::tenant(), &id, DisabledReason::Gone, now());
    world.note(&event, &tried(&event, &target(&other), 60_100, 204)).await;
    let told = again(&world, &event, None).await;
    assert_eq!((told.status, &told.body["data"]["id"]), (202, &json!(failed)));
    let targets: Vec<Target> = deliveries(&world, &event).await.into_iter().map(|one| one.target).collect();
    assert_eq!(targets, [target(&other)]);
}

#[tokio::test]
async fn a_try_that_is_written_meanwhile_is_kept() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let event = fixtures::beginning(&world.refund("key-1", 0, None).await);
    let before = tried(&event, &target(&id), 100, 500);
    world.note(&event, &before).await;
    // Between the read and the write, a try is noted: the first write of the redelivery is held up.
    world.table.fail("PutItem", 1, Fault::LoseRequest);
    let attempt = tried(&event, &target(&id), 200, 503).attempts.remove(0);
    let meanwhile = before.after(attempt, None, 1_000);
    let store = world.table.store();
    let (told, noted) = futures_util::future::join(again(&world, &event, None), async {
        tokio::task::yield_now().await;
        store.record_delivery(Some(&before), &meanwhile).await.unwrap()
    })
    .await;
    assert_eq!(told.status, 202);
    let stored = deliveries(&world, &event).await.remove(0);
    assert_eq!(stored.standing, Standing::Scheduled(now()));
    match noted {
        // The try came first, and the redelivery stands on it.
        DeliveryRecorded::Yes => assert_eq!(stored, meanwhile.again(now())),
        // The redelivery came first, and the try learns of it.
        DeliveryRecorded::Overtaken(standing) => assert_eq!(*standing, before.again(now())),
    }
}

#[tokio::test]
async fn an_event_is_sent_again_to_a_receiver_a_hundred_times_at_most() {
    let world = World::new().await;
    let (one, _) = world.endpoint(json!({ "url": URL })).await;
    let (other, _) = world.endpoint(json!({ "url": URL })).await;
    let event = fixtures::beginning(&world.refund("key-1", 0, None).await);
    let often = Delivery { turn: 99, ..tried(&event, &target(&one), 100, 204) };
    world.note(&event, &often).await;
    assert_eq!(again(&world, &event, None).await.status, 202);
    let before = deliveries(&world, &event).await;
    assert_eq!(before[0].turn, 100);
    for body in [None, Some(json!({ "endpoint_id": one }))] {
        assert_eq!(again(&world, &event, body).await.problem(), (409, "too_many_redeliveries"));
        assert_eq!(deliveries(&world, &event).await, before, "nobody is sent anything");
    }
    assert_eq!(again(&world, &event, Some(json!({ "endpoint_id": other }))).await.status, 202);
}
