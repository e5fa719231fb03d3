//! Every outcome of `reserve` is told by the one transaction, without a further read.

use recoup_domain::decide::Reservation;
use recoup_domain::money::WrittenAmount;
use recoup_domain::refund::Refund;
use recoup_domain::wanted::{Wanted, WantedRouting};
use recoup_ports::payments::Register;
use recoup_ports::refunds::{Reserve, ReserveError, Reserved};
use recoup_testing::fixtures::{
    self, SELLER, SUPPLIER, decided, eur, facts, getpaid_payment, getpaid_wanted, payment, wanted,
    wanted_lines, wanted_of,
};

use crate::bench::{Bench, assert_operations};

const ONE_TRANSACTION: &[&str] = &["TransactWriteItems"];

#[tokio::test]
async fn a_new_refund_is_written_and_its_amounts_are_taken_from_every_actor() {
    let bench = Bench::with(getpaid_payment()).await;
    let granted = decided(&bench.payment, &getpaid_wanted(), "key");
    bench.make(&granted).await;
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    assert_eq!(bench.stored_refund(&granted.refund).await, Some(granted.refund.clone()));
    assert_eq!(bench.stored_payment().await, bench.payment.after_reserving(&granted.refund).unwrap());
}

#[tokio::test]
async fn everything_a_refund_may_say_is_read_back_as_it_was_written() {
    let bench = Bench::with(getpaid_payment()).await;
    let mut wish = wanted_lines(&bench.payment, &["iid_2"]);
    wish.routing = wanted_of(&bench.payment, 100, &[(SELLER, 1000)]).routing;
    wish.notes = getpaid_wanted().notes;
    wish.notes.information = Some(fixtures::text(&"ü".repeat(1000)));
    let granted = decided(&bench.payment, &wish, "key");
    bench.make(&granted).await;
    assert_eq!(bench.stored_refund(&granted.refund).await, Some(granted.refund.clone()));
    bench.check_books().await;
}

#[tokio::test]
async fn a_replay_finds_the_refund_as_it_now_stands() {
    let (bench, refund) = Bench::with_refund().await;
    bench.settle(&refund, fixtures::succeeded()).await.unwrap().unwrap();
    bench.table.take_calls();
    let again = decided(&bench.payment, &getpaid_wanted(), "key");
    let Ok(Reserved::Existing(existing)) = bench.reserve(&again).await else { panic!("no replay") };
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    assert_eq!(existing.fingerprint, again.refund.fingerprint);
    assert_eq!(existing.version.state, recoup_domain::refund::State::Succeeded);
    bench.check_books().await;
}

#[tokio::test]
async fn a_reused_key_is_known_by_the_other_fingerprint() {
    let (bench, refund) = Bench::with_refund().await;
    let other = decided(&bench.payment, &wanted_of(&bench.payment, 100, &[]), "key");
    let fingerprint = fixtures::fingerprint("another request");
    let other = Reservation { refund: Refund { fingerprint, ..other.refund }, ..other };
    let Ok(Reserved::Existing(existing)) = bench.reserve(&other).await else { panic!("not found") };
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    assert_eq!(*existing, refund);
    assert_ne!(existing.fingerprint, fingerprint);
    bench.check_books().await;
}

#[tokio::test]
async fn a_replay_is_a_replay_even_if_the_payment_has_nothing_left() {
    let bench = Bench::with(getpaid_payment()).await;
    let all = decided(&bench.payment, &wanted(&bench.payment, None), "key");
    bench.make(&all).await;
    bench.table.take_calls();
    // Both conditions fail: the refund exists, and nothing is left.
    assert!(matches!(bench.reserve(&all).await, Ok(Reserved::Existing(_))));
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    bench.check_books().await;
}

#[tokio::test]
async fn two_refunds_decided_on_the_same_euros_leave_one_winner() {
    let bench = Bench::with(payment("pay_1", 1000)).await;
    let [first, second] =
        ["one", "two"].map(|key| decided(&bench.payment, &wanted(&bench.payment, Some(700)), key));
    bench.make(&first).await;
    bench.table.take_calls();
    let now = bench.refused(&second).await;
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    assert_eq!(now, bench.stored_payment().await);
    assert_eq!(now.refundable, eur(300));
    assert_eq!(bench.stored_refund(&second.refund).await, None);
    bench.check_books().await;
}

#[tokio::test]
async fn a_partial_refund_stays_good_while_enough_is_left() {
    let bench = Bench::with(payment("pay_1", 1000)).await;
    let [first, second] =
        ["one", "two"].map(|key| decided(&bench.payment, &wanted(&bench.payment, Some(500)), key));
    bench.make(&first).await;
    bench.make(&second).await;
    assert!(bench.stored_payment().await.refundable.is_zero());
    bench.check_books().await;
}

