//! What every processor keeps, whatever it is: run for each of them by `contract!`.

use recoup_domain::recovery::{Recovery, Taken};
use recoup_domain::refund::{Outcome, Refund};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::fixtures::{failed, now};

use crate::world::{after, handed_over, tried};

/// What is to become of a refund.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Case {
    Succeeds,
    Fails,
    /// Is pending at first, and succeeds after [`Subject::settle`].
    Pends,
    /// Is done, and the answer is lost.
    AnswerLost,
    /// Is lost on its way.
    NeverReached,
}

/// A processor and what stands behind it.
pub(crate) trait Subject {
    type Asked: Processor;

    async fn new() -> Self;
    fn processor(&self) -> &Self::Asked;
    /// A fresh refund of which this is to become.
    fn refund(&self, case: Case) -> Refund;
    /// What was pending has succeeded.
    fn settle(&self);
    /// How often money moved for it; `None` if nobody counts.
    fn moved(&self, refund: &Refund) -> Option<usize>;
    /// A fresh refund of 4.00 from the platform, the seller and the supplier, whose parts are taken apart.
    fn routed(&self) -> Refund;
    /// From now on its actors lack the money for their parts, or have it.
    fn lack(&self, lack: bool);
}

fn moved_times<S: Subject>(subject: &S, refund: &Refund, times: usize) {
    if let Some(moved) = subject.moved(refund) {
        assert_eq!(moved, times);
    }
}

pub(crate) async fn a_refund_that_was_not_sent_was_never_received<S: Subject>() {
    let subject = S::new().await;
    let refund = subject.refund(Case::Succeeds);
    assert_eq!(subject.processor().look_up(&refund).await, LookedUp::NeverReceived);
    moved_times(&subject, &refund, 0);
}

pub(crate) async fn however_often_it_is_sent_money_moves_once<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.refund(Case::Succeeds));
    let outcome = subject.processor().refund(&refund).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    for _ in 0..2 {
        assert_eq!(subject.processor().refund(&refund).await, outcome);
    }
    let unknown = after(&refund, &Outcome::Unknown);
    assert_eq!(subject.processor().refund(&unknown).await, outcome);
    moved_times(&subject, &refund, 1);
}

pub(crate) async fn sent_at_once_money_moves_once<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.refund(Case::Succeeds));
    let send = || subject.processor().refund(&refund);
    let (one, other, third) = tokio::join!(send(), send(), send());
    assert!(matches!(one, Outcome::Succeeded { .. }), "{one:?}");
    assert_eq!((&one, &one), (&other, &third));
    moved_times(&subject, &refund, 1);
}

pub(crate) async fn a_success_is_found_again_under_the_refunds_id<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.refund(Case::Succeeds));
    let outcome = subject.processor().refund(&refund).await;
    // Before it was written, after the answer was lost, and after it was written.
    let unknown = after(&refund, &Outcome::Unknown);
    for refund in [&refund, &unknown, &after(&refund, &outcome)] {
        for _ in 0..2 {
            assert_eq!(subject.processor().look_up(refund).await, LookedUp::Stands(outcome.clone()));
        }
    }
    moved_times(&subject, &refund, 1);
}

pub(crate) async fn a_refusal_is_a_failure_and_stays_one<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.refund(Case::Fails));
    let outcome = subject.processor().refund(&refund).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert_eq!(subject.processor().refund(&refund).await, outcome);
    let looked_up = subject.processor().look_up(&after(&refund, &outcome)).await;
    let kept = [LookedUp::Stands(outcome), LookedUp::Stands(Outcome::Unknown)];
    assert!(kept.contains(&looked_up), "{looked_up:?}");
    moved_times(&subject, &refund, 0);
}

pub(crate) async fn what_is_pending_is_found_when_it_has_settled<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.refund(Case::Pends));
    assert_eq!(subject.processor().refund(&refund).await, Outcome::Pending);
    assert_eq!(subject.processor().refund(&refund).await, Outcome::Pending);
    subject.settle();
    let looked_up = subject.processor().look_up(&after(&refund, &Outcome::Pending)).await;
    assert!(matches!(looked_up, LookedUp::Stands(Outcome::Succeeded { .. })), "{looked_up:?}");
    moved_times(&subject, &refund, 1);
}

