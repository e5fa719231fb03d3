//! Who turns us away did nothing: busy, or for want of a key.

use std::time::Duration;

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::Outcome;
use recoup_ports::direct::KeysChecked;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::fixtures;
use serde_json::json;

use crate::adapter::AtAdapter;
use crate::contract::Subject;
use crate::fake_stripe::{CHARGE, error};
use crate::faults::Fault;
use crate::stripe::AtStripe;
use crate::world::{Keys, LIVE_KEY, fresh, handed_over};

fn busy(seconds: Option<u64>) -> Outcome {
    Outcome::Busy { retry_after: seconds.map(Duration::from_secs) }
}

/// An answer with these headers.
fn said(status: u16, headers: &str, body: &str) -> Fault {
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{headers}");
    Fault::Says(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).leak())
}

#[tokio::test]
async fn stripe_that_is_busy_or_takes_no_key_did_nothing() {
    let lock = error("invalid_request_error", "lock_timeout").to_string();
    let limited = error("rate_limit_error", "rate_limit").to_string();
    let key = error("invalid_request_error", "").to_string();
    let disputed = error("invalid_request_error", "charge_disputed").to_string();
    let html = Fault::Says("HTTP/1.1 429 Too Many\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\nno");
    for (fault, expected) in [
        (said(429, "", &lock), busy(None)),
        (said(429, "retry-after: 7\r\n", &limited), busy(Some(7))),
        (said(409, "stripe-should-retry: true\r\n", &lock), busy(None)),
        (said(400, "stripe-should-retry: true\r\n", &disputed), busy(None)),
        (html, busy(Some(3))),
        (said(401, "", &key), Outcome::NotConfigured),
        (said(403, "", &key), Outcome::NotConfigured),
        (said(429, "idempotent-replayed: true\r\n", &lock), Outcome::Unknown),
        (said(409, "stripe-should-retry: false\r\n", &lock), Outcome::Unknown),
        (said(503, "stripe-should-retry: true\r\nretry-after: 1\r\n", &key), Outcome::Unknown),
    ] {
        let at = AtStripe::new().await;
        let refund = handed_over(&fresh("key", CHARGE));
        at.stripe.books.fail([fault, fault]);
        assert_eq!(at.client.refund(&refund).await, expected, "{fault:?}");
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(expected), "{fault:?}");
        assert_eq!(at.stripe.moved(&refund), 0);
    }
}

#[tokio::test]
async fn an_adapter_that_is_busy_or_takes_no_signature_did_nothing() {
    for (fault, expected) in [
        (said(429, "", "{}"), busy(None)),
        (said(429, "retry-after: 7\r\n", ""), busy(Some(7))),
        (said(503, "retry-after: 7\r\n", "{}"), busy(Some(7))),
        (said(503, "", "{}"), Outcome::Unknown),
        (said(409, "retry-after: 7\r\n", "{}"), Outcome::Unknown),
        (said(401, "", "{}"), Outcome::NotConfigured),
        (said(403, "", ""), Outcome::NotConfigured),
    ] {
        let at = AtAdapter::new().await;
        let refund = handed_over(&fresh("key", "bank-payment-1"));
        at.adapter.books.fail([fault, fault]);
        assert_eq!(at.client.refund(&refund).await, expected, "{fault:?}");
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(expected), "{fault:?}");
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let (stripe, adapter) = (AtStripe::new().await, AtAdapter::new().await);
    drop((stripe.stripe, adapter.adapter));
    // Their listeners are closed once their tasks have ended.
    tokio::task::yield_now().await;
    let refund = handed_over(&fresh("key", CHARGE));
    assert_eq!(stripe.client.refund(&refund).await, busy(None));
    assert_eq!(stripe.client.look_up(&refund).await, LookedUp::Stands(busy(None)));
    assert_eq!(adapter.client.refund(&refund).await, busy(None));
}

#[tokio::test]
async fn a_refusal_keeps_stripes_code_words_and_request() {
    let at = AtStripe::new().await;
    let words = json!({ "error": { "type": "invalid_request_error", "message": "Insufficient funds in your balance." } });
    at.stripe.books.open().refusal = Some((400, words));
    let outcome = at.client.refund(&handed_over(&fresh("key", CHARGE))).await;
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.code.as_str(), "insufficient_funds");
    assert_eq!(failure.said.code, None);
    assert_eq!(failure.said.message.unwrap().as_str(), "Insufficient funds in your balance.");
    assert_eq!(failure.said.request_id.unwrap().as_str(), "req_1");
}

#[tokio::test]
async fn a_key_is_tried_without_moving_money() {
    let tenant = fixtures::tenant();
    let stripe = async |change: fn(&mut Keys), fault: Option<Fault>| {
        let at = AtStripe::with(change).await;
        at.stripe.books.fail(fault);
        let checked = at.client.check_key(&tenant, ProcessorName::Stripe).await;
        let calls = at.stripe.server.take_calls();
        assert!(calls.iter().all(|call| call.starts_with("GET ")), "{calls:?}");
        checked
    };
    let key = error("invalid_request_error", "").to_string();
    assert_eq!(stripe(|_| {}, None).await, KeysChecked::Works);
    assert_eq!(stripe(|_| {}, Some(said(401, "", &key))).await, KeysChecked::Refused);
    assert_eq!(stripe(|_| {}, Some(said(429, "", &key))).await, KeysChecked::Unclear);
    assert_eq!(stripe(|_| {}, Some(Fault::CutBefore)).await, KeysChecked::Unclear);
    assert_eq!(stripe(|keys| keys.stripe = Some(LIVE_KEY), None).await, KeysChecked::Refused);
    assert_eq!(stripe(|keys| keys.stripe = None, None).await, KeysChecked::Missing);
    assert_eq!(stripe(|keys| keys.broken = true, None).await, KeysChecked::Unreadable);

    let adapter = async |change: fn(&mut Keys), fault: Option<Fault>| {
        let at = AtAdapter::with(change).await;
        at.adapter.books.fail(fault);
        at.client.check_key(&tenant, ProcessorName::Http).await
    };
    assert_eq!(adapter(|_| {}, None).await, KeysChecked::Works);
    assert_eq!(adapter(|_| {}, Some(said(401, "", ""))).await, KeysChecked::Refused);
    assert_eq!(adapter(|_| {}, Some(said(200, "", "{}"))).await, KeysChecked::Unclear);
    assert_eq!(adapter(|keys| keys.adapter = None, None).await, KeysChecked::Missing);
}
