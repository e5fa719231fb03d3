//! Tenants are apart, and only who may manage webhooks does.

use recoup_domain::event::Event;
use recoup_domain::ids::{Environment, Tenant};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::{World, asking, asking_as, data, target, tried};

const URL: &str = "https://shop.example.com/";

/// Every route, on these objects.
fn routes(endpoint: &str, event: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let endpoint = format!("/v1/webhook-endpoints/{endpoint}");
    let event = format!("/v1/events/{event}");
    vec![
        ("GET", endpoint.clone(), None),
        ("PATCH", endpoint.clone(), Some(json!({ "enabled": false }))),
        ("DELETE", endpoint.clone(), None),
        ("POST", format!("{endpoint}/rotate-secret"), None),
        ("POST", format!("{endpoint}/test"), None),
        ("GET", event.clone(), None),
        ("POST", format!("{event}/redeliver"), None),
    ]
}

#[tokio::test]
async fn another_tenant_finds_and_changes_nothing_by_any_route() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let begun = world.refund("key-1", 0, None).await;
    let ended = world.stepped(&begun, fixtures::succeeded(), 1).await;
    let events = [fixtures::beginning(&begun), Event::of_change(Some(&begun), &ended)];
    world.note(&events[1], &tried(&events[1], &target(&id), 10, 204)).await;
    let before = world.table.items().await;
    let own = fixtures::tenant();
    let strangers = [
        fixtures::tenant_of(Environment::Sandbox, 2),
        Tenant { environment: Environment::Live, ..own.clone() },
    ];
    for (stranger, event) in
        strangers.iter().flat_map(|stranger| events.iter().map(move |one| (stranger, one)))
    {
        for (method, path, body) in routes(&id, event.id.as_str()) {
            let asked = asking_as(stranger, method, &path);
            let found = world.ask(body.map_or(asked.clone(), |body| asked.json(&body))).await;
            let code = if path.contains("/events/") { "event_not_found" } else { "endpoint_not_found" };
            assert_eq!(found.problem(), (404, code), "{method} {path}");
        }
        for list in [
            "/v1/webhook-endpoints".to_owned(),
            "/v1/events".to_owned(),
            format!("/v1/events?refund_id={}", begun.id),
        ] {
            assert_eq!(*data(&world.ask(asking_as(stranger, "GET", &list)).await), Vec::<Value>::new());
        }
    }
    let mut after = world.table.items().await;
    assert_eq!(after.len(), before.len());
    after.retain(|item| !before.contains(item));
    assert!(after.is_empty(), "nothing was written");
}

#[tokio::test]
async fn an_event_is_not_sent_to_another_tenants_endpoint() {
    let world = World::new().await;
    let (mine, _) = world.endpoint(json!({ "url": URL })).await;
    // The stranger has a refund of its own, under the same ids as far as it may choose them.
    let stranger = Tenant { environment: Environment::Live, ..fixtures::tenant() };
    let store = world.table.store();
    let mut payment = fixtures::payment(crate::PAYMENT, 100);
    payment.tenant = stranger.clone();
    recoup_ports::payments::Register::register(&store, &payment).await.unwrap();
    let mut reservation = fixtures::decided(&payment, &fixtures::wanted(&payment, None), "key-1");
    reservation.refund.tenant = stranger.clone();
    recoup_ports::refunds::Reserve::reserve(&store, &reservation).await.unwrap();
    let event = fixtures::beginning(&reservation.refund);
    recoup_ports::events::RecordEvents::record_event(&store, &event, &[]).await.unwrap();
    let event = event.id;
    let again = asking_as(&stranger, "POST", &format!("/v1/events/{event}/redeliver"));
    let refused = world.ask(again.json(&json!({ "endpoint_id": mine }))).await;
    assert_eq!(refused.problem(), (404, "endpoint_not_found"));
}

#[tokio::test]
async fn without_the_scope_no_route_does_anything() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let event = fixtures::beginning(&world.refund("key-1", 0, None).await);
    let lists = ["/v1/webhook-endpoints", "/v1/events"].map(|list| ("GET", list.to_owned(), None));
    let create = ("POST", "/v1/webhook-endpoints".to_owned(), Some(json!({ "url": URL })));
    let all = routes(&id, event.id.as_str()).into_iter().chain(lists).chain([create]);
    for (method, path, body) in all {
        let asked = asking(method, &path);
        let asked = body.map_or(asked.clone(), |body| asked.json(&body));
        let others = "payments:read payments:write refunds:read refunds:write";
        let refused = world.ask(asked.clone().with("/requestContext/authorizer/lambda/scopes", others)).await;
        assert_eq!(refused.problem(), (403, "insufficient_scope"), "{method} {path}");
        assert!(refused.body["detail"].as_str().unwrap().contains("webhooks:manage"));
        // A request that did not come through the authorizer is nobody's.
        let unattributed = world.ask(asked.without("/requestContext/authorizer")).await;
        assert_eq!(unattributed.problem(), (500, "internal_error"), "{method} {path}");
    }
    assert_eq!(world.table.take_calls().count(), 0);
}
