//! Disputes beside refunds: the same money is never taken twice, and a repeat changes nothing.

use futures_util::future::join_all;
use recoup_domain::dispute::{DisputeStatus, DisputeWord};
use recoup_domain::payment::{CaptureStatus, Facts, Terms};
use recoup_ports::payments::{KeepDisputes, Moved, Payments, Register};
use recoup_ports::refunds::Reserved;
use recoup_testing::fixtures::{
    SELLER, decided, dispute, eur, facts, failed, getpaid_payment, later, payment, terms, wanted, wanted_of,
};

use crate::bench::{Bench, assert_operations};
use crate::faults_in_reserve::paused;

impl Bench {
    /// As settle-refund does it, until it is written or nothing is new.
    pub(crate) async fn tell_of_dispute(&self, word: &DisputeWord) {
        for _ in 0..20 {
            let read = self.store.payment(&self.payment.tenant, &self.payment.id).await;
            let Ok(Some(payment)) = read else { return };
            let Ok(Some(next)) = payment.told_of_dispute(word) else { return };
            if let Ok(Moved::Applied) | Err(_) = self.store.keep_disputes(&payment, &next).await {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_dispute_is_one_write_and_is_read_back_as_it_was_written() {
    for fresh in [getpaid_payment(), payment("pay_1", 3_100)] {
        let bench = Bench::with(fresh).await;
        let mut before = bench.payment.clone();
        for word in [
            dispute("dp_1", DisputeStatus::Open, 1_500, 1),
            dispute("dp_1", DisputeStatus::Lost, 1_500, 2),
            DisputeWord { reason: None, ..dispute("dp_2", DisputeStatus::Lost, 5_000, 2) },
            dispute("dp_1", DisputeStatus::Won, 1_500, 3),
        ] {
            let after = before.told_of_dispute(&word).unwrap().unwrap();
            assert_eq!(bench.store.keep_disputes(&before, &after).await.unwrap(), Moved::Applied);
            assert_operations(&bench.table.take_calls(), &["UpdateItem"]);
            assert_eq!(bench.store.keep_disputes(&before, &after).await.unwrap(), Moved::Overtaken);
            assert_eq!(bench.stored_payment().await, after);
            bench.table.take_calls();
            before = after;
        }
        bench.check_books().await;
    }
}

/// The lost dispute was decided on what was left before the refund, or before another actor gave.
#[tokio::test]
async fn a_lost_dispute_takes_nothing_that_a_refund_took_meanwhile() {
    let bench = Bench::with(getpaid_payment()).await;
    let word = dispute("dp_1", DisputeStatus::Lost, 100, 1);
    let lost = bench.payment.told_of_dispute(&word).unwrap().unwrap();
    let granted = decided(&bench.payment, &wanted_of(&bench.payment, 0, &[(SELLER, 1_000)]), "key");
    bench.make(&granted).await;
    assert_eq!(bench.store.keep_disputes(&bench.payment, &lost).await.unwrap(), Moved::Overtaken);
    bench.tell_of_dispute(&dispute("dp_1", DisputeStatus::Lost, 3_100, 1)).await;
    let payment = bench.stored_payment().await;
    assert_eq!((payment.refundable, payment.charged_back()), (eur(0), Some(eur(2_100))));
    bench.check_books().await;
    // It failed: what came back is the dispute's.
    bench.settle(&granted.refund, failed()).await.unwrap().unwrap();
    let payment = bench.stored_payment().await;
    assert!(payment.is_disputed());
    let taken = payment.charged_back_again().unwrap();
    assert_eq!(bench.store.keep_disputes(&payment, &taken).await.unwrap(), Moved::Applied);
    assert_eq!(bench.stored_payment().await.refundable, eur(0));
    bench.check_books().await;
}

#[tokio::test]
async fn a_refund_decided_before_a_dispute_is_refused_after_it() {
    let bench = Bench::with(payment("pay_1", 3_100)).await;
    let granted = decided(&bench.payment, &wanted(&bench.payment, Some(100)), "key");
    bench.tell_of_dispute(&dispute("dp_1", DisputeStatus::Open, 1_500, 1)).await;
    let changed = bench.refused(&granted).await;
    assert!(changed.is_disputed());
    bench.tell_of_dispute(&dispute("dp_1", DisputeStatus::Won, 1_500, 2)).await;
    // Decided while it was open for refunds still, and another word came.
    let now = bench.stored_payment().await;
    let granted = decided(&now, &wanted(&now, Some(100)), "key");
    bench.make(&granted).await;
    bench.check_books().await;
}

#[test]
fn refunds_and_lost_disputes_at_once_never_take_the_same_money() {
    paused(async {
        for fresh in [getpaid_payment(), payment("pay_1", 3_100)] {
            let bench = Bench::with(fresh).await;
            let wish = match bench.payment.routing {
                Some(_) => wanted_of(&bench.payment, 0, &[(SELLER, 700)]),
                None => wanted(&bench.payment, Some(700)),
            };
            let granted: Vec<_> =
                (0..4).map(|n| decided(&bench.payment, &wish, &format!("key-{n}"))).collect();
            let words: Vec<_> =
                (0..3).map(|n| dispute(&format!("dp_{n}"), DisputeStatus::Lost, 1_300, 1)).collect();
            let reserved = join_all(granted.iter().map(|granted| bench.reserve(granted)));
            let told = join_all(words.iter().map(|word| bench.tell_of_dispute(word)));
            let (reserved, _) = futures_util::future::join(reserved, told).await;
            let held = reserved.iter().filter(|one| matches!(one, Ok(Reserved::New))).count() as u64 * 700;
            let payment = bench.stored_payment().await;
            let taken = payment.charged_back().unwrap().minor();
            assert_eq!(payment.disputes.list.len(), 3);
            assert_eq!(held + taken + payment.refundable.minor(), 3_100);
            assert_eq!(taken, (3_100 - held).min(3_900));
            bench.check_books().await;
        }
    });
}

#[tokio::test]
async fn the_amount_of_a_disputed_payment_is_not_corrected() {
    let bench = Bench::with(payment("pay_1", 3_100)).await;
    bench.tell_of_dispute(&dispute("dp_1", DisputeStatus::Lost, 1_500, 1)).await;
    let stored = bench.stored_payment().await;
    let processing = Facts { status: CaptureStatus::Completed, ..facts() };
    let corrected = stored.corrected_to(Terms { ..terms(900) }, processing, later(1)).unwrap();
    assert_eq!(bench.store.correct(&corrected).await.unwrap(), Moved::Overtaken);
    assert_eq!(bench.stored_payment().await, stored);
}
