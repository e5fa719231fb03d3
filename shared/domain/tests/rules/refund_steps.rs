//! The only ways in which a refund changes.

use std::time::Duration;

use proptest::prelude::*;
use recoup_domain::by::By;
use recoup_domain::refund::{
    Amounts, BankReference, BankReferenceKind, Change, Failure, FailureCode, Flag, Outcome, Pending, Refund,
    Said, State, Version, Withdrawn,
};
use recoup_domain::waiting::{GRACE, Wait};
use recoup_testing::fixtures::{self, decided, getpaid_payment, getpaid_wanted, later, text};

use crate::strategies::outcome;

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::Initiated,
        State::Processing(Pending::Processor),
        State::Processing(Pending::InsufficientFunds),
        State::Processing(Pending::OutcomeUnknown),
        State::Processing(Pending::Busy),
        State::Processing(Pending::NotConfigured),
        State::Succeeded,
        State::Failed(Failure {
            code: FailureCode::Unknown,
            message: text("no reason was given"),
            said: Said::default(),
        }),
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
            (State::Succeeded, Outcome::Succeeded { bank_reference: Some(_), .. }) => {
                prop_assert_eq!(moved, Some((Amounts::Stay, &State::Succeeded)), "it learns the bank's number");
            }
            (State::Succeeded, _) => prop_assert_eq!(moved, None),
            (State::Initiated | State::Processing(_), Outcome::Succeeded { .. }) => {
                prop_assert_eq!(moved, Some((Amounts::Stay, &State::Succeeded)));
                prop_assert!(step.unwrap().to().version.processor_reference.is_some());
            }
            (State::Initiated | State::Processing(_), Outcome::Failed(failure)) => {
                prop_assert_eq!(moved, Some((Amounts::Return, &State::Failed(failure.clone()))));
            }
            // What the processor once had it still has, and what it may have it may still have.
            (
                State::Processing(Pending::Processor | Pending::InsufficientFunds | Pending::OutcomeUnknown),
                Outcome::Unknown | Outcome::Busy { .. } | Outcome::NotConfigured,
            ) => prop_assert_eq!(moved, None),
            (State::Initiated | State::Processing(_), Outcome::Differs { amount, .. }) => {
                let step = step.as_ref().unwrap();
                let (to, received) = (step.to(), refund.version.state.pending().filter(|had| had.is_received()));
                let pending = received.unwrap_or(Pending::OutcomeUnknown);
                prop_assert_eq!(moved, Some((Amounts::Stay, &State::Processing(pending))), "held, and not sent again");
                prop_assert_eq!((to.flag, to.processor_amount), (Some(Flag::AmountDiffers), Some(*amount)));
            }
            (State::Initiated | State::Processing(_), _) => {
                let says = outcome.silence().unwrap_or(match outcome {
                    Outcome::PendingFunds => Pending::InsufficientFunds,
                    _ => Pending::Processor,
                });
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
        let Some(change) = refund.step(outcome.clone(), later(at)) else { return Ok(()) };
        prop_assert_eq!(change.from(), &refund);
        let next = change.into_refund();
        // Silence is nobody's word.
        let by = if matches!(outcome, Outcome::Unknown | Outcome::Busy { .. } | Outcome::NotConfigured) {
            By::recoup()
        } else {
            By::processor(refund.processor.name)
        };
        prop_assert_eq!(next.version.sequence, refund.version.sequence + 1);
        prop_assert_eq!(next.version.updated_at, refund.version.updated_at.max(later(at)));
        let kept = Change { at: next.version.updated_at, state: Some(next.version.state.clone()), by: Some(by) };
        prop_assert_eq!(next.history.last(), Some(&kept));
        prop_assert_eq!(&next.version.metadata, &refund.version.metadata);
        let (flag, processor_amount) = (refund.flag, refund.processor_amount);
        let (version, history) = (refund.version.clone(), refund.history.clone());
        let agreed = Refund { version, history, flag, processor_amount, ..next };
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
        let waiting = refund.asking(refund.asked_again(&Outcome::Unknown, later(at), 1_000));
        prop_assert_eq!(waiting.turn, refund.turn + 1);
        if let Some(change) = waiting.step(outcome, later(at)) {
            let next = change.to();
            let stays = next.version.state.holds_money() || next.version.state == waiting.version.state;
            prop_assert_eq!(next.wait, waiting.wait.filter(|_| stays));
            prop_assert_eq!(next.turn, waiting.turn, "a job of before the end stays stale");
        }
    }
}

#[test]
fn questions_come_after_seconds_first_and_after_half_a_day_in_the_end() {
    let mut refund = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
    let mut waits = Vec::new();
    for _ in 0..11 {
        refund = refund.asking(refund.asked_again(&Outcome::Unknown, later(0), 1_000));
        let wait = refund.wait.expect("it waits");
        waits.push(wait.at.since(later(0)).as_secs());
        assert_eq!(wait.rests, *waits.last().unwrap() > 900, "a queue holds a quarter of an hour");
    }
    assert_eq!(waits, [2, 10, 60, 300, 900, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200]);
    let early = refund.asked_again(&Outcome::Unknown, later(0), 900).wait();
    let late = refund.asked_again(&Outcome::Unknown, later(0), 1_100).wait();
    assert_eq!(late.at.since(early.at).as_secs(), 43_200 / 5);
    // A wait that is sent for stays the same wait; only its message is new.
    let woken = Wait { rests: false, woken_at: Some(early.at), ..early };
    assert!(!early.is_to_be_sent(None, false) && woken.is_to_be_sent(Some(early), true));
    assert!(!woken.is_to_be_sent(Some(woken), true) && woken.is_to_be_sent(Some(woken), false));
    assert_eq!((early.found_at(), woken.found_at()), (early.at, early.at.plus(GRACE)));
}

