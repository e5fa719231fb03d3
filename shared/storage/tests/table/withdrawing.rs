//! A cancel and a hand-over want the same refund: one of them wins, and the money is where the winner says.

use recoup_ports::settlement::{HandedOver, Settle, Settled};
use recoup_testing::Fault;
use recoup_testing::fixtures::{cancelled, eur, later, renamed};

use crate::bench::Bench;

#[tokio::test]
async fn a_refund_that_was_handed_over_is_not_cancelled() {
    let (bench, refund) = Bench::with_refund().await;
    assert_eq!(bench.store.hand_over(&refund, later(1)).await.unwrap(), HandedOver::Yes);
    // The cancel was decided on a read from before.
    let cancel = cancelled(&refund, later(1_000));
    assert_eq!(bench.store.carry_out(&cancel).await.unwrap(), Settled::Overtaken);
    assert_eq!(bench.stored_payment().await.refundable, eur(1600));
    bench.check_books().await;
}

#[tokio::test]
async fn a_refund_that_was_cancelled_is_not_handed_over_and_gives_back_once() {
    let (bench, refund) = Bench::with_refund().await;
    let cancel = cancelled(&refund, later(1_000));
    for _ in 0..2 {
        assert_eq!(bench.store.carry_out(&cancel).await.unwrap(), Settled::Applied);
    }
    assert_eq!(bench.store.hand_over(&refund, later(1)).await.unwrap(), HandedOver::TooLate);
    assert_eq!(bench.stored_refund(&refund).await, Some(cancel.into_refund()));
    assert_eq!(bench.stored_payment().await.refundable, eur(3100));
    bench.check_books().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_changes_of_the_metadata_in_one_millisecond_one_is_overtaken() {
    let (bench, refund) = Bench::with_refund().await;
    let with = |value: &str| renamed(&refund, value, later(1));
    bench.table.fail("UpdateItem", 1, Fault::LoseAnswer);
    assert_eq!(bench.store.carry_out(&with("one")).await.unwrap(), Settled::Applied);
    assert_eq!(bench.store.carry_out(&with("two")).await.unwrap(), Settled::Overtaken);
    assert_eq!(bench.stored_refund(&refund).await, Some(with("one").into_refund()));
}
