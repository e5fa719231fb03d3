//! What each request costs: calls and capacity units, counted on the wire.

use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::{World, data, set_clock, target, tried};

const ENDPOINTS: &str = "/v1/webhook-endpoints";

/// One request's calls, and most read and write units it may take.
async fn costs(world: &World, asked: (&str, &str, Option<Value>), calls: &[&str], units: (f64, f64)) {
    let (method, path, body) = asked;
    world.table.take_calls();
    let reply = world.send(method, path, body).await;
    assert!(reply.status < 300, "{method} {path}: {}", reply.text);
    let taken = world.table.take_calls();
    assert_eq!(taken.operations(), calls, "{method} {path}");
    let within = taken.read_units() <= units.0 && taken.write_units() <= units.1;
    assert!(within, "{method} {path}: {taken}");
}

#[tokio::test]
async fn an_endpoint_costs_what_it_says() {
    let world = World::new().await;
    let wanted = || Some(json!({ "url": "https://shop.example.com/", "description": "The shop" }));
    costs(&world, ("POST", ENDPOINTS, wanted()), &["TransactWriteItems"], (0.0, 4.0)).await;
    costs(&world, ("GET", ENDPOINTS, None), &["Query"], (1.0, 0.0)).await;
    let list = world.get(ENDPOINTS).await;
    let path = format!("{ENDPOINTS}/{}", data(&list)[0]["id"].as_str().unwrap());
    costs(&world, ("GET", &path, None), &["GetItem"], (1.0, 0.0)).await;
    let change = || Some(json!({ "enabled": false }));
    costs(&world, ("PATCH", &path, change()), &["GetItem", "UpdateItem"], (1.0, 1.0)).await;
    costs(&world, ("PATCH", &path, change()), &["GetItem"], (1.0, 0.0)).await;
    let rotate = format!("{path}/rotate-secret");
    costs(&world, ("POST", &rotate, None), &["GetItem", "UpdateItem"], (1.0, 1.0)).await;
    costs(&world, ("DELETE", &path, None), &["TransactWriteItems"], (0.0, 4.0)).await;
}

#[tokio::test]
async fn events_cost_what_they_say() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": "https://shop.example.com/" })).await;
    let mut refunds = Vec::new();
    for number in 0..20 {
        let refund = world.refund(&format!("key-{number}"), number, None).await;
        let ended = world.stepped(&refund, fixtures::succeeded(), number + 5).await;
        let event = Event::of_change(Some(&refund), &ended);
        world.note(&event, &tried(&event, &target(&id), 100, 204)).await;
        refunds.push(ended);
    }
    // The events, and the refunds of the page at once.
    let two = ["Query", "BatchGetItem"];
    costs(&world, ("GET", "/v1/events", None), &two, (25.0, 0.0)).await;
    costs(&world, ("GET", "/v1/events?type=refund.succeeded", None), &two, (35.0, 0.0)).await;
    let one = format!("/v1/events?refund_id={}", refunds[0].id);
    costs(&world, ("GET", &one, None), &["GetItem", "Query", "Query"], (3.0, 0.0)).await;
    let ids: Vec<_> = refunds[0].event_ids().collect();
    let (recorded, beginning) = (format!("/v1/events/{}", ids[0]), format!("/v1/events/{}", ids[1]));
    costs(&world, ("GET", &recorded, None), &["Query", "GetItem"], (2.0, 0.0)).await;
    costs(&world, ("GET", &beginning, None), &["Query", "GetItem"], (2.0, 0.0)).await;
    let again = format!("{recorded}/redeliver");
    // What is scheduled has an index entry beside it, which moves when it is scheduled anew.
    costs(&world, ("POST", &again, None), &["Query", "GetItem", "Query", "PutItem"], (3.0, 2.0)).await;
    let only = Some(json!({ "endpoint_id": id }));
    costs(&world, ("POST", &again, only), &["Query", "GetItem", "GetItem", "PutItem"], (3.0, 3.0)).await;
}

#[tokio::test]
async fn an_endpoint_is_tested_ten_times_a_minute_and_no_other_suffers() {
    let world = World::new().await;
    // Nobody listens there, so each test ends at once.
    let closed = json!({ "url": "http://127.0.0.1:1/" });
    let (id, _) = world.endpoint(closed.clone()).await;
    let (other, _) = world.endpoint(closed).await;
    let path = format!("/v1/webhook-endpoints/{id}/test");
    for number in 0..Endpoint::TESTS_MAX {
        set_clock(u64::from(number) * 1_000);
        assert_eq!(world.send("POST", &path, None).await.status, 200, "test {number}");
    }
    set_clock(9_001);
    world.table.take_calls();
    let refused = world.send("POST", &path, None).await;
    assert_eq!((refused.problem(), refused.header("retry-after")), ((429, "rate_limited"), Some("51")));
    let other = world.send("POST", &format!("/v1/webhook-endpoints/{other}/test"), None).await;
    assert_eq!(other.status, 200);
    set_clock(60_000);
    world.table.take_calls();
    assert_eq!(world.send("POST", &path, None).await.status, 200);
    let calls = world.table.take_calls();
    assert_eq!((calls.operations(), calls.write_units()), (vec!["UpdateItem"], 1.0));
    // Its owner sees and changes it as before.
    let changed =
        world.send("PATCH", path.trim_end_matches("/test"), Some(json!({ "enabled": false }))).await;
    assert_eq!((changed.status, &changed.body["enabled"]), (200, &json!(false)));
}
