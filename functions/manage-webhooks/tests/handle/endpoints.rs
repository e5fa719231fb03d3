//! Endpoints: made, listed, read, changed and deleted.

use futures_util::future::{join, join_all};
use recoup_domain::endpoint::{DisabledReason, Endpoint};
use recoup_domain::ids::EndpointId;
use recoup_domain::text::TargetUrl;
use recoup_ports::endpoints::{Changed, EndpointHealth, Endpoints, KeepEndpoints};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::{World, data, now, set_clock};

const ENDPOINTS: &str = "/v1/webhook-endpoints";
const URL: &str = "https://shop.example.com/hooks?token=1";

async fn stored(world: &World, id: &str) -> Endpoint {
    let id = EndpointId::try_from(id).unwrap();
    let endpoint = world.table.store().endpoint(&fixtures::tenant(), &id).await.unwrap().unwrap();
    world.table.take_calls();
    endpoint
}

#[tokio::test]
async fn an_endpoint_is_made_with_defaults_and_shows_its_secret_once() {
    let world = World::new().await;
    let made = world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.body["id"].as_str().unwrap();
    let at = now().rfc3339();
    let mut expected = json!({
        "id": id, "object": "webhook_endpoint", "url": URL, "description": null, "events": ["*"],
        "enabled": true, "disabled_reason": null, "disabled_at": null, "failing_since": null,
        "previous_secrets_valid_until": [], "sandbox": true, "created_at": at, "updated_at": at,
        "_links": { "self": { "href": format!("https://api.example.com/v1/webhook-endpoints/{id}") } },
    });
    let read = world.get(&format!("{ENDPOINTS}/{id}")).await;
    assert_eq!((read.status, &read.body), (200, &expected));
    assert_eq!(*data(&world.get(ENDPOINTS).await), [expected.clone()]);
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    expected["secret"] = json!(secret);
    assert_eq!(made.body, expected);
}

#[tokio::test]
async fn an_endpoint_is_made_as_it_is_wanted() {
    let world = World::new().await;
    let body = json!({
        "url": URL, "events": ["refund.failed", "refund.succeeded", "refund.failed"], "enabled": false,
        "description": "The shop",
    });
    let (id, _) = world.endpoint(body).await;
    let read = world.get(&format!("{ENDPOINTS}/{id}")).await.body;
    assert_eq!(read["events"], json!(["refund.succeeded", "refund.failed"]));
    let off = (&read["enabled"], &read["disabled_reason"], &read["disabled_at"]);
    assert_eq!(off, (&json!(false), &json!("by_owner"), &json!(now().rfc3339())));
    assert_eq!(read["description"], "The shop");
}

#[tokio::test]
async fn of_twenty_creates_racing_for_sixteen_places_sixteen_win() {
    let world = World::new().await;
    let creates = (0..20).map(|_| world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))));
    let replies = join_all(creates).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(made, 16);
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(refused.problem(), (409, "too_many_endpoints"));
    }
    assert_eq!(data(&world.get(ENDPOINTS).await).len(), 16);
    // A place that becomes free is given again.
    let id = replies.iter().find_map(|reply| reply.body["id"].as_str()).unwrap();
    assert_eq!(world.send("DELETE", &format!("{ENDPOINTS}/{id}"), None).await.status, 204);
    world.endpoint(json!({ "url": URL })).await;
    let refused = world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))).await;
    assert_eq!(refused.problem(), (409, "too_many_endpoints"));
}

#[tokio::test]
async fn the_list_is_walked_oldest_first_under_every_page_size() {
    let world = World::new().await;
    let mut made = Vec::new();
    for millis in [5, 1, 1, 9, 3] {
        set_clock(millis);
        made.push((millis, world.endpoint(json!({ "url": URL })).await.0));
    }
    made.sort();
    let expected: Vec<Value> = made.into_iter().map(|(_, id)| json!(id)).collect();
    for limit in 1..=6 {
        let (mut seen, mut path) = (Vec::new(), format!("{ENDPOINTS}?limit={limit}"));
        loop {
            let page = world.get(&path).await;
            seen.extend(data(&page).iter().map(|endpoint| endpoint["id"].clone()));
            let Some(cursor) = page.body["next_cursor"].as_str() else { break };
            path = format!("{ENDPOINTS}?limit={limit}&cursor={cursor}");
        }
        assert_eq!(seen, expected, "by {limit}");
    }
    // The place of an endpoint is a place when the endpoint is gone.
    let page = world.get(&format!("{ENDPOINTS}?limit=2")).await;
    let cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
    world.send("DELETE", &format!("{ENDPOINTS}/{}", expected[1].as_str().unwrap()), None).await;
    let next = world.get(&format!("{ENDPOINTS}?limit=2&cursor={cursor}")).await;
    assert_eq!(data(&next).iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&expected[2], &expected[3]]);
}

