//! Batches of webhook jobs, dispatched to real receivers on loopback.
#![cfg(test)]

#[path = "../../../shared/outbound/tests/support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dispatch_webhook::{Context, handle};
use recoup_domain::ids::{AccountId, Environment, EventId, RefundId, Tenant};
use recoup_domain::signing::{Secret, Secrets};
use recoup_domain::text::TargetUrl;
use recoup_domain::time::Timestamp;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::ReadError;
use recoup_ports::jobs::{Pace, SendJobError, WebhookJob};
use recoup_ports::webhooks::Reach;
use recoup_ports::webhooks::WebhookSecrets;
use serde_json::{Value, json};
use support::{Answer, Received, Receiver};

/// The one account that has a secret.
struct OneSecret;

fn tenant() -> Tenant {
    Tenant { environment: Environment::Sandbox, account: AccountId::random(1) }
}

fn secret() -> Secret {
    Secret::new(vec![7; 32]).unwrap()
}

impl WebhookSecrets for OneSecret {
    async fn webhook_secrets(&self, of: &Tenant) -> Result<Option<Secrets>, ReadError> {
        Ok((*of == tenant()).then(|| Secrets::first(secret())))
    }
}

/// Notes the waits it is asked for, and refuses them if it is broken.
#[derive(Default)]
struct Waits {
    asked: Mutex<Vec<(String, u32)>>,
    broken: bool,
}

impl Pace for Waits {
    async fn again_in(&self, receipt_handle: &str, seconds: u32) -> Result<(), SendJobError> {
        self.asked.lock().unwrap().push((receipt_handle.to_owned(), seconds));
        if self.broken { Err(SendJobError("throttled".into())) } else { Ok(()) }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap()).unwrap()
}

fn context<Q: Pace>(queue: Q) -> Context<OneSecret, Webhooks, Q> {
    let receivers = Webhooks::new(Reach::Anywhere).unwrap().within(Duration::from_secs(1));
    Context { secrets: OneSecret, receivers, queue, now, jitter_permille: || 1_000 }
}

fn job(receiver: &Receiver) -> WebhookJob {
    WebhookJob {
        tenant: tenant(),
        event: EventId::random(3),
        refund: RefundId::random(2),
        url: TargetUrl::checked(format!("http://127.0.0.1:{}/hook", receiver.port)),
        body: "{\"type\":\"refund.succeeded\",\"data\":{\"reason\":\"zu groß\"}}".to_owned(),
    }
}

fn message(id: &str, receive_count: u32, body: impl Into<String>) -> Value {
    let body = body.into();
    json!({
        "messageId": id,
        "receiptHandle": format!("handle-{id}"),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": receive_count.to_string(), "SentTimestamp": "1795000000000",
            "SenderId": "AROA", "ApproximateFirstReceiveTimestamp": "1795000000001",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:webhook-jobs",
        "awsRegion": "eu-central-1",
    })
}

async fn answering(line: &'static str) -> Receiver {
    Receiver::answering(move |_| {
        let text = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        Answer { text, filler_bytes: 0, close: true }
    })
    .await
}

async fn silent() -> Receiver {
    Receiver::answering(|_| Answer { text: String::new(), filler_bytes: 0, close: false }).await
}

/// The ids that the batch's answer keeps, sorted.
async fn kept<Q: Pace>(context: &Context<OneSecret, Webhooks, Q>, records: Vec<Value>) -> Vec<String> {
    let answer = handle(context, &json!({"Records": records})).await.unwrap();
    let mut kept: Vec<_> = answer.failed().map(ToOwned::to_owned).collect();
    kept.sort();
    kept
}

fn asked(context: &Context<OneSecret, Webhooks, Waits>) -> Vec<(String, u32)> {
    let mut asked = context.queue.asked.lock().unwrap().clone();
    asked.sort();
    asked
}

fn verify(received: &Received) -> String {
    let verifier = standardwebhooks::Webhook::new(&secret().reveal()).unwrap();
    let mut headers = http::HeaderMap::new();
    for line in received.head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    verifier.verify(received.body.as_bytes(), &headers).unwrap();
    headers["webhook-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_delivered_message_leaves_the_queue() {
    let receiver = answering("204 No Content").await;
    let context = context(Waits::default());
    let job = job(&receiver);
    assert!(kept(&context, vec![message("m1", 1, job.to_body())]).await.is_empty());
    assert_eq!(asked(&context), []);
    let requests = receiver.received();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body, job.body);
    assert_eq!(verify(&requests[0]), job.event.as_str());
}

