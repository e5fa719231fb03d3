//! One message, one try.

use std::time::Duration;

use recoup_domain::delivery::{AttemptOutcome, GivenUp, Standing, Target};
use recoup_domain::endpoint::{DisabledReason, Switch};
use recoup_domain::event::Event;
use recoup_domain::refund::{Judged, Refund, Ruling, Verdict};
use recoup_domain::signing::verifies;
use recoup_ports::endpoints::{EndpointHealth, KeepEndpoints};
use recoup_ports::events::{DeliveryRecorded, RecordDeliveries, RecordEvents};
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::contract::assert_webhook_described;
use recoup_testing::fixtures::{self, later};
use recoup_views::RefundView;
use recoup_views::webhook::EventData;
use serde_json::{Value, json};

use crate::{World, answering, header, message, url};

const RECORDED: &str = include_str!("../../../../tests/events/dispatch-webhook.json");

#[tokio::test]
async fn a_delivered_message_leaves_the_queue_and_its_delivery_is_one_write() {
    let receiver = answering("204 No Content").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id);
    world.work(&world.job(target.clone(), 1)).await;
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["BatchGetItem", "PutItem"]);
    assert!(calls.read_units() <= 4.0 && (calls.write_units() - 1.0).abs() < f64::EPSILON, "{calls}");

    let delivery = world.delivery(&target).await.unwrap();
    assert_eq!(
        (delivery.standing, delivery.tries, delivery.event),
        (Standing::Delivered, 1, world.event().id)
    );
    let [attempt] = delivery.attempts.as_slice() else { panic!("{:?}", delivery.attempts) };
    assert_eq!(attempt.outcome, AttemptOutcome::Status { status: 204, head: String::new() });
}

#[tokio::test]
async fn the_receiver_gets_the_signed_event_with_the_refund_as_it_was() {
    let receiver = answering("200 OK").await;
    let world = World::new(&url(&receiver)).await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    // The refund has moved on before the first try.
    let change = fixtures::moved(&world.refund, fixtures::succeeded());
    assert_eq!(world.store.carry_out(&change).await.unwrap(), Settled::Applied);
    for (target, secret) in
        [(Target::Endpoint(endpoint.id), fixtures::secret(1)), (Target::RefundUrl, fixtures::secret(100))]
    {
        world.work(&world.job(target, 1)).await;
        let request = receiver.received().pop().unwrap();
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let view = RefundView::of(&world.refund, &world.context.public_url);
        let expected = json!({
            "type": "refund.initiated", "timestamp": "2026-11-22T09:30:00.000Z",
            "data": serde_json::to_value(view).unwrap(),
        });
        assert_eq!(body, expected);
        assert_webhook_described(&body);
        assert_eq!(body["data"]["sequence"], 1);
        assert_eq!(header(&request, "webhook-id"), world.event().id.as_str());
        let signature = header(&request, "webhook-signature");
        let timestamp = header(&request, "webhook-timestamp");
        assert!(verifies(&secret, world.event().id.as_str(), timestamp, &request.body, signature));
    }
}

#[tokio::test]
async fn in_the_overlap_both_secrets_sign() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let before = world.endpoint(1, &url(&receiver)).await;
    let new = fixtures::plain_secret(2);
    let secrets = before.secrets.rotated(new, later(0), Duration::from_hours(1)).unwrap();
    let after = recoup_domain::endpoint::Endpoint { secrets, ..before.changed(later(0)) };
    world.store.change_endpoint(&before, &after).await.unwrap();
    world.work(&world.job(Target::Endpoint(after.id), 1)).await;
    let request = receiver.received().pop().unwrap();
    let (timestamp, signature) =
        (header(&request, "webhook-timestamp"), header(&request, "webhook-signature"));
    for byte in [1, 2] {
        let secret = fixtures::secret(byte);
        assert!(verifies(&secret, world.event().id.as_str(), timestamp, &request.body, signature));
    }
}

