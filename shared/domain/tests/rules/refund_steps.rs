//! The only ways in which a refund changes.

use proptest::prelude::*;
use recoup_domain::refund::{Failure, FailureCode, Outcome, Pending, Refund, State, Step};
use recoup_testing::fixtures::{self, decided, getpaid_payment, getpaid_wanted, later, text};

use crate::strategies::outcome;

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::Initiated,
        State::Processing(Pending::Processor),
        State::Processing(Pending::OutcomeUnknown),
        State::Succeeded,
        State::Failed(Failure { code: FailureCode::Unknown, message: text("no reason was given") }),
        State::Cancelled,
    ])
}

fn refund() -> impl Strategy<Value = Refund> {
    (state(), 1_u32..1000, 0_u64..10_000).prop_map(|(state, sequence, age)| {
        let made = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
        Refund { state, sequence, updated_at: later(age), ..made }
    })
}

proptest! {
    #[test]
    fn an_end_stays_an_end_except_that_a_success_may_be_taken_back(refund in refund(), outcome in outcome(), at in 0_u64..20_000) {
        let step = refund.step(outcome.clone(), later(at));
        match (&refund.state, &outcome) {
            (State::Failed(_) | State::Cancelled, _) => prop_assert_eq!(step, Step::Stay),
            (State::Succeeded, Outcome::Failed(failure)) => {
                let Step::GiveBack(next) = step else { panic!("the money stays: {step:?}") };
                prop_assert_eq!(next.state, State::Failed(failure.clone()));
            }
            (State::Succeeded, _) => prop_assert_eq!(step, Step::Stay),
            (State::Initiated | State::Processing(_), Outcome::Succeeded { .. }) => {
                let Step::Move(next) = step else { panic!("the success is lost: {step:?}") };
                prop_assert_eq!(next.state, State::Succeeded);
                prop_assert!(next.processor_reference.is_some());
            }
            (State::Initiated | State::Processing(_), Outcome::Failed(_)) => {
                prop_assert!(matches!(step, Step::GiveBack(_)));
            }
            // What the processor once had it still has.
            (State::Processing(Pending::Processor), Outcome::Unknown) => prop_assert_eq!(step, Step::Stay),
            (State::Initiated | State::Processing(_), Outcome::Pending | Outcome::Unknown) => {
                let says = if outcome == Outcome::Pending { Pending::Processor } else { Pending::OutcomeUnknown };
                match step {
                    Step::Stay => prop_assert_eq!(&refund.state, &State::Processing(says)),
                    Step::Move(next) => prop_assert_eq!(next.state, State::Processing(says)),
                    Step::GiveBack(_) => prop_assert!(false, "unknown is not failed"),
                }
            }
        }
    }

    #[test]
    fn money_is_given_back_only_into_failed(refund in refund(), outcome in outcome()) {
        match refund.step(outcome, later(0)) {
            Step::Stay => {}
            Step::Move(next) => prop_assert!(!matches!(next.state, State::Failed(_) | State::Cancelled)),
            Step::GiveBack(next) => prop_assert!(matches!(next.state, State::Failed(_))),
        }
    }

    #[test]
    fn every_change_counts_up_by_one_and_touches_nothing_that_was_agreed(refund in refund(), outcome in outcome(), at in 0_u64..20_000) {
        let (Step::Move(next) | Step::GiveBack(next)) = refund.step(outcome, later(at)) else { return Ok(()) };
        prop_assert_eq!(next.sequence, refund.sequence + 1);
        prop_assert_eq!(next.updated_at, refund.updated_at.max(later(at)));
        prop_assert_eq!(next.changed_at.last(), Some(&next.updated_at));
        let agreed = Refund {
            state: refund.state.clone(),
            sequence: refund.sequence,
            updated_at: refund.updated_at,
            changed_at: refund.changed_at.clone(),
            processor_reference: refund.processor_reference.clone(),
            ..next
        };
        prop_assert_eq!(agreed, refund);
    }

    #[test]
    fn the_same_answer_again_changes_nothing(refund in refund(), outcome in outcome()) {
        if let Step::Move(next) | Step::GiveBack(next) = refund.step(outcome.clone(), later(0)) {
            prop_assert_eq!(next.step(outcome, later(1)), Step::Stay);
        }
    }

    #[test]
    fn whatever_a_processor_says_money_is_given_back_at_most_once(
        refund in refund(), outcomes in prop::collection::vec(outcome(), 1..12),
    ) {
        let mut refund = refund;
        let mut given_back = u32::from(matches!(refund.state, State::Failed(_) | State::Cancelled));
        for outcome in outcomes {
            match refund.step(outcome, later(0)) {
                Step::Stay => {}
                Step::Move(next) => refund = next,
                Step::GiveBack(next) => {
                    given_back += 1;
                    refund = next;
                }
            }
        }
        prop_assert!(given_back <= 1);
        prop_assert_eq!(given_back == 1, matches!(refund.state, State::Failed(_) | State::Cancelled));
    }
}

#[test]
fn unknown_is_not_failed_and_keeps_the_money_held() {
    let refund = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
    let Step::Move(unknown) = refund.step(Outcome::Unknown, later(1)) else { panic!("nothing moved") };
    assert_eq!(unknown.state, State::Processing(Pending::OutcomeUnknown));
    assert!(unknown.state.holds_money());
    let Step::Move(known) = unknown.step(fixtures::succeeded(), later(2)) else { panic!("nothing moved") };
    assert_eq!(known.state, State::Succeeded);
}
