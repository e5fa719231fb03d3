//! What the sandbox processor makes of a refund.
#![cfg(test)]

use recoup_domain::ids::{AccountId, Environment, PaymentId, RefundId, Tenant};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::refund::{FailureCode, Kind, Notes, Origin, Outcome, Refund, State, Version};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::processor::{LookedUp, Processor as _};

fn refund(environment: Environment, reference: &str) -> Refund {
    let now = Timestamp::from_unix_millis(0).unwrap();
    let reference = Text::new(reference.to_owned()).unwrap();
    Refund {
        tenant: Tenant { environment, account: AccountId::from_bits(1) },
        id: RefundId::from_bits(2),
        payment_id: PaymentId::try_from("pay_1").unwrap(),
        amount: Money::of_minor(1, Currency::parse("EUR").unwrap()).unwrap(),
        kind: Kind::Refund,
        split: None,
        lines: Vec::new(),
        notes: Notes::default(),
        origin: Origin::Api,
        processor: Processor::of(ProcessorName::Sandbox, reference),
        fingerprint: [0; 32],
        version: Version::first(State::Initiated, Metadata::default(), now),
        first: State::Initiated,
        history: Vec::new(),
        handed_over_at: None,
        turn: 0,
        postponed: 0,
        wait: None,
        recovery: Vec::new(),
        flag: None,
        processor_amount: None,
        verdict: None,
        created_at: now,
        created_by: None,
    }
}

fn succeeded(reference: Text<255>) -> Outcome {
    Outcome::Succeeded { reference, bank_reference: None }
}

async fn failure_code(environment: Environment, reference: &str) -> FailureCode {
    let outcome = Sandbox.refund(&refund(environment, reference)).await;
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    failure.code
}

#[tokio::test]
async fn a_success_has_the_same_reference_however_often_it_is_asked_for() {
    let refund = refund(Environment::Sandbox, "sandbox_succeed");
    let reference = Text::new(format!("sandbox_{}", refund.id)).unwrap();
    for _ in 0..2 {
        assert_eq!(Sandbox.refund(&refund).await, succeeded(reference.clone()));
    }
}

#[tokio::test]
async fn a_failure_is_a_decline() {
    assert_eq!(failure_code(Environment::Sandbox, "sandbox_fail").await, FailureCode::Declined);
}

#[tokio::test]
async fn an_unknown_reference_moves_no_money() {
    for reference in ["ch_1", "sandbox_succeed ", "SANDBOX_SUCCEED"] {
        assert_eq!(failure_code(Environment::Sandbox, reference).await, FailureCode::ProcessorRejected);
    }
}

#[tokio::test]
async fn live_money_is_never_pretended_to_move() {
    assert_eq!(failure_code(Environment::Live, "sandbox_succeed").await, FailureCode::ProcessorRejected);
}

/// The refund once it was handed over, as it is while its processor is asked.
fn handed_over(reference: &str) -> Refund {
    let fresh = refund(Environment::Sandbox, reference);
    Refund { handed_over_at: Some(fresh.created_at), ..fresh }
}

fn after(refund: &Refund, outcome: Outcome) -> Refund {
    refund.step(outcome, refund.version.updated_at).expect("something changes").into_refund()
}

fn success(refund: &Refund) -> Outcome {
    succeeded(Text::new(format!("sandbox_{}", refund.id)).unwrap())
}

#[tokio::test]
async fn a_pending_refund_succeeds_when_it_is_asked_about() {
    let first = handed_over("sandbox_pending");
    for _ in 0..2 {
        assert_eq!(Sandbox.refund(&first).await, Outcome::Pending);
    }
    let waiting = after(&first, Outcome::Pending);
    assert_eq!(Sandbox.look_up(&waiting).await, LookedUp::Stands(success(&first)));
    assert_eq!(Sandbox.refund(&waiting).await, success(&first));
}

#[tokio::test]
async fn a_lost_answer_is_found_when_it_is_asked_about() {
    let first = handed_over("sandbox_timeout");
    assert_eq!(Sandbox.refund(&first).await, Outcome::Unknown);
    let unknown = after(&first, Outcome::Unknown);
    assert_eq!(Sandbox.look_up(&unknown).await, LookedUp::Stands(success(&first)));
}

#[tokio::test]
async fn a_lost_refund_was_never_received_and_succeeds_when_it_is_sent_again() {
    let first = handed_over("sandbox_timeout_lost");
    assert_eq!(Sandbox.refund(&first).await, Outcome::Unknown);
    let unknown = after(&first, Outcome::Unknown);
    for _ in 0..2 {
        assert_eq!(Sandbox.look_up(&unknown).await, LookedUp::NeverReceived);
    }
    assert_eq!(Sandbox.refund(&unknown).await, success(&first));
    let done = after(&unknown, success(&first));
    assert_eq!(Sandbox.look_up(&done).await, LookedUp::Stands(success(&first)));
}

#[tokio::test]
async fn a_late_failure_shows_once_the_success_is_known() {
    let first = handed_over("sandbox_fail_late");
    assert_eq!(Sandbox.refund(&first).await, success(&first));
    // The success itself may have been lost: whoever asks for it gets it first.
    let unknown = after(&first, Outcome::Unknown);
    assert_eq!(Sandbox.look_up(&unknown).await, LookedUp::Stands(success(&first)));
    let done = after(&first, success(&first));
    let LookedUp::Stands(Outcome::Failed(failure)) = Sandbox.look_up(&done).await else {
        panic!("no failure")
    };
    assert_eq!(failure.code, FailureCode::ExpiredOrClosedAccount);
    let failed = after(&done, Outcome::Failed(failure.clone()));
    assert_eq!(Sandbox.look_up(&failed).await, LookedUp::Stands(Outcome::Failed(failure)));
}

#[tokio::test]
async fn a_success_stays_one_and_a_decline_too() {
    let done = after(&handed_over("sandbox_succeed"), success(&handed_over("sandbox_succeed")));
    assert_eq!(Sandbox.look_up(&done).await, LookedUp::Stands(success(&done)));
    let declined = handed_over("sandbox_fail");
    let outcome = Sandbox.refund(&declined).await;
    assert_eq!(Sandbox.look_up(&declined).await, LookedUp::Stands(outcome.clone()));
    assert_eq!(Sandbox.look_up(&after(&declined, outcome.clone())).await, LookedUp::Stands(outcome));
}

#[tokio::test]
async fn what_was_never_handed_over_was_never_received() {
    for reference in [
        "sandbox_succeed",
        "sandbox_pending",
        "sandbox_fail",
        "sandbox_fail_late",
        "sandbox_timeout",
        "sandbox_timeout_lost",
    ] {
        let fresh = refund(Environment::Sandbox, reference);
        assert_eq!(Sandbox.look_up(&fresh).await, LookedUp::NeverReceived, "{reference}");
    }
}

#[tokio::test]
async fn a_look_up_pretends_no_live_money_either() {
    for (environment, reference) in
        [(Environment::Live, "sandbox_succeed"), (Environment::Sandbox, "no_such_script")]
    {
        let looked_up = Sandbox.look_up(&refund(environment, reference)).await;
        let LookedUp::Stands(Outcome::Failed(failure)) = looked_up else { panic!("{looked_up:?}") };
        assert_eq!(failure.code, FailureCode::ProcessorRejected);
    }
}
