//! Every outcome of a move is told by its one write, and money goes back exactly once.

use recoup_domain::refund::{Outcome, Refund};
use recoup_ports::settlement::{HandedOver, Settle, SettleError, Settled};
use recoup_testing::fixtures::{
    self, SELLER, decided, eur, failed, getpaid_payment, later, moved, succeeded, wanted_lines, wanted_of,
};

use crate::bench::{Bench, assert_operations};

#[tokio::test]
async fn a_success_is_written_once_and_touches_no_payment() {
    let (bench, refund) = Bench::with_refund().await;
    let before = bench.stored_payment().await;
    bench.table.take_calls();
    let next = moved(&refund, succeeded());
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    assert_operations(&bench.table.take_calls(), &["UpdateItem"]);
    assert_eq!(bench.stored_refund(&refund).await, Some(next.into_refund()));
    assert_eq!(bench.stored_payment().await, before);
    bench.check_books().await;
}

#[tokio::test]
async fn the_very_same_move_again_was_applied_and_another_is_overtaken() {
    let (bench, refund) = Bench::with_refund().await;
    let next = moved(&refund, succeeded());
    bench.store.carry_out(&next).await.unwrap();
    bench.table.take_calls();
    // An answer that was lost: the same move, told so.
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    // A duplicate message, a second later on another clock.
    let late = refund.step(succeeded(), later(9_000)).unwrap();
    assert_eq!(bench.store.carry_out(&late).await.unwrap(), Settled::Overtaken);
    let pending = moved(&refund, Outcome::Pending);
    assert_eq!(bench.store.carry_out(&pending).await.unwrap(), Settled::Overtaken);
    assert_operations(&bench.table.take_calls(), &["UpdateItem"; 3]);
    assert_eq!(bench.stored_refund(&refund).await, Some(next.into_refund()));
}

#[tokio::test]
async fn a_failure_returns_every_amount_to_the_actor_it_came_from_exactly_once() {
    let (bench, refund) = Bench::with_refund().await;
    let next = moved(&refund, failed());
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    assert_operations(&bench.table.take_calls(), &["TransactWriteItems"]);
    let restored = bench.stored_payment().await;
    assert_eq!((restored.refundable, &restored.routing), (eur(3100), &bench.payment.routing));

    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    let late = refund.step(failed(), later(9_000)).unwrap();
    assert_eq!(bench.store.carry_out(&late).await.unwrap(), Settled::Overtaken);
    assert_eq!(bench.stored_payment().await, restored);
    assert_eq!(bench.stored_refund(&refund).await, Some(next.into_refund()));
    bench.check_books().await;
}

#[tokio::test]
async fn a_failure_frees_its_lines_and_only_those() {
    let bench = Bench::with(getpaid_payment()).await;
    let of = async |key, line, seller| {
        let mut wish = wanted_lines(&bench.payment, &[line]);
        wish.amount = Some(recoup_domain::money::WrittenAmount::Minor(seller));
        wish.routing = wanted_of(&bench.payment, 0, &[(SELLER, seller)]).routing;
        let granted = decided(&bench.stored_payment().await, &wish, key);
        bench.make(&granted).await;
        granted
    };
    let (one, two) = (of("one", "iid_1", 1000).await, of("two", "iid_2", 1000).await);
    bench.settle(&one.refund, failed()).await.unwrap().unwrap();
    let lines = bench.stored_payment().await.lines;
    assert_eq!(lines.iter().map(|line| line.refundable().is_zero()).collect::<Vec<_>>(), [false, true]);
    bench.settle(&two.refund, failed()).await.unwrap().unwrap();
    assert_eq!(bench.stored_payment().await.lines, bench.payment.lines);
    // Freed lines can be refunded again.
    of("three", "iid_1", 1000).await;
    bench.check_books().await;
}

#[tokio::test]
async fn a_success_that_is_taken_back_gives_the_money_back() {
    let (bench, refund) = Bench::with_refund().await;
    let done = moved(&refund, succeeded());
    bench.store.carry_out(&done).await.unwrap();
    let failed = moved(done.to(), failed());
    assert_eq!(bench.store.carry_out(&failed).await.unwrap(), Settled::Applied);
    assert_eq!(bench.stored_payment().await.refundable, eur(3100));
    assert_eq!(bench.stored_refund(&refund).await, Some(failed.into_refund()));
    bench.check_books().await;
}

