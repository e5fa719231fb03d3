//! The queues, through the real SDK to a listener that answers as SQS does.
#![cfg(test)]

#[path = "queues/dead_letters.rs"]
mod dead_letters;
mod support;

use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{Credentials, Region};
use recoup_domain::delivery::Target;
use recoup_domain::ids::{AccountId, EndpointId, Environment, EventId, RefundId, Tenant};
use recoup_outbound::queues::{QueueUrls, Queues, Visibility};
use recoup_ports::jobs::{Job, Jobs, Lane, Pace, RefundJob, WebhookJob, read_job};
use recoup_testing::planted::{self, Log};
use serde_json::{Value, json};
use support::{Answer, Received, Receiver};

fn client(sqs: &Receiver) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(format!("http://127.0.0.1:{}", sqs.port));
    aws_sdk_sqs::Client::from_conf(config.build())
}

fn queues(sqs: &Receiver) -> Queues {
    let urls = QueueUrls {
        refund_jobs: "http://sqs/refunds".to_owned(),
        webhook_jobs: "http://sqs/webhooks".to_owned(),
        webhook_retries: "http://sqs/retries".to_owned(),
        relay_dead_letters: "http://sqs/relay-dead-letters".to_owned(),
    };
    Queues::new(client(sqs), urls)
}

fn ok(body: &Value) -> Answer {
    let body = body.to_string();
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close";
    let text = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    Answer { text, filler_bytes: 0, close: true }
}

fn sent(request: &Received) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

fn ids(request: &Received) -> Vec<String> {
    let sent = sent(request);
    sent["Entries"].as_array().unwrap().iter().map(|entry| entry["Id"].as_str().unwrap().to_owned()).collect()
}

/// Takes every message whose id is not refused or forgotten.
fn taking_all_but(
    refused: &'static [&str],
    forgotten: &'static [&str],
) -> impl Fn(&Received) -> Answer + Send + 'static {
    move |request| {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for id in ids(request) {
            if refused.contains(&id.as_str()) {
                failed
                    .push(json!({"Id": id, "SenderFault": false, "Code": "InternalError", "Message": "no"}));
            } else if !forgotten.contains(&id.as_str()) {
                successful.push(json!({"Id": id, "MessageId": "m", "MD5OfMessageBody": "x"}));
            }
        }
        ok(&json!({"Successful": successful, "Failed": failed}))
    }
}

fn tenant() -> Tenant {
    Tenant { environment: Environment::Sandbox, account: AccountId::from_bits(1) }
}

fn refund_job() -> Job {
    let job = RefundJob { tenant: tenant(), refund: RefundId::from_bits(2), turn: Some(0) };
    Job::Refund { job, delay: Duration::ZERO }
}

fn webhook_job() -> WebhookJob {
    let (event, refund) = (EventId::from_bits(3), Some(RefundId::from_bits(2)));
    let target = Target::Endpoint(EndpointId::from_bits(5));
    WebhookJob { tenant: tenant(), event, refund, target, turn: 1 }
}

fn now(job: WebhookJob) -> Job {
    Job::Webhook { job, lane: Lane::First, delay: Duration::ZERO }
}

#[tokio::test]
async fn jobs_go_to_their_queues_ten_at_a_time() {
    let sqs = Receiver::answering(taking_all_but(&[], &[])).await;
    let mut jobs: Vec<Job> = (0..12).map(|_| refund_job()).collect();
    jobs.insert(3, now(webhook_job()));
    jobs.push(now(webhook_job()));
    assert!(queues(&sqs).send(&jobs).await.is_empty());
    let mut calls = sqs.received();
    calls.sort_by_key(|call| ids(call)[0].parse::<usize>().unwrap());
    let of = |ids: &[usize]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        (json!("http://sqs/refunds"), of(&[0, 1, 2, 4, 5, 6, 7, 8, 9, 10])),
        (json!("http://sqs/webhooks"), of(&[3, 13])),
        (json!("http://sqs/refunds"), of(&[11, 12])),
    ];
    let seen: Vec<_> = calls.iter().map(|call| (sent(call)["QueueUrl"].clone(), ids(call))).collect();
    assert_eq!(seen, expected);
    let call = &calls[1];
    assert!(call.head.contains("AmazonSQS.SendMessageBatch"), "{}", call.head);
    let body = sent(call)["Entries"][0]["MessageBody"].as_str().unwrap().to_owned();
    assert_eq!(now(read_job(&body).unwrap()), jobs[3]);
    assert!(body.len() < 1_000, "ten of them fit into one call");
}

#[tokio::test]
async fn no_call_waits_for_another() {
    let sqs = Receiver::answering_together(3, taking_all_but(&[], &[])).await;
    let jobs: Vec<Job> = (0..30).map(|_| refund_job()).collect();
    let sent = queues(&sqs);
    let sent = tokio::time::timeout(Duration::from_secs(10), sent.send(&jobs)).await;
    assert!(sent.expect("three calls at once").is_empty());
}

