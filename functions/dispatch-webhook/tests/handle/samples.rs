//! Samples that `manage-webhooks` asks for: signed like any event, sent to a real receiver, and kept nowhere.

use dispatch_webhook::{Answer as Answered, handle};
use recoup_domain::endpoint::{DisabledReason, Endpoint};
use recoup_domain::ids::{EventId, Tenant};
use recoup_domain::sealed::StoredSecret;
use recoup_domain::text::TargetUrl;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::endpoints::{Changed, EndpointHealth, KeepEndpoints};
use recoup_ports::samples::{SampleJob, SampleRequest, Sampled};
use recoup_ports::seals::Purpose;
use recoup_ports::webhooks::{Deliver, Reach};
use recoup_testing::Fault;
use recoup_testing::fixtures::{self, later};
use serde_json::{Value, json};

use crate::support::{Answer, Received, Receiver};
use crate::{World, answering, header, url};

/// The event of `manage-webhooks`, as it is invoked with it.
const RECORDED: &str = include_str!("../../../../tests/events/sample-webhook.json");

fn event() -> EventId {
    EventId::from_bits(77)
}

fn asking(tenant: &Tenant, endpoint: &Endpoint) -> Value {
    let sample = SampleJob { tenant: tenant.clone(), endpoint: endpoint.id.clone(), event: event() };
    serde_json::to_value(SampleRequest { sample }).unwrap()
}

impl<R: Deliver + Sync> World<R> {
    async fn samples(&self, endpoint: &Endpoint) -> Sampled {
        let told = handle(&self.context, &asking(&endpoint.tenant, endpoint)).await.unwrap();
        let Answered::Sample(sampled) = told else { panic!("{told:?}") };
        sampled
    }
}

/// Whether one of the signatures is what an implementation that is not ours makes with a secret. Its own check
/// would also judge the clock, and the tests' clock stands still.
fn verifies(received: &Received, byte: u8) -> bool {
    let signer = standardwebhooks::Webhook::new(&fixtures::secret(byte).reveal()).unwrap();
    let timestamp = header(received, "webhook-timestamp").parse().unwrap();
    let made = signer.sign(header(received, "webhook-id"), timestamp, received.body.as_bytes()).unwrap();
    header(received, "webhook-signature").split(' ').any(|one| one == made)
}

#[test]
fn the_recorded_event_is_what_is_asked_for() {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let read: SampleRequest = serde_json::from_value(recorded.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), recorded);
}

#[tokio::test]
async fn a_sample_arrives_signed_and_looks_like_a_refund_but_is_none() {
    let receiver = answering("204 No Content").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let items = world.table.items().await;
    let told = world.samples(&endpoint).await;
    assert_eq!(told, Sampled::Sent { status: Some(204), said: String::new(), duration_ms: 0 });
    assert_eq!(world.table.take_calls().operations(), ["BatchGetItem"]);
    assert_eq!(world.table.items().await, items, "nothing is stored");

    let arrived = receiver.received();
    assert_eq!(arrived.len(), 1);
    assert!(verifies(&arrived[0], 1));
    assert_eq!(header(&arrived[0], "webhook-id"), event().as_str());
    let body: Value = serde_json::from_str(&arrived[0].body).unwrap();
    assert_eq!(
        (&body["type"], &body["timestamp"]),
        (&json!("endpoint.test"), &json!(fixtures::now().rfc3339()))
    );
    let real = recoup_views::RefundView::of(&world.refund, &world.context.public_url);
    let real = serde_json::to_value(real).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&body["data"]), names(&real));
}

#[tokio::test]
async fn a_sample_goes_to_a_disabled_endpoint_and_changes_nothing_about_it() {
    let receiver = answering("410 Gone").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    world.store.record_failing(&endpoint, fixtures::now()).await.unwrap();
    world.store.switch_off(&endpoint, DisabledReason::Failing, later(5)).await.unwrap();
    let before = world.stored(&endpoint).await;
    let told = world.samples(&endpoint).await;
    assert_eq!(told, Sampled::Sent { status: Some(410), said: String::new(), duration_ms: 0 });
    assert_eq!(world.stored(&endpoint).await, before);
}

