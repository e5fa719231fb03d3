//! Every call of a job fails once, before and after it took effect: the end is that of an undisturbed run.

use recoup_domain::refund::{Outcome, Refund};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::{Fault, Item, TestTable, fixtures};

use crate::{World, context_over, failed, job, message};

/// Deliveries after which a job must be done.
const DELIVERIES_MAX: u32 = 3;

/// When the fault is set up: before the job, or just before its outcome is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    AtTheStart,
    AfterTheAnswer,
}

/// When, which operation, how often, how.
type Disturbance = (When, &'static str, u32, Fault);

/// Answers always the same, and lets the first answer be followed by a fault.
struct Disturbed<'test> {
    table: &'test TestTable,
    outcome: Outcome,
    then: std::sync::Mutex<Option<(&'static str, u32, Fault)>>,
}

impl Processor for Disturbed<'_> {
    async fn refund(&self, _: &Refund) -> Outcome {
        if let Some((operation, times, fault)) = self.then.lock().unwrap().take() {
            self.table.fail(operation, times, fault);
        }
        self.outcome.clone()
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        LookedUp::Stands(self.refund(refund).await)
    }
}

/// Delivers the job until it is done; the end, and how often it was delivered.
async fn until_done(outcome: &Outcome, fault: Option<Disturbance>) -> (Vec<Item>, u32) {
    let (world, refund) = World::with_refund("any").await;
    let mut then = None;
    if let Some((when, operation, times, fault)) = fault {
        match when {
            When::AtTheStart => world.table.fail(operation, times, fault),
            When::AfterTheAnswer => then = Some((operation, times, fault)),
        }
    }
    let processor = Disturbed { table: &world.table, outcome: outcome.clone(), then: then.into() };
    let store = world.table.store();
    let context = context_over(store, processor);
    for delivery in 1..=DELIVERIES_MAX {
        if failed(&context, vec![message("m1", delivery, &job(&refund))]).await.is_empty() {
            world.table.heal();
            assert!(failed(&context, vec![message("m1", delivery, &job(&refund))]).await.is_empty());
            return (world.everything().await, delivery);
        }
        assert_eq!(context.pace.take().len(), 1);
    }
    panic!("the job is still not done after {DELIVERIES_MAX} deliveries");
}

/// One fault at each call of the job, for each way to fail.
async fn ends_as_if_undisturbed(outcome: Outcome, write: &'static str) {
    let (undisturbed, deliveries) = until_done(&outcome, None).await;
    assert_eq!((undisturbed.len(), deliveries), (2, 1));
    let calls =
        [(When::AtTheStart, "GetItem"), (When::AtTheStart, "UpdateItem"), (When::AfterTheAnswer, write)];
    let faults = [
        Fault::LoseRequest,
        Fault::LoseAnswer,
        Fault::AnswerTooLate,
        Fault::throttled(),
        Fault::server_error(),
    ];
    let mut redelivered = Vec::new();
    for (when, operation) in calls {
        for fault in &faults {
            // Once: the SDK tries again. Three times: the job itself fails, and comes again.
            for (times, deliveries_most) in [(1, 1), (3, 2)] {
                let case = format!("{times} × {fault:?} at {operation} {when:?}");
                let (end, deliveries) =
                    until_done(&outcome, Some((when, operation, times, fault.clone()))).await;
                assert_eq!(end, undisturbed, "{case}");
                assert!(deliveries <= deliveries_most, "{case}: {deliveries} deliveries");
                redelivered.push(deliveries > 1);
            }
        }
    }
    // Three faults in a row are always felt, one never.
    assert!(redelivered.chunks(2).all(|pair| pair == [false, true]), "{redelivered:?}");
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_same_wherever_it_was_disturbed() {
    ends_as_if_undisturbed(fixtures::succeeded(), "UpdateItem").await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_gives_back_once_wherever_it_was_disturbed() {
    ends_as_if_undisturbed(fixtures::failed(), "TransactWriteItems").await;
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_question_is_scheduled_once_wherever_it_was_disturbed() {
    ends_as_if_undisturbed(Outcome::Unknown, "UpdateItem").await;
    ends_as_if_undisturbed(Outcome::Pending, "UpdateItem").await;
}

#[tokio::test(start_paused = true)]
async fn a_give_back_in_conflict_is_tried_again_and_done_once() {
    let (undisturbed, _) = until_done(&fixtures::failed(), None).await;
    // How often it takes to outlast the tries of one delivery: the SDK also tries the last three times each.
    let faults = [
        (Fault::conflict([true, false]), 9),
        (Fault::conflict([false, true]), 9),
        (Fault::in_progress(), 27),
    ];
    for (fault, enough) in faults {
        for times in [1, enough] {
            let disturbed = Some((When::AfterTheAnswer, "TransactWriteItems", times, fault.clone()));
            let (end, deliveries) = until_done(&fixtures::failed(), disturbed).await;
            assert_eq!(end, undisturbed, "{times} × {fault:?}");
            assert_eq!(deliveries > 1, times > 1, "{times} × {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_in_conflict_with_a_transaction_is_tried_again() {
    let (undisturbed, _) = until_done(&fixtures::succeeded(), None).await;
    for when in [When::AtTheStart, When::AfterTheAnswer] {
        let (end, _) =
            until_done(&fixtures::succeeded(), Some((when, "UpdateItem", 1, Fault::write_conflict()))).await;
        assert_eq!(end, undisturbed, "{when:?}");
    }
}