#[tokio::test]
async fn a_receiver_that_answers_500_is_tried_again_with_the_same_webhook_id() {
    let receiver = answering("500 Oops").await;
    let context = context(Waits::default());
    for receive_count in [1, 2] {
        let record = message("m1", receive_count, job(&receiver).to_body());
        assert_eq!(kept(&context, vec![record]).await, ["m1"]);
    }
    let handle = || "handle-m1".to_owned();
    assert_eq!(asked(&context), [(handle(), 5), (handle(), 300)]);
    let ids: Vec<_> = receiver.received().iter().map(verify).collect();
    assert_eq!(ids, [EventId::random(3).as_str(), EventId::random(3).as_str()]);
}

#[tokio::test]
async fn any_status_but_2xx_is_a_failure() {
    for line in ["301 Moved", "304 Not Modified", "400 Bad", "404 Not Found", "410 Gone", "503 Busy"] {
        let receiver = answering(line).await;
        let context = context(Waits::default());
        assert_eq!(kept(&context, vec![message("m1", 3, job(&receiver).to_body())]).await, ["m1"], "{line}");
        assert_eq!(asked(&context), [("handle-m1".to_owned(), 1_800)], "{line}");
        assert_eq!(receiver.received().len(), 1, "{line}");
    }
}

#[tokio::test]
async fn an_unreadable_message_fails_alone_and_comes_back_at_once() {
    let receiver = answering("200 OK").await;
    let context = context(Waits::default());
    let good = || job(&receiver).to_body();
    let mut without_count = message("m4", 1, good());
    without_count["attributes"] = json!({});
    let records =
        vec![message("m1", 1, good()), message("m2", 1, "no json"), message("m3", 1, good()), without_count];
    assert_eq!(kept(&context, records).await, ["m2", "m4"]);
    // Without a count a wait has no meaning: m4 is left to the queue's own visibility.
    assert_eq!(asked(&context), [("handle-m2".to_owned(), 0)]);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_message_without_an_id_fails_the_whole_batch_untried() {
    let receiver = answering("200 OK").await;
    let mut nameless = message("m1", 1, job(&receiver).to_body());
    nameless.as_object_mut().unwrap().remove("messageId");
    let event = json!({"Records": [message("m2", 1, job(&receiver).to_body()), nameless]});
    assert!(handle(&context(Waits::default()), &event).await.is_err());
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn an_account_without_a_secret_is_kept_for_later() {
    let receiver = answering("200 OK").await;
    let context = context(Waits::default());
    let mut stranger = job(&receiver);
    stranger.tenant.environment = Environment::Live;
    assert_eq!(kept(&context, vec![message("m1", 1, stranger.to_body())]).await, ["m1"]);
    assert_eq!(asked(&context), [("handle-m1".to_owned(), 5)]);
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn a_message_that_cannot_be_paced_is_kept_all_the_same() {
    let receiver = answering("500 Oops").await;
    let context = context(Waits { broken: true, ..Waits::default() });
    assert_eq!(kept(&context, vec![message("m1", 1, job(&receiver).to_body())]).await, ["m1"]);
}

/// When it is asked for a wait, the others must have been delivered already.
struct AfterTheOthers<'test>(&'test Receiver, usize);

impl Pace for AfterTheOthers<'_> {
    async fn again_in(&self, _: &str, _: u32) -> Result<(), SendJobError> {
        assert_eq!(self.0.received().len(), self.1);
        Ok(())
    }
}

#[tokio::test]
async fn slow_receivers_do_not_delay_the_others_of_their_batch() {
    let (slow, quick) = (silent().await, answering("200 OK").await);
    let mut records: Vec<_> = (0..9).map(|n| message(&format!("slow{n}"), 1, job(&slow).to_body())).collect();
    records.push(message("quick", 1, job(&quick).to_body()));
    let kept = kept(&context(AfterTheOthers(&quick, 1)), records).await;
    assert_eq!(kept.len(), 9);
    assert!(kept.iter().all(|id| id.starts_with("slow")));
}

#[test]
fn the_template_agrees_with_the_tries_and_the_batch() {
    let template = include_str!("../../../template.yaml");
    let tries = dispatch_webhook::waits::TRIES_MAX;
    let redrive = format!("WebhookJobsDeadLetters.Arn, maxReceiveCount: {tries} }}");
    assert!(template.contains(&redrive));
    let mapping = template.split("Queue: !GetAtt WebhookJobs.Arn").nth(1).unwrap();
    let size = mapping.lines().find_map(|line| line.trim().strip_prefix("BatchSize: ")).unwrap();
    assert!(size.parse::<usize>().unwrap() <= dispatch_webhook::AT_ONCE);
}
