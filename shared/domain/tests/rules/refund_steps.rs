//! The only ways in which a refund changes.

use proptest::prelude::*;
use recoup_domain::refund::{
    Amounts, Change, Failure, FailureCode, Outcome, Pending, Refund, State, Version,
};
use recoup_domain::waiting::{GRACE, Wait};
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
        let version = Version { state, sequence, updated_at: later(age), ..made.version.clone() };
        Refund { version, ..made }
    })
}

proptest! {
    #[test]
    fn an_end_stays_an_end_unless_the_processor_says_the_opposite(refund in refund(), outcome in outcome(), at in 0_u64..20_000) {
        let step = refund.step(outcome.clone(), later(at));
        let moved = step.as_ref().map(|step| (step.amounts(), &step.to().version.state));
        match (&refund.version.state, &outcome) {
            (State::Failed(_) | State::Cancelled, Outcome::Succeeded { .. }) => {
                prop_assert!(refund.contradicts(&outcome));
                prop_assert_eq!(moved, Some((Amounts::TakeAgain, &State::Succeeded)));
            }
            (State::Failed(_) | State::Cancelled, _) => prop_assert_eq!(moved, None),
            (State::Succeeded, Outcome::Failed(failure)) => {
                prop_assert!(refund.contradicts(&outcome));
                prop_assert_eq!(moved, Some((Amounts::Return, &State::Failed(failure.clone()))));
            }
            (State::Succeeded, _) => prop_assert_eq!(moved, None),
            (State::Initiated | State::Processing(_), Outcome::Succeeded { .. }) => {
                prop_assert_eq!(moved, Some((Amounts::Stay, &State::Succeeded)));
                prop_assert!(step.unwrap().to().version.processor_reference.is_some());
            }
            (State::Initiated | State::Processing(_), Outcome::Failed(failure)) => {
                prop_assert_eq!(moved, Some((Amounts::Return, &State::Failed(failure.clone()))));
            }
            // What the processor once had it still has.
            (State::Processing(Pending::Processor), Outcome::Unknown) => prop_assert_eq!(moved, None),
            (State::Initiated | State::Processing(_), Outcome::Pending | Outcome::Unknown) => {
                let says = if outcome == Outcome::Pending { Pending::Processor } else { Pending::OutcomeUnknown };
                let (amounts, state) = moved.unwrap_or((Amounts::Stay, &refund.version.state));
                prop_assert_eq!((amounts, state), (Amounts::Stay, &State::Processing(says)), "unknown is not failed");
            }
        }
    }

    #[test]
    fn money_is_given_back_only_into_failed(refund in refund(), outcome in outcome()) {
        let Some(change) = refund.step(outcome, later(0)) else { return Ok(()) };
        let state = &change.to().version.state;
        match change.amounts() {
            Amounts::Stay => prop_assert!(!matches!(state, State::Failed(_) | State::Cancelled)),
            Amounts::Return => prop_assert!(matches!(state, State::Failed(_))),
            Amounts::TakeAgain => prop_assert_eq!(state, &State::Succeeded),
        }
    }

    #[test]
    fn every_change_counts_up_by_one_and_touches_nothing_that_was_agreed(refund in refund(), outcome in outcome(), at in 0_u64..20_000) {
        let Some(change) = refund.step(outcome, later(at)) else { return Ok(()) };
        prop_assert_eq!(change.from(), &refund);
        let next = change.into_refund();
        prop_assert_eq!(next.version.sequence, refund.version.sequence + 1);
        prop_assert_eq!(next.version.updated_at, refund.version.updated_at.max(later(at)));
        let kept = Change { at: next.version.updated_at, state: Some(next.version.state.clone()) };
        prop_assert_eq!(next.history.last(), Some(&kept));
        prop_assert_eq!(&next.version.metadata, &refund.version.metadata);
        let agreed = Refund { version: refund.version.clone(), history: refund.history.clone(), ..next };
        prop_assert_eq!(agreed, refund);
    }

    #[test]
    fn the_same_answer_again_changes_nothing(refund in refund(), outcome in outcome()) {
        if let Some(change) = refund.step(outcome.clone(), later(0)) {
            prop_assert_eq!(change.to().step(outcome, later(1)), None);
        }
    }

    #[test]
    fn whatever_a_processor_says_no_money_is_given_back_that_was_not_taken(
        refund in refund(), outcomes in prop::collection::vec(outcome(), 1..12),
    ) {
        let mut refund = refund;
        let mut given_back = i32::from(matches!(refund.version.state, State::Failed(_) | State::Cancelled));
        for outcome in outcomes {
            if let Some(change) = refund.step(outcome, later(0)) {
                given_back += match change.amounts() {
                    Amounts::Stay => 0,
                    Amounts::Return => 1,
                    Amounts::TakeAgain => -1,
                };
                refund = change.into_refund();
            }
            prop_assert_eq!(given_back, i32::from(matches!(refund.version.state, State::Failed(_) | State::Cancelled)));
        }
    }

    #[test]
    fn only_what_is_on_its_way_waits(refund in refund(), outcome in outcome(), at in 0_u64..20_000) {
        let waiting = refund.asking(refund.asked_again(later(at), 1_000));
        prop_assert_eq!(waiting.turn, refund.turn + 1);
        if let Some(change) = waiting.step(outcome, later(at)) {
            let next = change.to();
            prop_assert_eq!(next.wait, waiting.wait.filter(|_| next.version.state.holds_money()));
            prop_assert_eq!(next.turn, waiting.turn, "a job of before the end stays stale");
        }
    }
}

#[test]
fn questions_come_after_seconds_first_and_after_half_a_day_in_the_end() {
    let mut refund = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
    let mut waits = Vec::new();
    for _ in 0..11 {
        refund = refund.asking(refund.asked_again(later(0), 1_000));
        let wait = refund.wait.expect("it waits");
        waits.push(wait.at.since(later(0)).as_secs());
        assert_eq!(wait.rests, *waits.last().unwrap() > 900, "a queue holds a quarter of an hour");
    }
    assert_eq!(waits, [2, 10, 60, 300, 900, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200]);
    let early = refund.asked_again(later(0), 900).wait();
    let late = refund.asked_again(later(0), 1_100).wait();
    assert_eq!(late.at.since(early.at).as_secs(), 43_200 / 5);
    // A wait that is sent for stays the same wait; only its message is new.
    let woken = Wait { rests: false, woken_at: Some(early.at), ..early };
    assert!(!early.is_to_be_sent(None, false) && woken.is_to_be_sent(Some(early), true));
    assert!(!woken.is_to_be_sent(Some(woken), true) && woken.is_to_be_sent(Some(woken), false));
    assert_eq!((early.found_at(), woken.found_at()), (early.at, early.at.plus(GRACE)));
}

#[test]
fn unknown_is_not_failed_and_keeps_the_money_held() {
    let refund = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
    let unknown = fixtures::stepped(&refund, Outcome::Unknown);
    assert_eq!(unknown.version.state, State::Processing(Pending::OutcomeUnknown));
    assert!(unknown.version.state.holds_money());
    let known = fixtures::stepped(&unknown, fixtures::succeeded());
    assert_eq!(known.version.state, State::Succeeded);
}
