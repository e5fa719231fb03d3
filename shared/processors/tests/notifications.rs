//! What processors tell us by themselves: believed if it is signed, recent, and about what was asked for.
#![cfg(test)]

use hmac::{Hmac, KeyInit, Mac};
use recoup_domain::ids::Environment;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::signing::{Secret, Secrets, sign};
use recoup_processors::adapter::{self, SignatureHeaders, UnverifiedNotice};
use recoup_processors::notification::{NotGenuine, Notification, Told, Unreadable};
use recoup_processors::stripe::{StripeSigningSecret, UnverifiedEvent};
use recoup_testing::fixtures::{self, text};
use serde_json::{Value, json};
use sha2::Sha256;

fn refund() -> Refund {
    let payment = fixtures::payment("pay_1", 500);
    fixtures::decided(&payment, &fixtures::wanted(&payment, None), "key").refund
}

fn stripe_secret() -> StripeSigningSecret {
    StripeSigningSecret::parse("whsec_test_secret").unwrap()
}

/// An event as Stripe documents it, about this refund.
fn event(kind: &str, refund: &Refund) -> Value {
    json!({
        "id": "evt_1Nst3FPv2yzY6J6K", "object": "event", "api_version": "2025-04-30.basil", "created": 1_795_000_000,
        "livemode": false, "pending_webhooks": 1, "request": { "id": null, "idempotency_key": null }, "type": kind,
        "data": { "object": {
            "id": "re_1Nispe2eZvKYlo2Cd31jOCgZ", "object": "refund", "amount": 500, "currency": "eur",
            "balance_transaction": "txn_1", "charge": "ch_1", "created": 1_795_000_000, "destination_details": null,
            "payment_intent": "pi_1", "reason": null, "receipt_number": null, "source_transfer_reversal": null,
            "status": "succeeded", "transfer_reversal": null,
            "metadata": { "recoup_refund_id": refund.id.as_str(), "recoup_environment": "sandbox",
                          "recoup_account_id": refund.tenant.account.as_str() } } },
    })
}

/// `Stripe-Signature` for a body, made here and now.
fn stripe_signature(body: &str, at_seconds: u64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(stripe_secret().bytes()).unwrap();
    mac.update(format!("{at_seconds}.{body}").as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .fold(format!("t={at_seconds},v1="), |header, byte| format!("{header}{byte:02x}"))
}

fn now_seconds() -> u64 {
    fixtures::now().unix_millis() / 1_000
}

fn of_stripe(event: &Value) -> Notification {
    let body = event.to_string();
    let signature = stripe_signature(&body, now_seconds());
    let Ok(Some(claim)) = UnverifiedEvent::parse(&body, None) else { panic!("{body}") };
    assert_eq!(*claim.tenant(), fixtures::tenant());
    match claim.verified(&[stripe_secret()], &signature, fixtures::now()).unwrap() {
        Told::Refund(notification) => *notification,
        other @ Told::Dispute(..) => panic!("{other:?}"),
    }
}

#[test]
fn stripes_refund_events_are_news_of_our_refund() {
    let refund = refund();
    for kind in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"] {
        let mut told = event(kind, &refund);
        let reference = text("re_1Nispe2eZvKYlo2Cd31jOCgZ");
        assert_eq!(
            of_stripe(&told).outcome_of(&refund),
            Outcome::Succeeded { reference, bank_reference: None },
            "{kind}"
        );
        told["data"]["object"]["status"] = json!("failed");
        told["data"]["object"]["failure_reason"] = json!("lost_or_stolen_card");
        let Outcome::Failed(failure) = of_stripe(&told).outcome_of(&refund) else { panic!("{kind}") };
        assert_eq!(failure.code.as_str(), "expired_or_closed_account");
        told["data"]["object"]["status"] = json!("pending");
        assert_eq!(of_stripe(&told).outcome_of(&refund), Outcome::Pending);
    }
}

#[test]
fn what_is_not_about_a_refund_of_ours_is_not_for_us() {
    let refund = refund();
    let mut foreign = event("refund.created", &refund);
    foreign["data"]["object"]["metadata"] = json!({ "order": "1" });
    let mut charge = event("charge.refunded", &refund);
    charge["data"]["object"]["object"] = json!("charge");
    for body in [foreign, charge, event("payment_intent.succeeded", &refund)] {
        assert_eq!(UnverifiedEvent::parse(&body.to_string(), None), Ok(None));
    }
}

#[test]
fn an_event_that_contradicts_itself_cannot_be_read() {
    let refund = refund();
    let changed = |change: fn(&mut Value)| {
        let mut event = event("refund.updated", &refund);
        change(&mut event);
        event.to_string()
    };
    for body in [
        changed(|event| event["livemode"] = json!(true)),
        changed(|event| event["data"]["object"]["metadata"]["recoup_environment"] = json!("live")),
        changed(|event| event["data"]["object"]["metadata"]["recoup_environment"] = json!("test")),
        changed(|event| event["data"]["object"]["metadata"]["recoup_account_id"] = json!("acct_1")),
        changed(|event| event["data"]["object"]["metadata"]["recoup_refund_id"] = json!("re_1")),
        changed(|event| event["data"]["object"]["object"] = json!("charge")),
        changed(|event| event["data"]["object"]["amount"] = json!("500")),
        changed(|event| event["type"] = json!(7)),
        String::new(),
        "[]".to_owned(),
    ] {
        assert!(matches!(UnverifiedEvent::parse(&body, None), Err(Unreadable(_))), "{body}");
    }
}

