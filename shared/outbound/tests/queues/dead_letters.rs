//! The dead-letter queues, through the same SDK and listener: nothing is hidden for long and nothing is lost.

use recoup_domain::time::Timestamp;
use recoup_outbound::dead_letters::{DeadLetterQueues, DeadLetterUrls};
use recoup_ports::dead_letters::{DeadLetter, DeadLetterQueue, DeadLetters, PutBackError};
use recoup_ports::jobs::Job;
use serde_json::{Value, json};

use crate::support::{Answer, Received, Receiver};
use crate::{client, ids, now, ok, refund_job, sent, taking_all_but, webhook_job};

fn dead_letters(sqs: &Receiver) -> DeadLetterQueues {
    let urls = DeadLetterUrls::read(|name| {
        name.strip_suffix("_QUEUE_URL").map(|name| format!("http://sqs/{name}")).ok_or(())
    });
    DeadLetterQueues::new(client(sqs), urls.unwrap())
}

fn does(request: &Received, action: &str) -> bool {
    request.head.contains(&format!("AmazonSQS.{action}\r\n"))
}

fn failing() -> Answer {
    let text = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
    Answer { text, filler_bytes: 0, close: true }
}

fn letter(number: usize) -> DeadLetter {
    DeadLetter {
        message_id: format!("message-{number}"),
        receipt_handle: format!("handle-{number}"),
        sent_at: None,
        receive_count: 1,
        source_queue: None,
        body: String::new(),
    }
}

fn letters(jobs: impl IntoIterator<Item = Job>) -> Vec<(DeadLetter, Job)> {
    jobs.into_iter().enumerate().map(|(number, job)| (letter(number), job)).collect()
}

/// What was asked, in order: `SendMessageBatch http://sqs/…`.
fn calls(sqs: &Receiver) -> Vec<String> {
    let call = |call: &Received| {
        let action = call.head.split("AmazonSQS.").nth(1).and_then(|rest| rest.split("\r\n").next());
        format!("{} {}", action.unwrap(), sent(call)["QueueUrl"].as_str().unwrap())
    };
    sqs.received().iter().map(call).collect()
}

#[tokio::test]
async fn a_dead_letter_is_read_with_its_times_and_hidden_for_a_minute() {
    let message = json!({
        "MessageId": "m", "ReceiptHandle": "h", "Body": "b",
        "Attributes": {
            "SentTimestamp": "1795000000000", "ApproximateReceiveCount": "9",
            "DeadLetterQueueSourceArn": "arn:aws:sqs:eu-central-1:000000000000:refunds",
        },
    });
    let bare = json!({ "MessageId": "n", "ReceiptHandle": "i", "Body": "c" });
    let answer = ok(&json!({ "Messages": [message, bare] }));
    let sqs = Receiver::answering(move |_| answer.clone()).await;
    let read = dead_letters(&sqs).read(DeadLetterQueue::WebhookJobs).await.unwrap();
    let [told, silent] = read.as_slice() else { panic!("{} letters", read.len()) };
    assert_eq!(told.sent_at, Timestamp::from_unix_millis(1_795_000_000_000));
    assert_eq!((told.receive_count, told.source_queue.as_deref()), (9, Some("refunds")));
    assert_eq!((told.message_id.as_str(), told.receipt_handle.as_str(), told.body.as_str()), ("m", "h", "b"));
    assert!((silent.sent_at, silent.receive_count, &silent.source_queue) == (None, 1, &None));
    let asked = sent(&sqs.received()[0]);
    assert_eq!(asked["QueueUrl"], "http://sqs/WEBHOOK_JOBS_DEAD_LETTER");
    assert_eq!((&asked["MaxNumberOfMessages"], &asked["VisibilityTimeout"]), (&json!(10), &json!(60)));
    // Without a wait SQS asks only some of its servers, and "none" would mean nothing.
    assert_eq!(asked["WaitTimeSeconds"], 1);
}

#[tokio::test]
async fn a_dead_letter_without_its_body_is_not_taken_for_an_empty_one() {
    let whole = json!({ "MessageId": "m", "ReceiptHandle": "h", "Body": "b" });
    for missing in ["MessageId", "ReceiptHandle", "Body"] {
        let mut message = whole.clone();
        message.as_object_mut().unwrap().remove(missing);
        let answer = ok(&json!({ "Messages": [message] }));
        let sqs = Receiver::answering(move |_| answer.clone()).await;
        assert!(dead_letters(&sqs).read(DeadLetterQueue::Relay).await.is_err(), "{missing}");
    }
}

