//! `release-due`, over a real table.
#![cfg(test)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, Target};
use recoup_domain::event::Event;
use recoup_domain::refund::Version;
use recoup_domain::time::Timestamp;
use recoup_ports::due::Due;
use recoup_ports::events::{DeliveryRecorded, Events, RecordDeliveries, RecordEvents};
use recoup_storage::Table;
use recoup_testing::fixtures::{self, later};
use recoup_testing::{Fault, TestTable};
use release_due::{AHEAD, BUDGET, Context, ReleaseError, Released, handle};

const HALF_AN_HOUR: u64 = 30 * 60_000;

/// The clock of one test.
static NOW: AtomicU64 = AtomicU64::new(0);
/// How often another looked at its clock.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// One after the other, so that a clock that stands still gives no two the same time.
fn event(number: u64) -> Event {
    let refund = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
    let version = Version { updated_at: later(number), ..refund.version.clone() };
    Event::of_change(None, &refund.at(&version))
}

/// A delivery that rests until half an hour after this moment.
fn resting(number: u64, at: Timestamp) -> Delivery {
    let outcome = AttemptOutcome::Status { status: 500, head: String::new() };
    let attempt = Attempt { at, took: Duration::ZERO, outcome };
    let start = Delivery::first(&event(number), Target::RefundUrl, at);
    (0..3).fold(start, |delivery, _| delivery.after(attempt.clone(), None, 1_000))
}

async fn with_resting(count: u64) -> (TestTable, Table) {
    let table = TestTable::new();
    let store = table.store();
    for number in 0..count {
        let delivery = resting(number, later(number));
        store.record_event(&event(number), &[]).await.unwrap();
        assert_eq!(store.record_delivery(None, &delivery).await.unwrap(), DeliveryRecorded::Yes);
    }
    table.take_calls();
    (table, store)
}

async fn still_resting(store: &Table, count: u64) -> usize {
    let mut resting: usize = 0;
    for number in 0..count {
        let recorded = store.event(&fixtures::tenant(), &event(number).id).await.unwrap().unwrap();
        resting = resting.saturating_add(recorded.deliveries.iter().filter(|one| one.rests).count());
    }
    resting
}

#[tokio::test]
async fn what_falls_due_before_the_next_run_is_woken_and_nothing_else() {
    let (_table, store) = with_resting(50).await;
    let ahead = u64::try_from(AHEAD.as_millis()).unwrap();
    let context = Context { due: store.clone(), now: || later(NOW.load(Ordering::Relaxed)) };
    for (now, woken) in
        [(0, 0), (HALF_AN_HOUR - ahead - 1, 0), (HALF_AN_HOUR - ahead + 19, 20), (HALF_AN_HOUR, 30)]
    {
        NOW.store(now, Ordering::Relaxed);
        assert_eq!(handle(&context).await.unwrap(), Released { woken, more: false }, "at {now}");
    }
    assert_eq!(still_resting(&store, 50).await, 0);
    assert_eq!(handle(&context).await.unwrap(), Released::default());
}

#[tokio::test]
async fn more_than_a_page_of_each_shard_is_woken_in_one_run() {
    let (_table, store) = with_resting(1_000).await;
    let context = Context { due: store.clone(), now: || later(2 * HALF_AN_HOUR) };
    assert_eq!(handle(&context).await.unwrap(), Released { woken: 1_000, more: false });
}

#[tokio::test]
async fn a_run_without_time_leaves_the_rest_to_the_next_one() {
    let (_table, store) = with_resting(40).await;
    // The clock jumps over the budget after a few looks at it.
    let context = Context {
        due: store.clone(),
        now: || {
            let late = CALLS.fetch_add(1, Ordering::Relaxed) > 3;
            later(2 * HALF_AN_HOUR).plus(if late { BUDGET.saturating_mul(2) } else { Duration::ZERO })
        },
    };
    let released = handle(&context).await.unwrap();
    assert!(released.more && released.woken < 40, "{released:?}");
    assert_eq!(still_resting(&store, 40).await, 40_usize.saturating_sub(released.woken));
    let context = Context { due: store.clone(), now: || later(2 * HALF_AN_HOUR) };
    let rest = handle(&context).await.unwrap();
    assert!(rest.woken.saturating_add(released.woken) >= 40);
    assert_eq!(still_resting(&store, 40).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_fails_loses_nothing_and_the_next_run_goes_on() {
    let (table, store) = with_resting(40).await;
    let context = Context { due: store.clone(), now: || later(2 * HALF_AN_HOUR) };
    table.fail_always("Query", Fault::throttled());
    assert!(matches!(handle(&context).await, Err(ReleaseError::Read(_))));
    table.heal();
    table.fail_always("UpdateItem", Fault::throttled());
    assert!(matches!(handle(&context).await, Err(ReleaseError::Write(_))));
    table.heal();
    // Its effect without its answer: the SDK's next try finds it done.
    table.fail("UpdateItem", 5, Fault::LoseAnswer);
    handle(&context).await.unwrap();
    assert_eq!(still_resting(&store, 40).await, 0);
    for shard in 0..recoup_ports::due::SHARDS {
        assert_eq!(store.due(shard, None, later(2 * HALF_AN_HOUR), 100).await.unwrap(), []);
    }
}

#[test]
fn the_template_runs_it_every_minute_with_more_time_than_its_budget() {
    let template = include_str!("../../../template.yaml");
    let function = template.split("  ReleaseDueFunction:").nth(1).unwrap();
    let timeout = function.lines().find_map(|line| line.trim().strip_prefix("Timeout: ")).unwrap();
    assert!(Duration::from_secs(timeout.parse().unwrap()) >= BUDGET.saturating_add(Duration::from_secs(10)));
    assert!(function.lines().take(20).any(|line| line.trim() == "Schedule: rate(1 minute)"));
    assert!(AHEAD > Duration::from_mins(1));
}