#[tokio::test]
async fn a_retry_has_a_queue_of_its_own_and_waits_there_as_long_as_it_may() {
    let sqs = Receiver::answering(taking_all_but(&[], &[])).await;
    let retry = |millis| Job::Webhook {
        job: webhook_job(),
        lane: Lane::Retries,
        delay: Duration::from_millis(millis),
    };
    let own = WebhookJob { target: Target::RefundUrl, ..webhook_job() };
    let jobs = [retry(0), retry(4_001), retry(900_000), retry(9_000_000), now(own)];
    assert!(queues(&sqs).send(&jobs).await.is_empty());
    let calls: Vec<Value> = sqs.received().iter().map(sent).collect();
    assert_eq!(
        (&calls[0]["QueueUrl"], &calls[1]["QueueUrl"]),
        (&json!("http://sqs/retries"), &json!("http://sqs/webhooks"))
    );
    let delays: Vec<_> =
        calls[0]["Entries"].as_array().unwrap().iter().map(|entry| entry["DelaySeconds"].clone()).collect();
    assert_eq!(delays, [0, 5, 900, 900]);
    // Each account is a group, so that the queue serves them in turn.
    let group = format!("sandbox-{}", tenant().account);
    assert_eq!(calls[0]["Entries"][0]["MessageGroupId"], group);
    assert_eq!(calls[1]["Entries"][0]["MessageGroupId"], group);
}

#[tokio::test]
async fn no_jobs_make_no_call() {
    let sqs = Receiver::answering(taking_all_but(&[], &[])).await;
    assert!(queues(&sqs).send(&[]).await.is_empty());
    assert_eq!(sqs.received().len(), 0);
}

#[tokio::test]
async fn every_message_not_taken_is_named() {
    let sqs = Receiver::answering(taking_all_but(&["1"], &["3"])).await;
    let jobs: Vec<Job> = (0..5).map(|_| refund_job()).collect();
    let not_taken = queues(&sqs).send(&jobs).await;
    let positions: Vec<_> = not_taken.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, [1, 3]);
    assert_eq!(not_taken[0].1.0.to_string(), "InternalError");
}

#[tokio::test]
async fn what_a_broken_queue_answers_is_not_repeated() {
    let planted = planted::text();
    let refusal = json!({ "__type": "com.amazonaws.sqs#InvalidMessageContents", "message": planted });
    let entry =
        json!({ "Id": "0", "SenderFault": true, "Code": "InvalidMessageContents", "Message": planted });
    for (status, body) in [
        (200, planted.clone()),
        (200, format!("{{\"Failed\": [{{\"Id\": \"{planted}")),
        (200, json!({ "Successful": planted, "Failed": planted }).to_string()),
        (200, json!({ "Failed": [entry] }).to_string()),
        (400, refusal.to_string()),
        (400, json!({ "__type": planted, "message": planted }).to_string()),
    ] {
        let text = format!(
            "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let sqs =
            Receiver::answering(move |_| Answer { text: text.clone(), filler_bytes: 0, close: true }).await;
        let log = Log::listen();
        let not_taken = queues(&sqs).send(&[refund_job()]).await;
        assert_eq!(not_taken.len(), 1);
        planted::assert_untold(&recoup_ports::causes(&not_taken[0].1), &body);
        let dead_lettered = queues(&sqs).dead_letter("{}").await;
        planted::assert_untold(
            &dead_lettered.err().map(|error| recoup_ports::causes(&error)).unwrap_or_default(),
            &body,
        );
        log.assert_tells_nothing(&body);
    }
}

#[tokio::test]
async fn a_failed_call_names_all_its_messages_and_no_others() {
    let sqs = Receiver::answering(|request| {
        if sent(request)["QueueUrl"] == "http://sqs/refunds" {
            let text = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
            Answer { text, filler_bytes: 0, close: true }
        } else {
            taking_all_but(&[], &[])(request)
        }
    })
    .await;
    let jobs = [refund_job(), now(webhook_job()), refund_job()];
    let not_taken = queues(&sqs).send(&jobs).await;
    let positions: Vec<_> = not_taken.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, [0, 2]);
}

#[tokio::test]
async fn a_record_is_buried_in_the_relays_dead_letters() {
    let sqs = Receiver::answering(|_| ok(&json!({"MessageId": "m", "MD5OfMessageBody": "x"}))).await;
    queues(&sqs).dead_letter("{\"a\":1}").await.unwrap();
    queues(&sqs).dead_letter(&"é".repeat(300_000)).await.unwrap();
    // SQS refuses two characters that JSON allows; they are escaped as JSON has it.
    queues(&sqs).dead_letter("{\"a\":\"b\u{ffff}c\u{fffe}\"}").await.unwrap();
    let received = sqs.received();
    assert_eq!(sent(&received[2])["MessageBody"], "{\"a\":\"b\\uffffc\\ufffe\"}");
    assert_eq!(sent(&received[0])["QueueUrl"], "http://sqs/relay-dead-letters");
    assert_eq!(sent(&received[0])["MessageBody"], "{\"a\":1}");
    assert_eq!(sent(&received[1])["MessageBody"].as_str().unwrap().len(), 200_000);
}

#[tokio::test]
async fn a_wait_never_passes_what_sqs_allows() {
    let sqs = Receiver::answering(|_| ok(&json!({}))).await;
    let pace = Visibility::new(client(&sqs), "http://sqs/webhooks".to_owned());
    for seconds in [0, 300, u32::MAX] {
        pace.again_in("handle", seconds).await.unwrap();
    }
    let waits: Vec<_> = sqs.received().iter().map(|call| sent(call)["VisibilityTimeout"].clone()).collect();
    assert_eq!(waits, [0, 300, 43_140]);
    assert_eq!(sent(&sqs.received()[0])["ReceiptHandle"], "handle");
}
