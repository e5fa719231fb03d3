//! The queues: sending in as few calls as SQS allows, and saying when a message comes back.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use recoup_ports::jobs::{Job, Jobs, Pace, SendJobError};

/// Most messages in one call, as SQS has it.
const BATCH_MESSAGES_MAX: usize = 10;
/// Most bytes of bodies in one call: below the 256 KiB that every SQS takes. A longer body goes alone, and
/// SQS says what it thinks of it.
const BATCH_BYTES_MAX: usize = 200_000;
/// Most bytes of a buried record; what is longer is cut, because a head in the queue beats nothing.
const BURIED_BYTES_MAX: usize = 200_000;
/// Longest wait of a message: SQS counts 12 hours from its receipt, so a minute is left for the try itself.
const WAIT_SECONDS_MAX: u32 = 12 * 60 * 60 - 60;

/// Where messages go.
#[derive(Clone, Debug)]
pub struct QueueUrls {
    /// Refund jobs, for `process-refund`.
    pub refund_jobs: String,
    /// Webhook jobs, for `dispatch-webhook`.
    pub webhook_jobs: String,
    /// Records that nobody can read, for a person.
    pub relay_dead_letters: String,
}

/// Sends to the queues.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    urls: QueueUrls,
}

/// One call's worth of messages, each with its job's position.
struct Batch<'queue> {
    queue_url: &'queue str,
    messages: Vec<(usize, String)>,
    bytes: usize,
}

impl Batch<'_> {
    fn has_room_for(&self, queue_url: &str, body: &str) -> bool {
        self.queue_url == queue_url
            && self.messages.len() < BATCH_MESSAGES_MAX
            && self.bytes.saturating_add(body.len()) <= BATCH_BYTES_MAX
    }
}

impl Queues {
    /// Sends through this client.
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        Self { client, urls }
    }

    fn batches(&self, jobs: &[Job]) -> Vec<Batch<'_>> {
        let mut batches: Vec<Batch<'_>> = Vec::new();
        for (position, job) in jobs.iter().enumerate() {
            let (queue_url, body) = match job {
                Job::Refund(job) => (self.urls.refund_jobs.as_str(), job.to_body()),
                Job::Webhook(job) => (self.urls.webhook_jobs.as_str(), job.to_body()),
            };
            let body = acceptable(body);
            let bytes = body.len();
            if let Some(open) = batches.iter_mut().find(|batch| batch.has_room_for(queue_url, &body)) {
                open.bytes = open.bytes.saturating_add(bytes);
                open.messages.push((position, body));
            } else {
                batches.push(Batch { queue_url, messages: vec![(position, body)], bytes });
            }
        }
        batches
    }

    async fn send_batch(&self, batch: Batch<'_>) -> Vec<(usize, SendJobError)> {
        let positions: Vec<usize> = batch.messages.iter().map(|(position, _)| *position).collect();
        let all_failed = |cause: Arc<dyn std::error::Error + Send + Sync>| {
            let not_taken = positions.iter().map(|position| (*position, SendJobError(cause.clone().into())));
            not_taken.collect()
        };
        let entries: Result<Vec<_>, _> = batch.messages.into_iter().map(entry).collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return all_failed(Arc::new(error)),
        };
        let call = self.client.send_message_batch().queue_url(batch.queue_url).set_entries(Some(entries));
        match call.send().await {
            Ok(answer) => positions.iter().filter_map(|position| not_taken(*position, &answer)).collect(),
            Err(error) => all_failed(Arc::new(error)),
        }
    }
}

impl Jobs for Queues {
    async fn send(&self, jobs: &[Job]) -> Vec<(usize, SendJobError)> {
        let mut not_taken = Vec::new();
        for batch in self.batches(jobs) {
            not_taken.extend(self.send_batch(batch).await);
        }
        not_taken
    }

    async fn bury(&self, record: &str) -> Result<(), SendJobError> {
        let head = &record.get(..record.floor_char_boundary(BURIED_BYTES_MAX)).unwrap_or(record);
        let call = self.client.send_message().queue_url(&self.urls.relay_dead_letters);
        let sent = call.message_body(acceptable((*head).to_owned())).send().await;
        sent.map(|_| ()).map_err(|error| SendJobError(error.into()))
    }
}

/// Paces the messages of one queue.
#[derive(Clone, Debug)]
pub struct Visibility {
    client: Client,
    queue_url: String,
}

impl Visibility {
    /// Paces the queue of that URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl Pace for Visibility {
    async fn again_in(&self, receipt_handle: &str, seconds: u32) -> Result<(), SendJobError> {
        let seconds = i32::try_from(seconds.min(WAIT_SECONDS_MAX)).unwrap_or(0);
        let call = self.client.change_message_visibility().queue_url(&self.queue_url);
        let changed = call.receipt_handle(receipt_handle).visibility_timeout(seconds).send().await;
        changed.map(|_| ()).map_err(|error| SendJobError(error.into()))
    }
}

/// SQS refuses two characters that JSON allows; both stand only within JSON strings, where an escape means
/// the same.
fn acceptable(body: String) -> String {
    if body.contains(['\u{fffe}', '\u{ffff}']) {
        body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        body
    }
}

fn entry(
    (position, body): (usize, String),
) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    SendMessageBatchRequestEntry::builder().id(position.to_string()).message_body(body).build()
}

/// Only what SQS says it took is taken.
fn not_taken(position: usize, answer: &SendMessageBatchOutput) -> Option<(usize, SendJobError)> {
    let id = position.to_string();
    if answer.successful().iter().any(|taken| taken.id() == id) {
        return None;
    }
    let cause = match answer.failed().iter().find(|failed| failed.id() == id) {
        Some(failed) => format!("{}: {}", failed.code(), failed.message().unwrap_or("no message")),
        None => "the queue did not mention the message".to_owned(),
    };
    Some((position, SendJobError(cause.into())))
}
