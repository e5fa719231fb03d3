//! The log says why a refund waits, and nothing that is secret.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_domain::refund::Outcome;
use recoup_ports::processor::Processor;
use serde_json::json;
use tracing::Level;

use crate::adapter::AtAdapter;
use crate::contract::Subject;
use crate::fake_stripe::{CHARGE, object};
use crate::faults::{Fault, UNCLEAR};
use crate::stripe::AtStripe;
use crate::world::{LIVE_KEY, TEST_KEY, after, fresh, handed_over, secrets};

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that a function could log (`LOG_LEVEL=debug`) on this thread, by anybody, until the guard is dropped.
pub(crate) fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(Level::DEBUG).with_writer(move || writer.clone());
    (log, tracing::subscriber::set_default(subscriber.finish()))
}

pub(crate) fn read(log: &Log) -> String {
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

/// Nobody may log what is secret, and we not even where a processor lives: a library that dials says so on
/// its debug level.
pub(crate) fn tells_nothing(text: &str, port: u16) {
    let ours: String = text.lines().filter(|line| line.contains("recoup_outbound")).collect();
    for word in ["127.0.0.1", &port.to_string(), "/base"] {
        assert!(!ours.contains(word), "{word} in {ours}");
    }
    let shared = secrets().current;
    let secret_words = [
        TEST_KEY.to_owned(),
        LIVE_KEY.to_owned(),
        "Bearer".to_owned(),
        shared.reveal(),
        STANDARD.encode(shared.bytes()),
        "SecretShared".to_owned(),
        "/base".to_owned(),
        "bank-payment-1".to_owned(),
        "<html>".to_owned(),
    ];
    for word in secret_words {
        assert!(!text.contains(&word), "{word} in {text}");
    }
}

async fn ask_through_everything<P: Processor>(processor: &P, reference: &str, fail: impl Fn(Fault)) -> usize {
    let refund = handed_over(&fresh("key", reference));
    for fault in UNCLEAR {
        fail(*fault);
        processor.refund(&refund).await;
        fail(*fault);
        processor.look_up(&refund).await;
    }
    processor.refund(&refund).await;
    2 * UNCLEAR.len()
}

fn each_is_told_with_its_refund(text: &str, processor: &str, times: usize) {
    let id = fresh("key", CHARGE).id;
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(id.as_str())).collect();
    assert_eq!(lines.len(), times, "{text}");
    for line in lines {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["fields"]["processor.name"], processor, "{line}");
        assert!(line["fields"]["why"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn each_unclear_word_of_stripes_is_logged_once_without_a_secret() {
    let at = AtStripe::new().await;
    let (log, guard) = listen();
    let times = ask_through_everything(&at.client, CHARGE, |fault| at.stripe.books.fail([fault])).await;
    drop(guard);
    let text = read(&log);
    each_is_told_with_its_refund(&text, "stripe", times);
    tells_nothing(&text, at.stripe.server.port);
}

#[tokio::test]
async fn each_unclear_word_of_an_adapters_is_logged_once_without_a_secret() {
    let at = AtAdapter::new().await;
    let (log, guard) = listen();
    let fail = |fault| at.adapter.books.fail([fault]);
    let times = ask_through_everything(&at.client, "bank-payment-1", fail).await;
    drop(guard);
    let text = read(&log);
    each_is_told_with_its_refund(&text, "http", times);
    tells_nothing(&text, at.adapter.server.port);
}

#[tokio::test]
async fn a_key_that_is_not_there_is_an_error_in_the_log() {
    let at = AtStripe::with(|keys| keys.stripe = Some(LIVE_KEY)).await;
    let (log, guard) = listen();
    at.client.refund(&handed_over(&fresh("key", CHARGE))).await;
    drop(guard);
    let text = read(&log);
    assert!(text.contains("ERROR") && text.contains("a live key is not sent to a stand-in"), "{text}");
    tells_nothing(&text, at.stripe.server.port);
}

#[tokio::test]
async fn a_contradiction_is_an_error_in_the_log() {
    let (stripe, adapter) = (AtStripe::new().await, AtAdapter::new().await);
    let refund = handed_over(&fresh("key", CHARGE));
    let pending = after(&refund, &Outcome::Pending);
    let (log, guard) = listen();
    stripe.client.look_up(&pending).await;
    adapter.client.look_up(&pending).await;
    let other = object(1, 499, "succeeded", &json!({ "recoup_refund_id": refund.id.as_str() }));
    stripe.stripe.books.open().refunds.push(other);
    stripe.client.look_up(&pending).await;
    drop(guard);
    let text = read(&log);
    let told = ["no longer knows it", "no longer knows it", "another id, amount or currency"];
    let errors: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), told.len(), "{text}");
    for (line, words) in errors.iter().zip(told) {
        assert!(line.contains(words) && line.contains(refund.id.as_str()), "{line}");
    }
}
