//! A change that was not announced is found and announced, to those who should have heard it.

use recoup_domain::delivery::{Delivery, Standing, Target};
use recoup_domain::event::{Event, EventType};
use recoup_ports::endpoints::KeepEndpoints;
use recoup_ports::events::{Events, NoteDeliveries};
use recoup_ports::settlement::Settle;
use recoup_testing::fixtures;

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
async fn a_change_that_nobody_was_told_of_is_recorded() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let done = world.settle_in_silence(&refund, fixtures::succeeded()).await;
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
async fn all_who_listen_are_told_of_what_the_stream_lost_and_under_the_same_id() {
    let world = World::new().await;
    let target = listening(&world, 1).await;
    let refund = world.reserve("key-1").await;
    let done = world.settle_in_silence(&refund, fixtures::succeeded()).await;
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
async fn the_one_of_two_whose_message_was_lost_is_told_and_the_other_is_left_alone() {
    let world = World::new().await;
    let (told, untold) = (listening(&world, 1).await, listening(&world, 2).await);
    let refund = world.reserve("key-1").await;
    let done = world.settle_in_silence(&refund, fixtures::succeeded()).await;
    for event in [Event::of_beginning(&done), Event::of_change(Some(&refund), &done)] {
        let mut delivery = Delivery::first(event, told.clone(), fixtures::later(2_000));
        delivery.standing = Standing::Delivered;
        world.store.note_delivery(None, &delivery).await.unwrap();
    }
    let report = world.run(two_hours_later).await;
    assert_eq!(report.drift, 2);
    assert!(lines(&report.findings).iter().all(|line| line.ends_with("was not announced to 1 receivers")));
    let recorded = world.store.event(&done.tenant, &last_event(&done)).await.unwrap().unwrap();
    let mut standings: Vec<_> =
        recorded.deliveries.into_iter().map(|delivery| (delivery.target, delivery.standing)).collect();
    standings.sort_by(|one, other| one.0.cmp(&other.0));
    let mut expected = vec![(told, Standing::Delivered), (untold, Standing::Scheduled(two_hours_later()))];
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

#[tokio::test]
async fn a_lost_change_before_a_later_one_is_named_though_nobody_can_tell_it_any_more() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let pending = world.settle_in_silence(&refund, recoup_domain::refund::Outcome::Pending).await;
    let done = world.settle(&pending, fixtures::succeeded()).await;
    let report = world.run(two_hours_later).await;
    let lost = done.event_ids().nth(1).unwrap();
    let line = format!(
        "event_missing none: {lost} of 2026-11-22T09:30:01.000Z, a change before later ones, was not announced at all"
    );
    assert_eq!(lines(&report.findings), [line]);
}

#[tokio::test]
async fn a_lost_change_of_metadata_is_told_as_such() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let done = world.settle(&refund, fixtures::succeeded()).await;
    let metadata = recoup_domain::text::Metadata::new([("k".to_owned(), "v".to_owned())].into()).unwrap();
    let changed = done.with_metadata(metadata, fixtures::later(5_000)).unwrap();
    world.store.move_on(&done, &changed).await.unwrap();
    assert_eq!(world.run(two_hours_later).await.drift, 1);
    let recorded = world.store.event(&done.tenant, &last_event(&changed)).await.unwrap().unwrap();
    assert_eq!(recorded.event, Event::of_change(Some(&done), &changed));
    assert_eq!(recorded.event.r#type, EventType::Updated);
}