#[tokio::test]
async fn a_change_touches_what_it_names_and_the_same_again_is_not_written() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL, "description": "The shop" })).await;
    let path = format!("{ENDPOINTS}/{id}");
    let before = world.get(&path).await.body;
    set_clock(70_000);
    for (change, field, value) in [
        (json!({ "url": "https://other.example.com" }), "url", json!("https://other.example.com/")),
        (json!({ "events": ["refund.failed"] }), "events", json!(["refund.failed"])),
        (json!({ "events": ["*", "refund.failed"] }), "events", json!(["*"])),
        (json!({ "description": null }), "description", Value::Null),
        (json!({ "description": "Again" }), "description", json!("Again")),
    ] {
        let changed = world.send("PATCH", &path, Some(change.clone())).await;
        assert_eq!((changed.status, &changed.body[field]), (200, &value), "{}", changed.text);
        assert_eq!(changed.body["updated_at"], now().rfc3339());
        world.table.take_calls();
        let again = world.send("PATCH", &path, Some(change)).await;
        assert_eq!(again.body, changed.body);
        assert_eq!(world.table.take_calls().operations(), ["GetItem"], "nothing is written");
        assert_eq!(world.get(&path).await.body, changed.body);
    }
    let nothing = world.send("PATCH", &path, Some(json!({ "url": null, "enabled": null }))).await;
    assert_eq!(nothing.body["created_at"], before["created_at"]);
    assert_eq!(world.send("PATCH", &path, None).await.body, nothing.body, "an empty body changes nothing");
}

#[tokio::test]
async fn what_was_switched_off_is_switched_on_again_without_its_past() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let path = format!("{ENDPOINTS}/{id}");
    let store = world.table.store();
    store.record_failing(&stored(&world, &id).await, fixtures::later(61_000)).await.unwrap();
    let failing = world.get(&path).await.body;
    assert_eq!(failing["failing_since"], fixtures::later(61_000).rfc3339());
    store
        .switch_off(&stored(&world, &id).await, DisabledReason::Failing, fixtures::later(62_000))
        .await
        .unwrap();

    let off = world.send("PATCH", &path, Some(json!({ "enabled": false }))).await.body;
    assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("failing")));
    assert_eq!(off["disabled_at"], fixtures::later(62_000).rfc3339());
    let on = world.send("PATCH", &path, Some(json!({ "enabled": true }))).await.body;
    let fields = ["enabled", "disabled_reason", "disabled_at", "failing_since"];
    assert_eq!(fields.map(|field| on[field].clone()), [json!(true), Value::Null, Value::Null, Value::Null]);
    assert_eq!(world.get(&path).await.body, on);

    let off = world.send("PATCH", &path, Some(json!({ "enabled": false }))).await.body;
    assert_eq!(off["disabled_reason"], "by_owner");
}

#[tokio::test]
async fn another_url_begins_without_the_failures_of_the_old_one() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let path = format!("{ENDPOINTS}/{id}");
    world.table.store().record_failing(&stored(&world, &id).await, now()).await.unwrap();
    let renamed = world.send("PATCH", &path, Some(json!({ "description": "x" }))).await;
    assert_eq!(renamed.body["failing_since"], now().rfc3339());
    world.send("PATCH", &path, Some(json!({ "url": "https://new.example.com/" }))).await;
    assert_eq!(world.get(&path).await.body["failing_since"], Value::Null);
}

#[tokio::test]
async fn a_failure_of_the_old_url_that_is_noted_meanwhile_is_not_the_new_ones() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    // As the owner's request read it, before a try failed.
    let read = stored(&world, &id).await;
    let store = world.table.store();
    store.record_failing(&read, now()).await.unwrap();
    let url = TargetUrl::unchecked("https://new.example.com/".to_owned());
    let next = Endpoint { url, ..read.changed(now()) };
    assert_eq!(store.change_endpoint(&read, &next).await.unwrap(), Changed::Yes);
    assert_eq!(stored(&world, &id).await, next);
    // A failure learnt of the old one no longer counts, either.
    store.record_failing(&read, now()).await.unwrap();
    assert_eq!(stored(&world, &id).await.failing_since, None);
}

#[tokio::test]
async fn two_changes_at_once_are_both_made() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let path = format!("{ENDPOINTS}/{id}");
    for round in 1..=5 {
        let description = format!("round {round}");
        let (one, other) = join(
            world.send("PATCH", &path, Some(json!({ "description": description }))),
            world.send("PATCH", &path, Some(json!({ "enabled": round % 2 == 0 }))),
        )
        .await;
        assert_eq!((one.status, other.status), (200, 200));
        let read = world.get(&path).await.body;
        assert_eq!((&read["description"], &read["enabled"]), (&json!(description), &json!(round % 2 == 0)));
    }
    assert_eq!(stored(&world, &id).await.revision, 11);
}

#[tokio::test]
async fn a_deleted_endpoint_is_gone() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let (kept, _) = world.endpoint(json!({ "url": URL })).await;
    let path = format!("{ENDPOINTS}/{id}");
    assert_eq!(world.send("DELETE", &path, None).await.status, 204);
    for (method, path) in [
        ("DELETE", path.clone()),
        ("GET", path.clone()),
        ("PATCH", path.clone()),
        ("POST", format!("{path}/rotate-secret")),
        ("POST", format!("{path}/test")),
        ("GET", format!("{ENDPOINTS}/nonsense")),
    ] {
        let gone = world.send(method, &path, None).await;
        assert_eq!(gone.problem(), (404, "endpoint_not_found"), "{method} {path}");
    }
    let left = world.get(ENDPOINTS).await;
    assert_eq!(data(&left).iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&json!(kept)]);
}
