//! Shows dead letters, by the ids of their refunds and never by content, and puts them back.

use std::time::Duration;

use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use recoup_ports::dead_letters::{DeadLetter, DeadLetterQueue, DeadLetters};
use recoup_ports::images::{Named, Names};
use recoup_ports::jobs::{Job, Lane, ProcessorJob, UnreadableJob, WebhookJob, read_job};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{AdminError, Context};

/// An item in DynamoDB's own JSON.
pub(crate) type Image = Map<String, Value>;

/// Most messages that one command shows.
pub(crate) const SHOWN_MAX: usize = 100;
/// Most messages that one command reads in order to put them back.
pub(crate) const LOOKED_AT_MAX: usize = 1_000;
/// After so long a command reads nothing new; the function's time in `template.yaml` is longer, and messages stay
/// hidden for longer still.
const BUDGET: Duration = Duration::from_secs(20);
/// The field by which a message that Lambda itself wrote about the stream is recognised.
const BATCH_NOTE: &str = "DDBStreamBatchInfo";

/// The name of a queue in a command.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QueueName {
    RefundJobs,
    WebhookJobs,
    Relay,
}

impl From<QueueName> for DeadLetterQueue {
    fn from(name: QueueName) -> Self {
        match name {
            QueueName::RefundJobs => Self::RefundJobs,
            QueueName::WebhookJobs => Self::WebhookJobs,
            QueueName::Relay => Self::Relay,
        }
    }
}

/// A message as a person sees it.
#[derive(Default, Serialize)]
struct Shown {
    message_id: String,
    sent_at: Option<String>,
    receive_count: u32,
    environment: Option<&'static str>,
    account_id: Option<String>,
    refund_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_queue: Option<String>,
    /// The place in the stream of a batch that Lambda gave up on.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Shown {
    fn of(letter: &DeadLetter) -> Self {
        Self {
            message_id: letter.message_id.clone(),
            sent_at: letter.sent_at.map(Timestamp::rfc3339),
            receive_count: letter.receive_count,
            source_queue: letter.source_queue.clone(),
            ..Self::default()
        }
    }

    fn owned_by(mut self, tenant: &Tenant, refund: Option<&RefundId>) -> Self {
        self.environment = Some(tenant.environment.as_str());
        self.account_id = Some(tenant.account.to_string());
        self.refund_id = refund.map(ToString::to_string);
        self
    }

    fn of_job(letter: &DeadLetter, job: &Job) -> Self {
        let shown = Self::of(letter);
        match job {
            Job::Refund { job, .. } => shown.owned_by(&job.tenant, Some(&job.refund)),
            Job::Payment { job, .. } => {
                let mut shown = shown.owned_by(&job.tenant, None);
                shown.payment_id = Some(job.payment.to_string());
                shown
            }
            Job::Webhook { job, .. } => {
                let mut shown = shown.owned_by(&job.tenant, job.refund.as_ref());
                shown.event_id = Some(job.event.to_string());
                shown.target = Some(job.target.as_str().to_owned());
                shown
            }
        }
    }

    fn of_change(letter: &DeadLetter, names: &impl Names<Image>) -> Self {
        let mut shown = Self::of(letter);
        let record: Option<Value> = serde_json::from_str(&letter.body).ok();
        if let Some(note) = record.as_ref().and_then(|record| record.get(BATCH_NOTE)) {
            shown.problem = Some("a batch of the stream: Lambda gave up on it".to_owned());
            shown.batch = Some(place_of(note));
            return shown;
        }
        let item = record.as_ref().and_then(image).or_else(|| key(&letter.body));
        match item.and_then(|item| names.named(&item)) {
            Some(Named { tenant, refund, event }) => {
                shown = shown.owned_by(&tenant, refund.as_ref());
                shown.event_id = event.map(|event| event.to_string());
                shown.problem = Some("a change of the table that could not be read".to_owned());
            }
            None => shown.problem = Some("it names no item of this table".to_owned()),
        }
        shown
    }
}

/// The place of a batch in the stream; nothing from its records.
fn place_of(note: &Value) -> Value {
    let fact = |name: &str| note.get(name).cloned().unwrap_or_default();
    json!({
        "shard_id": fact("shardId"),
        "first_sequence_number": fact("startSequenceNumber"),
        "last_sequence_number": fact("endSequenceNumber"),
        "records": fact("batchSize"),
    })
}

/// The item in a complete record, after or before its change.
fn image(record: &Value) -> Option<Image> {
    let change = record.get("dynamodb")?;
    let image = ["NewImage", "OldImage", "Keys"].iter().find_map(|name| change.get(name)?.as_object());
    image.cloned()
}

/// The key in a truncated record. Inside a string its quotes would be escaped, so this cannot be part of one.
fn key(body: &str) -> Option<Image> {
    let (_, keys) = body.split_once("\"Keys\":")?;
    serde_json::Deserializer::from_str(keys).into_iter().next()?.ok()
}

/// Reads a message of one queue.
type Parse = fn(&str) -> Result<Job, UnreadableJob>;

/// How the messages of a queue are read as jobs; `None` for the relay's, which are not jobs.
fn parser(queue: QueueName) -> Option<Parse> {
    match queue {
        QueueName::RefundJobs => Some(|body| {
            let delay = Duration::ZERO;
            Ok(match ProcessorJob::read(body)? {
                ProcessorJob::Refund(job) => Job::Refund { job, delay },
                ProcessorJob::Payment(job) => Job::Payment { job, delay },
            })
        }),
        // All of them go back to the retries, so that they do not delay first attempts.
        QueueName::WebhookJobs => Some(|body| {
            let webhook = |job| Job::Webhook { job, lane: Lane::Retries, delay: Duration::ZERO };
            read_job::<WebhookJob>(body).map(webhook)
        }),
        QueueName::Relay => None,
    }
}

