//! A change that was not announced is found and announced, to those who should have heard it.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::delivery::{Delivery, Standing, Target};
use recoup_domain::endpoint::{DisabledReason, EventFilter};
use recoup_domain::event::{Event, EventType};
use recoup_ports::endpoints::{Endpoints, KeepEndpoints};
use recoup_ports::events::{Events, RecordDeliveries, RecordEvents};
use recoup_ports::settlement::Settle;
use recoup_testing::{Fault, fixtures};

use crate::{World, last_event, lines, soon_after, two_hours_later};

/// An endpoint that was there before everything.
async fn listening(world: &World, number: u8) -> Target {
    let mut endpoint = fixtures::endpoint(number);
    let before = fixtures::now().minus(std::time::Duration::from_hours(1));
    (endpoint.created_at, endpoint.updated_at) = (before, before);
    world.store.create_endpoint(&endpoint).await.unwrap();
    Target::Endpoint(endpoint.id)
}

#[tokio::test]
async fn a_change_without_an_event_and_without_listeners_is_recorded() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let done = world.settle_unannounced(&refund, fixtures::succeeded()).await;
    let report = world.run(two_hours_later).await;
    let id = last_event(&done);
    let line = format!(
        "event_missing announced: {id} of 2026-11-22T09:30:01.000Z, refund.succeeded, was not announced at all"
    );
    assert_eq!(lines(&report.findings), [line]);
    let recorded = world.store.event(&done.tenant, &id).await.unwrap().unwrap();
    assert_eq!((recorded.event, recorded.deliveries), (Event::of_change(Some(&refund), &done), vec![]));
    assert_eq!(world.run(soon_after).await.drift, 0);
}

#[tokio::test]
async fn all_who_listen_get_what_the_stream_lost_under_the_same_id() {
    let world = World::new().await;
    let target = listening(&world, 1).await;
    let refund = world.reserve("key-1").await;
    let done = world.settle_unannounced(&refund, fixtures::succeeded()).await;
    let report = world.run(two_hours_later).await;
    // The beginning, and the success.
    assert_eq!((report.drift, report.findings.len()), (2, 2));
    for (id, r#type) in done.event_ids().zip([EventType::Succeeded, EventType::Initiated]) {
        let recorded = world.store.event(&done.tenant, &id).await.unwrap().unwrap();
        let [delivery] = recorded.deliveries.as_slice() else { panic!("{recorded:?}") };
        assert_eq!((&delivery.target, delivery.turn, delivery.rests), (&target, 1, false));
        assert_eq!(
            delivery.standing,
            Standing::Scheduled(two_hours_later()),
            "the stream sends what is scheduled"
        );
        assert_eq!(recorded.event.r#type, r#type);
    }
    assert_eq!(world.run(soon_after).await.drift, 0);
}

#[tokio::test]
async fn only_the_receiver_whose_message_was_lost_is_sent_it_again() {
    let world = World::new().await;
    let (reached, missed) = (listening(&world, 1).await, listening(&world, 2).await);
    let refund = world.reserve("key-1").await;
    let done = world.settle_unannounced(&refund, fixtures::succeeded()).await;
    for event in [fixtures::beginning(&done), Event::of_change(Some(&refund), &done)] {
        world.store.record_event(&event, &[reached.clone(), missed.clone()]).await.unwrap();
        let mut delivery = Delivery::first(&event, reached.clone(), fixtures::later(2_000));
        delivery.standing = Standing::Delivered;
        world.store.record_delivery(None, &delivery).await.unwrap();
    }
    let report = world.run(two_hours_later).await;
    assert_eq!(report.drift, 2);
    assert!(lines(&report.findings).iter().all(|line| line.ends_with("was not announced to 1 receivers")));
    let recorded = world.store.event(&done.tenant, &last_event(&done)).await.unwrap().unwrap();
    let mut standings: Vec<_> =
        recorded.deliveries.into_iter().map(|delivery| (delivery.target, delivery.standing)).collect();
    standings.sort_by(|one, other| one.0.cmp(&other.0));
    let mut expected = vec![(reached, Standing::Delivered), (missed, Standing::Scheduled(two_hours_later()))];
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(standings, expected);
}

#[tokio::test]
async fn an_endpoint_that_came_later_is_not_missed() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    let mut endpoint = fixtures::endpoint(1);
    (endpoint.created_at, endpoint.updated_at) = (fixtures::later(60_000), fixtures::later(60_000));
    world.store.create_endpoint(&endpoint).await.unwrap();
    assert_eq!(world.run(two_hours_later).await.drift, 0);
}

/// The owner changes the endpoint after its message was lost: the event names it, so it is sent all the same.
#[tokio::test]
async fn a_lost_message_to_an_endpoint_that_was_edited_since_is_sent_again() {
    let world = World::new().await;
    let target = listening(&world, 1).await;
    let refund = world.reserve("key-1").await;
    let event = fixtures::beginning(&refund);
    world.store.record_event(&event, std::slice::from_ref(&target)).await.unwrap();
    let Target::Endpoint(id) = &target else { panic!("{target:?}") };
    let endpoint = world.store.endpoint(&refund.tenant, id).await.unwrap().unwrap();
    let mut edited = endpoint.changed(fixtures::later(60_000));
    edited.events = EventFilter::parse(["refund.failed"]).unwrap();
    world.store.change_endpoint(&endpoint, &edited).await.unwrap();
    let report = world.run(two_hours_later).await;
    let missing: Vec<String> =
        lines(&report.findings).into_iter().filter(|line| line.starts_with("event_missing")).collect();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].ends_with("refund.initiated, was not announced to 1 receivers"), "{missing:?}");
    let recorded = world.store.event(&refund.tenant, &event.id).await.unwrap().unwrap();
    let [delivery] = recorded.deliveries.as_slice() else { panic!("{recorded:?}") };
    assert_eq!((&delivery.target, delivery.standing), (&target, Standing::Scheduled(two_hours_later())));
}

