//! Payments: registered once, and their facts moved under the eyes of whoever refunds.

use recoup_domain::payment::{CaptureStatus, Facts, Settlement, Terms};
use recoup_domain::text::Metadata;
use recoup_ports::payments::{Moved, Payments, Register, Registered};
use recoup_testing::Fault;
use recoup_testing::fixtures::{
    self, decided, eur, facts, getpaid_payment, getpaid_wanted, later, payment, wanted,
};

use crate::bench::{Bench, assert_operations};

#[tokio::test]
async fn a_payment_is_read_back_as_it_was_registered() {
    for payment in [getpaid_payment(), payment("a.plain:one-_", 1)] {
        let bench = Bench::with(payment.clone()).await;
        assert_eq!(bench.stored_payment().await, payment);
        assert_operations(&bench.table.take_calls(), &["GetItem"]);
    }
}

#[tokio::test]
async fn a_payment_that_exists_is_told_as_it_stands_and_left_alone() {
    let (bench, _) = Bench::with_refund().await;
    let before = bench.stored_payment().await;
    bench.table.take_calls();
    let Ok(Registered::Existing(existing)) = bench.store.register(&bench.payment).await else {
        panic!("it was registered twice")
    };
    assert_operations(&bench.table.take_calls(), &["PutItem"]);
    assert_eq!(*existing, before);
    assert_eq!(bench.stored_payment().await, before);
}

#[tokio::test]
async fn moved_facts_touch_no_amount_even_if_they_were_decided_before_a_refund() {
    let bench = Bench::with(getpaid_payment()).await;
    let metadata = Metadata::new([("k".to_owned(), "v".to_owned())].into()).unwrap();
    let newer = Facts { disputed: true, refundable_until: Some(later(1)), metadata, ..facts() };
    let moved = bench.payment.moved_to(newer.clone(), later(2)).unwrap().unwrap();
    let granted = decided(&bench.payment, &getpaid_wanted(), "key");
    bench.make(&granted).await;
    bench.table.take_calls();
    assert_eq!(bench.store.move_facts(&moved).await.unwrap(), Moved::Applied);
    assert_operations(&bench.table.take_calls(), &["UpdateItem"]);
    let stored = bench.stored_payment().await;
    assert_eq!((&stored.facts, stored.revision, stored.updated_at), (&newer, 2, later(2)));
    bench.check_books().await;

    // What is gone from the facts is gone from the table.
    let back = stored.moved_to(facts(), later(3)).unwrap().unwrap();
    assert_eq!(bench.store.move_facts(&back).await.unwrap(), Moved::Applied);
    assert_eq!(bench.stored_payment().await, back);
}

#[tokio::test]
async fn of_two_who_move_the_facts_at_once_one_is_overtaken() {
    let bench = Bench::with(getpaid_payment()).await;
    let moved = |facts| bench.payment.moved_to(facts, later(1)).unwrap().unwrap();
    let one = moved(Facts { disputed: true, ..facts() });
    let other = moved(Facts { refundable_until: Some(later(1)), ..facts() });
    assert_eq!(bench.store.move_facts(&one).await.unwrap(), Moved::Applied);
    assert_eq!(bench.store.move_facts(&other).await.unwrap(), Moved::Overtaken);
    assert_eq!(bench.stored_payment().await, one);
}

#[tokio::test(start_paused = true)]
async fn a_payment_under_refund_is_registered_and_moved_all_the_same() {
    let (bench, _) = Bench::with_refund().await;
    bench.table.fail("PutItem", 4, Fault::write_conflict());
    assert!(matches!(bench.store.register(&bench.payment).await, Ok(Registered::Existing(_))));
    bench.table.fail("UpdateItem", 4, Fault::write_conflict());
    let moved = bench.payment.moved_to(Facts { disputed: true, ..facts() }, later(1)).unwrap().unwrap();
    assert_eq!(bench.store.move_facts(&moved).await.unwrap(), Moved::Applied);
    assert_eq!(bench.table.take_calls().count(), 10);
    bench.check_books().await;
}

#[tokio::test]
async fn a_payment_nobody_registered_does_not_exist_and_has_no_facts_to_move() {
    let bench = Bench::with(getpaid_payment()).await;
    let never = payment("pay_never", 1);
    assert_eq!(bench.store.payment(&never.tenant, &never.id).await.unwrap(), None);
    let moved = never.moved_to(Facts { disputed: true, ..facts() }, later(1)).unwrap().unwrap();
    assert_eq!(bench.store.move_facts(&moved).await.unwrap(), Moved::Overtaken);
    assert_eq!(bench.store.payment(&never.tenant, &never.id).await.unwrap(), None);
}

#[tokio::test]
async fn an_unsettled_payment_is_reversed_and_says_so_when_read_back() {
    let mut unsettled = payment("pay_1", 500);
    unsettled.facts.settlement = Settlement::Unsettled;
    let bench = Bench::with(unsettled).await;
    let granted = decided(&bench.payment, &wanted(&bench.payment, None), "key");
    bench.make(&granted).await;
    let stored = bench.stored_refund(&granted.refund).await.unwrap();
    assert_eq!(stored.kind, recoup_domain::refund::Kind::Reversal);
    assert_eq!(stored.created_at, fixtures::now());
}

#[tokio::test]
async fn a_correction_decided_before_a_capture_or_a_refund_changes_nothing() {
    let mut created = payment("pay_1", 1000);
    created.facts.status = CaptureStatus::Processing;
    let bench = Bench::with(created).await;
    let terms = |amount| Terms { amount: eur(amount), ..bench.payment.terms() };
    let processing = bench.payment.facts.clone();
    let corrected = bench.payment.corrected_to(terms(900), processing, later(1)).unwrap();
    let captured = bench.payment.moved_to(facts(), later(2)).unwrap().unwrap();
    assert_eq!(bench.store.move_facts(&captured).await.unwrap(), Moved::Applied);
    let granted = decided(&captured, &wanted(&captured, Some(950)), "key");
    bench.make(&granted).await;
    assert_eq!(bench.store.correct(&corrected).await.unwrap(), Moved::Overtaken);
    // Not even one that was decided on what is captured.
    let late = captured.corrected_to(terms(900), facts(), later(3)).unwrap();
    assert_eq!(bench.store.correct(&late).await.unwrap(), Moved::Overtaken);
    let stored = bench.stored_payment().await;
    assert_eq!((stored.amount, stored.refundable), (eur(1000), eur(50)));
}
