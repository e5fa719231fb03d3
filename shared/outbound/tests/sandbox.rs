//! What the sandbox processor makes of a refund.
#![cfg(test)]

use recoup_domain::ids::{AccountId, Environment, PaymentId, RefundId, Tenant};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::refund::{FailureCode, Kind, Notes, Outcome, Refund, State};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::processor::Processor as _;

fn refund(environment: Environment, reference: &str) -> Refund {
    let now = Timestamp::from_unix_millis(0).unwrap();
    let reference = Text::new(reference.to_owned()).unwrap();
    Refund {
        tenant: Tenant { environment, account: AccountId::random(1) },
        id: RefundId::random(2),
        payment_id: PaymentId::try_from("pay_1").unwrap(),
        amount: Money::of_minor(1, Currency::parse("EUR").unwrap()).unwrap(),
        kind: Kind::Refund,
        split: None,
        lines: Vec::new(),
        state: State::Initiated,
        notes: Notes::default(),
        processor: Processor { name: ProcessorName::Sandbox, reference },
        processor_reference: None,
        fingerprint: [0; 32],
        sequence: 1,
        changed_at: Vec::new(),
        first_metadata: None,
        handed_over_at: None,
        created_at: now,
        updated_at: now,
    }
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
        assert_eq!(Sandbox.refund(&refund).await, Outcome::Succeeded { reference: reference.clone() });
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
