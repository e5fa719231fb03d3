//! Calls and capacity, counted as DynamoDB would charge them: the budgets of the design.
//!
//! The units are those that the endpoint reports (`ReturnConsumedCapacity`, asked for by the harness);
//! sizes are by DynamoDB's published rules.

use recoup_domain::payment::Facts;
use recoup_ports::payments::Register;
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::settlement::Settle;
use recoup_testing::fixtures::{
    decided, failed, getpaid_payment, getpaid_wanted, later, moved, seal_key, succeeded, wanted,
};
use recoup_testing::{Calls, TestTable, item_bytes};

use crate::bench::{Bench, assert_operations};

/// Reads, decides and commits, as create-refund does; what it took.
async fn create(bench: &Bench, key: &str) -> (Reserved, Calls) {
    let id = recoup_testing::fixtures::refund_id(key);
    let (tenant, payment) = (&bench.payment.tenant, &bench.payment.id);
    let found = bench.store.payment_and_refund(tenant, payment, Some(&id)).await.unwrap();
    let granted = decided(&found.payment.unwrap(), &getpaid_wanted(), key);
    (bench.store.reserve(&granted).await.unwrap(), bench.table.take_calls())
}

#[tokio::test]
async fn a_new_refund_is_two_calls_of_at_most_two_read_and_five_write_units() {
    let bench = Bench::with(getpaid_payment().sealed(&seal_key())).await;
    let (reserved, calls) = create(&bench, "key").await;
    println!("create, new: {calls}");
    assert!(matches!(reserved, Reserved::New));
    assert_operations(&calls, &["BatchGetItem", "TransactWriteItems"]);
    assert!(calls.read_units() > 0.0 && calls.read_units() <= 2.0, "{calls}");
    assert!(calls.write_units() >= 4.0 && calls.write_units() <= 5.0, "{calls}");
    assert_eq!(calls.index_units(), 1.0, "{calls}");
}

#[tokio::test]
async fn a_replay_or_a_refusal_is_one_call_of_at_most_two_read_units() {
    let (bench, refund) = Bench::with_refund().await;
    let (tenant, payment) = (&refund.tenant, &refund.payment_id);
    let found = bench.store.payment_and_refund(tenant, payment, Some(&refund.id)).await.unwrap();
    let calls = bench.table.take_calls();
    println!("create, replay: {calls}");
    assert_eq!(found.refund, Some(refund.clone()));
    assert_operations(&calls, &["BatchGetItem"]);
    assert!(calls.read_units() > 0.0 && calls.read_units() <= 2.0, "{calls}");

    let fresh = recoup_testing::fixtures::refund_id("other-key");
    let found = bench.store.payment_and_refund(tenant, payment, Some(&fresh)).await.unwrap();
    let calls = bench.table.take_calls();
    println!("create, refusal: {calls}");
    assert!(found.refund.is_none());
    assert_operations(&calls, &["BatchGetItem"]);
    assert!(calls.read_units() > 0.0 && calls.read_units() <= 2.0, "{calls}");
}

#[tokio::test]
async fn a_refusal_that_lost_a_race_is_two_calls() {
    let bench = Bench::with(getpaid_payment().sealed(&seal_key())).await;
    let (tenant, payment) = (&bench.payment.tenant, &bench.payment.id);
    let id = recoup_testing::fixtures::refund_id("late");
    let found = bench.store.payment_and_refund(tenant, payment, Some(&id)).await.unwrap();
    let late = decided(&found.payment.unwrap(), &getpaid_wanted(), "late");
    let all = decided(&bench.payment, &wanted(&bench.payment, None), "early");
    let early = bench.table.take_calls();
    bench.make(&all).await;
    bench.table.take_calls();
    // The returned image is judged again: nothing is left, and no read is needed to know.
    let now = bench.refused(&late).await;
    let judged = recoup_testing::fixtures::judged(&now, &getpaid_wanted(), "late");
    assert_eq!(judged, Err(recoup_domain::decide::Refusal::NothingLeft));
    assert_eq!(early.count() + bench.table.take_calls().count(), 2);
}

