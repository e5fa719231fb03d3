//! A refund without an end and without a job is found, and a job is sent for; no money moves.

use std::time::Duration;

use recoup_domain::refund::{Outcome, State};
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::{Fault, fixtures};

use crate::{World, lines, soon_after, two_hours_later};

#[tokio::test]
async fn a_refund_whose_job_was_lost_is_sent_for_once() {
    for handed_over in [false, true] {
        let world = World::new().await;
        let refund = world.reserve("key-1").await;
        if handed_over {
            world.store.hand_over(&refund, fixtures::later(1_000)).await.unwrap();
        }
        let report = world.run(two_hours_later).await;
        let since = if handed_over { "09:30:01.000Z" } else { "09:30:00.000Z" };
        let line =
            format!("job_missing sent_for: initiated: no job has come to anything since 2026-11-22T{since}");
        assert_eq!(lines(&report.findings), [line]);
        assert_eq!(report.findings[0].refund.as_ref(), Some(&refund.id));
        let stored = world.refund(&refund).await;
        let wait = stored.wait.unwrap();
        assert_eq!((wait.at, wait.woken_at, wait.rests), (two_hours_later(), Some(two_hours_later()), false));
        assert_eq!((&stored.version.state, stored.version.sequence, stored.turn), (&State::Initiated, 1, 0));
        // Its job is on its way now.
        assert_eq!(world.run(soon_after).await.drift, 0);
        // Half a day later it is still there: overdue, and sent for again.
        assert_eq!(world.refund(&refund).await, stored);
    }
}

#[tokio::test]
async fn a_question_that_is_overdue_is_sent_for_under_its_own_number() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let pending = world.settle(&refund, Outcome::Unknown).await;
    let waiting = pending.asked_after(fixtures::now(), Duration::from_mins(50));
    world.store.schedule(&pending, waiting).await.unwrap();
    let report = world.run(two_hours_later).await;
    let line = "job_overdue sent_for: processing: its next question was due at 2026-11-22T10:20:00.000Z";
    assert_eq!(lines(&report.findings), [line]);
    let stored = world.refund(&refund).await;
    assert_eq!((stored.turn, stored.wait.unwrap().woken_at), (1, Some(two_hours_later())));
    assert!(stored.version.state.holds_money());
    // It is named as long as nothing comes of it, and not sent for again within the hour.
    assert_eq!(world.run(soon_after).await.drift, 1);
    assert_eq!(world.refund(&refund).await, stored);
    let later = || fixtures::later(4 * crate::HOUR);
    assert_eq!(world.run(later).await.drift, 1);
    assert_eq!(world.refund(&refund).await.wait.unwrap().woken_at, Some(later()));
}

#[tokio::test]
async fn a_refund_that_its_processor_never_ends_is_named_after_two_weeks() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let pending = world.settle(&refund, Outcome::Pending).await;
    let month = Duration::from_hours(24 * 20);
    world.store.schedule(&pending, pending.asked_after(fixtures::now(), month)).await.unwrap();
    let payload = || serde_json::json!({ "days": 29 });
    let scripted = crate::Scripted::default;
    assert_eq!(world.run_at(scripted(), || fixtures::later(13 * 24 * crate::HOUR), payload()).await.drift, 0);
    let report = world.run_at(scripted(), || fixtures::later(15 * 24 * crate::HOUR), payload()).await;
    let line = "unsettled none: processing since 2026-11-22T09:30:00.000Z, asked about 1 times";
    assert_eq!(lines(&report.findings), [line]);
}

#[tokio::test]
async fn a_run_that_is_disturbed_anywhere_is_finished_by_the_next() {
    let end = |fault: Option<(&'static str, Fault)>| async move {
        let world = World::new().await;
        world.reserve("key-1").await;
        let lost = world.reserve("key-2").await;
        world.settle_unannounced(&lost, fixtures::succeeded()).await;
        if let Some((operation, fault)) = fault {
            world.table.fail(operation, 3, fault);
        }
        // Whatever becomes of it.
        let _ =
            world.run_with(recoup_outbound::sandbox::Sandbox, two_hours_later, serde_json::json!({})).await;
        world.table.heal();
        let again = world.run(two_hours_later).await;
        (world.everything().await, again.findings.len())
    };
    let (undisturbed, found) = end(None).await;
    assert_eq!(found, 2);
    for operation in ["GetItem", "BatchGetItem", "Query", "UpdateItem", "PutItem"] {
        for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::server_error()] {
            let case = format!("{operation} {fault:?}");
            let (items, _) = end(Some((operation, fault))).await;
            assert_eq!(items, undisturbed, "{case}");
        }
    }
}

#[tokio::test]
async fn a_refund_that_moves_while_it_is_looked_at_is_no_finding() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    let seen = refund.sent_for(two_hours_later());
    // Somebody was quicker: the condition says so, and nothing is sent for.
    world.settle(&refund, fixtures::succeeded()).await;
    assert!(matches!(world.store.schedule(&refund, seen).await, Ok(Settled::Overtaken)));
    assert_eq!(world.run(two_hours_later).await.drift, 0);
}