#[tokio::test]
async fn success_and_failure_at_once_leave_one_of_them() {
    for failure_first in [true, false] {
        let (bench, refund) = Bench::with_refund().await;
        let outcomes = if failure_first { [failed(), succeeded()] } else { [succeeded(), failed()] };
        let [first, second] = outcomes;
        assert_eq!(bench.settle(&refund, first).await.unwrap().unwrap(), Settled::Applied);
        assert_eq!(bench.settle(&refund, second).await.unwrap().unwrap(), Settled::Overtaken);
        let left = if failure_first { 3100 } else { 1600 };
        assert_eq!(bench.stored_payment().await.refundable, eur(left));
        bench.check_books().await;
    }
}

#[tokio::test]
async fn each_state_leaves_nothing_of_the_one_before() {
    let (bench, refund) = Bench::with_refund().await;
    let mut from = refund;
    for outcome in [Outcome::Unknown, Outcome::Pending, succeeded(), failed()] {
        let next = moved(&from, outcome.clone());
        assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
        assert_eq!(bench.stored_refund(&from).await.as_ref(), Some(next.to()));
        from = next.into_refund();
    }
    let item = bench.table.item("refund").await;
    assert!(!item.contains_key("pending_reason"));
    assert_eq!(item["failure_code"].as_s().unwrap(), "declined");
}

#[tokio::test]
async fn a_refund_on_its_way_is_handed_over_and_the_first_time_is_kept() {
    let (bench, refund) = Bench::with_refund().await;
    assert_eq!(bench.store.hand_over(&refund, later(100)).await.unwrap(), HandedOver::Yes);
    assert_operations(&bench.table.take_calls(), &["UpdateItem"]);
    let pending = moved(&refund, Outcome::Pending);
    bench.store.carry_out(&pending).await.unwrap();
    assert_eq!(bench.store.hand_over(&refund, later(100)).await.unwrap(), HandedOver::Yes, "a repeat");
    assert_eq!(bench.store.hand_over(pending.to(), later(200)).await.unwrap(), HandedOver::TooLate);
    let stored = bench.stored_refund(&refund).await.unwrap();
    assert_eq!(stored, Refund { handed_over_at: Some(later(100)), ..pending.into_refund() });
}

#[tokio::test]
async fn a_refund_that_has_ended_or_never_was_is_not_handed_over() {
    for outcome in [succeeded(), failed()] {
        let (bench, refund) = Bench::with_refund().await;
        bench.settle(&refund, outcome).await.unwrap().unwrap();
        bench.table.take_calls();
        assert_eq!(bench.store.hand_over(&refund, later(100)).await.unwrap(), HandedOver::TooLate);
        assert_operations(&bench.table.take_calls(), &["UpdateItem"]);
        assert_eq!(bench.stored_refund(&refund).await.unwrap().handed_over_at, None);
    }
    let bench = Bench::with(getpaid_payment()).await;
    let never = decided(&bench.payment, &fixtures::getpaid_wanted(), "key").refund;
    assert_eq!(bench.store.hand_over(&never, later(100)).await.unwrap(), HandedOver::TooLate);
    assert_eq!(bench.stored_refund(&never).await, None);
}

#[tokio::test]
async fn books_without_the_refund_or_its_payment_are_named_and_stay_as_they_are() {
    let bench = Bench::with(getpaid_payment()).await;
    let never = decided(&bench.payment, &fixtures::getpaid_wanted(), "key").refund;
    for outcome in [succeeded(), failed()] {
        let settled = bench.settle(&never, outcome).await.unwrap();
        assert!(matches!(settled, Err(SettleError::Missing)), "{settled:?}");
    }
    assert_eq!(bench.stored_payment().await, bench.payment);
    assert_eq!(bench.stored_refund(&never).await, None);

    let (bench, refund) = Bench::with_refund().await;
    let payment = bench.table.item("payment").await;
    let key = ["pk", "sk"].map(|name| (name.to_owned(), payment[name].clone()));
    let delete = bench.table.plain().delete_item().table_name(bench.table.name());
    delete.set_key(Some(key.into())).send().await.unwrap();
    let settled = bench.settle(&refund, failed()).await.unwrap();
    assert!(matches!(settled, Err(SettleError::Missing)), "{settled:?}");
    assert_eq!(bench.stored_refund(&refund).await, Some(refund));
}
