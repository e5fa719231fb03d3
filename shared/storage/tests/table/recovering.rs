//! The parts of a refund are written over what was read of them, and over nothing else.

use recoup_domain::recovery::{PartState, Shape, SplitTerms, Taken};
use recoup_domain::refund::Refund;
use recoup_domain::text::Metadata;
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::fixtures::{
    SELLER, SUPPLIER, actor_id, decided, failed, getpaid_payment, getpaid_wanted, later, moved, succeeded,
    text,
};

use crate::bench::{Bench, assert_operations};

/// A refund whose customer is paid, and whose two merchants have yet to give.
async fn paid() -> (Bench, Refund) {
    let mut payment = getpaid_payment();
    payment.processor.account = Some(text("acct_1"));
    let transfers = [SELLER, SUPPLIER].map(|to| (actor_id(to), text(&format!("tr_{to}")))).into();
    payment.processor.split = Some(SplitTerms { shape: Shape::Apart, transfers });
    let bench = Bench::with(payment).await;
    assert_eq!(bench.stored_payment().await.processor, bench.payment.processor);
    let granted = decided(&bench.payment, &getpaid_wanted(), "key");
    bench.make(&granted).await;
    let refund = granted.refund;
    let next = moved(&refund, succeeded());
    bench.table.take_calls();
    assert_eq!(bench.store.carry_out(&next).await.unwrap(), Settled::Applied);
    assert_operations(&bench.table.take_calls(), &["UpdateItem"]);
    let stored = bench.stored_refund(&refund).await.unwrap();
    assert_eq!(stored, next.into_refund());
    (bench, stored)
}

fn marked(refund: &Refund) -> Refund {
    Refund { recovery: refund.parts_asked(later(1)), ..refund.clone() }
}

fn told(refund: &Refund, answers: &[(usize, Taken)]) -> Refund {
    let next = Refund { recovery: refund.parts_after(answers, later(2)), ..refund.clone() };
    next.asking(next.asked_again(&recoup_domain::refund::Outcome::Pending, later(2), 1_000))
}

#[tokio::test]
async fn what_is_known_of_parts_is_written_once_and_told_to_nobody() {
    let (bench, paid) = paid().await;
    let asked = marked(&paid);
    for _ in 0..2 {
        assert_eq!(bench.store.record_parts(&paid, &asked).await.unwrap(), Settled::Applied);
    }
    assert_eq!(bench.stored_refund(&paid).await.unwrap(), asked);
    let yes = Taken::Yes { reference: text("trr_1") };
    let next = told(&asked, &[(1, yes), (2, Taken::Short)]);
    for _ in 0..2 {
        assert_eq!(bench.store.record_parts(&asked, &next).await.unwrap(), Settled::Applied);
    }
    let stored = bench.stored_refund(&paid).await.unwrap();
    assert_eq!((&stored, stored.version.sequence), (&next, paid.version.sequence));
    let refused = told(&next, &[(2, Taken::Refused)]);
    let done = Refund { wait: None, ..refused };
    assert_eq!(bench.store.record_parts(&next, &done).await.unwrap(), Settled::Applied);
    assert_eq!(bench.stored_refund(&paid).await.unwrap(), done);
}

#[tokio::test]
async fn parts_that_somebody_else_asked_for_are_not_overwritten() {
    let (bench, paid) = paid().await;
    let asked = marked(&paid);
    bench.store.record_parts(&paid, &asked).await.unwrap();
    // A second worker that read before the first one wrote.
    let other = Refund { recovery: paid.parts_asked(later(3)), ..paid.clone() };
    assert_eq!(bench.store.record_parts(&paid, &other).await.unwrap(), Settled::Overtaken);
    let short = told(&asked, &[(1, Taken::Short), (2, Taken::Short)]);
    bench.store.record_parts(&asked, &short).await.unwrap();
    let late = told(&asked, &[(1, Taken::Refused)]);
    assert_eq!(bench.store.record_parts(&asked, &late).await.unwrap(), Settled::Overtaken, "another turn");
    assert_eq!(bench.stored_refund(&paid).await.unwrap(), short);
}

#[tokio::test]
async fn who_settles_over_an_old_read_forgets_no_part_that_was_asked_for() {
    let (bench, paid) = paid().await;
    let late = moved(&paid, failed());
    let asked = marked(&paid);
    bench.store.record_parts(&paid, &asked).await.unwrap();
    assert_eq!(bench.store.carry_out(&late).await.unwrap(), Settled::Applied);
    let stored = bench.stored_refund(&paid).await.unwrap();
    assert_eq!(stored.recovery, asked.recovery);
    assert!(stored.has_open_parts() && stored.wait.is_some(), "they are looked up");
    // The worker's answer comes late, and over another turn: it looks again.
    let yes = Taken::Yes { reference: text("trr_1") };
    let told = told(&asked, &[(1, yes.clone())]);
    assert_eq!(bench.store.record_parts(&asked, &told).await.unwrap(), Settled::Overtaken);
    let found = Refund { recovery: stored.parts_after(&[(1, yes)], later(9)), ..stored.clone() };
    assert_eq!(bench.store.record_parts(&stored, &found).await.unwrap(), Settled::Applied);
    assert!(matches!(found.recovery[0].state, PartState::Taken { .. }));
}

#[tokio::test]
async fn metadata_that_change_meanwhile_take_neither_parts_nor_question_away() {
    let (bench, paid) = paid().await;
    let metadata = Metadata::new([("k".to_owned(), "v".to_owned())].into()).unwrap();
    let change = paid.with_metadata(metadata, None, later(9)).unwrap();
    let asked = marked(&paid);
    bench.store.record_parts(&paid, &asked).await.unwrap();
    assert_eq!(bench.store.carry_out(&change).await.unwrap(), Settled::Applied);
    let next = told(&asked, &[(1, Taken::Short)]);
    assert_eq!(bench.store.record_parts(&asked, &next).await.unwrap(), Settled::Applied);
    let stored = bench.stored_refund(&paid).await.unwrap();
    assert_eq!((stored.wait, &stored.recovery), (next.wait, &next.recovery));
    assert_eq!(stored.version, change.to().version);
}
