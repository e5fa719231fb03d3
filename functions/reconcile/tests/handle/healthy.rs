//! A healthy system: drift is nothing, and nothing is written but reports.

use recoup_domain::refund::Outcome;
use recoup_domain::report::Checked;
use recoup_ports::settlement::Settle;
use recoup_testing::fixtures;
use serde_json::json;

use crate::{World, lines, soon_after, two_hours_later};

#[tokio::test]
async fn a_healthy_system_drifts_by_nothing_and_is_left_as_it_is() {
    let world = World::new().await;
    let done = world.reserve_announced("key-1").await;
    world.settle(&done, fixtures::succeeded()).await;
    let failed = world.reserve_announced("key-2").await;
    let failed = world.settle(&failed, fixtures::failed()).await;
    // One that waits for its processor, as it should.
    let waiting = world.reserve_announced("key-3").await;
    let waiting = world.settle(&waiting, Outcome::Pending).await;
    let next = waiting.asked_after(two_hours_later(), std::time::Duration::from_mins(30));
    world.store.schedule(&waiting, next).await.unwrap();
    let before = world.everything().await;
    // The sandbox would contradict a failure that it did not cause.
    let scripted = crate::Scripted::default();
    let report = world.run_at(scripted, two_hours_later, json!({ "days": 2 })).await;
    assert_eq!((report.drift, lines(&report.findings)), (0, vec![]));
    // Three beginnings and three changes; two refunds have ended.
    let checked = Checked { refunds: 3, payments: 1, events: 6, asked: 2, waiting: 1 };
    assert_eq!((report.checked, report.complete), (checked, true));
    assert_eq!(world.everything().await, before);
    assert_eq!(world.refund(&failed).await, failed);
}

#[tokio::test]
async fn what_is_young_is_not_judged_yet() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    world.settle_unannounced(&refund, fixtures::succeeded()).await;
    world.reserve("key-2").await;
    let before = world.everything().await;
    let report = world.run(|| fixtures::later(crate::HOUR / 2)).await;
    assert_eq!((report.drift, report.checked.refunds, report.checked.waiting), (0, 2, 1));
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn the_day_keeps_what_was_found_and_the_last_run_says_how_it_is_now() {
    let world = World::new().await;
    world.reserve("key-1").await;
    let first = world.run(two_hours_later).await;
    assert_eq!((first.drift, first.findings.len()), (1, 1));
    let second = world.run(soon_after).await;
    assert_eq!((second.drift, second.started_at), (0, soon_after()));
    assert_eq!(second.findings, first.findings, "put right, and still in the report");
    let other_day = world.run(|| fixtures::later(20 * crate::HOUR)).await;
    assert_eq!((other_day.date(), other_day.findings.len()), ("2026-11-23".to_owned(), 1), "overdue again");
}

#[tokio::test]
async fn accounts_have_reports_of_their_own_and_one_can_be_named() {
    let world = World::new().await;
    world.reserve("key-1").await;
    let account = world.payment.tenant.account.to_string();
    let summary =
        world.run_with(recoup_outbound::sandbox::Sandbox, two_hours_later, json!({})).await.unwrap();
    assert_eq!((summary.accounts, summary.drift, summary.complete), (2, 1, true));
    assert_eq!(summary.astray, [format!("sandbox/{account}")]);
    let live = json!({ "account_id": account, "environment": "live" });
    let summary = world.run_with(recoup_outbound::sandbox::Sandbox, two_hours_later, live).await.unwrap();
    assert_eq!((summary.accounts, summary.drift), (1, 0));
}