#[tokio::test]
async fn a_sample_is_signed_with_every_secret_that_is_valid() {
    let receiver = answering("204 No Content").await;
    let world = World::new("https://unused.example.com/").await;
    let first = world.endpoint(1, &url(&receiver)).await;
    let purpose = Purpose::Endpoint(first.id.clone());
    let new = world.key.sealed(&first.tenant, &purpose, fixtures::secret(2).bytes());
    let day = std::time::Duration::from_hours(24);
    let secrets = first.secrets.rotated(StoredSecret::Sealed(new), fixtures::now(), day).unwrap();
    let second = Endpoint { secrets, ..first.changed(fixtures::now()) };
    assert_eq!(world.store.change_endpoint(&first, &second).await.unwrap(), Changed::Yes);
    world.samples(&second).await;
    let arrived = receiver.received();
    assert_eq!([1, 2, 3].map(|byte| verifies(&arrived[0], byte)), [true, true, false]);
}

#[tokio::test]
async fn what_a_receiver_says_is_told_whatever_it_is() {
    let world = World::new("https://unused.example.com/").await;
    let help = |_: &Received| {
        let text = "HTTP/1.1 500 Oh\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhelp".to_owned();
        Answer { text, filler_bytes: 0, close: true }
    };
    let receiver = Receiver::answering(help).await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let told = world.samples(&endpoint).await;
    assert_eq!(told, Sampled::Sent { status: Some(500), said: "help".to_owned(), duration_ms: 0 });

    let closed = answering("200 OK").await;
    let gone = url(&closed);
    drop(closed);
    let endpoint = world.endpoint(2, &gone).await;
    let Sampled::Sent { status: None, said, .. } = world.samples(&endpoint).await else {
        panic!("nobody is there")
    };
    assert!(!said.is_empty());
}

#[tokio::test]
async fn a_sample_does_not_reach_what_webhooks_may_not_reach() {
    let receiver = answering("204 No Content").await;
    let public = Webhooks::new(Reach::Public).unwrap();
    let world = World::sending("https://unused.example.com/", public).await;
    // As it was given before the rule, or through a name that means something else by now.
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let told = world.samples(&endpoint).await;
    assert!(
        matches!(&told, Sampled::Sent { status: None, said, .. } if said.contains("not allowed")),
        "{told:?}"
    );
    assert!(receiver.received().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_an_endpoint_or_a_secret_nothing_is_sent() {
    let receiver = answering("204 No Content").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    assert_eq!(world.samples(&fixtures::endpoint(9)).await, Sampled::NoSuchEndpoint);
    let stranger = fixtures::tenant_of(fixtures::tenant().environment, 2);
    let other = Endpoint { tenant: stranger, ..endpoint.clone() };
    assert_eq!(world.samples(&other).await, Sampled::NoSuchEndpoint);

    // An error of the function is a 503 to who asked.
    world.table.fail_always("BatchGetItem", Fault::server_error());
    handle(&world.context, &asking(&endpoint.tenant, &endpoint)).await.unwrap_err();
    world.table.heal();
    world.key.set_away(true);
    handle(&world.context, &asking(&endpoint.tenant, &endpoint)).await.unwrap_err();
    world.key.set_away(false);

    let broken = Endpoint { url: TargetUrl::unchecked(url(&receiver)), ..fixtures::endpoint(2) };
    world.store.create_endpoint(&broken).await.unwrap();
    let items = world.table.items().await;
    let item = items.iter().find(|item| item["sk"].as_s().unwrap() == broken.id.as_str()).unwrap();
    world.table.set_text(item, "revision", "one").await;
    assert_eq!(world.samples(&broken).await, Sampled::Unreadable);
    assert!(receiver.received().is_empty());
}
