//! What a whole life costs, as DynamoDB would charge it, announcements included.

use recoup_domain::endpoint::{Endpoint, EventFilter};
use recoup_ports::settlement::{HandedOver, Settle};
use recoup_testing::fixtures;

use crate::world::{World, now, reply};

/// The write units of a refund that is made, handed over, succeeds and is announced.
async fn life(types: &[&str]) -> (f64, usize) {
    let endpoint =
        Endpoint { events: EventFilter::parse(types.iter().copied()).unwrap(), ..fixtures::endpoint(1) };
    let mut world = World::new(&[endpoint], |_, _| reply(200)).await;
    world.run().await;
    world.table.take_calls();
    let refund = world.reserve("key-1").await;
    world.run().await;
    assert_eq!(world.store.hand_over(&refund, now()).await.unwrap(), HandedOver::Yes);
    world.run().await;
    world.settle(&refund, fixtures::succeeded()).await;
    world.run().await;
    let calls = world.table.take_calls();
    println!("{types:?}: {calls}");
    (calls.write_units(), world.arrivals().len())
}

#[tokio::test(start_paused = true)]
async fn a_whole_life_with_one_delivered_webhook_is_at_most_eight_write_units() {
    assert_eq!(life(&["refund.succeeded"]).await, (8.0, 1));
}

#[tokio::test(start_paused = true)]
async fn each_further_delivery_is_one_more_and_no_listener_costs_no_more_than_one() {
    assert_eq!(life(&["*"]).await, (9.0, 2));
    assert_eq!(life(&["refund.failed"]).await, (8.0, 0));
}
