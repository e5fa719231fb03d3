//! Signs announcements and delivers them to their receivers: one try per message.
//!
//! What a try brought is written in the delivery's item, and that item is what the next try comes from: the
//! table's stream tells `relay-events`, which sends the next message when it is due. So a message lives only for
//! its own try, and one that comes twice is recognised by the number of its try. A message stays in its queue
//! only if the table did not answer; after a few receipts it moves to the dead letters, from where it can be put
//! back at any time.

mod attempt;
mod places;

use futures_util::{StreamExt, stream};
use recoup_batch::{BadRecord, BatchResponse, QueueRecord, queue_records};
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use recoup_ports::endpoints::EndpointHealth;
use recoup_ports::events::{NoteDeliveries, PrepareTries};
use recoup_ports::jobs::{WebhookJob, read_job};
use recoup_ports::webhooks::Deliver;
use recoup_views::PublicUrl;
use serde_json::Value;

use attempt::{Done, work};
use places::Places;

/// Most messages that are worked on at once: a whole batch.
pub const AT_ONCE: usize = 10;
/// Most tries at once to one receiver, in one process. A batch of [`AT_ONCE`] messages to one that takes the whole
/// 15 s each time is three rounds of these, and so within the function's time.
pub const AT_ONCE_TO_ONE: usize = 4;
/// How often a message that cannot be worked on comes: the queues' `maxReceiveCount` in `template.yaml`.
pub const RECEIVES_MAX: u32 = 8;

/// What the function needs.
pub struct Context<Store, Receivers> {
    /// Where deliveries, endpoints and refunds lie.
    pub store: Store,
    /// Reaches the receivers.
    pub receivers: Receivers,
    /// The API's own address, for links.
    pub public_url: PublicUrl,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Draws from [`recoup_domain::waiting::JITTER_PERMILLE`].
    pub jitter_permille: fn() -> u32,
}

/// Tries every message of the batch once, side by side; the answer names those to keep.
pub async fn handle<S, R>(
    context: &Context<S, R>,
    event: &Value,
) -> Result<BatchResponse, lambda_runtime::Error>
where
    S: PrepareTries + NoteDeliveries + EndpointHealth + Sync,
    R: Deliver + Sync,
{
    let places = Places::default();
    let tries = queue_records(event)?.into_iter().map(async |record| match record {
        Ok(record) => dispatch(context, &places, record).await,
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
async fn dispatch<S, R>(context: &Context<S, R>, places: &Places, record: QueueRecord<'_>) -> Option<String>
where
    S: PrepareTries + NoteDeliveries + EndpointHealth + Sync,
    R: Deliver + Sync,
{
    let kept = Some(record.message_id.to_owned());
    let job = match read_job::<WebhookJob>(record.body) {
        Ok(job) => job,
        Err(error) => {
            tracing::error!(message.id = record.message_id, %error, "unreadable webhook job");
            return kept;
        }
    };
    let _place = places.take(&job).await;
    match work(context, &job).await {
        Ok(done) => {
            log(&job, &done);
            None
        }
        Err(error) => {
            tracing::error!(
                event.id = %job.event, account.id = %job.tenant.account, webhook.target = job.target.as_str(),
                message.id = record.message_id, message.receives = record.receive_count,
                error = causes(error.as_ref()), "a webhook's try has no record; its message comes again"
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
