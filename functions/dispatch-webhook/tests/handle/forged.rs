//! Whoever writes an event past the relay, and a job for it, tells nobody anything.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::delivery::Target;
use recoup_domain::event::{Event, EventType, Subject};
use recoup_domain::ids::{EndpointId, EventId};
use recoup_domain::refund::{Refund, State, Version};
use recoup_ports::events::RecordEvents;
use recoup_ports::jobs::WebhookJob;
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::fixtures::{self, later};

use crate::{World, answering, header, url};

/// The version in which the refund would have succeeded, as the last change.
fn succeeded(refund: &Refund) -> Version {
    let reference = Some(fixtures::text("re_forged"));
    Version { state: State::Succeeded, processor_reference: reference, ..refund.version.clone() }
}

fn told(refund: &Refund, version: &Version) -> Event {
    Event::of_change(None, &refund.at(version))
}

#[tokio::test]
async fn a_forged_success_of_a_failed_refund_is_not_sent() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let change = fixtures::moved(&world.refund, fixtures::failed());
    assert_eq!(world.store.carry_out(&change).await.unwrap(), Settled::Applied);
    let failed = change.into_refund();
    let next = Version { sequence: 3, updated_at: later(5_000), ..succeeded(&failed) };
    let genuine = Event::of_change(Some(&world.refund), &failed);
    let forged = [
        // In place of the failure, before it was recorded.
        told(&failed, &succeeded(&failed)),
        // As a change that never was.
        told(&failed, &next),
        // Under an id of its own.
        Event { id: EventId::earliest_at(later(7_000)), ..told(&failed, &next) },
        // The failure, called a success.
        Event { r#type: EventType::Succeeded, id: EventId::earliest_at(later(8_000)), ..genuine.clone() },
    ];
    for event in &forged {
        world.store.record_event(event, &[]).await.unwrap();
        world.work(&WebhookJob::first(event, Target::Endpoint(endpoint.id.clone()))).await;
        // A job that names another refund, or none, changes nothing.
        let job =
            WebhookJob { refund: None, ..WebhookJob::first(event, Target::Endpoint(endpoint.id.clone())) };
        world.work(&job).await;
    }
    assert_eq!(receiver.received().len(), 0);
    assert!(world.deliveries().await.is_empty());
}

#[tokio::test]
async fn an_event_whose_row_was_edited_is_not_sent_and_the_genuine_one_is() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let change = fixtures::moved(&world.refund, fixtures::failed());
    world.store.carry_out(&change).await.unwrap();
    let genuine = Event::of_change(Some(&world.refund), change.to());
    world.store.record_event(&genuine, &[]).await.unwrap();
    let sk = AttributeValue::S(genuine.id.to_string());
    let items = world.table.items().await;
    let row = items.iter().find(|item| item["sk"] == sk).unwrap();
    let job = WebhookJob::first(&genuine, Target::Endpoint(endpoint.id));
    for (attribute, text) in
        [("status", "succeeded"), ("type", "refund.succeeded"), ("failure_code", "unknown")]
    {
        world.table.set_text(row, attribute, text).await;
        world.work(&job).await;
        assert_eq!(receiver.received().len(), 0, "{attribute}");
        let AttributeValue::S(before) = &row[attribute] else { panic!("{row:?}") };
        world.table.set_text(row, attribute, before).await;
    }
    world.work(&job).await;
    let sent = receiver.received();
    assert_eq!(header(&sent[0], "webhook-id"), genuine.id.as_str());
    assert!(sent[0].body.contains(r#""type":"refund.failed""#), "{}", sent[0].body);
}

#[tokio::test]
async fn an_event_about_an_endpoint_says_nothing_of_a_refund() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let reason = recoup_domain::endpoint::DisabledReason::Gone;
    let genuine = Event::of_disabled(&world.refund.tenant, &EndpointId::from_bits(9), reason, later(1));
    let forged =
        Event { r#type: EventType::Succeeded, id: EventId::earliest_at(later(9_000)), ..genuine.clone() };
    for (event, count) in [(forged, 0), (genuine, 1)] {
        assert!(matches!(event.subject, Subject::Endpoint { .. }));
        world.store.record_event(&event, &[]).await.unwrap();
        world.work(&WebhookJob::first(&event, Target::Endpoint(endpoint.id.clone()))).await;
        assert_eq!(receiver.received().len(), count, "{event:?}");
    }
}

#[tokio::test]
async fn a_later_try_tells_the_status_of_then_whatever_has_happened_since() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let noted = fixtures::renamed(&world.refund, "1", later(10));
    world.store.carry_out(&noted).await.unwrap();
    let change = fixtures::moved(noted.to(), fixtures::succeeded());
    world.store.carry_out(&change).await.unwrap();
    let events = [
        Event::of_change(None, &world.refund),
        Event::of_change(Some(&world.refund), noted.to()),
        Event::of_change(Some(noted.to()), change.to()),
    ];
    for event in &events {
        world.store.record_event(event, &[]).await.unwrap();
        world.work(&WebhookJob::first(event, Target::Endpoint(endpoint.id.clone()))).await;
    }
    let bodies: Vec<String> = receiver.received().into_iter().map(|one| one.body).collect();
    for (body, r#type) in bodies.iter().zip(["refund.initiated", "refund.updated", "refund.succeeded"]) {
        assert!(body.contains(&format!(r#""type":"{type}""#)), "{body}");
    }
    assert_eq!(bodies.len(), 3);
}