#[test]
fn what_is_put_off_comes_soon_and_spends_no_step() {
    let busy = |retry_after: Option<u64>| Outcome::Busy { retry_after: retry_after.map(Duration::from_secs) };
    let mut refund = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
    let mut waits = Vec::new();
    for outcome in [Outcome::Unknown, busy(None), busy(None), busy(None), busy(Some(20)), Outcome::Unknown] {
        refund = refund.asking(refund.asked_again(&outcome, later(0), 1_000));
        waits.push(refund.wait.expect("it waits").at.since(later(0)).as_secs());
    }
    assert_eq!(waits, [2, 1, 2, 4, 30, 10], "the second silence is the second step");
    assert_eq!((refund.turn, refund.postponed), (6, 4));
    let at = |outcome: &Outcome, permille| {
        refund.asked_again(outcome, later(0), permille).wait().at.since(later(0)).as_secs()
    };
    assert_eq!((at(&busy(None), 900), at(&busy(None), 1_100)), (15, 45), "apart");
    assert_eq!(at(&busy(Some(86_400)), 1_000), 330, "nobody makes us wait for a day");
    let many = Refund { turn: 90, postponed: 80, ..refund.clone() };
    assert_eq!(many.asked_again(&busy(None), later(0), 1_000).wait().at.since(later(0)).as_secs(), 60);
    let keyless = many.asked_again(&Outcome::NotConfigured, later(0), 1_000);
    assert_eq!((keyless.wait().at.since(later(0)).as_secs(), keyless.postponed()), (900, 81));
}

#[test]
fn busy_is_not_unknown_and_never_makes_the_unknown_known() {
    let fresh = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
    let (busy, keyless) = (Outcome::Busy { retry_after: None }, Outcome::NotConfigured);
    let reason = |refund: &Refund, outcome: &Outcome| {
        refund.step(outcome.clone(), later(0)).map(|change| change.to().version.state.clone())
    };
    let processing = |pending| Some(State::Processing(pending));
    assert_eq!(reason(&fresh, &busy), processing(Pending::Busy));
    assert_eq!(reason(&fresh, &keyless), processing(Pending::NotConfigured));
    let cut_off = Refund { handed_over_at: Some(later(0)), ..fresh.clone() };
    for put_off in [&busy, &keyless] {
        assert_eq!(reason(&cut_off, put_off), processing(Pending::OutcomeUnknown), "it may have been sent");
        for outcome in [Outcome::Unknown, Outcome::Pending, Outcome::PendingFunds] {
            let said = fixtures::stepped(&fresh, outcome);
            assert_eq!(reason(&said, put_off), None, "{:?}", said.version.state);
        }
    }
    let waiting = fixtures::stepped(&fresh, busy.clone());
    assert_eq!(reason(&waiting, &busy), None);
    assert_eq!(reason(&waiting, &keyless), processing(Pending::NotConfigured));
    assert_eq!(reason(&waiting, &Outcome::Unknown), processing(Pending::OutcomeUnknown));
    assert!(matches!(waiting.withdraw(None, later(0)), Withdrawn::Now(_)), "it was never handed over");
    let asked = Refund { handed_over_at: Some(later(0)), ..waiting };
    assert_eq!(asked.withdraw(None, later(0)), Withdrawn::TooLate);
}

#[test]
fn the_banks_number_is_asked_for_four_times_and_told_once() {
    let fresh = decided(&getpaid_payment(), &getpaid_wanted(), "key").refund;
    let told = |value: Option<&str>| Outcome::Succeeded {
        reference: text("re_1"),
        bank_reference: Some(BankReference { kind: BankReferenceKind::Arn, value: value.map(text) }),
    };
    let day = 24 * 3_600_000;
    let paid = fresh.step(told(None), later(0)).unwrap().into_refund();
    let waits: Vec<_> = [0, 1, 3, 7, 14]
        .map(|days| paid.bank_reference_wait(later(days * day)).map(|wait| wait.as_secs() / 86_400))
        .into();
    assert_eq!(waits, [Some(1), Some(2), Some(4), Some(7), None]);
    let question = paid.asked_after(later(0), Duration::from_secs(1));
    let waiting = paid.asking(question);
    // A success is one for as long as nothing but its metadata changes.
    let renamed = fixtures::renamed(&waiting, "v", later(day)).into_refund();
    assert_eq!(
        (renamed.wait, renamed.bank_reference_wait(later(2 * day))),
        (waiting.wait, Some(Duration::from_hours(24)))
    );
    assert_eq!(waiting.step(told(None), later(day)), None);
    assert_eq!(
        waiting.step(fixtures::succeeded(), later(day)),
        None,
        "who says nothing of it takes nothing back"
    );
    let known = waiting.step(told(Some("74")), later(day)).unwrap();
    assert_eq!((known.amounts(), known.to().wait, known.to().version.sequence), (Amounts::Stay, None, 3));
    let known = known.into_refund();
    assert_eq!(known.bank_reference_wait(later(day)), None);
    assert_eq!(known.step(told(None), later(day)), None, "it does not go away");
    let given_up = waiting.without_bank_reference(later(15 * day)).into_refund();
    assert_eq!((given_up.version.bank_reference, given_up.wait), (None, None));
    assert_eq!(fixtures::stepped(&fresh, fixtures::succeeded()).bank_reference_wait(later(0)), None);
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
