//! The queues: sending in as few calls as SQS allows, and saying when a message comes back.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::future::join_all;
use recoup_domain::ids::Tenant;
use recoup_domain::or_abort::OrAbort;
use recoup_domain::waiting::QUEUE_WAIT_MAX;
use recoup_ports::jobs::{Job, Jobs, Lane, Pace, SendJobError};
use recoup_ports::refusal;

use crate::refused::cause;

/// Most messages in one call, as SQS has it. Jobs are ids, so ten of them are far below the bytes that a call may have.
const BATCH_MESSAGES_MAX: usize = 10;
/// Most bytes of a dead-lettered record; what is longer is cut, because a head in the queue beats nothing.
const BURIED_BYTES_MAX: usize = 200_000;
/// Longest wait of a message: SQS counts 12 hours from its receipt, so a minute is left for the try itself.
const WAIT_SECONDS_MAX: u32 = 12 * 60 * 60 - 60;

/// Where messages go.
#[derive(Clone, Debug)]
pub struct QueueUrls {
    /// Refund jobs, for `process-refund`.
    pub refund_jobs: String,
    /// First tries of webhooks, for `dispatch-webhook`.
    pub webhook_jobs: String,
    /// All other tries, for `dispatch-webhook`.
    pub webhook_retries: String,
    /// Records that nobody can read, for a person.
    pub relay_dead_letters: String,
}

/// Sends to the queues.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    urls: QueueUrls,
}

/// One message, with its job's position.
struct Message {
    position: usize,
    body: String,
    delay_seconds: i32,
    /// Whose turn it is: SQS serves groups fairly, so that an account with many messages does not hold up one with
    /// few.
    group: Option<String>,
}

/// One call's worth of messages.
struct Batch<'queue> {
    queue_url: &'queue str,
    messages: Vec<Message>,
}

impl Queues {
    /// Sends through this client.
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        Self { client, urls }
    }

    /// The jobs by what one call takes, and those that cannot be written down.
    fn batches(&self, jobs: &[Job]) -> (Vec<Batch<'_>>, Vec<(usize, SendJobError)>) {
        let (mut batches, mut unwritten): (Vec<Batch<'_>>, _) = (Vec::new(), Vec::new());
        for (position, job) in jobs.iter().enumerate() {
            let (queue_url, message) = match self.message(position, job) {
                Ok(message) => message,
                Err(error) => {
                    unwritten.push((position, SendJobError(error.into())));
                    continue;
                }
            };
            let has_room = |batch: &&mut Batch<'_>| {
                batch.queue_url == queue_url && batch.messages.len() < BATCH_MESSAGES_MAX
            };
            match batches.iter_mut().find(has_room) {
                Some(open) => open.messages.push(message),
                None => batches.push(Batch { queue_url, messages: vec![message] }),
            }
        }
        (batches, unwritten)
    }

    fn message(&self, position: usize, job: &Job) -> serde_json::Result<(&str, Message)> {
        let (queue_url, body, delay, tenant) = match job {
            Job::Refund { job, delay } => {
                (&self.urls.refund_jobs, serde_json::to_string(job)?, *delay, &job.tenant)
            }
            Job::Payment { job, delay } => {
                (&self.urls.refund_jobs, serde_json::to_string(job)?, *delay, &job.tenant)
            }
            Job::Webhook { job, lane, delay } => {
                let queue_url = match lane {
                    Lane::First => &self.urls.webhook_jobs,
                    Lane::Retries => &self.urls.webhook_retries,
                };
                (queue_url, serde_json::to_string(job)?, *delay, &job.tenant)
            }
        };
        let (delay_seconds, group) = (seconds(delay), Some(group(tenant)));
        Ok((queue_url, Message { position, body, delay_seconds, group }))
    }

    async fn send_batch(&self, batch: Batch<'_>) -> Vec<(usize, SendJobError)> {
        let positions: Vec<usize> = batch.messages.iter().map(|message| message.position).collect();
        let all_failed = |why: &str| {
            let not_taken = positions.iter().map(|position| (*position, SendJobError(why.into())));
            not_taken.collect()
        };
        let entries: Result<Vec<_>, _> = batch.messages.into_iter().map(entry).collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return all_failed(&error.to_string()),
        };
        let call = self.client.send_message_batch().queue_url(batch.queue_url).set_entries(Some(entries));
        match call.send().await {
            Ok(answer) => positions.iter().filter_map(|position| not_taken(*position, &answer)).collect(),
            Err(error) => all_failed(&cause(&error)),
        }
    }
}

impl Jobs for Queues {
    async fn send(&self, jobs: &[Job]) -> Vec<(usize, SendJobError)> {
        let (batches, mut not_taken) = self.batches(jobs);
        let sent = join_all(batches.into_iter().map(|batch| self.send_batch(batch))).await;
        not_taken.extend(sent.into_iter().flatten());
        not_taken
    }

    async fn dead_letter(&self, record: &str) -> Result<(), SendJobError> {
        let (head, _) = record.split_at(record.floor_char_boundary(BURIED_BYTES_MAX));
        let call = self.client.send_message().queue_url(&self.urls.relay_dead_letters);
        let sent = call.message_body(acceptable(head.to_owned())).send().await;
        sent.map(|_| ()).map_err(|error| SendJobError(cause(&error).into()))
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
        let seconds =
            i32::try_from(seconds.min(WAIT_SECONDS_MAX)).or_abort("twelve hours of seconds are an i32");
        let call = self.client.change_message_visibility().queue_url(&self.queue_url);
        let changed = call.receipt_handle(receipt_handle).visibility_timeout(seconds).send().await;
        changed.map(|_| ()).map_err(|error| SendJobError(cause(&error).into()))
    }
}

/// A wait in whole seconds, as long as a queue can hold it.
fn seconds(delay: Duration) -> i32 {
    let seconds = delay.min(QUEUE_WAIT_MAX).as_millis().div_ceil(1_000);
    i32::try_from(seconds).or_abort("a quarter of an hour of seconds is an i32")
}

/// The messages of one account and environment.
fn group(tenant: &Tenant) -> String {
    format!("{}-{}", tenant.environment.as_str(), tenant.account)
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

fn entry(message: Message) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(message.position.to_string())
        .message_body(message.body)
        .delay_seconds(message.delay_seconds)
        .set_message_group_id(message.group)
        .build()
}

/// Only what SQS says it took is taken.
fn not_taken(position: usize, answer: &SendMessageBatchOutput) -> Option<(usize, SendJobError)> {
    let id = position.to_string();
    if answer.successful().iter().any(|taken| taken.id() == id) {
        return None;
    }
    let cause = match answer.failed().iter().find(|failed| failed.id() == id) {
        Some(failed) => refusal(Some(failed.code()), failed.message()),
        None => "the queue did not mention the message".to_owned(),
    };
    Some((position, SendJobError(cause.into())))
}
