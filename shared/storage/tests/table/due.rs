//! Waits rest in the table and are found by their due time, and by nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, Standing, Target};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::time::Timestamp;
use recoup_domain::waiting::GRACE;
use recoup_ports::due::{Due, Resting, SHARDS};
use recoup_ports::events::{DeliveryRecorded, Events, RecordDeliveries, RecordEvents};
use recoup_ports::settlement::{Settle, SettleError, Settled};
use recoup_storage::Table;
use recoup_testing::TestTable;
use recoup_testing::fixtures::{self, failed, later, moved, succeeded, tenant};

use crate::bench::{Bench, assert_operations};

/// A delivery that rests until some half an hour after this moment.
fn resting(number: u8, at: Timestamp) -> Delivery {
    let made = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
    let target = Target::Endpoint(fixtures::endpoint(number).id);
    let outcome = AttemptOutcome::Status { status: 500, head: String::new() };
    let attempt = Attempt { at, took: Duration::ZERO, outcome };
    let start = Delivery::first(&fixtures::beginning(&made), target, at);
    (0..3).fold(start, |delivery, _| delivery.after(attempt.clone(), None, 1_000))
}

fn due_at(delivery: &Delivery) -> Timestamp {
    match delivery.standing {
        Standing::Scheduled(at) if delivery.rests => at,
        _ => panic!("it does not rest"),
    }
}

/// The delivery as it lies there, beside its event.
async fn stored(store: &Table, delivery: &Delivery) -> Vec<Delivery> {
    let made = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
    store.record_event(&fixtures::beginning(&made), &[]).await.unwrap();
    store.event(&tenant(), &delivery.event).await.unwrap().unwrap().deliveries
}

async fn all_due(store: &Table, by: Timestamp) -> Vec<Resting> {
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        found.extend(store.due(shard, None, by, 100).await.unwrap());
    }
    found
}

