//! Samples: signed like any event, sent to a real receiver, and kept nowhere.

use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::EndpointId;
use recoup_ports::endpoints::{EndpointHealth, Endpoints};
use recoup_ports::webhooks::Reach;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::support::{Answer, Received, Receiver};
use crate::{World, data, now};

async fn answering(text: &'static str) -> Receiver {
    Receiver::answering(move |_| Answer { text: text.to_owned(), filler_bytes: 0, close: true }).await
}

fn url(receiver: &Receiver) -> String {
    format!("http://127.0.0.1:{}/hook", receiver.port)
}

fn header<'a>(received: &'a Received, name: &str) -> &'a str {
    let mut lines = received.head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| *found == name).map_or("", |(_, value)| value)
}

/// Whether one of the signatures is what an implementation that is not ours makes with a secret. Its own check
/// would also judge the clock, and the tests' clock stands still.
fn verifies(received: &Received, secret: &str) -> bool {
    let signer = standardwebhooks::Webhook::new(secret).unwrap();
    let timestamp = header(received, "webhook-timestamp").parse().unwrap();
    let made = signer.sign(header(received, "webhook-id"), timestamp, received.body.as_bytes()).unwrap();
    header(received, "webhook-signature").split(' ').any(|one| one == made)
}

async fn stored(world: &World, id: &str) -> Endpoint {
    let id = EndpointId::try_from(id).unwrap();
    world.table.store().endpoint(&fixtures::tenant(), &id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_sample_arrives_signed_in_the_form_of_a_real_event() {
    let world = World::new().await;
    let receiver = answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let (id, secret) = world.endpoint(json!({ "url": url(&receiver) })).await;
    let items = world.table.items().await.len();
    let told = world.send("POST", &format!("/v1/webhook-endpoints/{id}/test"), None).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let event = told.body["event_id"].as_str().unwrap();
    let expected = json!({
        "object": "webhook_test", "event_id": event, "delivered": true, "status": 204, "answer": null,
        "error": null, "duration_ms": 0,
    });
    assert_eq!(told.body, expected);

    let arrived = receiver.received();
    assert_eq!(arrived.len(), 1);
    assert!(verifies(&arrived[0], &secret));
    assert_eq!(header(&arrived[0], "webhook-id"), event);
    let body: Value = serde_json::from_str(&arrived[0].body).unwrap();
    assert_eq!((&body["type"], &body["timestamp"]), (&json!("endpoint.test"), &json!(now().rfc3339())));
    let real = world.refund("key-1", 1, None).await;
    let real = recoup_views::RefundView::of(&real, &world.context.public_url);
    let real = serde_json::to_value(real).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&body["data"]), names(&real));

    assert_eq!(world.table.items().await.len(), items + 2, "only the refund and its event are new");
    let feed = world.get("/v1/events?type=refund.succeeded").await;
    assert_eq!(*data(&feed), Vec::<Value>::new());
}

#[tokio::test]
async fn a_sample_goes_to_a_disabled_endpoint_and_changes_nothing_about_it() {
    let world = World::new().await;
    let receiver = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let (id, _) = world.endpoint(json!({ "url": url(&receiver) })).await;
    let store = world.table.store();
    store.note_failing(&stored(&world, &id).await, now()).await.unwrap();
    let path = format!("/v1/webhook-endpoints/{id}");
    world.send("PATCH", &path, Some(json!({ "enabled": false }))).await;
    let before = stored(&world, &id).await;
    assert!(before.failing_since.is_some());
    let told = world.send("POST", &format!("{path}/test"), Some(json!({}))).await;
    assert_eq!((told.status, &told.body["delivered"]), (200, &json!(true)));
    assert_eq!(stored(&world, &id).await, before);
}

#[tokio::test]
async fn a_sample_is_signed_with_every_secret_that_is_valid() {
    let world = World::new().await;
    let receiver = answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let (id, first) = world.endpoint(json!({ "url": url(&receiver) })).await;
    let path = format!("/v1/webhook-endpoints/{id}");
    let rotated = world.send("POST", &format!("{path}/rotate-secret"), None).await;
    let second = rotated.body["secret"].as_str().unwrap();
    world.send("POST", &format!("{path}/test"), None).await;
    let ended =
        world.send("POST", &format!("{path}/rotate-secret"), Some(json!({ "overlap_hours": 0 }))).await;
    let third = ended.body["secret"].as_str().unwrap();
    world.send("POST", &format!("{path}/test"), None).await;
    let arrived = receiver.received();
    let verify = |at: usize, secret: &str| verifies(&arrived[at], secret);
    assert_eq!([verify(0, &first), verify(0, second), verify(0, third)], [true, true, false]);
    // The one that was replaced without overlap is out; the one before keeps the overlap it was promised.
    assert_eq!([verify(1, &first), verify(1, second), verify(1, third)], [true, false, true]);
}

#[tokio::test]
async fn what_a_receiver_says_is_told_whatever_it_is() {
    let world = World::new().await;
    for (text, status) in [
        ("HTTP/1.1 500 Oh\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhelp", 500),
        (
            "HTTP/1.1 302 Found\r\nlocation: https://example.com/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            302,
        ),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 410),
    ] {
        let receiver = answering(text).await;
        let (id, _) = world.endpoint(json!({ "url": url(&receiver) })).await;
        let before = stored(&world, &id).await;
        let told = world.send("POST", &format!("/v1/webhook-endpoints/{id}/test"), None).await;
        assert_eq!(told.status, 200, "{}", told.text);
        assert_eq!((&told.body["delivered"], &told.body["status"]), (&json!(false), &json!(status)));
        let answer = if status == 500 { json!("help") } else { Value::Null };
        assert_eq!((&told.body["answer"], &told.body["error"]), (&answer, &Value::Null));
        assert_eq!(stored(&world, &id).await, before, "a sample switches nothing off");
    }
    let closed = answering("").await;
    let gone = format!("http://127.0.0.1:{}/", closed.port);
    drop(closed);
    let (id, _) = world.endpoint(json!({ "url": gone })).await;
    let told = world.send("POST", &format!("/v1/webhook-endpoints/{id}/test"), None).await;
    assert_eq!((&told.body["delivered"], &told.body["status"]), (&json!(false), &Value::Null));
    assert!(told.body["error"].as_str().is_some_and(|error| !error.is_empty()), "{}", told.text);
}

#[tokio::test]
async fn a_sample_does_not_reach_what_webhooks_may_not_reach() {
    let mut world = World::new().await;
    let receiver = answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let (id, _) = world.endpoint(json!({ "url": url(&receiver) })).await;
    // As it was given before the rule, or through a name that means something else by now.
    world.context.receivers = recoup_outbound::webhooks::Webhooks::new(Reach::Public).unwrap();
    let told = world.send("POST", &format!("/v1/webhook-endpoints/{id}/test"), None).await;
    assert_eq!((&told.body["delivered"], &told.body["status"]), (&json!(false), &Value::Null));
    assert!(told.body["error"].as_str().unwrap().contains("not allowed"), "{}", told.text);
    assert!(receiver.received().is_empty());
}
