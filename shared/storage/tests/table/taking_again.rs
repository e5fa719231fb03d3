//! A success after a failure takes the money again exactly once, or not at all; then a person is called.

use recoup_domain::decide::Refusal;
use recoup_domain::money::WrittenAmount;
use recoup_domain::refund::{Amounts, Flag, Move, Outcome, Refund, State};
use recoup_domain::wanted::Wanted;
use recoup_ports::settlement::{Settle, SettleError, Settled};
use recoup_testing::Fault;
use recoup_testing::fixtures::{
    self, SELLER, SUPPLIER, cancelled, decided, eur, failed, getpaid_payment, later, renamed, succeeded,
    wanted, wanted_lines, wanted_of,
};

use crate::bench::{Bench, assert_operations};
use crate::faults_in_reserve::paused;

/// A wish for one line, given by the seller alone.
fn of_line(bench: &Bench, line: &str) -> Wanted {
    let mut wish = wanted_lines(&bench.payment, &[line]);
    wish.amount = Some(WrittenAmount::Minor(1_000));
    wish.routing = wanted_of(&bench.payment, 0, &[(SELLER, 1_000)]).routing;
    wish
}

/// A refund that has failed, so that its amounts are refundable again.
async fn failed_one(wish: impl FnOnce(&Bench) -> Wanted) -> (Bench, Refund) {
    let bench = Bench::with(getpaid_payment()).await;
    let granted = decided(&bench.payment, &wish(&bench), "key");
    bench.make(&granted).await;
    assert_eq!(bench.settle(&granted.refund, failed()).await.unwrap().unwrap(), Settled::Applied);
    let failed = bench.stored_refund(&granted.refund).await.unwrap();
    bench.table.take_calls();
    (bench, failed)
}

async fn failed_getpaid_refund() -> (Bench, Refund) {
    failed_one(|_| fixtures::getpaid_wanted()).await
}

/// What the processor's late success makes of it.
fn after_all(failed: &Refund) -> Move {
    let next = failed.step(succeeded(), later(9_000)).unwrap();
    assert_eq!(next.amounts(), Amounts::TakeAgain);
    next
}

#[tokio::test]
async fn a_success_after_a_failure_retakes_every_amount_from_its_actor() {
    let (bench, failed) = failed_getpaid_refund().await;
    let next = after_all(&failed);
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    let calls = bench.table.take_calls();
    println!("settle, success after a failure: {calls}");
    assert_operations(&calls, &["TransactWriteItems"]);
    assert!(calls.write_units() > 0.0 && calls.write_units() <= 4.0, "{calls}");
    assert_eq!((calls.read_units(), calls.index_units()), (0.0, 0.0), "{calls}");

    let payment = bench.stored_payment().await;
    let parts: Vec<u64> = payment.routing.unwrap().refundable.parts().map(|(_, part)| part.minor()).collect();
    assert_eq!((payment.refundable, parts), (eur(1_600), vec![100, 1_500, 0]));
    assert_eq!(payment.refunds, std::slice::from_ref(&failed.id), "it is the same refund, not another");
    let stored = bench.stored_refund(&failed).await.unwrap();
    assert_eq!((&stored.version.state, stored.version.sequence), (&State::Succeeded, 3));
    assert_eq!(stored, next.into_refund());
    let item = bench.table.item("refund").await;
    assert!(!item.contains_key("failure_code") && !item.contains_key("failure_message"));
    bench.check_books().await;
}

#[tokio::test]
async fn the_very_same_taking_again_was_applied_and_another_is_overtaken() {
    let (bench, failed) = failed_getpaid_refund().await;
    let next = after_all(&failed);
    for _ in 0..3 {
        assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    }
    let late = failed.step(succeeded(), later(10_000)).unwrap();
    assert_eq!(bench.store.carry_out(&late).await.unwrap(), Settled::Overtaken);
    assert_operations(&bench.table.take_calls(), &["TransactWriteItems"; 4]);
    assert_eq!(bench.stored_payment().await.refundable, eur(1_600), "taken once");
    assert_eq!(bench.stored_refund(&failed).await, Some(next.into_refund()));
    bench.check_books().await;
}

#[tokio::test]
async fn a_repeat_is_recognised_even_where_the_money_is_gone_by_then() {
    let (bench, failed) = failed_getpaid_refund().await;
    let next = after_all(&failed);
    bench.store.carry_out(&next).await.unwrap();
    let rest = decided(&bench.stored_payment().await, &wanted(&bench.payment, None), "rest");
    bench.make(&rest).await;
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    assert_eq!(bench.stored_payment().await.refundable, eur(0));
    bench.check_books().await;
}