#[test]
fn news_of_another_amount_names_it_and_of_another_refund_says_nothing() {
    let asked = refund();
    let mut told = event("refund.updated", &asked);
    told["data"]["object"]["amount"] = json!(501);
    let Outcome::Differs { amount, .. } = of_stripe(&told).outcome_of(&asked) else { panic!("{told}") };
    assert_eq!(amount, fixtures::eur(501));
    told["data"]["object"]["status"] = json!("failed");
    assert_eq!(of_stripe(&told).outcome_of(&asked), Outcome::Unknown, "it moved nothing");
    told["data"]["object"]["status"] = json!("succeeded");
    told["data"]["object"]["currency"] = json!("zzz");
    assert_eq!(of_stripe(&told).outcome_of(&asked), Outcome::Unknown);
    let mut another = asked.clone();
    another.id = fixtures::refund_id("another");
    assert_eq!(of_stripe(&event("refund.updated", &asked)).outcome_of(&another), Outcome::Unknown);
    another = asked.clone();
    another.tenant = fixtures::tenant_of(Environment::Sandbox, 2);
    assert_eq!(of_stripe(&event("refund.updated", &asked)).outcome_of(&another), Outcome::Unknown);
}

#[test]
fn an_event_is_believed_only_with_a_recent_signature_of_its_own_body() {
    let body = event("refund.updated", &refund()).to_string();
    let claim = || match UnverifiedEvent::parse(&body, None) {
        Ok(Some(claim)) => claim,
        other => panic!("{other:?}"),
    };
    let judged = |header: &str| claim().verified(&[stripe_secret()], header, fixtures::now()).err();
    assert_eq!(judged(&stripe_signature(&body, now_seconds())), None);
    assert_eq!(judged(&stripe_signature(&body, now_seconds() - 301)), Some(NotGenuine::Stale));
    assert_eq!(judged(&stripe_signature("{}", now_seconds())), Some(NotGenuine::Forged));
    assert_eq!(judged(""), Some(NotGenuine::Malformed));
}

fn secrets(byte: u8) -> Secrets {
    Secrets::first(Secret::new(vec![byte; 32]).unwrap())
}

fn notice(refund: &Refund, said: &Value) -> String {
    let mut notice = json!({
        "environment": "sandbox", "account_id": refund.tenant.account.as_str(), "refund_id": refund.id.as_str(),
    });
    notice.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    notice.to_string()
}

#[test]
fn an_adapters_notice_is_signed_as_standard_webhooks_are() {
    let refund = refund();
    for (said, outcome) in [
        (json!({ "status": "succeeded", "reference": "bank-7" }), fixtures::succeeded_as("bank-7")),
        (json!({ "status": "pending" }), Outcome::Pending),
    ] {
        let body = notice(&refund, &said);
        // By the hand of the scheme's own library, as an adapter would.
        let secret = secrets(7).current;
        let seconds = now_seconds();
        let webhook = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
        let signature = webhook.sign("msg_1", i64::try_from(seconds).unwrap(), body.as_bytes()).unwrap();
        let timestamp = seconds.to_string();
        let headers = SignatureHeaders { id: "msg_1", timestamp: &timestamp, signature: &signature };
        let claim = UnverifiedNotice::parse(&body).unwrap();
        assert_eq!(*claim.tenant(), refund.tenant);
        let notification = claim.clone().verified(&secrets(7), headers, fixtures::now()).unwrap();
        assert_eq!(
            (notification.refund.clone(), notification.outcome_of(&refund)),
            (refund.id.clone(), outcome)
        );

        let judged = |secrets: &Secrets, headers, now| claim.clone().verified(secrets, headers, now).err();
        assert_eq!(judged(&secrets(8), headers, fixtures::now()), Some(NotGenuine::Forged));
        let another_id = SignatureHeaders { id: "msg_2", ..headers };
        assert_eq!(judged(&secrets(7), another_id, fixtures::now()), Some(NotGenuine::Forged));
        let no_time = SignatureHeaders { timestamp: "", ..headers };
        assert_eq!(judged(&secrets(7), no_time, fixtures::now()), Some(NotGenuine::Malformed));
        assert_eq!(judged(&secrets(7), headers, fixtures::later(301_000)), Some(NotGenuine::Stale));
        assert_eq!(judged(&secrets(7), headers, fixtures::later(300_000)), None);
    }
}

#[test]
fn a_notice_that_is_not_as_documented_cannot_be_read() {
    let refund = refund();
    for said in [
        json!({}),
        json!({ "status": "succeeded" }),
        json!({ "status": "failed" }),
        json!({ "status": "pending", "amount": 1 }),
        json!({ "status": "pending", "environment": "test" }),
        json!({ "status": "pending", "account_id": "acc_1" }),
        json!({ "status": "pending", "refund_id": "evt_1" }),
    ] {
        let body = notice(&refund, &said);
        assert!(matches!(UnverifiedNotice::parse(&body), Err(Unreadable(_))), "{body}");
    }
}

#[test]
fn our_own_order_sent_back_to_us_is_no_notice() {
    let order = adapter::order(&refund());
    let signed = sign("msg_1", fixtures::now(), order, &secrets(7));
    assert!(matches!(UnverifiedNotice::parse(&signed.body), Err(Unreadable(_))));
}
