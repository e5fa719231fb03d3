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
async fn a_whole_life_of_which_nobody_is_told_is_nine_write_units() {
    assert_eq!(life(&["refund.failed"]).await, (9.0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_webhook_that_is_delivered_at_once_is_one_more() {
    assert_eq!(life(&["refund.succeeded"]).await, (10.0, 1));
    assert_eq!(life(&["*"]).await, (11.0, 2));
}