#[tokio::test]
async fn what_moved_meanwhile_is_not_taken_again() {
    let (bench, failed) = failed_getpaid_refund().await;
    let renamed = renamed(&failed, "another", later(8_000));
    assert_eq!(bench.store.carry_out(&renamed).await.unwrap(), Settled::Applied);
    let next = after_all(&failed);
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Overtaken);
    assert_eq!(bench.stored_payment().await.refundable, eur(3_100));
    assert_eq!(bench.stored_refund(&failed).await, Some(renamed.into_refund()));
    bench.check_books().await;
}

/// Other refunds that leave too little: of everybody, of one actor, of the lines.
#[tokio::test]
async fn money_that_is_gone_is_not_taken_and_nothing_moves() {
    type Wish = fn(&Bench) -> Wanted;
    let getpaid: Wish = |_| fixtures::getpaid_wanted();
    let cases: [(&str, Wish, Wish); 3] = [
        ("all of it", getpaid, |bench| wanted(&bench.payment, None)),
        ("one cent too few of one actor", getpaid, |bench| wanted_of(&bench.payment, 0, &[(SUPPLIER, 1)])),
        ("the same line", |bench| of_line(bench, "iid_1"), |bench| of_line(bench, "iid_1")),
    ];
    for (case, wish, of_another) in cases {
        let (bench, failed) = failed_one(wish).await;
        let another = decided(&bench.stored_payment().await, &of_another(&bench), "another");
        bench.make(&another).await;
        let before = bench.stored_payment().await;
        bench.table.take_calls();
        let taken = bench.store.carry_out(&after_all(&failed)).await;
        assert_eq!(taken.unwrap(), Settled::NothingLeft, "{case}");
        assert_eq!(bench.stored_payment().await, before, "{case}");
        // Nothing but the mark: a person has to look.
        let flagged = Refund { flag: Some(Flag::SucceededAfterFailure), ..failed.clone() };
        assert_eq!(bench.stored_refund(&failed).await, Some(flagged), "{case}");
        bench.check_books().await;
    }
}

#[tokio::test]
async fn an_unrouted_payment_that_lacks_one_cent_in_total_keeps_all_it_has() {
    for (left, taken) in [(700, Settled::Applied), (699, Settled::NothingLeft)] {
        let bench = Bench::with(fixtures::payment("pay_1", 1_000)).await;
        let granted = decided(&bench.payment, &wanted(&bench.payment, Some(700)), "key");
        bench.make(&granted).await;
        bench.settle(&granted.refund, failed()).await.unwrap().unwrap();
        let failed = bench.stored_refund(&granted.refund).await.unwrap();
        let another = wanted(&bench.payment, Some(1_000 - left));
        bench.make(&decided(&bench.stored_payment().await, &another, "another")).await;
        let told = bench.store.carry_out(&after_all(&failed)).await;
        assert_eq!(told.unwrap(), taken);
        let expected = if taken == Settled::Applied { 0 } else { left };
        assert_eq!(bench.stored_payment().await.refundable, eur(expected));
        bench.check_books().await;
    }
}

#[tokio::test]
async fn lines_are_covered_again() {
    let (bench, failed) = failed_one(|bench| of_line(bench, "iid_1")).await;
    bench.store.carry_out(&after_all(&failed)).await.unwrap();
    let payment = bench.stored_payment().await;
    let covered: Vec<bool> = payment.lines.iter().map(|line| line.refundable().is_zero()).collect();
    assert_eq!(covered, [true, false]);
    let again = fixtures::judged(&payment, &of_line(&bench, "iid_1"), "another");
    assert!(matches!(again, Err(Refusal::LineTaken(_))), "{again:?}");
    bench.check_books().await;
}

#[tokio::test]
async fn a_success_after_a_cancel_takes_the_money_again_too() {
    let (bench, refund) = Bench::with_refund().await;
    let cancelled = cancelled(&refund, later(1_000));
    assert_eq!(bench.store.carry_out(&cancelled).await.unwrap(), Settled::Applied);
    assert_eq!(bench.settle(cancelled.to(), succeeded()).await.unwrap().unwrap(), Settled::Applied);
    let stored = bench.stored_refund(&refund).await.unwrap();
    assert_eq!((&stored.version.state, stored.version.sequence), (&State::Succeeded, 3));
    assert_eq!(bench.stored_payment().await.refundable, eur(1_600));
    bench.check_books().await;
}

#[tokio::test]
async fn books_that_lack_the_payment_are_named_and_stay_as_they_are() {
    let (bench, failed) = failed_getpaid_refund().await;
    let payment = bench.table.item("payment").await;
    let key = ["pk", "sk"].map(|name| (name.to_owned(), payment[name].clone()));
    let delete = bench.table.plain().delete_item().table_name(bench.table.name());
    delete.set_key(Some(key.into())).send().await.unwrap();
    let taken = bench.store.carry_out(&after_all(&failed)).await;
    assert!(matches!(taken, Err(SettleError::Missing)), "{taken:?}");
    assert_eq!(bench.stored_refund(&failed).await, Some(failed));
}