#[tokio::test]
async fn a_refund_is_read_in_one_call_of_one_unit() {
    let (bench, refund) = Bench::with_refund().await;
    bench.store.refund(&refund.tenant, &refund.id).await.unwrap().unwrap();
    let calls = bench.table.take_calls();
    println!("get refund: {calls}");
    assert_operations(&calls, &["GetItem"]);
    assert!(calls.read_units() > 0.0 && calls.read_units() <= 1.0, "{calls}");
}

#[tokio::test]
async fn a_whole_successful_life_leaves_a_unit_for_its_webhook() {
    let bench = Bench::with(getpaid_payment().sealed(&seal_key())).await;
    let (_, create) = create(&bench, "key").await;
    let refund = decided(&bench.payment, &getpaid_wanted(), "key").refund;
    bench.store.hand_over(&refund, later(500)).await.unwrap();
    let hand_over = bench.table.take_calls();
    bench.store.carry_out(&moved(&refund, succeeded())).await.unwrap();
    let settle = bench.table.take_calls();
    println!("hand over: {hand_over}\nsettle, success: {settle}");
    for calls in [&hand_over, &settle] {
        assert_operations(calls, &["UpdateItem"]);
        assert_eq!(calls.index_units(), 0.0, "the index's keys never change");
    }
    let units = create.write_units() + hand_over.write_units() + settle.write_units();
    println!("whole life without its webhook: {units} WRU");
    assert!(units > 0.0 && units <= 7.0, "{units} WRU");
}

#[tokio::test]
async fn a_failure_is_one_transaction_that_leaves_the_index_alone() {
    let (bench, refund) = Bench::with_refund().await;
    bench.store.carry_out(&moved(&refund, failed())).await.unwrap();
    let calls = bench.table.take_calls();
    println!("settle, failure: {calls}");
    assert_operations(&calls, &["TransactWriteItems"]);
    assert!(calls.write_units() > 0.0 && calls.write_units() <= 4.0, "{calls}");
    assert_eq!(calls.index_units(), 0.0, "{calls}");
}

#[tokio::test]
async fn a_realistic_refund_and_its_payment_stay_under_one_kilobyte() {
    let (bench, refund) = Bench::with_refund().await;
    let payment = item_bytes(&bench.table.item("payment").await);
    let initiated = item_bytes(&bench.table.item("refund").await);
    bench.store.hand_over(&refund, later(500)).await.unwrap();
    bench.store.carry_out(&moved(&refund, succeeded())).await.unwrap();
    let done = item_bytes(&bench.table.item("refund").await);
    println!("payment with one refund: {payment} B; refund initiated: {initiated} B, succeeded: {done} B");
    assert!(payment < 1024 && initiated < 1024 && done < 1024);
}

#[tokio::test]
async fn newer_facts_of_a_payment_are_one_unit_and_leave_the_index_alone() {
    let bench = Bench::with(getpaid_payment().sealed(&seal_key())).await;
    let newer = Facts { disputed: true, ..bench.payment.facts.clone() };
    let newer = bench.payment.moved_to(newer, later(1)).unwrap().unwrap().sealed(&seal_key());
    bench.store.move_facts(&newer).await.unwrap();
    let calls = bench.table.take_calls();
    assert_operations(&calls, &["UpdateItem"]);
    assert_eq!((calls.write_units(), calls.index_units()), (1.0, 0.0), "{calls}");
}

#[tokio::test]
async fn registering_a_payment_is_one_call_of_one_unit_and_one_of_the_index() {
    let table = TestTable::new();
    table.store().register(&getpaid_payment().sealed(&seal_key())).await.unwrap();
    let calls = table.take_calls();
    println!("register: {calls}");
    assert_operations(&calls, &["PutItem"]);
    assert_eq!((calls.write_units(), calls.index_units()), (2.0, 1.0), "{calls}");
}
