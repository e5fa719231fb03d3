//! Bodies and parameters that cannot be used: refused by name, and nothing is done.

use recoup_ports::webhooks::Reach;
use serde_json::{Value, json};

use crate::{World, asking, data};

const ENDPOINTS: &str = "/v1/webhook-endpoints";

/// Every wrong value of a field that a create and a change share, with what is named.
fn wrong() -> Vec<(Value, &'static str, &'static str)> {
    let many: Vec<&str> = vec!["*"; 17];
    vec![
        (json!({ "url": "http://shop.example.com/" }), "invalid_parameter", "url"),
        (json!({ "url": "https://user@shop.example.com/" }), "invalid_parameter", "url"),
        (json!({ "url": "https://shop.example.com:25/" }), "invalid_parameter", "url"),
        (json!({ "url": "https://localhost/" }), "invalid_parameter", "url"),
        (json!({ "url": format!("https://x.example/{}", "x".repeat(2_048)) }), "invalid_parameter", "url"),
        (json!({ "url": "" }), "invalid_parameter", "url"),
        (json!({ "url": 7 }), "invalid_parameter", "url"),
        (json!({ "events": [] }), "invalid_parameter", "events"),
        (json!({ "events": "*" }), "invalid_parameter", "events"),
        (json!({ "events": many }), "invalid_parameter", "events"),
        (json!({ "events": ["refund.failed", "refund.lost"] }), "invalid_parameter", "events[1]"),
        (json!({ "events": ["endpoint.test"] }), "invalid_parameter", "events[0]"),
        (json!({ "events": [null] }), "invalid_parameter", "events[0]"),
        (json!({ "enabled": "yes" }), "invalid_parameter", "enabled"),
        (json!({ "description": "" }), "invalid_parameter", "description"),
        (json!({ "description": "x".repeat(256) }), "invalid_parameter", "description"),
        (json!({ "description": 7 }), "invalid_parameter", "description"),
        (json!({ "secret": "whsec_mine" }), "unknown_parameter", "secret"),
        (json!({ "id": "whe_1" }), "unknown_parameter", "id"),
    ]
}

#[tokio::test]
async fn what_an_endpoint_cannot_be_is_refused_by_name() {
    let world = World::with(Reach::Public).await;
    let (id, _) = world.endpoint(json!({ "url": "https://shop.example.com/" })).await;
    let path = format!("{ENDPOINTS}/{id}");
    let before = world.get(&path).await.body;
    for (body, code, param) in wrong() {
        let changed = world.send("PATCH", &path, Some(body.clone())).await;
        assert_eq!(changed.problem(), (400, code), "{body}");
        assert_eq!(changed.body["param"], param, "{body}");
        let mut whole = json!({ "url": "https://shop.example.com/" });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let made = world.send("POST", ENDPOINTS, Some(whole)).await;
        assert_eq!((made.problem(), &made.body["param"]), ((400, code), &json!(param)), "{body}");
    }
    for body in [None, Some(json!({})), Some(json!({ "url": null, "enabled": true }))] {
        let missing = world.send("POST", ENDPOINTS, body).await;
        assert_eq!(missing.problem(), (400, "missing_parameter"));
        assert_eq!(missing.body["param"], "url");
    }
    assert_eq!(*data(&world.get(ENDPOINTS).await), [before]);
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_by_every_route_that_reads_one() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": "https://shop.example.com/" })).await;
    let refund = world.refund("key-1", 1, None).await;
    let event = refund.event_ids().next().unwrap();
    for (method, path) in [
        ("POST", ENDPOINTS.to_owned()),
        ("PATCH", format!("{ENDPOINTS}/{id}")),
        ("DELETE", format!("{ENDPOINTS}/{id}")),
        ("POST", format!("{ENDPOINTS}/{id}/rotate-secret")),
        ("POST", format!("{ENDPOINTS}/{id}/test")),
        ("POST", format!("/v1/events/{event}/redeliver")),
    ] {
        let json = |text: &str| asking(method, &path).text(text).header("content-type", "application/json");
        for text in ["{", "[]", "{\"a\":1,\"a\":1}", "null"] {
            assert_eq!(
                world.ask(json(text)).await.problem(),
                (400, "invalid_json"),
                "{method} {path} {text}"
            );
        }
        let plain = asking(method, &path).text("{}").header("content-type", "text/plain");
        assert_eq!(world.ask(plain).await.problem(), (415, "unsupported_media_type"), "{method} {path}");
        let large = json(&format!("{{\"a\":\"{}\"}}", "x".repeat(65_536)));
        assert_eq!(world.ask(large).await.problem(), (413, "body_too_large"), "{method} {path}");
        let unknown = world.ask(json("{\"more\":1}")).await;
        assert!(["unknown_parameter", "missing_parameter"].contains(&unknown.problem().1), "{method} {path}");
    }
}

#[tokio::test]
async fn what_a_query_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    let refund = world.refund("key-1", 1, None).await;
    let event = refund.event_ids().next().unwrap();
    let refund = &refund.id;
    let lists = [ENDPOINTS, "/v1/events"];
    let values = ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=cmZkXzEjcmZkXzE", "more=1"];
    for (list, value) in lists.into_iter().flat_map(|list| values.map(|value| (list, value))) {
        let refused = world.get(&format!("{list}?{value}")).await;
        let (name, _) = value.split_once('=').unwrap();
        let code = if name == "more" { "unknown_parameter" } else { "invalid_parameter" };
        assert_eq!(
            (refused.problem(), &refused.body["param"]),
            ((400, code), &json!(name)),
            "{list} {value}"
        );
    }
    for value in ["type=refund.lost", "type=endpoint.test", "type=*", "refund_id=pay_1", "created_from=now"] {
        let refused = world.get(&format!("/v1/events?{value}")).await;
        let (name, _) = value.split_once('=').unwrap();
        assert_eq!(refused.problem(), (400, "invalid_parameter"), "{value}");
        assert_eq!(refused.body["param"], name, "{value}");
    }
    // Another list's cursor leads nowhere here.
    world.endpoint(json!({ "url": "https://one.example.com/" })).await;
    world.endpoint(json!({ "url": "https://two.example.com/" })).await;
    let page = world.get(&format!("{ENDPOINTS}?limit=1")).await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let refused = world.get(&format!("/v1/events?cursor={cursor}")).await;
    assert_eq!(refused.problem(), (400, "invalid_parameter"));
    for path in
        [format!("/v1/events/{event}?expand=refund"), format!("/v1/events?refund_id={refund}&status=1")]
    {
        assert_eq!(world.get(&path).await.problem(), (400, "unknown_parameter"), "{path}");
    }
}
