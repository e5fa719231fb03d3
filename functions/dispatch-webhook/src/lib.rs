//! Signs announcements and delivers them to their receivers: one try per receipt of a message.
//!
//! A message that was not delivered stays in its queue, hidden until its next try is due, and moves to the
//! dead letters after [`waits::TRIES_MAX`] tries. Absent on purpose: a memory of what was delivered. A
//! message received twice is sent twice, under the same `webhook-id`.

pub mod waits;

use std::error::Error;

use futures_util::{StreamExt, stream};
use recoup_batch::{BadRecord, BatchResponse, QueueRecord, queue_records};
use recoup_domain::signing::sign;
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::jobs::{Pace, WebhookJob};
use recoup_ports::webhooks::{Deliver, SendError, WebhookSecrets};
use serde_json::Value;
use thiserror::Error;

/// Most deliveries at once: a whole batch, since a second round of 15 s would outlast the function's 30 s.
pub const AT_ONCE: usize = 10;

/// What the function needs.
pub struct Context<Secrets, Receivers, Queue> {
    /// Knows the tenants' secrets.
    pub secrets: Secrets,
    /// Reaches the receivers.
    pub receivers: Receivers,
    /// Says when a message comes back.
    pub queue: Queue,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Draws from [`waits::JITTER_PERMILLE`].
    pub jitter_permille: fn() -> u32,
}

/// Why a try did not deliver.
#[derive(Debug, Error)]
enum Undelivered {
    #[error("the account has no webhook secret")]
    NoSecret,
    #[error("the webhook secret could not be read")]
    Secret(#[source] ReadError),
    #[error("the receiver did not answer")]
    Unanswered(#[source] SendError),
    #[error("the receiver answered with another status than 2xx")]
    Refused(u16),
}

impl Undelivered {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(status) => Some(*status),
            Self::NoSecret | Self::Secret(_) | Self::Unanswered(_) => None,
        }
    }
}

/// Tries every message of the batch once, side by side; the answer names those to keep.
pub async fn handle<S: WebhookSecrets, R: Deliver, Q: Pace>(
    context: &Context<S, R, Q>,
    event: &Value,
) -> Result<BatchResponse, lambda_runtime::Error> {
    let tries = queue_records(event)?.into_iter().map(|record| async move {
        match record {
            Ok(record) => dispatch(context, record).await,
            Err(bad) => Some(kept_as_bad(bad)),
        }
    });
    let kept = stream::iter(tries).buffer_unordered(AT_ONCE);
    let kept: Vec<String> = kept.filter_map(std::future::ready).collect().await;
    Ok(BatchResponse::failing(kept))
}

/// Without a receipt handle or a count there is nothing to pace by: the queue's own visibility does.
fn kept_as_bad(bad: BadRecord<'_>) -> String {
    tracing::error!(message.id = bad.id, error = bad.why, "unreadable message");
    bad.id.to_owned()
}

/// The message's id if it is to be kept.
async fn dispatch<S: WebhookSecrets, R: Deliver, Q: Pace>(
    context: &Context<S, R, Q>,
    record: QueueRecord<'_>,
) -> Option<String> {
    let wait_seconds = match WebhookJob::parse(record.body) {
        Ok(job) => match attempt(context, &job).await {
            Ok(status) => {
                log_delivered(&job, record, status);
                return None;
            }
            Err(why) => {
                let wait_seconds = waits::wait_seconds(record.receive_count, (context.jitter_permille)());
                log_undelivered(&job, record, &why);
                wait_seconds
            }
        },
        Err(error) => {
            tracing::error!(message.id = record.message_id, error = %error, "unreadable webhook job");
            // Nothing will make it readable: each receipt counts, so it is soon among the dead letters.
            0
        }
    };
    if let Err(error) = context.queue.again_in(record.receipt_handle, wait_seconds).await {
        // It comes back all the same, after the queue's own visibility.
        tracing::warn!(message.id = record.message_id, error = %causes(&error), "message not paced");
    }
    Some(record.message_id.to_owned())
}

async fn attempt<S: WebhookSecrets, R: Deliver, Q>(
    context: &Context<S, R, Q>,
    job: &WebhookJob,
) -> Result<u16, Undelivered> {
    let secrets = context.secrets.webhook_secrets(&job.tenant).await.map_err(Undelivered::Secret)?;
    let secrets = secrets.ok_or(Undelivered::NoSecret)?;
    let message = sign(job.event.as_str(), (context.now)(), job.body.clone(), &secrets);
    let reply = context.receivers.deliver(&job.url, &message).await.map_err(Undelivered::Unanswered)?;
    let status = reply.status;
    if (200..300).contains(&status) { Ok(status) } else { Err(Undelivered::Refused(status)) }
}

fn log_delivered(job: &WebhookJob, record: QueueRecord<'_>, status: u16) {
    tracing::info!(
        event.id = %job.event,
        refund.id = %job.refund,
        account.id = %job.tenant.account,
        http.status = status,
        "delivery.try" = record.receive_count,
        "webhook delivered"
    );
}

fn log_undelivered(job: &WebhookJob, record: QueueRecord<'_>, why: &Undelivered) {
    tracing::warn!(
        event.id = %job.event,
        refund.id = %job.refund,
        account.id = %job.tenant.account,
        http.status = why.status(),
        "delivery.try" = record.receive_count,
        "delivery.last" = record.receive_count >= waits::TRIES_MAX,
        error = %causes(why),
        "webhook not delivered"
    );
}

/// An error with everything behind it.
fn causes(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
