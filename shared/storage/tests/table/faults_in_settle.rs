//! What goes wrong on the way to the table while a refund ends: nothing is given back twice, no end is lost.

use proptest::prelude::*;
use recoup_domain::refund::{Refund, State};
use recoup_ports::WriteError;
use recoup_ports::settlement::{HandedOver, Settle, SettleError, Settled};
use recoup_testing::Fault;
use recoup_testing::fixtures::{eur, failed, later, moved, succeeded};

use crate::bench::Bench;
use crate::faults_in_reserve::{any_fault, paused};

const TRANSACTION: &str = "TransactWriteItems";
const UPDATE: &str = "UpdateItem";
const TRIES_MAX: usize = 9;

impl Bench {
    async fn assert_given_back_once(&self) {
        assert_eq!(self.stored_payment().await.refundable, eur(3100));
        self.check_books().await;
    }

    async fn assert_unchanged(&self, refund: &Refund) {
        assert_eq!(self.stored_refund(refund).await.as_ref(), Some(refund));
        assert_eq!(self.stored_payment().await.refundable, eur(1600));
        self.check_books().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_answer_was_lost_was_applied_and_is_known_to_be() {
    for fault in [Fault::LoseAnswer, Fault::AnswerTooLate] {
        let (bench, refund) = Bench::with_refund().await;
        bench.table.fail(UPDATE, 2, fault);
        let next = moved(&refund, succeeded());
        assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
        assert_eq!(bench.stored_refund(&refund).await.as_ref(), Some(next.to()));
        bench.check_books().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_of_which_every_answer_was_lost_can_be_repeated() {
    let (bench, refund) = Bench::with_refund().await;
    bench.table.fail(UPDATE, 3, Fault::LoseAnswer);
    let next = moved(&refund, succeeded());
    let moved = bench.store.carry_out(&next).await;
    assert!(matches!(moved, Err(SettleError::Unavailable(_))), "{moved:?}");
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    assert_eq!(bench.stored_refund(&refund).await.as_ref(), Some(next.to()));
}

#[tokio::test(start_paused = true)]
async fn a_single_write_waits_until_a_transaction_is_out_of_its_way() {
    let (bench, refund) = Bench::with_refund().await;
    bench.table.fail(UPDATE, 4, Fault::write_conflict());
    assert_eq!(bench.store.hand_over(&refund, later(1)).await.unwrap(), HandedOver::Yes);
    bench.table.fail(UPDATE, 4, Fault::write_conflict());
    let next = moved(&refund, succeeded());
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    bench.check_books().await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_gets_through_is_unavailable_after_bounded_tries() {
    for fault in [Fault::write_conflict(), Fault::throttled(), Fault::server_error(), Fault::LoseRequest] {
        let (bench, refund) = Bench::with_refund().await;
        bench.table.fail_always(UPDATE, fault);
        let moved = bench.store.carry_out(&moved(&refund, succeeded())).await;
        assert!(matches!(moved, Err(SettleError::Unavailable(_) | SettleError::Contended)), "{moved:?}");
        let handed_over = bench.store.hand_over(&refund, later(1)).await;
        assert!(matches!(handed_over, Err(WriteError::Unavailable(_))), "{handed_over:?}");
        assert!(bench.table.take_calls().count() <= 2 * TRIES_MAX);
        bench.assert_unchanged(&refund).await;
    }
}

#[tokio::test(start_paused = true)]
async fn handing_over_survives_a_lost_answer() {
    for fault in [Fault::LoseAnswer, Fault::AnswerTooLate] {
        let (bench, refund) = Bench::with_refund().await;
        bench.table.fail(UPDATE, 1, fault);
        assert_eq!(bench.store.hand_over(&refund, later(1)).await.unwrap(), HandedOver::Yes);
        let stored = bench.stored_refund(&refund).await.unwrap();
        assert_eq!((stored.handed_over_at, stored.version.sequence), (Some(later(1)), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_give_back_whose_answer_was_lost_gives_back_once() {
    for fault in [Fault::LoseAnswer, Fault::AnswerTooLate] {
        for times in [1, 2, 3] {
            let (bench, refund) = Bench::with_refund().await;
            bench.table.fail(TRANSACTION, times, fault.clone());
            let next = moved(&refund, failed());
            let given = bench.store.carry_out(&next).await;
            if times < 3 {
                assert_eq!(given.unwrap(), Settled::Applied);
            } else {
                assert!(matches!(given, Err(SettleError::Unavailable(_))), "{given:?}");
            }
            // The job comes again, whatever its first try was told.
            assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
            assert_eq!(bench.stored_refund(&refund).await.as_ref(), Some(next.to()));
            bench.assert_given_back_once().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_give_back_waits_out_those_who_write_the_payment() {
    for in_conflict in [[true, false], [false, true], [true, true]] {
        let (bench, refund) = Bench::with_refund().await;
        bench.table.fail(TRANSACTION, 5, Fault::conflict(in_conflict));
        let next = moved(&refund, failed());
        assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
        assert_eq!(bench.table.take_calls().count(), 6);
        bench.assert_given_back_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_give_back_that_never_gets_through_changes_nothing_and_is_bounded() {
    let (bench, refund) = Bench::with_refund().await;
    let next = moved(&refund, failed());
    bench.table.fail_always(TRANSACTION, Fault::conflict([false, true]));
    let given = bench.store.carry_out(&next).await;
    assert!(matches!(given, Err(SettleError::Contended)), "{given:?}");
    assert_eq!(bench.table.take_calls().count(), TRIES_MAX);
    bench.assert_unchanged(&refund).await;
    bench.table.heal();
    bench.table.fail_always(TRANSACTION, Fault::throttled());
    let given = bench.store.carry_out(&next).await;
    assert!(matches!(given, Err(SettleError::Unavailable(_))), "{given:?}");
    bench.assert_unchanged(&refund).await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn whatever_goes_wrong_an_end_is_reached_once_and_money_goes_back_once(
        faults in prop::collection::vec((any_fault(), 1_u32..4), 1..5), fails in any::<bool>(),
    ) {
        paused(async {
            let (bench, refund) = Bench::with_refund().await;
            for (fault, times) in faults {
                bench.table.fail(TRANSACTION, times, fault.clone());
                // A single write is cancelled under another name.
                let cancelled = matches!(&fault, Fault::Refuse(_, body) if body.to_string().contains("Transaction"));
                bench.table.fail(UPDATE, times, if cancelled { Fault::write_conflict() } else { fault });
            }
            let next = moved(&refund, if fails { failed() } else { succeeded() });
            // As a queue does: again until it is done. There are at most twelve faults for each operation.
            for _ in 0..25 {
                if bench.store.hand_over(&refund, later(1)).await.is_err() {
                    continue;
                }
                match bench.store.carry_out(&next).await {
                    Ok(Settled::Applied) => break,
                    Ok(Settled::Overtaken | Settled::NothingLeft) => panic!("nobody else was there"),
                    Err(SettleError::Missing | SettleError::Unreadable { .. }) => panic!("both are there"),
                    Err(SettleError::Contended | SettleError::Unavailable(_)) => {}
                }
                bench.check_books().await;
                // An earlier try may have ended it, and then nobody hands it over again.
                if bench.stored_refund(&refund).await.unwrap().version.state == next.to().version.state {
                    break;
                }
            }
            let stored = bench.stored_refund(&refund).await.unwrap();
            assert_eq!(stored.version.state, next.to().version.state);
            assert_eq!(stored.version.sequence, 2);
            let left = if matches!(next.to().version.state, State::Failed(_)) { 3100 } else { 1600 };
            assert_eq!(bench.stored_payment().await.refundable, eur(left));
            bench.check_books().await;
        });
    }
}
