//! Refunds at localstripe (`LOCALSTRIPE_URL`; `make localstripe` starts one). It ignores idempotency keys and what
//! is left of a charge: those are tried against our own stand-in, in `shared/outbound/tests/processors`.
#![cfg(test)]

use recoup_domain::base_url::BaseUrl;
use recoup_domain::ids::Tenant;
use recoup_domain::refund::{Outcome, Refund};
use recoup_outbound::stripe::Stripe;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use recoup_testing::fixtures::{self, text};
use serde_json::{Value, json};

const KEY: &str = "sk_test_localstripe";

struct Keys;

impl ProcessorKeys for Keys {
    async fn access<A: Access>(&self, _: &Tenant) -> Result<Option<A>, KeysError> {
        let secret = json!({ "key": KEY, "signing_secrets": [] }).to_string();
        Ok(Some(A::parse(&secret).unwrap()))
    }
}

fn url() -> String {
    std::env::var("LOCALSTRIPE_URL").expect("LOCALSTRIPE_URL says where localstripe is; see make localstripe")
}

fn client() -> Stripe<Keys> {
    Stripe::new(Keys, fixtures::now).unwrap().at(BaseUrl::parse(&url()).unwrap())
}

async fn post(path: &str, form: &[(&str, &str)]) -> Value {
    let request = reqwest::Client::new().post(format!("{}/v1/{path}", url())).bearer_auth(KEY).form(form);
    request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

/// A payment of 5.00 EUR that succeeded: its payment intent and its charge.
async fn paid() -> (String, String) {
    let card = [
        ("type", "card"),
        ("card[number]", "4242424242424242"),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2030"),
        ("card[cvc]", "123"),
    ];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let method = text(&post("payment_methods", &card).await["id"]);
    let intent = [("amount", "500"), ("currency", "eur"), ("payment_method", &method), ("confirm", "true")];
    let intent = post("payment_intents", &intent).await;
    assert_eq!(intent["status"], "succeeded", "{intent}");
    (text(&intent["id"]), text(&intent["latest_charge"]["id"]))
}

fn refund(key: &str, reference: &str, minor: u64) -> Refund {
    let payment = fixtures::payment("pay_1", 500);
    let mut refund = fixtures::decided(&payment, &fixtures::wanted(&payment, Some(minor)), key).refund;
    refund.processor.reference = text(reference);
    refund
}

#[tokio::test]
async fn a_charge_and_a_payment_intent_are_refunded_and_found_again() {
    let (intent, charge) = paid().await;
    for reference in [&intent, &charge] {
        let refund = refund(reference, reference, 250);
        assert_eq!(client().look_up(&refund).await, LookedUp::NeverReceived);
        let outcome = client().refund(&refund).await;
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
        // By our id among the payment's refunds, and by its own name once that is known.
        let unknown = fixtures::stepped(&refund, Outcome::Unknown);
        let done = fixtures::stepped(&refund, outcome.clone());
        for refund in [&unknown, &done] {
            assert_eq!(client().look_up(refund).await, LookedUp::Stands(outcome.clone()));
        }
    }
}

#[tokio::test]
async fn one_refund_among_many_is_found() {
    let (intent, _) = paid().await;
    let refunds: Vec<Refund> =
        (1..=5).map(|number| refund(&format!("{intent}-{number}"), &intent, number)).collect();
    let mut outcomes = Vec::new();
    for refund in &refunds {
        outcomes.push(client().refund(refund).await);
    }
    for (refund, outcome) in refunds.iter().zip(outcomes) {
        let unknown = fixtures::stepped(refund, Outcome::Unknown);
        assert_eq!(client().look_up(&unknown).await, LookedUp::Stands(outcome));
    }
}

#[tokio::test]
async fn a_payment_that_it_does_not_know_is_nobodys_refund() {
    let refund = refund("key", "ch_of_nobody", 250);
    // Without Stripe's own code for it this decides nothing.
    assert_eq!(client().refund(&refund).await, Outcome::Unknown);
    assert_eq!(client().look_up(&refund).await, LookedUp::Stands(Outcome::Unknown));
}
