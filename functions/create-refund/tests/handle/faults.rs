//! What goes wrong between the function and its table: never a 500, never a second deduction.

use recoup_testing::Fault;
use serde_json::json;
use tokio::time::Instant;

use crate::gateway::{Event, Reply};
use crate::{PAYMENT, World, asking, recorded, routed};

const READ: &str = "BatchGetItem";
const WRITE: &str = "TransactWriteItems";

/// One fault, once: the refund is made all the same, and its amount taken once.
async fn survives(operation: &'static str, fault: Fault) {
    let world = World::with(&routed()).await;
    world.table.fail(operation, 1, fault.clone());
    let reply = world.post(&recorded()).await;
    assert_eq!(reply.status, 201, "{fault:?}: {}", reply.text);
    assert_eq!(world.table.take_calls().count(), 3, "{fault:?}: the call that failed is made again");
    world.assert_one_refund_of(1500).await;
    let again = world.post(&recorded()).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{fault:?}");
    assert_eq!(again.body, reply.body, "{fault:?}");
    world.assert_one_refund_of(1500).await;
}

#[tokio::test(start_paused = true)]
async fn a_transaction_in_conflict_is_tried_again() {
    for conflict in [[true, false], [false, true], [true, true]] {
        survives(WRITE, Fault::conflict(conflict)).await;
    }
    survives(WRITE, Fault::in_progress()).await;
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_tried_again() {
    for operation in [READ, WRITE] {
        survives(operation, Fault::throttled()).await;
    }
    for code in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
        survives(WRITE, Fault::cancelled([code, "None"])).await;
        survives(WRITE, Fault::cancelled(["None", code])).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_aws_or_of_the_wire_is_tried_again() {
    for operation in [READ, WRITE] {
        survives(operation, Fault::server_error()).await;
        survives(operation, Fault::LoseRequest).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_after_the_commit_is_found_again() {
    for fault in [Fault::LoseAnswer, Fault::AnswerTooLate] {
        survives(WRITE, fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_after_the_commit_refunds_once_though_no_key_was_sent() {
    let world = World::with(&routed()).await;
    world.table.fail(WRITE, 2, Fault::LoseAnswer);
    let reply = world.post(&recorded().without("/headers/idempotency-key")).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    world.assert_one_refund_of(1500).await;
}

/// The problem tells to come back, in one second or more.
fn assert_may_be_sent_again(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.problem(), (status, code), "{}", reply.text);
    assert_eq!(reply.body["retryable"], true);
    assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
}

#[tokio::test(start_paused = true)]
async fn when_every_answer_is_lost_the_key_tells_later_what_became_of_it() {
    let world = World::with(&routed()).await;
    world.table.fail(WRITE, 3, Fault::LoseAnswer);
    assert_may_be_sent_again(&world.post(&recorded()).await, 503, "unavailable");
    let again = world.post(&recorded()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    world.assert_one_refund_of(1500).await;
}

#[tokio::test(start_paused = true)]
async fn a_conflict_about_the_key_that_never_ends_says_that_the_key_is_in_use() {
    for fault in [Fault::conflict([true, false]), Fault::conflict([true, true])] {
        let world = World::with(&routed()).await;
        world.table.fail_always(WRITE, fault);
        assert_may_be_sent_again(&world.post(&recorded()).await, 409, "idempotency_key_in_use");
        assert!(world.table.take_calls().count() <= 12, "the tries are bounded");
        world.table.heal();
        world.assert_untouched(&routed()).await;
        assert_eq!(world.post(&recorded()).await.status, 201);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_stays_in_progress_says_come_back() {
    let world = World::with(&routed()).await;
    world.table.fail_always(WRITE, Fault::in_progress());
    let reply = in_time(&world, &recorded()).await;
    // The SDK's own patience and ours together may pass the request's time.
    let (status, code) =
        if reply.status == 409 { (409, "idempotency_key_in_use") } else { (503, "unavailable") };
    assert_may_be_sent_again(&reply, status, code);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_about_the_payment_that_never_ends_says_come_back() {
    let world = World::with(&routed()).await;
    world.table.fail_always(WRITE, Fault::conflict([false, true]));
    let began = Instant::now();
    assert_may_be_sent_again(&world.post(&recorded()).await, 503, "unavailable");
    assert!(began.elapsed().as_secs() < 5, "well inside a request's time");
    world.table.heal();
    world.assert_untouched(&routed()).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_key_an_unknown_outcome_is_not_to_be_tried_again_blindly() {
    for fault in [Fault::conflict([true, true]), Fault::LoseAnswer] {
        let world = World::with(&routed()).await;
        world.table.fail_always(WRITE, fault);
        let reply = world.post(&recorded().without("/headers/idempotency-key")).await;
        assert_eq!(reply.problem(), (503, "unavailable"));
        assert!(reply.body["detail"].as_str().unwrap().contains("not known whether"), "{}", reply.text);
    }
    // Here it is known: nothing was written.
    let world = World::with(&routed()).await;
    world.table.fail_always(WRITE, Fault::conflict([false, true]));
    let reply = world.post(&recorded().without("/headers/idempotency-key")).await;
    assert_eq!(reply.problem(), (503, "unavailable"));
    assert!(reply.body["detail"].as_str().unwrap().contains("may be sent again"), "{}", reply.text);
}

/// Answers before the gateway and Lambda lose patience: the template gives 10 s.
async fn in_time(world: &World, event: &Event) -> Reply {
    assert!(include_str!("../../../../template.yaml").contains("    Timeout: 10\n"));
    let began = Instant::now();
    let reply = world.post(event).await;
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    reply
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_down_says_come_back_and_keeps_why_to_itself() {
    for fault in [Fault::LoseRequest, Fault::throttled(), Fault::server_error(), Fault::AnswerTooLate] {
        let keyless = recorded().without("/headers/idempotency-key");
        for (operation, event) in [(READ, recorded()), (WRITE, recorded()), ("GetItem", keyless)] {
            let world = World::with(&routed()).await;
            world.table.fail_always(operation, fault.clone());
            let reply = in_time(&world, &event).await;
            assert_may_be_sent_again(&reply, 503, "unavailable");
            for leak in ["ynamo", "127.0.0.1", "hrottl", "onnection", "#refund#"] {
                assert!(!reply.text.contains(leak), "{}", reply.text);
            }
            world.table.heal();
            if matches!((fault.clone(), operation), (Fault::AnswerTooLate, WRITE)) {
                world.assert_one_refund_of(1500).await;
            } else {
                world.assert_untouched(&routed()).await;
            }
            assert_eq!(world.post(&event).await.status, 201);
            world.assert_one_refund_of(1500).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_table_is_not_waited_for_until_lambda_gives_up() {
    let world = World::with(&routed()).await;
    world.table.fail(READ, 2, Fault::AnswerTooLate);
    world.table.fail(WRITE, 3, Fault::AnswerTooLate);
    assert_may_be_sent_again(&in_time(&world, &recorded()).await, 503, "unavailable");
    let again = world.post(&recorded()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    world.assert_one_refund_of(1500).await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_nobody_can_read_is_our_fault_and_says_nothing() {
    let world = World::with(&routed()).await;
    assert_eq!(world.post(&recorded()).await.status, 201);
    let refund = world.table.item("refund").await;
    let update = world.table.plain().update_item().table_name(world.table.name());
    let update = update.key("pk", refund["pk"].clone()).key("sk", refund["sk"].clone());
    update.update_expression("REMOVE currency").send().await.unwrap();
    let reply = world.post(&recorded()).await;
    assert_eq!(reply.problem(), (500, "internal_error"));
    assert!(!reply.text.contains("currency") && !reply.text.contains("#refund#"), "{}", reply.text);
    // Nothing is made in its stead.
    assert_eq!(world.refunds().await, (1, 1));
    let other = asking(&json!({"payment_id": PAYMENT})).header("idempotency-key", "two");
    assert_eq!(world.post(&other).await.status, 201);
}