fn shown(letter: &DeadLetter, queue: QueueName, names: &impl Names<Image>) -> Shown {
    let Some(parse) = parser(queue) else { return Shown::of_change(letter, names) };
    match parse(&letter.body) {
        Ok(job) => Shown::of_job(letter, &job),
        // The reason says where the job is wrong, never what it holds.
        Err(why) => Shown { problem: Some(why.to_string()), ..Shown::of(letter) },
    }
}

/// Shows what lies in a queue, and leaves it there.
pub(crate) async fn show<A, K, R, S, D: DeadLetters, N: Names<Image>, P>(
    context: &Context<A, K, R, S, D, N, P>,
    queue: QueueName,
) -> Result<Value, AdminError> {
    let count = context.dead_letters.count(queue.into()).await?;
    let started = (context.now)();
    let (mut messages, mut handles, mut ended) = (Vec::new(), Vec::new(), false);
    // One message beyond those shown is read, to know whether there are more.
    while !ended && handles.len() <= SHOWN_MAX && (context.now)().since(started) < BUDGET {
        let letters = match context.dead_letters.read(queue.into()).await {
            Ok(letters) => letters,
            Err(error) => {
                release(context, queue, &handles).await;
                return Err(error.into());
            }
        };
        ended = letters.is_empty();
        messages.extend(letters.iter().map(|letter| shown(letter, queue, &context.names)));
        handles.extend(letters.into_iter().map(|letter| letter.receipt_handle));
    }
    release(context, queue, &handles).await;
    let more = !ended;
    messages.truncate(SHOWN_MAX);
    tracing::info!(queue = ?queue, messages.shown = messages.len(), messages.more = more, "dead letters shown");
    Ok(json!({ "queue": queue, "approximate_count": count, "messages": messages, "more": more }))
}

/// Makes messages visible again. A failure is only logged, since they are visible anyway a minute later.
async fn release<A, K, R, S, D: DeadLetters, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    queue: QueueName,
    handles: &[String],
) {
    if let Err(error) = context.dead_letters.release(queue.into(), handles).await {
        tracing::warn!(queue = ?queue, error = causes(&error), "messages stay hidden for a minute");
    }
}

/// What one command did.
#[derive(Default)]
struct Done {
    put_back: usize,
    /// Messages that can never be put back, each with its problem.
    skipped: Vec<Value>,
    /// The handles of messages that stay, whatever the reason.
    left: Vec<String>,
}

/// Puts messages back on their queues: all, or those of one refund.
pub(crate) async fn put_back<A, K, R, S, D: DeadLetters, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    queue: QueueName,
    of_refund: Option<&RefundId>,
) -> Result<Value, AdminError> {
    let parse = parser(queue).ok_or(AdminError::NoJobs)?;
    let started = (context.now)();
    let (mut done, mut ended, mut failed) = (Done::default(), false, None);
    while !ended && done.looked_at() <= LOOKED_AT_MAX && (context.now)().since(started) < BUDGET {
        match context.dead_letters.read(queue.into()).await {
            Ok(letters) => {
                ended = letters.is_empty();
                let jobs = done.sort(letters, parse, of_refund);
                send(context, queue, &jobs, &mut done).await;
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    release(context, queue, &done.left).await;
    let more = !ended;
    let left = done.left.len();
    tracing::info!(
        queue = ?queue, refund.id = of_refund.map(RefundId::as_str),
        messages.put_back = done.put_back, messages.left = left, messages.more = more, "dead letters put back"
    );
    match failed {
        // The answer must say what was done, so only a command that did nothing fails.
        Some(error) if done.put_back == 0 => Err(error.into()),
        Some(_) | None => {
            Ok(json!({ "put_back": done.put_back, "left": left, "skipped": done.skipped, "more": more }))
        }
    }
}

impl Done {
    fn looked_at(&self) -> usize {
        self.put_back.saturating_add(self.left.len())
    }

    /// Returns the messages to put back, and records the rest.
    fn sort(
        &mut self,
        letters: Vec<DeadLetter>,
        parse: Parse,
        of_refund: Option<&RefundId>,
    ) -> Vec<(DeadLetter, Job)> {
        let mut jobs = Vec::new();
        for letter in letters {
            match parse(&letter.body) {
                Ok(job) if of_refund.is_none_or(|wanted| refund_of(&job) == Some(wanted)) => {
                    jobs.push((letter, job));
                }
                Ok(_) => self.left.push(letter.receipt_handle),
                // Put back, it would only be dead-lettered again.
                Err(why) => {
                    self.skipped.push(json!({ "message_id": letter.message_id, "problem": why.to_string() }));
                    self.left.push(letter.receipt_handle);
                }
            }
        }
        jobs
    }
}

async fn send<A, K, R, S, D: DeadLetters, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    queue: QueueName,
    jobs: &[(DeadLetter, Job)],
    done: &mut Done,
) {
    let still_here = context.dead_letters.put_back(queue.into(), jobs).await;
    for (letter, error) in
        still_here.iter().filter_map(|(position, error)| Some((&jobs.get(*position)?.0, error)))
    {
        tracing::error!(message.id = letter.message_id, error = causes(error), "a dead letter stays");
        done.left.push(letter.receipt_handle.clone());
    }
    done.put_back = done.put_back.saturating_add(jobs.len().saturating_sub(still_here.len()));
}

fn refund_of(job: &Job) -> Option<&RefundId> {
    match job {
        Job::Refund { job, .. } => Some(&job.refund),
        Job::Payment { .. } => None,
        Job::Webhook { job, .. } => job.refund.as_ref(),
    }
}
