//! Charges, read at Stripe by either of their names.

use recoup_domain::payment::{Processor as PaymentProcessor, ProcessorName};
use recoup_outbound::stripe::Stripe;
use recoup_ports::charges::{ChargeQuestion, ChargeRead};
use recoup_ports::processor::Processor;
use recoup_testing::fixtures::{self, tenant, text};

use crate::contract::Subject;
use crate::fake_stripe::{CHARGE, PAYMENT_INTENT, error};
use crate::faults::Fault;
use crate::stripe::AtStripe;
use crate::world::{Keys, LIVE_KEY, fresh, handed_over};

fn question(reference: &str) -> ChargeQuestion {
    let processor = PaymentProcessor::of(ProcessorName::Stripe, text(reference));
    ChargeQuestion::new(&tenant(), &processor)
}

async fn read(client: &Stripe<Keys>, reference: &str) -> ChargeRead {
    client.read_charge(&question(reference)).await
}

#[tokio::test]
async fn a_charge_is_one_question_and_tells_what_is_captured_and_refunded() {
    let at = AtStripe::new().await;
    drop(at.client.refund(&handed_over(&fresh("key", CHARGE))).await);
    at.stripe.server.take_calls();
    for (reference, path) in [(CHARGE, "charges"), (PAYMENT_INTENT, "payment_intents")] {
        let ChargeRead::Found(found) = read(&at.client, reference).await else { panic!("{reference}") };
        assert_eq!(at.stripe.server.take_calls(), [format!("GET /base/v1/{path}/{reference}")]);
        assert_eq!(found.amounts().unwrap(), (fixtures::eur(500), fixtures::eur(500)));
        assert_eq!(found.names, [text(CHARGE), text(PAYMENT_INTENT)]);
    }
    assert_eq!(read(&at.client, "pi_of_nobody").await, ChargeRead::NoSuchCharge);
    assert_eq!(read(&at.client, "ORD-1").await, ChargeRead::NoSuchCharge);
}

#[tokio::test]
async fn no_clear_answer_says_nothing_of_a_charge() {
    let at = AtStripe::new().await;
    at.stripe.books.fail([Fault::CutBefore, Fault::CutAfter]);
    for _ in 0..2 {
        assert_eq!(read(&at.client, CHARGE).await, ChargeRead::Unclear);
    }
    at.stripe.books.open().refusal = Some((429, error("rate_limit_error", "rate_limit")));
    assert_eq!(read(&at.client, CHARGE).await, ChargeRead::Unclear);
    for key in [None, Some(LIVE_KEY)] {
        let at = AtStripe::with(|keys| keys.stripe = key).await;
        assert_eq!(read(&at.client, CHARGE).await, ChargeRead::NotConfigured);
        assert!(at.stripe.server.take_calls().is_empty());
    }
}

#[tokio::test]
async fn disputes_are_one_question_by_either_name_of_their_charge() {
    let at = AtStripe::new().await;
    for reference in [CHARGE, PAYMENT_INTENT] {
        let told = at.client.disputes(&question(reference), fixtures::now()).await.unwrap();
        assert_eq!(at.stripe.server.take_calls(), ["GET /base/v1/disputes"]);
        let [word] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((word.reference.as_str(), word.status.as_str()), ("dp_1", "lost"));
        assert_eq!(word.told_at, fixtures::now());
    }
    let nobody = at.client.disputes(&question("ch_of_nobody"), fixtures::now()).await;
    assert_eq!(nobody, Some(Vec::new()));
    assert_eq!(at.client.disputes(&question("ORD-1"), fixtures::now()).await, None);
    at.stripe.books.open().refusal = Some((429, error("rate_limit_error", "rate_limit")));
    assert_eq!(at.client.disputes(&question(CHARGE), fixtures::now()).await, None);
}
