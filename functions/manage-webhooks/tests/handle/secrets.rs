//! Secrets: rotated with an overlap, and shown to nobody but where they are made.

use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::EndpointId;
use recoup_domain::sealed::StoredSecret;
use recoup_ports::endpoints::{Endpoints, KeepEndpoints};
use recoup_ports::seals::Purpose;
use recoup_testing::fixtures;
use recoup_testing::planted::Log;
use serde_json::{Value, json};

use crate::{World, set_clock};

const URL: &str = "https://shop.example.com/";
const HOUR: u64 = 3_600_000;

#[tokio::test]
async fn a_rotation_shows_the_new_secret_and_until_when_the_old_ones_sign() {
    let world = World::new().await;
    let (id, first) = world.endpoint(json!({ "url": URL })).await;
    let path = format!("/v1/webhook-endpoints/{id}");
    let rotate = format!("{path}/rotate-secret");
    set_clock(0);
    let second = world.send("POST", &rotate, None).await;
    assert_eq!(second.status, 200, "{}", second.text);
    assert_ne!(second.body["secret"], json!(first));
    assert_eq!(second.body["previous_secrets_valid_until"], json!(["2026-11-23T09:30:00.000Z"]));
    set_clock(HOUR);
    let third = world.send("POST", &rotate, Some(json!({ "overlap_hours": 168 }))).await;
    let both = json!(["2026-11-29T10:30:00.000Z", "2026-11-23T09:30:00.000Z"]);
    assert_eq!(third.body["previous_secrets_valid_until"], both);
    assert_ne!(third.body["secret"], second.body["secret"]);
    let read = world.get(&path).await.body;
    assert_eq!((&read["previous_secrets_valid_until"], read.get("secret")), (&both, None));
    // What is over is not told.
    set_clock(24 * HOUR);
    let read = world.get(&path).await.body;
    assert_eq!(read["previous_secrets_valid_until"], json!(["2026-11-29T10:30:00.000Z"]));
}

#[tokio::test]
async fn one_rotation_too_many_is_refused_until_the_first_overlap_ends() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let rotate = format!("/v1/webhook-endpoints/{id}/rotate-secret");
    for hour in 0..3 {
        set_clock(hour * HOUR);
        assert_eq!(world.send("POST", &rotate, None).await.status, 200);
    }
    let refused = world.send("POST", &rotate, None).await;
    assert_eq!(refused.problem(), (409, "too_many_secrets"));
    assert!(
        refused.body["detail"].as_str().unwrap().contains("2026-11-23T09:30:00.000Z"),
        "{}",
        refused.text
    );
    // At once, nobody is left behind who was promised more.
    assert_eq!(world.send("POST", &rotate, Some(json!({ "overlap_hours": 0 }))).await.status, 200);
    set_clock(24 * HOUR);
    assert_eq!(world.send("POST", &rotate, None).await.status, 200);
}

#[tokio::test]
async fn an_overlap_out_of_bounds_is_refused_by_name() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let rotate = format!("/v1/webhook-endpoints/{id}/rotate-secret");
    for hours in [json!(169), json!(-1), json!(1.5), json!("24"), json!(4_294_967_296_u64), json!(true)] {
        let refused = world.send("POST", &rotate, Some(json!({ "overlap_hours": hours }))).await;
        assert_eq!(refused.problem(), (400, "invalid_parameter"), "{hours}");
        assert_eq!(refused.body["param"], "overlap_hours");
    }
    assert_eq!(world.send("POST", &rotate, Some(json!({ "overlap_hours": null }))).await.status, 200);
}

#[tokio::test]
async fn a_secret_and_a_url_are_in_no_list_no_read_and_no_log() {
    let log = Log::listen();
    let world = World::new().await;
    let url = "http://127.0.0.1:1/token-nobody-logs-this";
    let (id, first) = world.endpoint(json!({ "url": url })).await;
    let path = format!("/v1/webhook-endpoints/{id}");
    let rotated = world.send("POST", &format!("{path}/rotate-secret"), None).await.body;
    let second = rotated["secret"].as_str().unwrap().to_owned();
    let event = world.refund("key-1", 1, None).await.event_ids().next().unwrap();
    let mut said = Vec::new();
    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("GET", "/v1/webhook-endpoints".to_owned(), None),
        ("PATCH", path.clone(), Some(json!({ "description": "x" }))),
        ("POST", format!("{path}/test"), None),
        ("POST", format!("/v1/events/{event}/redeliver"), None),
        ("GET", "/v1/events".to_owned(), None),
        ("GET", format!("/v1/events/{event}"), None),
        ("PATCH", path.clone(), Some(json!({ "url": "https://user:nobody-logs-this@x.example/" }))),
        ("DELETE", path.clone(), None),
    ] {
        said.push(world.send(method, &path, body).await.body);
    }
    let logged = log.text();
    drop(log);
    let said = Value::from(said).to_string();
    assert!(logged.contains(&id), "the log is written: {logged}");
    for secret in [&first, &second] {
        let bare = secret.strip_prefix("whsec_").unwrap();
        assert!(!said.contains(bare) && !logged.contains(bare));
    }
    assert!(!logged.contains("nobody-logs-this"), "{logged}");
}

