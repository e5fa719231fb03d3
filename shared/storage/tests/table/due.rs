//! Waits rest in the table and are found by their due time, and by nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use recoup_domain::delivery::{Attempt, Delivery, Heard, Standing, Target};
use recoup_domain::event::Event;
use recoup_domain::time::Timestamp;
use recoup_domain::waiting::GRACE;
use recoup_ports::due::{Due, Resting, SHARDS};
use recoup_ports::events::{Events, NoteDeliveries, Noted};
use recoup_storage::Table;
use recoup_testing::TestTable;
use recoup_testing::fixtures::{self, later, tenant};

use crate::bench::assert_operations;

/// A delivery that rests until some half an hour after this moment.
fn resting(number: u8, at: Timestamp) -> Delivery {
    let made = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
    let target = Target::Endpoint(fixtures::endpoint(number).id);
    let heard = Heard::Status { status: 500, head: String::new() };
    let attempt = Attempt { at, took: Duration::ZERO, heard };
    let start = Delivery::first(Event::of_beginning(&made), target, at);
    (0..3).fold(start, |delivery, _| delivery.after(attempt.clone(), None, 1_000))
}

fn due_at(delivery: &Delivery) -> Timestamp {
    match delivery.standing {
        Standing::Scheduled(at) if delivery.rests => at,
        _ => panic!("it does not rest"),
    }
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
        assert_eq!(store.note_delivery(None, &delivery).await.unwrap(), Noted::Yes);
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
        store.note_delivery(None, &resting(number, later(1))).await.unwrap();
    }
    assert!((look().await - of_none).abs() < f64::EPSILON);
    assert!(of_none <= 4.0, "half a unit for each shard");
}

#[tokio::test]
async fn what_is_woken_leaves_the_index_and_only_what_was_found_is_woken() {
    let table = TestTable::new();
    let store = table.store();
    let delivery = resting(1, fixtures::now());
    store.note_delivery(None, &delivery).await.unwrap();
    let found = all_due(&store, due_at(&delivery)).await;
    let [found] = found.as_slice() else { panic!("{found:?}") };

    // A redelivery came first: the wait that was found is no longer the one that stands.
    let again = delivery.again(later(5));
    store.note_delivery(Some(&delivery), &again).await.unwrap();
    store.wake(found, later(7)).await.unwrap();
    let stored = store.event(&tenant(), &delivery.event.id).await.unwrap().unwrap().deliveries;
    assert_eq!(stored, std::slice::from_ref(&again));

    store.note_delivery(Some(&again), &Delivery { turn: 9, ..delivery.clone() }).await.unwrap();
    table.take_calls();
    for _ in 0..2 {
        store.wake(found, later(7)).await.unwrap();
    }
    assert_operations(&table.take_calls(), &["UpdateItem", "UpdateItem"]);
    let stored = store.event(&tenant(), &delivery.event.id).await.unwrap().unwrap().deliveries;
    let woken = Delivery { turn: 9, ..delivery }.woken(later(7));
    assert_eq!(stored, std::slice::from_ref(&woken));
    // It is found again once its message is overdue.
    let overdue = later(7).plus(GRACE);
    assert_eq!(all_due(&store, later(7)).await, []);
    assert_eq!(all_due(&store, overdue).await.len(), 1);
    store.wake(&Resting { pk: "gone".to_owned(), ..found.clone() }, later(7)).await.unwrap();
    assert_eq!(table.items().await.len(), 1, "what is gone does not come back");
}
