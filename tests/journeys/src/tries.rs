//! The whole table of tries, at its exact moments, through the queues and the index of waits.

use std::time::Duration;

use recoup_domain::delivery::{GivenUp, Standing};
use recoup_domain::endpoint::{DisabledReason, Endpoint, EventFilter, Switch};
use recoup_domain::event::Event;
use recoup_ports::endpoints::Endpoints;
use recoup_ports::events::{DeliveryRecorded, Events, RecordDeliveries};
use recoup_testing::fixtures::{self, tenant};

use crate::receivers::reply;
use crate::world::{World, now};

const HOUR: u64 = 3_600;

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_accepts_is_tried_ten_times_and_can_have_it_later() {
    let mut world = World::with_receivers(&[fixtures::endpoint(1)], |_, before| {
        reply(if before < 10 { 500 } else { 200 })
    })
    .await;
    let refund = world.reserve("key-1").await;
    world.run().await;
    assert!(world.is_at_rest().await);
    let arrivals = world.arrivals();
    let seconds: Vec<u64> = arrivals.iter().map(|one| one.at.since(fixtures::now()).as_secs()).collect();
    let mut due = vec![0, 5, 305, 2_105];
    for hours in [2, 5, 10, 14, 20, 24] {
        due.push(due.last().unwrap() + hours * HOUR);
    }
    assert_eq!(seconds.len(), 10);
    // A queue counts whole seconds: each hop may add one, and none comes too soon.
    for (made, due) in seconds.iter().zip(&due) {
        assert!(made >= due && *made <= due + 10, "{made} s for {due} s");
    }
    let event = fixtures::beginning(&refund);
    assert!(arrivals.iter().all(|one| one.id == event.id.as_str()), "one webhook-id");

    let standing =
        async || world.store.event(&tenant(), &event.id).await.unwrap().unwrap().deliveries.remove(0);
    let given_up = standing().await;
    assert_eq!(given_up.standing, Standing::DeadLettered(GivenUp::Exhausted));
    assert_eq!(given_up.attempts.len(), 10);

    let again = given_up.again(now());
    assert_eq!(world.store.record_delivery(Some(&given_up), &again).await.unwrap(), DeliveryRecorded::Yes);
    world.run().await;
    let delivered = world.store.event(&tenant(), &event.id).await.unwrap().unwrap().deliveries.remove(0);
    assert_eq!((delivered.standing, delivered.attempts.len()), (Standing::Delivered, 11));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_time_gets_it() {
    let asks = |before| if before == 0 { Some(Duration::from_hours(3)) } else { None };
    let mut world = World::with_receivers(&[fixtures::endpoint(1)], move |_, before| {
        let status = if before == 0 { 503 } else { 204 };
        recoup_ports::webhooks::Reply { retry_after: asks(before), ..reply(status) }
    })
    .await;
    world.reserve("key-1").await;
    world.run().await;
    let arrivals = world.arrivals();
    let [first, second] = arrivals.as_slice() else { panic!("{arrivals:?}") };
    let waited = second.at.since(first.at);
    assert!(waited >= Duration::from_hours(3) && waited < Duration::from_secs(3 * HOUR + 10), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_is_switched_off_after_five_days_and_no_other_is() {
    let receives = |number, types: &[&str]| Endpoint {
        events: EventFilter::parse(types.iter().copied()).unwrap(),
        ..fixtures::endpoint(number)
    };
    let dead = receives(1, &["refund.initiated"]);
    let other = receives(2, &["endpoint.disabled"]);
    let mut world = World::with_receivers(&[dead.clone(), other], |url, _| {
        reply(if url.ends_with("/1") { 500 } else { 200 })
    })
    .await;
    // A refund every day; the first try after five days is one too many.
    for day in 0..6_u64 {
        world.reserve(&format!("key-{day}")).await;
        world.run_for(Duration::from_hours(24)).await;
    }
    world.run().await;
    assert!(world.is_at_rest().await);
    let stored = world.store.endpoint(&tenant(), &dead.id).await.unwrap().unwrap();
    let Switch::Off { reason: DisabledReason::Failing, at } = stored.switch else {
        panic!("{:?}", stored.switch)
    };
    let failed_for = at.since(stored.failing_since.unwrap());
    assert!(
        failed_for >= Endpoint::FAILING_MAX && failed_for < Duration::from_hours(6 * 24),
        "{failed_for:?}"
    );
    let told = world.arrivals().into_iter().filter(|one| one.url.ends_with("/2"));
    let disabled = Event::of_disabled(&tenant(), &dead.id, DisabledReason::Failing, at);
    assert_eq!(told.map(|one| one.id).collect::<Vec<_>>(), [disabled.id.as_str()]);
}
