//! What a whole life costs, as DynamoDB would charge it, announcements included.

use recoup_domain::endpoint::{Endpoint, EventFilter};
use recoup_testing::fixtures;

use crate::receivers::reply;
use crate::world::World;

/// The write units of a refund that is made, handed over, succeeds and is announced.
async fn life(types: &[&str]) -> (f64, usize) {
    let endpoint =
        Endpoint { events: EventFilter::parse(types.iter().copied()).unwrap(), ..fixtures::endpoint(1) };
    let mut world = World::with_receivers(&[endpoint], |_, _| reply(200)).await;
    world.processes = true;
    world.reserve("key-1").await;
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
