//! Nothing is lost, whatever fails between any two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use recoup_domain::delivery::{GivenUp, Standing};
use recoup_domain::event::Event;
use recoup_domain::refund::Refund;
use recoup_ports::endpoints::KeepEndpoints;
use recoup_ports::events::Events;
use recoup_testing::Fault;
use recoup_testing::fixtures::{self, tenant};

use crate::receivers::reply;
use crate::world::World;

const OPERATIONS: [&str; 4] = ["BatchGetItem", "PutItem", "UpdateItem", "Query"];

fn fault(draw: &mut fastrand::Rng) -> Fault {
    match draw.u8(..4) {
        0 => Fault::throttled(),
        1 => Fault::server_error(),
        2 => Fault::LoseRequest,
        _ => Fault::LoseAnswer,
    }
}

/// The events of a refund's life so far: `initiated`, and `succeeded` if it did.
fn events(made: &Refund, now: &Refund) -> Vec<Event> {
    vec![fixtures::beginning(made), Event::of_change(Some(made), now)]
}

/// The end state must be the one without faults: every event delivered to every endpoint, at least once, under
/// one id, and nothing left in a queue, in the index, or among the dead letters.
#[tokio::test(start_paused = true)]
async fn every_event_is_delivered_whatever_fails_and_however_often() {
    for seed in 0..12 {
        let mut draw = fastrand::Rng::with_seed(seed);
        let fails = draw.usize(..5);
        let endpoints = [fixtures::endpoint(1), fixtures::endpoint(2)];
        let mut world = World::with_receivers(&endpoints, move |url, before| {
            reply(if url.ends_with("/1") && before < fails { 500 } else { 200 })
        })
        .await;
        let mut expected = BTreeSet::new();
        for number in 0..3 {
            let made = world.reserve(&format!("key-{number}")).await;
            for _ in 0..draw.u8(..4) {
                // More tries of the SDK than it makes, now and then: the whole operation fails.
                world.table.fail(draw.choice(OPERATIONS).unwrap(), draw.u32(1..5), fault(&mut draw));
            }
            world.run_for(Duration::from_mins(draw.u64(..20))).await;
            world.table.heal();
            let succeeded = world.settle(&made, fixtures::succeeded()).await;
            for _ in 0..draw.u8(..4) {
                world.table.fail(draw.choice(OPERATIONS).unwrap(), draw.u32(1..5), fault(&mut draw));
            }
            expected.extend(events(&made, &succeeded).into_iter().map(|event| event.id));
        }
        world.run().await;
        world.table.heal();
        world.run().await;
        assert!(world.is_at_rest().await, "seed {seed}");
        assert_eq!(world.dead_letters, [""; 0], "seed {seed}");
        for id in &expected {
            let recorded = world.store.event(&tenant(), id).await.unwrap();
            let deliveries = recorded.unwrap_or_else(|| panic!("seed {seed}: {id} is lost")).deliveries;
            let standings: Vec<Standing> = deliveries.iter().map(|delivery| delivery.standing).collect();
            assert_eq!(standings, [Standing::Delivered, Standing::Delivered], "seed {seed}");
        }
        let mut arrived: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for arrival in world.arrivals() {
            arrived.entry(arrival.url).or_default().insert(arrival.id);
        }
        let ids: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        for endpoint in &endpoints {
            assert_eq!(arrived[endpoint.url.as_str()], ids, "seed {seed}: every id, and no other");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_table_that_was_down_left_in_the_dead_letters_is_delivered() {
    let mut world = World::with_receivers(&[fixtures::endpoint(1)], |_, _| reply(200)).await;
    let made = world.reserve("key-1").await;
    // The event is recorded and its message sent; what comes of the tries cannot be written.
    world.relay().await;
    world.table.fail_always("PutItem", Fault::throttled());
    world.run().await;
    assert_eq!(world.dead_letters.len(), 1);
    // Sent, each time without being able to say so.
    assert_eq!(world.arrivals().len(), 8);
    world.table.heal();
    world.put_dead_letters_back();
    world.run().await;
    let recorded = world.store.event(&tenant(), &fixtures::beginning(&made).id).await.unwrap().unwrap();
    assert_eq!(recorded.deliveries[0].standing, Standing::Delivered);
    let ids: BTreeSet<String> = world.arrivals().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 1);
}

/// A queue was purged, a stream record was given up: nobody will send the message any more.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_lost_on_its_way_is_sent_for_again() {
    // After one failure (a short wait), after three (a wait that rests), and of a redelivery.
    for fails in [1, 3] {
        let mut world = World::with_receivers(&[fixtures::endpoint(1)], move |_, before| {
            reply(if before < fails { 500 } else { 200 })
        })
        .await;
        let made = world.reserve("key-1").await;
        let id = fixtures::beginning(&made).id;
        world.run_for(Duration::ZERO).await;
        while world.arrivals().len() < fails {
            world.run_one_moment().await;
        }
        world.lose_next_webhook_job().await;
        world.run().await;
        assert!(world.is_at_rest().await);
        let delivery = world.store.event(&tenant(), &id).await.unwrap().unwrap().deliveries.remove(0);
        assert_eq!(
            (delivery.standing, delivery.tries),
            (Standing::Delivered, u32::try_from(fails).unwrap() + 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_deleted_while_a_delivery_waits_ends_it_and_says_why() {
    let endpoint = fixtures::endpoint(1);
    let mut world = World::with_receivers(std::slice::from_ref(&endpoint), |_, _| reply(500)).await;
    let made = world.reserve("key-1").await;
    world.run_for(Duration::from_hours(1)).await;
    let tried = world.arrivals().len();
    assert_eq!(tried, 4);
    world.store.delete_endpoint(&endpoint.tenant, &endpoint.id).await.unwrap();
    world.run().await;
    assert!(world.is_at_rest().await);
    assert_eq!(world.arrivals().len(), tried);
    let recorded = world.store.event(&tenant(), &fixtures::beginning(&made).id).await.unwrap().unwrap();
    assert_eq!(recorded.deliveries[0].standing, Standing::DeadLettered(GivenUp::EndpointDeleted));
}