#[tokio::test]
async fn a_lost_change_before_a_later_one_is_announced_from_the_history() {
    let world = World::new().await;
    let target = listening(&world, 1).await;
    let refund = world.reserve("key-1").await;
    world.store.record_event(&fixtures::beginning(&refund), &[]).await.unwrap();
    let pending = world.settle_unannounced(&refund, recoup_domain::refund::Outcome::Pending).await;
    let done = world.settle(&pending, fixtures::succeeded()).await;
    let report = world.run(two_hours_later).await;
    let lost = done.event_ids().nth(1).unwrap();
    let line = format!(
        "event_missing announced: {lost} of 2026-11-22T09:30:01.000Z, refund.processing, was not announced at all"
    );
    assert_eq!(lines(&report.findings), [line]);
    let recorded = world.store.event(&done.tenant, &lost).await.unwrap().unwrap();
    assert_eq!(
        (recorded.event, recorded.receivers),
        (Event::of_change(Some(&refund), &pending), vec![target])
    );
    assert_eq!(recorded.deliveries.len(), 1);
}

#[tokio::test]
async fn a_lost_change_of_which_version_0_1_kept_only_the_time_is_named() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let pending = world.settle_unannounced(&refund, recoup_domain::refund::Outcome::Pending).await;
    let done = world.settle(&pending, fixtures::succeeded()).await;
    let item = world.table.item("refund").await;
    let millis =
        |change: &recoup_domain::refund::Change| AttributeValue::N(change.at.unix_millis().to_string());
    let times = AttributeValue::L(done.history.iter().map(millis).collect());
    world.edit(&item, "SET changed_at = :times REMOVE history", &[(":times", times)]).await;
    let report = world.run(two_hours_later).await;
    let lost = done.event_ids().nth(1).unwrap();
    let line = format!(
        "event_missing none: {lost} of 2026-11-22T09:30:01.000Z, a change whose state was not kept, was not announced at all"
    );
    assert_eq!(lines(&report.findings), [line]);
}

#[tokio::test]
async fn a_lost_change_of_metadata_is_announced_as_such() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let done = world.settle(&refund, fixtures::succeeded()).await;
    let change = fixtures::renamed(&done, "v", fixtures::later(5_000));
    world.store.carry_out(&change).await.unwrap();
    let changed = change.into_refund();
    assert_eq!(world.run(two_hours_later).await.drift, 1);
    let recorded = world.store.event(&done.tenant, &last_event(&changed)).await.unwrap().unwrap();
    assert_eq!(recorded.event, Event::of_change(Some(&done), &changed));
    assert_eq!(recorded.event.r#type, EventType::Updated);
}

/// An endpoint was switched off, and the message that tells the others was lost.
#[tokio::test]
async fn a_lost_message_about_an_endpoint_is_sent_again() {
    let world = World::new().await;
    let target = listening(&world, 1).await;
    let refund = world.reserve_announced("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    let (off, at) = (fixtures::endpoint(2).id, fixtures::later(3_000));
    let event = Event::of_disabled(&refund.tenant, &off, DisabledReason::Failing, at);
    world.store.record_event(&event, std::slice::from_ref(&target)).await.unwrap();
    let report = world.run(two_hours_later).await;
    let line = format!(
        "event_missing announced: {} of 2026-11-22T09:30:03.000Z, endpoint.disabled, was not announced to 1 receivers",
        event.id
    );
    assert_eq!(lines(&report.findings), [line]);
    let recorded = world.store.event(&refund.tenant, &event.id).await.unwrap().unwrap();
    assert_eq!((recorded.untried().count(), recorded.deliveries.len()), (0, 1));
    assert_eq!(world.run(soon_after).await.drift, 0);
}

/// The stream is an hour late, and the relay comes between reconcile's two reads.
#[tokio::test]
async fn an_event_that_is_recorded_meanwhile_keeps_its_receivers() {
    let world = World::new().await;
    let chosen = listening(&world, 1).await;
    listening(&world, 2).await;
    let refund = world.reserve("key-1").await;
    let event = fixtures::beginning(&refund);
    let (others, relayed, to) = (world.table.others(), event.clone(), chosen.clone());
    let relay = move || {
        let (others, relayed, to) = (others.clone(), relayed.clone(), to.clone());
        async move { drop(others.record_event(&relayed, &[to]).await.unwrap()) }
    };
    // Refunds are read once the feed was: it does not have the event.
    world.table.fail("BatchGetItem", 1, Fault::meanwhile(relay));
    world.run(two_hours_later).await;
    let recorded = world.store.event(&refund.tenant, &event.id).await.unwrap().unwrap();
    assert_eq!(recorded.receivers, [chosen]);
    assert_eq!(recorded.deliveries.len(), 1);
}