pub(crate) async fn a_lost_answer_is_unknown_until_it_is_looked_up<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.refund(Case::AnswerLost));
    assert_eq!(subject.processor().refund(&refund).await, Outcome::Unknown);
    let unknown = after(&refund, &Outcome::Unknown);
    let looked_up = subject.processor().look_up(&unknown).await;
    assert!(matches!(looked_up, LookedUp::Stands(Outcome::Succeeded { .. })), "{looked_up:?}");
    let LookedUp::Stands(outcome) = looked_up else { panic!("nothing stands") };
    assert_eq!(subject.processor().refund(&unknown).await, outcome);
    moved_times(&subject, &refund, 1);
}

pub(crate) async fn a_lost_refund_is_unknown_then_never_received_then_sent_again<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.refund(Case::NeverReached));
    assert_eq!(subject.processor().refund(&refund).await, Outcome::Unknown);
    let unknown = after(&refund, &Outcome::Unknown);
    assert_eq!(subject.processor().look_up(&unknown).await, LookedUp::NeverReceived);
    moved_times(&subject, &refund, 0);
    let outcome = subject.processor().refund(&unknown).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let done = after(&unknown, &outcome);
    assert_eq!(subject.processor().look_up(&done).await, LookedUp::Stands(outcome));
    moved_times(&subject, &refund, 1);
}

pub(crate) async fn each_actor_gives_its_part_once_when_it_has_the_money<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.routed());
    let paid = after(&refund, &subject.processor().refund(&refund).await);
    assert_eq!(paid.open_parts().count(), 2, "{paid:?}");
    subject.lack(true);
    let short = tried(subject.processor(), &paid).await;
    assert_eq!((short.open_parts().count(), short.recovery_of(1)), (2, Recovery::Pending));
    subject.lack(false);
    let done = tried(subject.processor(), &short).await;
    assert!(
        [1, 2].iter().all(|position| matches!(done.recovery_of(*position), Recovery::Recovered(Some(_))))
    );
    // Once more, as if nobody had written what became of it.
    assert_eq!(tried(subject.processor(), &short).await, done);
    let late = after(&done, &failed());
    assert!(subject.processor().recover(&late).await.is_empty(), "nothing is open");
}

pub(crate) async fn of_a_refund_that_failed_late_no_part_is_taken<S: Subject>() {
    let subject = S::new().await;
    let refund = handed_over(&subject.routed());
    let paid = after(&refund, &subject.processor().refund(&refund).await);
    let marked = Refund { recovery: paid.parts_asked(now()), ..paid };
    subject.lack(true);
    let late = after(&marked, &failed());
    for (_, answer) in subject.processor().recover(&late).await {
        assert!(!matches!(answer, Taken::Yes { .. }), "{answer:?}");
    }
}

/// One test for each promise, of one processor.
macro_rules! contract {
    ($subject:ty) => {
        $crate::contract::contract!(
            $subject:
            a_refund_that_was_not_sent_was_never_received,
            however_often_it_is_sent_money_moves_once,
            sent_at_once_money_moves_once,
            a_success_is_found_again_under_the_refunds_id,
            a_refusal_is_a_failure_and_stays_one,
            what_is_pending_is_found_when_it_has_settled,
            a_lost_answer_is_unknown_until_it_is_looked_up,
            a_lost_refund_is_unknown_then_never_received_then_sent_again,
            each_actor_gives_its_part_once_when_it_has_the_money,
            of_a_refund_that_failed_late_no_part_is_taken,
        );
    };
    ($subject:ty: $($promise:ident,)+) => {
        $(#[tokio::test]
        async fn $promise() {
            $crate::contract::$promise::<$subject>().await;
        })+
    };
}
pub(crate) use contract;