async fn stored(world: &World, id: &str) -> Endpoint {
    let id = EndpointId::try_from(id).unwrap();
    world.table.store().endpoint(&fixtures::tenant(), &id).await.unwrap().unwrap()
}

/// Whether a secret lies in the table as it is.
async fn lies_in_the_table(world: &World, secret: &str) -> bool {
    let secret = recoup_domain::signing::Secret::parse(secret).unwrap();
    world.table.holds(secret.bytes()).await
}

#[tokio::test]
async fn a_reader_of_the_table_finds_no_secret_and_each_opens_for_its_endpoint() {
    let world = World::new().await;
    let (id, first) = world.endpoint(json!({ "url": URL })).await;
    assert!(!lies_in_the_table(&world, &first).await);
    let rotated = world.send("POST", &format!("/v1/webhook-endpoints/{id}/rotate-secret"), None).await;
    let second = rotated.body["secret"].as_str().unwrap();
    for secret in [&first, second] {
        assert!(!lies_in_the_table(&world, secret).await);
    }
    let secrets = stored(&world, &id).await.secrets;
    let purpose = Purpose::Endpoint(EndpointId::try_from(id.as_str()).unwrap());
    let opened = |secret| world.key.secret(&fixtures::tenant(), &purpose, secret).reveal();
    assert_eq!((opened(&secrets.current), opened(&secrets.retired[0].secret)), (second.to_owned(), first));
    assert_eq!((world.key.take_seals(), world.key.take_opens()), (2, 0), "one for each, and none is opened");
}

#[tokio::test]
async fn a_plain_secret_is_sealed_with_its_next_rotation() {
    let world = World::new().await;
    let old = fixtures::endpoint(7);
    world.table.store().create_endpoint(&old).await.unwrap();
    let path = format!("/v1/webhook-endpoints/{}", old.id);
    assert!(lies_in_the_table(&world, &fixtures::secret(7).reveal()).await);

    // Whatever else changes leaves it as it is, and needs no key.
    world.key.set_away(true);
    assert_eq!(world.get(&path).await.status, 200);
    assert_eq!(world.send("PATCH", &path, Some(json!({ "description": "x" }))).await.status, 200);
    world.key.set_away(false);
    assert_eq!(stored(&world, old.id.as_str()).await.secrets, old.secrets);

    let rotated = world.send("POST", &format!("{path}/rotate-secret"), None).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert!(!lies_in_the_table(&world, &fixtures::secret(7).reveal()).await);
    let secrets = stored(&world, old.id.as_str()).await.secrets;
    let retired = &secrets.retired[0].secret;
    let opened = world.key.secret(&old.tenant, &Purpose::Endpoint(old.id), retired);
    assert_eq!(opened, fixtures::secret(7), "it still signs until its overlap ends");
    assert!(matches!(secrets.current, StoredSecret::Sealed(_)));
}

#[tokio::test]
async fn a_key_that_is_away_is_503_and_changes_nothing() {
    let world = World::new().await;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let before = stored(&world, &id).await;
    world.key.set_away(true);
    let rotate = format!("/v1/webhook-endpoints/{id}/rotate-secret");
    for (path, body) in [("/v1/webhook-endpoints", Some(json!({ "url": URL }))), (rotate.as_str(), None)] {
        let refused = world.send("POST", path, body).await;
        assert_eq!(refused.problem(), (503, "unavailable"), "{path}");
        assert_eq!((refused.header("retry-after"), &refused.body["retryable"]), (Some("1"), &json!(true)));
    }
    assert_eq!(stored(&world, &id).await, before);
    world.key.set_away(false);
    assert_eq!(world.send("POST", &rotate, None).await.status, 200);
}
