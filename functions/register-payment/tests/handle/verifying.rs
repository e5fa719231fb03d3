//! A payment at Stripe: its terms are verified, or read from there, and it is one charge whatever names it.

use recoup_ports::charges::ChargeRead;
use recoup_ports::refunds::Reserve;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::charges::charge;
use crate::gateway::Event;
use crate::{PAYMENT, World, recorded, saying};

fn stripe(reference: &str) -> Value {
    json!({"processor": {"name": "stripe", "reference": reference}})
}

/// 50.00 EUR, said to be this charge.
fn said(reference: &str) -> Event {
    saying(&stripe(reference))
}

/// Nothing but the charge.
fn adopting(reference: &str) -> Event {
    recorded().json(&stripe(reference))
}

const NAMES: &[&str] = &["ch_1", "pi_1"];

impl World {
    /// Where the processor says this.
    fn told(read: ChargeRead) -> Self {
        let world = Self::new();
        world.context.charges.tell(read);
        world
    }
}

#[tokio::test]
async fn terms_that_are_stripes_are_verified_and_not_asked_about_again() {
    let world = World::told(charge(NAMES, 5000, 0));
    let new = world.put(&said("pi_1")).await;
    let verified = json!({
        "status": "verified", "at": "2026-11-22T09:30:00.000Z", "field": null, "ours": null, "theirs": null,
    });
    assert_eq!((new.status, &new.body["processor_verification"]), (201, &verified));
    assert_eq!(world.context.charges.take_asked(), 1);
    let again = world.put(&said("pi_1")).await;
    assert_eq!((again.status, &again.body), (200, &new.body));
    assert_eq!(world.context.charges.take_asked(), 0);
    // Other processors tell of no charges.
    for fields in [json!({}), json!({"processor": {"name": "http", "reference": "1"}})] {
        let world = World::new();
        let reply = world.put(&saying(&fields)).await;
        assert_eq!((reply.status, &reply.body["processor_verification"]), (201, &Value::Null));
        assert_eq!(world.context.charges.take_asked(), 0);
    }
}

#[tokio::test]
async fn other_terms_than_stripes_are_refused_with_both() {
    let pounds = match charge(NAMES, 5000, 0) {
        ChargeRead::Found(mut found) => {
            found.currency = recoup_domain::money::Currency::parse("GBP").unwrap();
            ChargeRead::Found(found)
        }
        other => other,
    };
    for (told, param, ours, theirs) in [
        (charge(NAMES, 4999, 0), "amount", "50.00", json!("49.99")),
        (charge(&[], 0, 0), "amount", "50.00", json!("0.00")),
        (pounds, "currency", "EUR", json!("GBP")),
        (ChargeRead::NoSuchCharge, "processor.reference", "pi_1", Value::Null),
    ] {
        let world = World::told(told);
        let refused = world.put(&said("pi_1")).await;
        assert_eq!(refused.problem(), (422, "terms_differ_at_processor"));
        let named = (&refused.body["param"], &refused.body["ours"], &refused.body["theirs"]);
        assert_eq!(named, (&json!(param), &json!(ours), &theirs), "{}", refused.text);
        assert!(world.table.items().await.is_empty());
    }
}

#[tokio::test]
async fn a_charge_is_adopted_with_nothing_but_its_name() {
    let world = World::told(charge(NAMES, 3100, 0));
    let new = world.put(&adopting("pi_1")).await;
    assert_eq!((new.status, &new.body["amount"], &new.body["currency"]), (201, &json!(3100), &json!("EUR")));
    assert_eq!(new.body["processor_verification"]["status"], "verified");
    assert_eq!(world.put(&adopting("pi_1")).await.status, 200);
    // Whoever may not read payments is not told what the processor said.
    let writer = adopting("pi_2")
        .of_payment("pay_2")
        .with("/requestContext/authorizer/lambda/scopes", "payments:write");
    world.context.charges.tell(charge(&["ch_2"], 777, 0));
    let told = world.put(&writer).await;
    assert_eq!((told.status, told.text.contains("777")), (201, false), "{}", told.text);
}

#[tokio::test]
async fn what_stripe_does_not_tell_now_is_not_adopted_and_nothing_is_written() {
    for (told, problem) in [
        (ChargeRead::NotConfigured, (422, "processor_not_configured")),
        (ChargeRead::NoSuchCharge, (422, "terms_differ_at_processor")),
        (charge(&[], 0, 0), (422, "terms_differ_at_processor")),
        (ChargeRead::Unclear, (503, "unavailable")),
    ] {
        let world = World::told(told);
        assert_eq!(world.put(&adopting("pi_1")).await.problem(), problem);
        assert!(world.table.items().await.is_empty());
    }
    // No other processor tells, and half of the terms is neither said nor read.
    let half = json!({"currency": "EUR", "processor": {"name": "stripe", "reference": "pi_1"}});
    for (body, param) in [
        (json!({"processor": {"name": "http", "reference": "1"}}), "currency"),
        (json!({}), "currency"),
        (half, "amount"),
    ] {
        let refused = World::new().put(&recorded().json(&body)).await;
        assert_eq!(refused.problem(), (400, "missing_parameter"));
        assert_eq!(refused.body["param"], param);
    }
}