#[tokio::test]
async fn exactly_what_is_due_is_found_and_it_is_spread_over_the_shards() {
    let table = TestTable::new();
    let store = table.store();
    for number in 0..100_u8 {
        let delivery = resting(number, later(u64::from(number) * 60_000));
        assert_eq!(store.record_delivery(None, &delivery).await.unwrap(), DeliveryRecorded::Yes);
    }
    let last_due = due_at(&resting(39, later(39 * 60_000)));
    assert_eq!(all_due(&store, last_due).await.len(), 40);
    let just_before = Timestamp::from_unix_millis(last_due.unix_millis() - 1).unwrap();
    assert_eq!(all_due(&store, just_before).await.len(), 39);
    let mut shards = BTreeSet::new();
    for item in table.items().await {
        shards.insert(item["due_pk"].as_s().unwrap().clone());
    }
    assert_eq!(shards.len(), usize::from(SHARDS));
    // Page by page, each one once.
    let shard = 3;
    let whole = store.due(shard, None, later(u64::from(u32::MAX)), 100).await.unwrap();
    let mut paged: Vec<Resting> = Vec::new();
    loop {
        let page = store.due(shard, paged.last(), later(u64::from(u32::MAX)), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    assert!(whole.is_sorted_by(|one, next| one.due < next.due));
}

#[tokio::test]
async fn looking_costs_the_same_however_many_wait() {
    let table = TestTable::new();
    let store = table.store();
    let look = async || {
        table.take_calls();
        assert!(all_due(&store, fixtures::now()).await.is_empty());
        let calls = table.take_calls();
        assert_operations(&calls, &["Query"; 8]);
        calls.read_units()
    };
    let of_none = look().await;
    for number in 0..200_u8 {
        store.record_delivery(None, &resting(number, later(1))).await.unwrap();
    }
    assert!((look().await - of_none).abs() < f64::EPSILON);
    assert!(of_none <= 4.0, "half a unit for each shard");
}

#[tokio::test]
async fn what_is_woken_leaves_the_index_and_only_what_was_found_is_woken() {
    let table = TestTable::new();
    let store = table.store();
    let delivery = resting(1, fixtures::now());
    store.record_delivery(None, &delivery).await.unwrap();
    let found = all_due(&store, due_at(&delivery)).await;
    let [found] = found.as_slice() else { panic!("{found:?}") };

    // A redelivery came first: the wait that was found is no longer the one that stands.
    let again = delivery.again(later(5));
    store.record_delivery(Some(&delivery), &again).await.unwrap();
    store.wake(found, later(7)).await.unwrap();
    assert_eq!(stored(&store, &delivery).await, std::slice::from_ref(&again));

    store.record_delivery(Some(&again), &Delivery { turn: 9, ..delivery.clone() }).await.unwrap();
    table.take_calls();
    for _ in 0..2 {
        store.wake(found, later(7)).await.unwrap();
    }
    assert_operations(&table.take_calls(), &["UpdateItem", "UpdateItem"]);
    let stored = stored(&store, &delivery).await;
    let woken = Delivery { turn: 9, ..delivery }.woken(later(7));
    assert_eq!(stored, std::slice::from_ref(&woken));
    // It is found again once its message is overdue.
    let overdue = later(7).plus(GRACE);
    assert_eq!(all_due(&store, later(7)).await, []);
    assert_eq!(all_due(&store, overdue).await.len(), 1);
    store.wake(&Resting { pk: "gone".to_owned(), ..found.clone() }, later(7)).await.unwrap();
    assert_eq!(table.items().await.len(), 2, "what is gone does not come back");
}

#[tokio::test]
async fn a_refund_to_ask_about_is_found_when_due_and_forgotten_when_it_ends() {
    let (bench, refund) = Bench::with_refund().await;
    let store = &bench.store;
    let by = |at: Timestamp| all_due(store, at);
    // A short wait goes with a queue, and is found an hour after its time, should its message be lost.
    let pending = moved(&refund, Outcome::Pending);
    let question = pending.to().asked_again(&Outcome::Unknown, later(1_000), 1_000);
    let pending = pending.asking(question);
    assert_eq!(store.carry_out(&pending).await.unwrap(), Settled::Applied);
    let pending = pending.into_refund();
    let at = later(3_000);
    assert_eq!((by(at).await.len(), by(at.plus(GRACE)).await.len()), (0, 1));
    // A long one rests, and is found at its time.
    let question = pending.asked_after(later(1_000), Duration::from_hours(1));
    let resting = pending.asking(question);
    bench.table.take_calls();
    assert_eq!(store.schedule(&pending, question).await.unwrap(), Settled::Applied);
    assert_operations(&bench.table.take_calls(), &["UpdateItem"]);
    let at = resting.wait.unwrap().at;
    let found = by(at).await;
    assert_eq!((by(later(2_000)).await.len(), found.len()), (0, 1));
    assert_eq!(bench.stored_refund(&refund).await.as_ref(), Some(&resting));
    // Woken, it is sent for, and found again only if that comes to nothing.
    store.wake(&found[0], at).await.unwrap();
    let woken = bench.stored_refund(&refund).await.unwrap();
    let wait = woken.wait.unwrap();
    assert_eq!((wait.rests, wait.woken_at, wait.at), (false, Some(at), at));
    assert_eq!((by(at).await.len(), by(at.plus(GRACE)).await.len()), (0, 1));
    // The end ends it, also for one who has not seen that it waits.
    let unaware = Refund { wait: None, turn: 0, ..woken };
    let done = moved(&unaware, succeeded());
    assert_eq!(store.carry_out(&done).await.unwrap(), Settled::Applied);
    assert_eq!(by(at.plus(GRACE)).await, []);
    let stored = bench.stored_refund(&refund).await.unwrap();
    assert_eq!((stored.wait, stored.turn), (None, resting.turn));
}

#[tokio::test]
async fn one_question_is_scheduled_once_and_nothing_after_the_end() {
    let (bench, refund) = Bench::with_refund().await;
    let store = &bench.store;
    let next = refund.asked_again(&Outcome::Unknown, later(1_000), 1_000);
    assert_eq!(store.schedule(&refund, next).await.unwrap(), Settled::Applied);
    assert_eq!(store.schedule(&refund, next).await.unwrap(), Settled::Applied, "an answer that was lost");
    let other = refund.asked_again(&Outcome::Unknown, later(9_000), 1_000);
    assert_eq!(store.schedule(&refund, other).await.unwrap(), Settled::Overtaken);
    let next = refund.asking(next);
    let third = next.asked_again(&Outcome::Unknown, later(9_000), 1_000);
    assert_eq!(store.schedule(&next, third).await.unwrap(), Settled::Applied);
    let stored = bench.stored_refund(&refund).await.unwrap();
    let third = next.asking(third);
    assert_eq!(stored, third, "nothing but the wait has changed");
    bench.settle(&stored, failed()).await.unwrap().unwrap();
    let late = third.asked_again(&Outcome::Unknown, later(20_000), 1_000);
    assert_eq!(store.schedule(&third, late).await.unwrap(), Settled::Overtaken);
    let never = Refund { id: fixtures::refund_id("no-such-key"), ..refund };
    assert!(matches!(store.schedule(&never, late).await, Err(SettleError::Missing)));
    assert_eq!(bench.stored_refund(&never).await, None);
    bench.check_books().await;
}
