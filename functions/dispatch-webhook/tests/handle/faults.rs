//! Nothing lost: a table that fails before, between and after, and messages that come again.

use recoup_domain::delivery::{Delivery, Standing, Target};
use recoup_ports::events::{DeliveryRecorded, RecordDeliveries};
use recoup_testing::{Fault, fixtures};

use crate::{World, answering, answering_in_turn, header, message, url};

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_read_keeps_the_message_unsent() {
    for fault in [Fault::throttled(), Fault::server_error(), Fault::LoseRequest] {
        let receiver = answering("200 OK").await;
        let world = World::new("https://unused.example.com/").await;
        let endpoint = world.endpoint(1, &url(&receiver)).await;
        let job = world.job(Target::Endpoint(endpoint.id), 1);
        world.table.fail_always("BatchGetItem", fault);
        assert_eq!(world.kept(vec![message("m1", serde_json::to_string(&job).unwrap())]).await, ["m1"]);
        assert_eq!(receiver.received().len(), 0);
        world.table.heal();
        world.work(&job).await;
        assert_eq!(receiver.received().len(), 1);
    }
}

/// The crash between sending and recording: at least once, and with one `webhook-id`.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_not_recorded_is_made_again_under_the_same_id() {
    for (line, standing) in [("200 OK", "delivered"), ("500 Oops", "scheduled")] {
        let receiver = answering(line).await;
        let world = World::new("https://unused.example.com/").await;
        let endpoint = world.endpoint(1, &url(&receiver)).await;
        let target = Target::Endpoint(endpoint.id);
        let job = world.job(target.clone(), 1);
        world.table.fail_always("PutItem", Fault::throttled());
        assert_eq!(
            world.kept(vec![message("m1", serde_json::to_string(&job).unwrap())]).await,
            ["m1"],
            "{line}"
        );
        assert_eq!(world.delivery(&target).await, None);
        world.table.heal();
        world.work(&job).await;
        let ids: Vec<_> =
            receiver.received().iter().map(|one| header(one, "webhook-id").to_owned()).collect();
        assert_eq!(ids, [world.event().id.as_str(), world.event().id.as_str()], "{line}");
        let delivery = world.delivery(&target).await.unwrap();
        assert_eq!((delivery.standing.as_str(), delivery.tries), (standing, 1), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_answer_was_lost_is_recognised() {
    let receiver = answering("500 Oops").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id);
    world.table.fail("PutItem", 1, Fault::LoseAnswer);
    world.work(&world.job(target.clone(), 1)).await;
    assert_eq!(world.delivery(&target).await.unwrap().tries, 1);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_switch_off_that_cannot_be_written_is_tried_again() {
    let receiver = answering("410 Gone").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let job = world.job(Target::Endpoint(endpoint.id.clone()), 1);
    world.table.fail_always("UpdateItem", Fault::throttled());
    assert_eq!(world.kept(vec![message("m1", serde_json::to_string(&job).unwrap())]).await, ["m1"]);
    assert_eq!(world.stored(&endpoint).await, endpoint);
    world.table.heal();
    world.work(&job).await;
    assert_ne!(world.stored(&endpoint).await.switch, recoup_domain::endpoint::Switch::On);
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_cannot_be_noted_does_not_send_again() {
    let receiver = answering_in_turn(&["500 Oops", "200 OK"]).await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id.clone());
    world.work(&world.job(target.clone(), 1)).await;
    world.table.fail_always("UpdateItem", Fault::throttled());
    world.work(&world.job(target.clone(), 2)).await;
    assert_eq!(world.delivery(&target).await.unwrap().standing, Standing::Delivered);
    assert!(world.stored(&endpoint).await.failing_since.is_some());
}

/// Two processes have the same message: one heard no, the other, later, yes.
#[tokio::test]
async fn a_success_is_kept_though_somebody_else_has_written_a_failure_meanwhile() {
    let receiver = answering_in_turn(&["500 Oops", "200 OK"]).await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id);
    let job = world.job(target.clone(), 1);
    let batch = vec![
        message("m1", serde_json::to_string(&job).unwrap()),
        message("m2", serde_json::to_string(&job).unwrap()),
    ];
    assert_eq!(world.kept(batch).await, [""; 0]);
    let delivery = world.delivery(&target).await.unwrap();
    assert_eq!(delivery.standing, Standing::Delivered);
    assert_eq!(receiver.received().len(), 2);
    // The scheduled second try is stale now.
    world.work(&world.job(target, 2)).await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_failure_does_not_undo_a_success() {
    let world = World::new("https://unused.example.com/").await;
    let start = Delivery::first(&world.event(), Target::RefundUrl, fixtures::now());
    let attempt = |status| recoup_domain::delivery::Attempt {
        at: fixtures::now(),
        took: std::time::Duration::ZERO,
        outcome: recoup_domain::delivery::AttemptOutcome::Status { status, head: String::new() },
    };
    let delivered = start.after(attempt(200), None, 1_000);
    assert_eq!(world.store.record_delivery(None, &delivered).await.unwrap(), DeliveryRecorded::Yes);
    let failed = start.after(attempt(500), None, 1_000);
    let overtaken = world.store.record_delivery(None, &failed).await.unwrap();
    assert_eq!(overtaken, DeliveryRecorded::Overtaken(Box::new(delivered)));
}