#[tokio::test]
async fn those_that_somebody_reads_are_counted_too() {
    let answer = ok(&json!({ "Attributes": {
        "ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "2",
    } }));
    let sqs = Receiver::answering(move |_| answer.clone()).await;
    assert_eq!(dead_letters(&sqs).count(DeadLetterQueue::Relay).await.unwrap(), 5);
    assert_eq!(calls(&sqs), ["GetQueueAttributes http://sqs/RELAY_DEAD_LETTER"]);
    let silent = Receiver::answering(|_| ok(&json!({}))).await;
    assert!(dead_letters(&silent).count(DeadLetterQueue::Relay).await.is_err());
}

#[tokio::test]
async fn what_was_read_is_shown_again_at_once_ten_in_a_call() {
    let sqs = Receiver::answering(taking_all_but(&[], &[])).await;
    let handles: Vec<String> = (0..12).map(|number| format!("handle-{number}")).collect();
    dead_letters(&sqs).release(DeadLetterQueue::RefundJobs, &handles).await.unwrap();
    assert_eq!(calls(&sqs), ["ChangeMessageVisibilityBatch http://sqs/REFUND_JOBS_DEAD_LETTER"; 2]);
    let entries: Vec<Value> = sqs.received().iter().map(|call| sent(call)["Entries"].clone()).collect();
    assert_eq!((entries[0].as_array().unwrap().len(), entries[1].as_array().unwrap().len()), (10, 2));
    assert_eq!(entries[1][1]["ReceiptHandle"], "handle-11");
    assert_eq!(entries[1][1]["VisibilityTimeout"], 0);

    let refusing = Receiver::answering(taking_all_but(&["1"], &[])).await;
    let error = dead_letters(&refusing).release(DeadLetterQueue::RefundJobs, &handles).await.unwrap_err();
    assert_eq!(error.0.to_string(), "InternalError");
}

#[tokio::test]
async fn a_job_is_sent_first_and_only_then_deleted_here() {
    let sqs = Receiver::answering(taking_all_but(&[], &[])).await;
    let letters_of_refunds = letters([refund_job(), refund_job()]);
    assert!(dead_letters(&sqs).put_back(DeadLetterQueue::RefundJobs, &letters_of_refunds).await.is_empty());
    // Whatever lane a webhook's job names: first tries do not wait behind what was given up.
    let letters_of_webhooks = letters([now(webhook_job())]);
    assert!(dead_letters(&sqs).put_back(DeadLetterQueue::WebhookJobs, &letters_of_webhooks).await.is_empty());
    let expected = [
        "SendMessageBatch http://sqs/REFUND_JOBS",
        "DeleteMessageBatch http://sqs/REFUND_JOBS_DEAD_LETTER",
        "SendMessageBatch http://sqs/WEBHOOK_RETRIES",
        "DeleteMessageBatch http://sqs/WEBHOOK_JOBS_DEAD_LETTER",
    ];
    assert_eq!(calls(&sqs), expected);
    let deleted = sent(&sqs.received()[1]);
    assert_eq!(deleted["Entries"][1]["ReceiptHandle"], "handle-1");
    assert_eq!(ids(&sqs.received()[1]).len(), 2);
}

#[tokio::test]
async fn what_was_not_sent_is_not_deleted_and_what_was_not_deleted_is_named() {
    // The queue does not take the second; of the others, the dead letters keep the last.
    let sqs = Receiver::answering(|request| {
        taking_all_but(if does(request, "SendMessageBatch") { &["1"] } else { &["2"] }, &[])(request)
    })
    .await;
    let letters = letters((0..4).map(|_| refund_job()));
    let left = dead_letters(&sqs).put_back(DeadLetterQueue::RefundJobs, &letters).await;
    let handles: Vec<Value> = sent(&sqs.received()[1])["Entries"].as_array().unwrap().clone();
    let handles: Vec<&str> = handles.iter().map(|entry| entry["ReceiptHandle"].as_str().unwrap()).collect();
    assert_eq!(handles, ["handle-0", "handle-2", "handle-3"]);
    assert!(matches!(left[0], (1, PutBackError::NotSent(_))), "{left:?}");
    assert!(matches!(left[1], (3, PutBackError::NotDeleted(_))), "{left:?}");
    assert_eq!(left.len(), 2);
}

#[tokio::test]
async fn a_call_that_fails_leaves_all_of_its_letters() {
    for broken in ["SendMessageBatch", "DeleteMessageBatch"] {
        let sqs = Receiver::answering(move |request| {
            if does(request, broken) { failing() } else { taking_all_but(&[], &[])(request) }
        })
        .await;
        let letters = letters([refund_job(), refund_job()]);
        let left = dead_letters(&sqs).put_back(DeadLetterQueue::RefundJobs, &letters).await;
        let positions: Vec<usize> = left.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, [0, 1], "{broken}");
        let not_sent = left.iter().all(|(_, error)| matches!(error, PutBackError::NotSent(_)));
        assert_eq!((not_sent, calls(&sqs).len()), (broken == "SendMessageBatch", 1 + usize::from(!not_sent)));
    }
}
