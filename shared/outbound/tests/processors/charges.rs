//! Charges, read at Stripe by either of their names.

use recoup_domain::enter::Reversal;
use recoup_domain::payment::{Processor as PaymentProcessor, ProcessorName};
use recoup_domain::refund::Outcome;
use recoup_outbound::stripe::Stripe;
use recoup_ports::charges::{ChargeQuestion, ChargeRead};
use recoup_ports::processor::Processor;
use recoup_testing::fixtures::{self, tenant, text};

use crate::contract::Subject;
use crate::fake_stripe::{CHARGE, PAYMENT_INTENT, error, object};
use crate::faults::{Fault, UNCLEAR};
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
async fn all_refunds_of_a_charge_are_listed_whoever_made_them() {
    let at = AtStripe::new().await;
    let ours = handed_over(&fresh("key", CHARGE));
    drop(at.client.refund(&ours).await);
    let mut theirs = object(1, 300, "pending", &serde_json::json!({}));
    theirs["transfer_reversal"] = serde_json::json!("trr_1");
    let mut elsewhere =
        object(2, 200, "succeeded", &serde_json::json!({ "recoup_refund_id": ours.id.as_str() }));
    elsewhere["currency"] = serde_json::json!("zzz");
    at.stripe.books.open().refunds.extend([theirs, elsewhere]);
    at.stripe.server.take_calls();
    for reference in [CHARGE, PAYMENT_INTENT] {
        let listed = at.client.refunds_of_charge(&question(reference)).await.unwrap();
        let named: Vec<_> = listed.iter().map(|one| one.ours.clone()).collect();
        assert_eq!(named, [None, None, Some(ours.id.clone())], "half of our names are nobody's");
        let made: Vec<_> = listed.iter().map(|one| &one.made).collect();
        assert_eq!(made[0].amount, None);
        assert_eq!((made[1].amount, &made[1].outcome), (Some(fixtures::eur(300)), &Outcome::Pending));
        let reversal = Reversal::Made { reference: text("trr_1"), amount: fixtures::eur(270) };
        assert_eq!((&made[1].reversal, &made[2].reversal), (&reversal, &Reversal::None));
        assert_eq!(at.stripe.server.take_calls(), ["GET /base/v1/refunds"], "one question");
    }
    assert_eq!(at.client.refunds_of_charge(&question("pi_of_nobody")).await, None);
}

#[tokio::test]
async fn half_a_list_of_a_charges_refunds_is_none() {
    let at = AtStripe::new().await;
    let made = |count: usize| (0..count).map(|number| object(number, 1, "succeeded", &serde_json::json!({})));
    at.stripe.books.open().refunds = made(1_000).collect();
    let listed = at.client.refunds_of_charge(&question(CHARGE)).await.unwrap();
    assert_eq!((listed.len(), at.stripe.server.take_calls().len()), (1_000, 10));
    at.stripe.books.open().refunds = made(1_001).collect();
    assert_eq!(at.client.refunds_of_charge(&question(CHARGE)).await, None);
    at.stripe.books.open().refunds = made(150).collect();
    for fault in UNCLEAR {
        at.stripe.books.fail([*fault]);
        assert_eq!(at.client.refunds_of_charge(&question(CHARGE)).await, None, "{fault:?}");
    }
    let direct = ChargeQuestion { at: Some(text("acct_1")), ..question(CHARGE) };
    assert_eq!(at.client.refunds_of_charge(&direct).await.map(|listed| listed.len()), Some(150));
    let last = at.stripe.server.requests().pop().unwrap();
    assert_eq!(last.header("stripe-account"), Some("acct_1"));
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
