//! Signs events and delivers them to their receivers: one attempt per message. It alone opens the secrets that sign, so
//! it also sends the samples that `manage-webhooks` asks for.
//!
//! The outcome of an attempt is written into the delivery's item, and the next attempt comes from that item: through
//! the table's stream `relay-events` sends the next message when it is due. So a message is for one attempt only, and a
//! duplicate is recognised by the attempt's number. A message stays in its queue only if the table or the key did not answer;
//! after [`RECEIVES_MAX`] receives it is dead-lettered, and can be put back at any time.

mod attempt;
mod sample;

use futures_util::{StreamExt, stream};
use recoup_batch::{BadRecord, BatchResponse, QueueRecord, queue_records};
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use recoup_ports::endpoints::EndpointHealth;
use recoup_ports::events::{PrepareAttempts, RecordDeliveries};
use recoup_ports::jobs::{WebhookJob, read_job};
use recoup_ports::samples::{SampleRequest, Sampled};
use recoup_ports::seals::Open;
use recoup_ports::webhooks::Deliver;
use recoup_views::PublicUrl;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use attempt::{Done, work};

/// Most messages worked on at once: a whole batch, so that it lasts no longer than its slowest attempt, and one receiver
/// never has more attempts at once of a process than this.
pub const AT_ONCE: usize = 10;
/// How often a failing message is received before it is dead-lettered: `maxReceiveCount` in `template.yaml`.
pub const RECEIVES_MAX: u32 = 8;

/// What the function needs.
pub struct Context<Store, Receivers, Key> {
    /// The store of deliveries, endpoints and refunds.
    pub store: Store,
    /// Sends to receivers.
    pub receivers: Receivers,
    /// Opens the secrets that sign.
    pub open: Key,
    /// The API's own address, for links.
    pub public_url: PublicUrl,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Draws from [`recoup_domain::waiting::JITTER_PERMILLE`].
    pub jitter_permille: fn() -> u32,
}

/// What the function answers to its two kinds of events.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a batch of messages: those that stay in the queue.
    Batch(BatchResponse),
    /// To a sample: what came of it.
    Sample(Sampled),
}

/// Works on a batch of messages, or sends a sample.
pub async fn handle<S, R, O>(
    context: &Context<S, R, O>,
    event: &Value,
) -> Result<Answer, lambda_runtime::Error>
where
    S: PrepareAttempts + RecordDeliveries + EndpointHealth + Sync,
    R: Deliver + Sync,
    O: Open + Sync,
{
    if event.get("sample").is_some() {
        let SampleRequest { sample } = SampleRequest::deserialize(event)?;
        // As a text: the runtime logs the Debug of an error, which would hold the raw answer of the table.
        let sampled = sample::send(context, &sample).await.map_err(|error| causes(error.as_ref()))?;
        return Ok(Answer::Sample(sampled));
    }
    Ok(Answer::Batch(batch(context, event).await?))
}

/// Works on all messages of the batch concurrently; the answer names those that stay in the queue.
async fn batch<S, R, O>(
    context: &Context<S, R, O>,
    event: &Value,
) -> Result<BatchResponse, lambda_runtime::Error>
where
    S: PrepareAttempts + RecordDeliveries + EndpointHealth + Sync,
    R: Deliver + Sync,
    O: Open + Sync,
{
    let tries = queue_records(event)?.into_iter().map(async |record| match record {
        Ok(record) => dispatch(context, record).await,
        Err(bad) => Some(kept_as_bad(bad)),
    });
    let kept = stream::iter(tries).buffer_unordered(AT_ONCE);
    let kept: Vec<String> = kept.filter_map(std::future::ready).collect().await;
    Ok(BatchResponse::failing(kept))
}

fn kept_as_bad(bad: BadRecord<'_>) -> String {
    tracing::error!(message.id = bad.id, error = bad.why, "unreadable message");
    bad.id.to_owned()
}

/// The message's id if it is to be kept.
async fn dispatch<S, R, O>(context: &Context<S, R, O>, record: QueueRecord<'_>) -> Option<String>
where
    S: PrepareAttempts + RecordDeliveries + EndpointHealth + Sync,
    R: Deliver + Sync,
    O: Open + Sync,
{
    let kept = Some(record.message_id.to_owned());
    let job = match read_job::<WebhookJob>(record.body) {
        Ok(job) => job,
        Err(error) => {
            tracing::error!(message.id = record.message_id, %error, "unreadable webhook job");
            return kept;
        }
    };
    match work(context, &job).await {
        Ok(done) => {
            log(&job, &done);
            None
        }
        Err(error) => {
            tracing::error!(
                event.id = %job.event, account.id = %job.tenant.account, webhook.target = job.target.as_str(),
                message.id = record.message_id, message.receives = record.receive_count,
                error = causes(error.as_ref()), "an attempt was not recorded; its message will be received again"
            );
            kept
        }
    }
}

fn log(job: &WebhookJob, done: &Done) {
    let Done { why, r#type, status, tries, next_try_at } = done;
    tracing::info!(
        event.id = %job.event,
        event.r#type = r#type,
        refund.id = job.refund.as_ref().map(recoup_domain::ids::RefundId::as_str),
        account.id = %job.tenant.account,
        webhook.target = job.target.as_str(),
        http.status = status,
        delivery.tries = tries,
        delivery.next_try_at = next_try_at,
        "webhook {why}"
    );
}