#[tokio::test]
async fn any_status_but_2xx_is_recorded_and_tried_again_under_the_same_id() {
    let world = World::new("https://unused.example.com/").await;
    let lines = ["301 Moved", "304 Not Modified", "400 Bad", "404 Not Found", "503 Busy"];
    for (number, line) in (1..).zip(lines) {
        let receiver = answering(line).await;
        let endpoint = world.endpoint(number, &url(&receiver)).await;
        let target = Target::Endpoint(endpoint.id);
        world.work(&world.job(target.clone(), 1)).await;
        let delivery = world.delivery(&target).await.unwrap();
        let Standing::Scheduled(at) = delivery.standing else { panic!("{line}: {:?}", delivery.standing) };
        assert!(at >= later(5_000) && !delivery.rests, "{line}");
        assert_eq!((delivery.turn, delivery.tries), (2, 1), "{line}");
        world.work(&world.job(target.clone(), 2)).await;
        assert_eq!(world.delivery(&target).await.unwrap().tries, 2);
        let ids: Vec<_> =
            receiver.received().iter().map(|one| header(one, "webhook-id").to_owned()).collect();
        assert_eq!(ids, [world.event().id.as_str(), world.event().id.as_str()], "{line}");
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_told_why() {
    let world = World::new("http://127.0.0.1:1/").await;
    world.work(&world.job(Target::RefundUrl, 1)).await;
    let delivery = world.delivery(&Target::RefundUrl).await.unwrap();
    let [attempt] = delivery.attempts.as_slice() else { panic!("{delivery:?}") };
    let AttemptOutcome::Nothing(why) = &attempt.outcome else { panic!("{attempt:?}") };
    assert!(why.contains("connection") && !why.contains("127.0.0.1"), "{why}");
}

#[tokio::test]
async fn a_message_that_came_twice_is_sent_once() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let job = world.job(Target::Endpoint(endpoint.id), 1);
    for _ in 0..3 {
        world.work(&job).await;
    }
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_message_about_another_try_is_stale() {
    let receiver = answering("500 Oops").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id);
    // A later try whose delivery is not there any more.
    world.work(&world.job(target.clone(), 2)).await;
    assert_eq!((receiver.received().len(), world.deliveries().await.len()), (0, 0));
    world.work(&world.job(target.clone(), 1)).await;
    for turn in [1, 3, 9] {
        world.work(&world.job(target.clone(), turn)).await;
    }
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_or_off_ends_its_deliveries_visibly() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let off = world.endpoint(1, &url(&receiver)).await;
    world.store.switch_off(&off, DisabledReason::ByOwner, later(1)).await.unwrap();
    let gone = world.endpoint(2, &url(&receiver)).await;
    world.store.delete_endpoint(&gone.tenant, &gone.id).await.unwrap();
    for (endpoint, why) in [(off, GivenUp::EndpointDisabled), (gone, GivenUp::EndpointDeleted)] {
        let target = Target::Endpoint(endpoint.id);
        world.work(&world.job(target.clone(), 1)).await;
        assert_eq!(world.delivery(&target).await.unwrap().standing, Standing::DeadLettered(why));
    }
    assert_eq!(receiver.received().len(), 0);
    // Put back once the endpoint is on again.
    let target = Target::Endpoint(fixtures::endpoint(1).id);
    let given_up = world.delivery(&target).await.unwrap();
    let again = given_up.again(later(5));
    assert_eq!(world.store.record_delivery(Some(&given_up), &again).await.unwrap(), DeliveryRecorded::Yes);
    let endpoint = world.stored(&fixtures::endpoint(1)).await;
    let on = recoup_domain::endpoint::Endpoint { switch: Switch::On, ..endpoint.changed(later(6)) };
    world.store.change_endpoint(&endpoint, &on).await.unwrap();
    world.work(&world.job(target.clone(), again.turn)).await;
    assert_eq!(world.delivery(&target).await.unwrap().standing, Standing::Delivered);
}

#[tokio::test]
async fn an_unreadable_message_fails_alone() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let good = || serde_json::to_string(&world.job(Target::Endpoint(endpoint.id.clone()), 1)).unwrap();
    let mut without_count = message("m4", good());
    without_count["attributes"] = json!({});
    let records = vec![message("m1", good()), message("m2", "no json"), without_count];
    assert_eq!(world.kept(records).await, ["m2", "m4"]);
    assert_eq!(receiver.received().len(), 1);
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let body = recorded["Records"][0]["body"].as_str().unwrap();
    assert!(recoup_ports::jobs::read_job::<recoup_ports::jobs::WebhookJob>(body).is_ok());
}

#[tokio::test]
async fn an_event_whose_refund_is_missing_is_kept_for_a_person() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let stranger = Refund { id: fixtures::refund_id("other"), ..world.refund.clone() };
    let event = fixtures::beginning(&stranger);
    world.store.record_event(&event, &[]).await.unwrap();
    let job = recoup_ports::jobs::WebhookJob::first(&event, Target::Endpoint(endpoint.id));
    assert_eq!(world.kept(vec![message("m1", serde_json::to_string(&job).unwrap())]).await, ["m1"]);
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn who_settled_a_refund_is_shown_to_its_readers_and_not_to_receivers() {
    let world = World::new("https://unused.example.com/").await;
    let verdict = Verdict {
        ruling: Ruling::Succeeded,
        operator: fixtures::text("jo"),
        reason: fixtures::text("seen at the bank"),
        reference: None,
        at: later(1_000),
    };
    let Judged::Now(change) = world.refund.judged(verdict) else { panic!("it is on its way") };
    let settled = change.to();
    let event = Event::of_change(Some(&world.refund), settled);
    let told = EventData::of(&event, Some(settled), &world.context.public_url).unwrap();
    let told = serde_json::to_value(told).unwrap();
    let read = serde_json::to_value(RefundView::of(settled, &world.context.public_url)).unwrap();
    assert_eq!(
        (&told["verdict"]["operator"], &told["verdict"]["reason"]),
        (&Value::Null, &json!("seen at the bank"))
    );
    assert_eq!(read["verdict"]["operator"], "jo");
}