#[tokio::test]
async fn a_success_whose_money_is_gone_flags_the_refund_and_announces_nothing() {
    let (bench, failed) = failed_getpaid_refund().await;
    let all = decided(&bench.stored_payment().await, &wanted(&bench.payment, None), "all");
    bench.make(&all).await;
    bench.table.take_calls();
    let settled = bench.settle(&failed, succeeded()).await.unwrap();
    assert_eq!(settled.unwrap(), Settled::NothingLeft);
    let calls = bench.table.take_calls();
    assert_operations(&calls, &["TransactWriteItems", "UpdateItem"]);
    assert!(calls.write_units() <= 5.0, "{calls}");
    assert_eq!(calls.index_units(), 0.0, "{calls}");
    let flagged = Refund { flag: Some(Flag::SucceededAfterFailure), ..failed.clone() };
    assert_eq!(bench.stored_refund(&failed).await, Some(flagged.clone()));

    // Once there is money again, the same word takes it, and nobody has to look any more.
    assert_eq!(bench.settle(&all.refund, fixtures::failed()).await.unwrap().unwrap(), Settled::Applied);
    assert_eq!(bench.settle(&flagged, succeeded()).await.unwrap().unwrap(), Settled::Applied);
    let stored = bench.stored_refund(&failed).await.unwrap();
    assert_eq!((&stored.version.state, stored.flag), (&State::Succeeded, None));
    bench.check_books().await;
}

#[tokio::test]
async fn a_flag_can_be_set_again_and_another_change_leaves_it() {
    let (bench, failed) = failed_getpaid_refund().await;
    let all = decided(&bench.stored_payment().await, &wanted(&bench.payment, None), "all");
    bench.make(&all).await;
    let flagged = Refund { flag: Some(Flag::SucceededAfterFailure), ..failed.clone() };
    for _ in 0..2 {
        bench.table.take_calls();
        let settled = bench.settle(&failed, succeeded()).await.unwrap();
        assert_eq!(settled.unwrap(), Settled::NothingLeft);
        let calls = bench.table.take_calls();
        assert_operations(&calls, &["TransactWriteItems", "UpdateItem"]);
        assert_eq!((calls.write_units(), calls.index_units()), (1.0, 0.0), "{calls}");
        assert_eq!(bench.stored_refund(&failed).await, Some(flagged.clone()));
    }
    let renamed = renamed(&failed, "another", later(8_000));
    assert_eq!(bench.store.carry_out(&renamed).await.unwrap(), Settled::Applied);
    assert_eq!(bench.stored_refund(&failed).await.unwrap().flag, flagged.flag);
}

/// A flag that does not stick must not be told as one that did: nobody would come to look.
#[tokio::test]
async fn whoever_is_overtaken_between_the_refusal_and_the_flag_looks_again() {
    let (bench, failed) = failed_getpaid_refund().await;
    let all = decided(&bench.stored_payment().await, &wanted(&bench.payment, None), "all");
    bench.make(&all).await;
    let (others, renamed) = (bench.table.others(), renamed(&failed, "another", later(8_000)));
    let rename = move || {
        let (others, renamed) = (others.clone(), renamed.clone());
        async move { assert_eq!(others.carry_out(&renamed).await.unwrap(), Settled::Applied) }
    };
    bench.table.fail("TransactWriteItems", 1, Fault::meanwhile(rename));
    assert_eq!(bench.store.carry_out(&after_all(&failed)).await.unwrap(), Settled::Overtaken);
    assert_eq!(bench.stored_refund(&failed).await.unwrap().flag, None);
}

#[test]
fn a_taking_again_whose_answer_was_lost_takes_once() {
    paused(async {
        for fault in [Fault::LoseAnswer, Fault::AnswerTooLate, Fault::conflict([false, true])] {
            let (bench, failed) = failed_getpaid_refund().await;
            let next = after_all(&failed);
            bench.table.fail("TransactWriteItems", 2, fault);
            assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
            assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
            assert_eq!(bench.stored_payment().await.refundable, eur(1_600));
            assert_eq!(bench.stored_refund(&failed).await, Some(next.into_refund()));
            bench.check_books().await;
        }
    });
}

#[tokio::test]
async fn a_wavering_processor_moves_the_money_to_and_fro_and_never_twice() {
    let (bench, refund) = Bench::with_refund().await;
    let mut from = refund;
    for (outcome, left) in [
        (succeeded(), 1_600),
        (failed(), 3_100),
        (succeeded(), 1_600),
        (failed(), 3_100),
        (succeeded(), 1_600),
    ] {
        assert_eq!(bench.settle(&from, outcome).await.unwrap().unwrap(), Settled::Applied);
        assert_eq!(bench.stored_payment().await.refundable, eur(left));
        from = bench.stored_refund(&from).await.unwrap();
        bench.check_books().await;
    }
    assert!(bench.settle(&from, Outcome::Pending).await.is_none());
}