#[tokio::test]
async fn facts_that_changed_since_the_decision_come_back_with_the_refusal() {
    let bench = Bench::with(getpaid_payment()).await;
    let granted = decided(&bench.payment, &getpaid_wanted(), "key");
    let disputed = recoup_domain::payment::Facts { disputed: true, ..facts() };
    let moved = bench.payment.moved_to(disputed, fixtures::later(1)).unwrap().unwrap();
    bench.store.move_facts(&moved).await.unwrap();
    bench.table.take_calls();
    assert_eq!(bench.refused(&granted).await, moved);
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    bench.check_books().await;
}

#[tokio::test]
async fn a_line_is_taken_by_one_refund_only() {
    let bench = Bench::with(getpaid_payment()).await;
    let of = |key, seller| {
        let mut wish = wanted_lines(&bench.payment, &["iid_2"]);
        wish.routing = wanted_of(&bench.payment, 0, &[(SELLER, seller)]).routing;
        wish.amount = Some(WrittenAmount::Minor(seller));
        decided(&bench.payment, &wish, key)
    };
    bench.make(&of("one", 1100)).await;
    bench.table.take_calls();
    // There is money enough for the second, but its line is gone.
    let now = bench.refused(&of("two", 200)).await;
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    assert_eq!(now.lines.iter().map(|line| line.refundable().is_zero()).collect::<Vec<_>>(), [false, true]);
    bench.check_books().await;
}

#[tokio::test]
async fn an_actor_gives_no_more_than_it_has_left_even_if_others_have() {
    let bench = Bench::with(getpaid_payment()).await;
    let of = |key| decided(&bench.payment, &wanted_of(&bench.payment, 0, &[(SUPPLIER, 300)]), key);
    bench.make(&of("one")).await;
    bench.table.take_calls();
    let now = bench.refused(&of("two")).await;
    assert_operations(&bench.table.take_calls(), ONE_TRANSACTION);
    assert_eq!(now.refundable, eur(2800));
    assert_eq!(now.routing.unwrap().refundable.of(&fixtures::actor_id(SUPPLIER)), Some(eur(200)));
    bench.check_books().await;
}

#[tokio::test]
async fn a_full_refund_is_refused_when_less_is_left_than_it_was_decided_on() {
    let bench = Bench::with(getpaid_payment()).await;
    let all = decided(&bench.payment, &wanted(&bench.payment, None), "all");
    bench.make(&decided(&bench.payment, &getpaid_wanted(), "part")).await;
    assert_eq!(bench.refused(&all).await.refundable, eur(1600));
    bench.check_books().await;
}

#[tokio::test]
async fn a_full_refund_is_refused_when_more_is_left_than_it_was_decided_on() {
    let (bench, part) = Bench::with_refund().await;
    let left = bench.stored_payment().await;
    let rest = decided(&left, &wanted(&left, None), "rest");
    bench.settle(&part, fixtures::failed()).await.unwrap().unwrap();
    // It would have been a full refund that leaves something.
    assert_eq!(bench.refused(&rest).await.refundable, eur(3100));
    bench.check_books().await;
}

#[tokio::test]
async fn a_proportional_or_expecting_refund_is_refused_if_another_sum_is_left() {
    let proportional =
        Wanted { routing: Some(WantedRouting::Proportional), ..wanted(&getpaid_payment(), Some(310)) };
    let expecting = Wanted {
        expected_refundable: Some(WrittenAmount::Minor(3100)),
        ..wanted_of(&getpaid_payment(), 0, &[(SELLER, 310)])
    };
    for wish in [proportional, expecting] {
        let bench = Bench::with(getpaid_payment()).await;
        let granted = decided(&bench.payment, &wish, "key");
        bench.make(&decided(&bench.payment, &wanted_of(&bench.payment, 0, &[(SELLER, 1)]), "cent")).await;
        assert_eq!(bench.refused(&granted).await.refundable, eur(3099));
        bench.check_books().await;
    }
}

#[tokio::test]
async fn a_payment_that_does_not_exist_gives_nothing() {
    let bench = Bench::with(getpaid_payment()).await;
    let elsewhere = payment("pay_2", 1000);
    let granted = decided(&elsewhere, &wanted(&elsewhere, None), "key");
    assert!(matches!(bench.reserve(&granted).await, Err(ReserveError::Unavailable(_))));
    assert_eq!(bench.stored_refund(&granted.refund).await, None);
}

#[tokio::test]
async fn payment_and_refund_are_read_in_one_call_if_a_key_names_the_refund() {
    let (bench, refund) = Bench::with_refund().await;
    let (tenant, id) = (&refund.tenant, &refund.payment_id);
    let found = bench.store.payment_and_refund(tenant, id, Some(&refund.id)).await.unwrap();
    assert_operations(&bench.table.take_calls(), &["BatchGetItem"]);
    assert_eq!(found.refund.as_ref(), Some(&refund));
    assert_eq!(found.payment.unwrap().refundable, eur(1600));
    let found = bench.store.payment_and_refund(tenant, id, None).await.unwrap();
    assert_operations(&bench.table.take_calls(), &["GetItem"]);
    assert!(found.refund.is_none() && found.payment.is_some());
}
