//! What goes wrong on the way to the table while a refund is made: nothing is taken twice, and the caller is
//! told what happened. The clock is paused, so no wait is real; the requests are.

use proptest::prelude::*;
use recoup_domain::decide::Reservation;
use recoup_ports::refunds::{Refunds, Reserve, ReserveError, Reserved};
use recoup_testing::fixtures::{decided, eur, getpaid_payment, getpaid_wanted};
use recoup_testing::{Answer, Fault};

use crate::bench::Bench;

const TRANSACTION: &str = "TransactWriteItems";
/// One try and eight waits.
const TRIES_MAX: usize = 9;

async fn bench() -> (Bench, Reservation) {
    let bench = Bench::with(getpaid_payment()).await;
    let granted = decided(&bench.payment, &getpaid_wanted(), "key");
    (bench, granted)
}

impl Bench {
    async fn assert_taken_once(&self) {
        assert_eq!(self.stored_payment().await.refundable, eur(1600));
        assert_eq!(self.stored_payment().await.refunds.len(), 1);
        self.check_books().await;
    }

    async fn assert_nothing_written(&self, of: &Reservation) {
        assert_eq!(self.stored_payment().await, self.payment);
        assert_eq!(self.stored_refund(&of.refund).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_passes_is_waited_out() {
    for in_conflict in [[true, false], [false, true], [true, true]] {
        let (bench, granted) = bench().await;
        bench.table.fail(TRANSACTION, 3, Fault::conflict(in_conflict));
        bench.make(&granted).await;
        assert_eq!(bench.table.take_calls().count(), 4);
        bench.assert_taken_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_on_the_refund_that_never_ends_means_its_key_is_in_use() {
    for in_conflict in [[true, false], [true, true]] {
        let (bench, granted) = bench().await;
        bench.table.fail_always(TRANSACTION, Fault::conflict(in_conflict));
        let began = tokio::time::Instant::now();
        let reserved = bench.reserve(&granted).await;
        assert!(matches!(reserved, Err(ReserveError::KeyInUse)), "{reserved:?}");
        assert_eq!(bench.table.take_calls().count(), TRIES_MAX);
        assert!(began.elapsed().as_millis() < 3_000, "it fits into the request's time");
        bench.assert_nothing_written(&granted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_conflict_on_the_payment_alone_means_too_many_are_writing() {
    let (bench, granted) = bench().await;
    bench.table.fail_always(TRANSACTION, Fault::conflict([false, true]));
    let reserved = bench.reserve(&granted).await;
    assert!(matches!(reserved, Err(ReserveError::Contended)), "{reserved:?}");
    assert_eq!(bench.table.take_calls().count(), TRIES_MAX);
    bench.assert_nothing_written(&granted).await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_told_even_while_others_write_the_payment() {
    let (bench, refund) = Bench::with_refund().await;
    let again = decided(&bench.payment, &getpaid_wanted(), "key");
    bench.table.fail(TRANSACTION, 2, Fault::conflict([false, true]));
    let Ok(Reserved::Existing(existing)) = bench.reserve(&again).await else { panic!("no replay") };
    assert_eq!(*existing, refund);
    bench.assert_taken_once().await;
}

#[tokio::test(start_paused = true)]
async fn an_existing_refund_is_told_at_once_though_its_payment_is_in_conflict() {
    let (bench, refund) = Bench::with_refund().await;
    let again = decided(&bench.payment, &getpaid_wanted(), "key");
    let event = bench.table.stream_event();
    let records = event["Records"].as_array().unwrap().iter();
    let mut images = records.map(|record| &record["dynamodb"]["NewImage"]);
    let image = images.find(|image| image["sk"]["S"] == "refund").cloned();
    let reasons = [("ConditionalCheckFailed", image), ("TransactionConflict", None)];
    bench.table.fail_always(TRANSACTION, Fault::cancelled_at(reasons));
    let Ok(Reserved::Existing(existing)) = bench.reserve(&again).await else { panic!("no replay") };
    assert_eq!(*existing, refund);
    assert_eq!(bench.table.take_calls().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_concluded_from_the_payment_while_the_refund_is_in_conflict() {
    let (bench, granted) = bench().await;
    // Whoever writes this refund has just taken its amount: not a changed payment, but a replay to come.
    bench.table.fail(TRANSACTION, 1, Fault::cancelled(["TransactionConflict", "ConditionalCheckFailed"]));
    bench.make(&granted).await;
    assert_eq!(bench.table.take_calls().count(), 2);
    bench.assert_taken_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_table_is_asked_again_and_then_said_to_be_unavailable() {
    let busy = || [Fault::throttled(), Fault::server_error()];
    for fault in busy() {
        let (bench, granted) = bench().await;
        bench.table.fail(TRANSACTION, 2, fault);
        bench.make(&granted).await;
        bench.assert_taken_once().await;
    }
    for fault in busy() {
        let (bench, granted) = bench().await;
        bench.table.fail_always(TRANSACTION, fault);
        let reserved = bench.reserve(&granted).await;
        assert!(matches!(reserved, Err(ReserveError::Unavailable(_))), "{reserved:?}");
        assert_eq!(bench.table.take_calls().count(), 3);
        bench.assert_nothing_written(&granted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_inside_a_transaction_and_one_in_progress_are_waited_out() {
    let faults = [
        Fault::cancelled(["ThrottlingError", "None"]),
        Fault::cancelled(["None", "ProvisionedThroughputExceeded"]),
        Fault::in_progress(),
    ];
    for fault in faults {
        let (bench, granted) = bench().await;
        bench.table.fail(TRANSACTION, 2, fault);
        bench.make(&granted).await;
        bench.assert_taken_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_after_the_commit_takes_nothing_twice_and_is_still_new() {
    for fault in [Fault::LoseAnswer, Fault::AnswerTooLate] {
        let (bench, granted) = bench().await;
        bench.table.fail(TRANSACTION, 2, fault);
        bench.make(&granted).await;
        let calls = bench.table.take_calls();
        assert_eq!(
            calls.0.iter().map(|call| call.answer.clone()).collect::<Vec<_>>(),
            [Answer::Lost, Answer::Lost, Answer::Done]
        );
        bench.assert_taken_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_answer_is_lost_the_key_tells_later_that_it_was_written() {
    for fault in [Fault::LoseAnswer, Fault::AnswerTooLate] {
        let (bench, granted) = bench().await;
        bench.table.fail(TRANSACTION, 3, fault);
        let reserved = bench.reserve(&granted).await;
        assert!(matches!(reserved, Err(ReserveError::Unavailable(_))), "{reserved:?}");
        assert_eq!(bench.table.take_calls().count(), 3);
        assert!(matches!(bench.reserve(&granted).await, Ok(Reserved::Existing(_))));
        bench.assert_taken_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_arrived_wrote_nothing_and_can_be_repeated() {
    let (bench, granted) = bench().await;
    bench.table.fail(TRANSACTION, 3, Fault::LoseRequest);
    let reserved = bench.reserve(&granted).await;
    assert!(matches!(reserved, Err(ReserveError::Unavailable(_))), "{reserved:?}");
    bench.assert_nothing_written(&granted).await;
    bench.make(&granted).await;
    bench.assert_taken_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_twice_is_answered_and_an_endless_failure_is_bounded() {
    let (bench, refund) = Bench::with_refund().await;
    let read = || bench.store.payment_and_refund(&refund.tenant, &refund.payment_id, Some(&refund.id));
    bench.table.fail("BatchGetItem", 1, Fault::throttled());
    bench.table.fail("BatchGetItem", 1, Fault::LoseAnswer);
    assert_eq!(read().await.unwrap().refund.as_ref(), Some(&refund));
    bench.table.take_calls();
    bench.table.fail_always("BatchGetItem", Fault::throttled());
    bench.table.fail_always("GetItem", Fault::server_error());
    assert!(read().await.is_err());
    assert!(bench.store.refund(&refund.tenant, &refund.id).await.is_err());
    assert_eq!(bench.table.take_calls().count(), 6);
}

pub(crate) fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        prop::sample::select(vec![[true, false], [false, true], [true, true]]).prop_map(Fault::conflict),
        Just(Fault::throttled()),
        Just(Fault::server_error()),
        Just(Fault::in_progress()),
        Just(Fault::cancelled(["None", "ThrottlingError"])),
        Just(Fault::LoseRequest),
        Just(Fault::LoseAnswer),
        Just(Fault::AnswerTooLate),
    ]
}

/// Runs one test case on a runtime of its own whose clock waits for nothing.
pub(crate) fn paused<T>(case: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(case)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn whatever_goes_wrong_a_key_takes_its_amount_at_most_once(
        faults in prop::collection::vec((any_fault(), 1_u32..4), 1..5),
    ) {
        paused(async {
            let (bench, granted) = bench().await;
            for (fault, times) in faults {
                bench.table.fail(TRANSACTION, times, fault);
            }
            let first = bench.reserve(&granted).await;
            assert!(bench.table.take_calls().count() <= 3 * TRIES_MAX);
            let written = bench.stored_refund(&granted.refund).await.is_some();
            match first {
                Ok(Reserved::New) => assert!(written),
                Ok(other) => panic!("nobody else was there: {other:?}"),
                Err(ReserveError::Unreadable { .. }) => panic!("it is readable"),
                Err(ReserveError::KeyInUse | ReserveError::Contended | ReserveError::Unavailable(_)) => {}
            }
            bench.check_books().await;
            bench.table.heal();
            match bench.reserve(&granted).await {
                Ok(Reserved::New) => assert!(!written),
                Ok(Reserved::Existing(_)) => assert!(written),
                other => panic!("the fault is over: {other:?}"),
            }
            bench.assert_taken_once().await;
        });
    }
}