#[tokio::test]
async fn a_payment_that_stripe_does_not_answer_about_is_pending_until_it_does() {
    let world = World::told(ChargeRead::NotConfigured);
    let new = world.put(&said("pi_1")).await;
    assert_eq!((new.status, &new.body["processor_verification"]["status"]), (201, &json!("pending")));
    world.context.charges.tell(charge(NAMES, 5000, 0));
    let again = world.put(&said("pi_1")).await;
    assert_eq!((again.status, &again.body["processor_verification"]["status"]), (200, &json!("verified")));
    let names: Vec<_> = world.payment().await.claims;
    assert_eq!(names, ["pi_1", "ch_1"].map(fixtures::text));
}

#[tokio::test]
async fn a_payment_that_is_not_captured_yet_is_verified_when_it_is() {
    let world = World::told(charge(&[], 0, 0));
    let mut body = json!({"status": "processing"});
    body.as_object_mut().unwrap().extend(stripe("pi_1").as_object().unwrap().clone());
    let new = world.put(&saying(&body)).await;
    assert_eq!((new.status, &new.body["processor_verification"]["status"]), (201, &json!("pending")));
    assert_eq!(world.context.charges.take_asked(), 0);
    world.context.charges.tell(charge(NAMES, 5000, 0));
    body["status"] = json!("completed");
    let captured = world.put(&saying(&body)).await;
    assert_eq!(
        (captured.status, &captured.body["processor_verification"]["status"]),
        (200, &json!("verified"))
    );
}

#[tokio::test]
async fn a_charge_is_one_payment_whichever_of_its_names_is_sent() {
    let world = World::told(charge(NAMES, 5000, 0));
    assert_eq!(world.put(&said("pi_1")).await.status, 201);
    for event in [said("ch_1"), said("pi_1"), adopting("ch_1")] {
        let refused = world.put(&event.clone().of_payment("pay_other")).await;
        assert_eq!(refused.problem(), (409, "processor_reference_in_use"));
        assert_eq!(refused.body["payment_id"], PAYMENT);
        // To the payment itself it is the same charge.
        assert_eq!(world.put(&event).await.status, 200);
    }
}

#[tokio::test]
async fn two_payments_that_prove_to_be_one_charge_are_not_both_verified() {
    let world = World::told(ChargeRead::Unclear);
    let other = said("ch_1").of_payment("pay_other");
    assert_eq!((world.put(&said("pi_1")).await.status, world.put(&other).await.status), (201, 201));
    world.context.charges.tell(charge(NAMES, 5000, 0));
    let first = world.put(&said("pi_1")).await;
    let failed = json!({
        "status": "failed", "at": "2026-11-22T09:30:00.000Z", "field": "processor.reference",
        "ours": "pi_1", "theirs": "pay_other",
    });
    assert_eq!((first.status, &first.body["processor_verification"]), (200, &failed));
    // As it stands in the table, too.
    world.context.charges.tell(ChargeRead::Unclear);
    assert_eq!(world.put(&said("pi_1")).await.body["processor_verification"], failed);
}

#[tokio::test]
async fn what_was_refunded_there_before_is_shown_and_not_refunded_again() {
    let world = World::told(charge(NAMES, 5000, 1500));
    let new = world.put(&adopting("pi_1")).await;
    let verification = &new.body["processor_verification"];
    assert_eq!(
        (new.status, &new.body["amount"], &verification["status"]),
        (201, &json!(5000), &json!("failed"))
    );
    assert_eq!(
        (&verification["field"], &verification["ours"], &verification["theirs"]),
        (&json!("refunded_amount"), &json!("0.00"), &json!("15.00"))
    );
    let payment = world.payment().await;
    let wanted = fixtures::wanted(&payment, Some(1000));
    let refused = recoup_domain::decide::decide(&payment, &wanted, fixtures::identity("key")).unwrap_err();
    assert_eq!(refused.to_string(), "the payment's processor says otherwise about its refunded_amount");

    // Once the books have it, the payment can be refunded again.
    world.edit("REMOVE verification", None).await;
    let payment = world.payment().await;
    let granted = fixtures::decided(&payment, &fixtures::wanted(&payment, Some(1500)), "key");
    world.table.store().reserve(&granted).await.unwrap();
    let again = world.put(&adopting("pi_1")).await;
    assert_eq!(again.body["processor_verification"]["status"], "verified");
}
