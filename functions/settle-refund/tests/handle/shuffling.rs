//! Any notifications in any order, repeated and disturbed at every call: the end is that of an undisturbed run, the
//! processor has the last word, and the books agree after every step.

use proptest::prelude::*;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Refund, State};
use recoup_testing::fixtures::{failed, succeeded};
use recoup_testing::{Fault, Item};

use crate::signed::{Word, news};
use crate::{World, found};

/// How often a processor repeats a notification; more often than any disturbance lasts.
const REPEATS_MAX: usize = 12;
const OPERATIONS: [&str; 3] = ["GetItem", "UpdateItem", "TransactWriteItems"];

#[derive(Clone, Debug)]
enum Deed {
    /// A notification, repeated until it is answered with 2xx.
    Tell(Word),
    /// A notification that the processor gives up after one try.
    TellOnce(Word),
    /// process-refund asks, and is told the truth.
    Ask,
    /// Somebody takes all that is left.
    TakeTheRest,
}

#[derive(Clone, Debug)]
struct Step {
    deed: Deed,
    /// Before it: the operation, how often, and how it fails.
    fault: Option<(&'static str, u32, Fault)>,
}

fn fault() -> impl Strategy<Value = (&'static str, u32, Fault)> {
    let faults = prop::sample::select(vec![
        Fault::LoseRequest,
        Fault::LoseAnswer,
        Fault::AnswerTooLate,
        Fault::throttled(),
        Fault::server_error(),
    ]);
    let conflicts = prop::sample::select(vec![
        ("UpdateItem", Fault::write_conflict()),
        ("TransactWriteItems", Fault::conflict([false, true])),
        ("TransactWriteItems", Fault::conflict([true, false])),
        ("TransactWriteItems", Fault::in_progress()),
    ]);
    // Once: the SDK tries again. Three times: the call fails. Nine or more: a conflict outlasts a request.
    prop_oneof![
        3 => (prop::sample::select(&OPERATIONS[..]), 1_u32..5, faults),
        1 => (conflicts, prop::sample::select(vec![1_u32, 9, 10])).prop_map(|((on, fault), times)| (on, times, fault)),
    ]
}

fn word() -> impl Strategy<Value = Word> {
    prop::sample::select(&Word::ALL[..])
}

fn step() -> impl Strategy<Value = Step> {
    let deed = prop_oneof![
        6 => word().prop_map(Deed::Tell),
        2 => Just(Deed::Ask),
        1 => Just(Deed::TakeTheRest),
    ];
    (deed, prop::option::weighted(0.6, fault())).prop_map(|(deed, fault)| Step { deed, fault })
}

impl World {
    /// Repeats a notification as its processor does; whether it was taken.
    async fn repeat(&self, refund: &Refund, word: Word, times: usize) -> bool {
        let event = news(refund, word);
        for _ in 0..times {
            let reply = self.tell(&event).await;
            self.check_books().await;
            match reply.status {
                200 => return true,
                503 => assert_eq!(reply.problem(), (503, "unavailable")),
                status => panic!("{status}: {}", reply.text),
            }
        }
        false
    }

    async fn run(&self, refund: &Refund, truth: &Outcome, step: &Step, disturbed: bool) {
        if let Some((operation, times, fault)) = step.fault.clone().filter(|_| disturbed) {
            self.table.fail(operation, times, fault);
        }
        match &step.deed {
            Deed::Tell(word) => {
                assert!(self.repeat(refund, *word, REPEATS_MAX).await, "it is never taken");
                self.table.heal();
            }
            Deed::TellOnce(word) => {
                self.repeat(refund, *word, 1).await;
                self.table.heal();
            }
            Deed::Ask => {
                self.table.heal();
                let stored = self.refund(refund).await;
                if stored.version.state.holds_money() {
                    self.polled(&stored, truth.clone()).await.unwrap();
                }
            }
            Deed::TakeTheRest => {
                self.table.heal();
                if self.left().await > 0 && self.payment().await.refunds.len() == 1 {
                    self.take_the_rest().await;
                }
            }
        }
        self.check_books().await;
    }
}

/// The end of such a run, after every word was told at least once.
async fn end_of(truth: &Outcome, steps: &[Step], disturbed: bool) -> (Vec<Item>, Refund) {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    world.context.processor.set(found(truth.clone()));
    for step in steps {
        world.run(&refund, truth, step, disturbed).await;
    }
    let last = if *truth == succeeded() { Word::Succeeded } else { Word::Failed };
    for word in [Word::Pending, last] {
        world.run(&refund, truth, &Step { deed: Deed::Tell(word), fault: None }, false).await;
    }
    (world.everything().await, world.refund(&refund).await)
}

/// Runs a future without a wait being real.
fn paused(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn news_in_any_order_and_however_disturbed_ends_as_the_processor_says(
        succeeds in any::<bool>(), steps in prop::collection::vec(step(), 1..8),
    ) {
        paused(async {
            let truth = if succeeds { succeeded() } else { failed() };
            let (undisturbed, _) = end_of(&truth, &steps, false).await;
            let (disturbed, refund) = end_of(&truth, &steps, true).await;
            assert_eq!(disturbed, undisturbed);
            match (&refund.version.state, succeeds) {
                (State::Succeeded, true) | (State::Failed(_), false) => assert_eq!(refund.flag, None),
                // Somebody else has the money by now; a person knows.
                (State::Failed(_), true) => {
                    assert!(refund.flag.is_some());
                    assert!(steps.iter().any(|step| matches!(step.deed, Deed::TakeTheRest)));
                }
                (state, _) => panic!("it ends as {state:?}"),
            }
        });
    }

    #[test]
    fn what_a_processor_gives_up_telling_costs_nothing_but_time(
        succeeds in any::<bool>(), told in prop::collection::vec((word(), fault()), 1..6),
    ) {
        paused(async {
            let truth = if succeeds { succeeded() } else { failed() };
            let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
            world.context.processor.set(found(truth.clone()));
            for (word, fault) in told {
                world.run(&refund, &truth, &Step { deed: Deed::TellOnce(word), fault: Some(fault) }, true).await;
            }
            // Whatever was lost, the question that is due finds an end; and what ended wrongly is told once more.
            world.run(&refund, &truth, &Step { deed: Deed::Ask, fault: None }, false).await;
            let last = if succeeds { Word::Succeeded } else { Word::Failed };
            assert!(world.repeat(&refund, last, 1).await);
            let ended = world.refund(&refund).await;
            assert_eq!(ended.version.state.as_str(), if succeeds { "succeeded" } else { "failed" });
            assert_eq!(world.left().await, if succeeds { 1_600 } else { 3_100 });
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_refusal_and_the_flag_is_made_good_by_the_repeat() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::throttled()] {
        let (world, ended) = World::with_ended(failed()).await;
        world.take_the_rest().await;
        world.context.processor.set(found(succeeded()));
        world.table.fail("UpdateItem", 3, fault);
        assert_eq!(world.tell(&news(&ended, Word::Succeeded)).await.problem(), (503, "unavailable"));
        assert_eq!(world.tell(&news(&ended, Word::Succeeded)).await.body["outcome"], "unchanged");
        assert!(world.refund(&ended).await.flag.is_some());
        world.check_books().await;
    }
}
