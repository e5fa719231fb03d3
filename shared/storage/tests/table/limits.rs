//! The shared buckets: whoever asks at once, each token is given out once, and a bucket that nobody can read is full.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::ids::KeyId;
use recoup_domain::limit::{FullAt, Limit};
use recoup_ports::limits::{Leased, Leases, SLOT, Slots, Subject};
use recoup_testing::fixtures::{later, now, tenant};
use recoup_testing::{Fault, TestTable};
use tokio::task::JoinSet;

fn limit() -> Limit {
    Limit::new(50, 100).unwrap()
}

fn key() -> Subject {
    Subject::Key(KeyId::from_bits(1))
}

#[tokio::test]
async fn leases_at_once_give_out_each_token_once_and_none_is_lost() {
    let table = TestTable::new();
    let mut at_once = JoinSet::new();
    for _ in 0..30 {
        let store = table.limits();
        at_once.spawn(async move {
            let (mut taken, mut seen) = (0, FullAt::default());
            loop {
                // Many at once may change the bucket more often than one lease tries.
                let Ok(Leased { tokens, full_at }) = store.lease(&key(), limit(), seen, now()).await else {
                    continue;
                };
                if tokens == 0 {
                    return (taken, full_at);
                }
                (taken, seen) = (taken + tokens, full_at);
            }
        });
    }
    let ended = at_once.join_all().await;
    assert_eq!(ended.iter().map(|(taken, _)| taken).sum::<u32>(), limit().burst());
    let empty = limit().taken(FullAt::default(), limit().burst(), now());
    assert!(ended.iter().all(|(_, full_at)| *full_at == empty));
    // Half a second later, as many as the rate says.
    let (store, mut taken) = (table.limits(), 0);
    loop {
        match store.lease(&key(), limit(), empty, later(500)).await.unwrap().tokens {
            0 => break,
            tokens => taken += tokens,
        }
    }
    assert_eq!(taken, 25);
}

#[tokio::test]
async fn a_lease_is_one_write_and_an_empty_bucket_is_not_asked_twice() {
    let table = TestTable::new();
    let store = table.limits();
    let first = store.lease(&key(), limit(), FullAt::default(), now()).await.unwrap();
    assert_eq!(first.tokens, 5, "a twentieth");
    let second = store.lease(&key(), limit(), first.full_at, now()).await.unwrap();
    assert_eq!(second.full_at, limit().taken(FullAt::default(), 9, now()));
    let calls = table.take_calls();
    assert_eq!((calls.operations(), calls.write_units()), (vec!["UpdateItem", "UpdateItem"], 2.0));

    let empty = limit().taken(FullAt::default(), limit().burst(), now());
    let refused = store.lease(&key(), limit(), empty, now()).await.unwrap();
    assert_eq!((refused, table.take_calls().count()), (Leased { tokens: 0, full_at: empty }, 0));
}

#[tokio::test]
async fn a_process_that_knows_less_than_the_table_learns_it_with_its_lease() {
    let table = TestTable::new();
    let store = table.limits();
    let account = Subject::Account(tenant());
    let mut last = FullAt::default();
    for _ in 0..5 {
        last = store.lease(&account, limit(), last, now()).await.unwrap().full_at;
    }
    // It takes the bucket for full, or for emptier than it is.
    for seen in [FullAt::default(), limit().taken(last, 3, now())] {
        let leased = store.lease(&account, limit(), seen, now()).await.unwrap();
        assert_eq!(leased.full_at, limit().taken(last, leased.tokens, now()));
        last = leased.full_at;
    }
    // A key is another bucket, and one that has filled up is full, not fuller.
    assert_eq!(store.lease(&key(), limit(), last, now()).await.unwrap().tokens, 5);
    let much_later = later(3_600_000);
    let leased = store.lease(&account, limit(), last, much_later).await.unwrap();
    assert_eq!(leased.full_at, limit().taken(FullAt::default(), 5, much_later));
}

#[tokio::test]
async fn a_bucket_from_a_clock_that_is_wrong_shuts_nobody_out() {
    let table = TestTable::new();
    let store = table.limits();
    store.lease(&key(), limit(), FullAt::default(), now()).await.unwrap();
    let item = table.limit_items().await.remove(0);
    let expires_at = item["expires_at"].as_n().unwrap().parse::<u64>().unwrap();
    assert_eq!(expires_at, now().unix_seconds() + 86_400);
    for wrong in [later(3_600_000), later(30 * 86_400_000)] {
        let mut item = item.clone();
        item.insert("full_at".to_owned(), AttributeValue::N(FullAt::of(wrong).0.to_string()));
        table.put_limit(item).await;
        let leased = store.lease(&key(), limit(), FullAt::default(), now()).await.unwrap();
        assert_eq!(leased, Leased { tokens: 5, full_at: limit().taken(FullAt::default(), 5, now()) });
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_is_told_as_that() {
    let table = TestTable::new();
    table.fail_always("UpdateItem", Fault::throttled());
    assert!(table.limits().lease(&key(), limit(), FullAt::default(), now()).await.is_err());
}

#[tokio::test]
async fn slots_at_once_are_each_taken_once_and_those_gone_by_are_not_saved_up() {
    let (table, mut at_once) = (TestTable::new(), JoinSet::new());
    for count in 1..=20 {
        let store = table.limits();
        at_once.spawn(async move { (store.take_slots(&tenant(), count, now()).await.unwrap(), count) });
    }
    let mut taken = at_once.join_all().await;
    taken.sort();
    let mut next = now();
    for (first, count) in taken {
        assert_eq!(first, next);
        next = next.plus(SLOT * count);
    }
    let store = table.limits();
    assert_eq!(store.take_slots(&tenant(), 1, now()).await.unwrap(), next);
    let day_after = later(86_400_000);
    assert_eq!(store.take_slots(&tenant(), 5, day_after).await.unwrap(), day_after);
    assert_eq!(store.take_slots(&tenant(), 5, day_after).await.unwrap(), day_after.plus(SLOT * 5));
    // Another account has its own, and so have requests.
    let other = recoup_testing::fixtures::tenant_of(tenant().environment, 2);
    assert_eq!(store.take_slots(&other, 5, now()).await.unwrap(), now());
    assert!(
        store.lease(&Subject::Account(tenant()), limit(), FullAt::default(), now()).await.unwrap().tokens > 0
    );
}
