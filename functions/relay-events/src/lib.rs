//! Turns the changes in the table's stream into jobs. No other function sends to the queues.
//!
//! A new refund becomes a refund job, and so does one whose processor is to be asked again. Every announced change is
//! recorded as an event with its receivers, and becomes a webhook job for each of them; a delivery whose next attempt
//! is due becomes a webhook job again. A stream continues at the first record that failed, so later records may come
//! twice: every job may be done twice, an event's id is derived from what happened, and its receivers stay the first.

mod changes;
mod fan_out;

use futures_util::{StreamExt, stream};
use lambda_runtime::Error;
use recoup_batch::{BadRecord, BatchResponse, Image, StreamRecord, stream_records};
use recoup_domain::time::Timestamp;
use recoup_ports::WriteError;
use recoup_ports::causes;
use recoup_ports::endpoints::Endpoints;
use recoup_ports::events::RecordEvents;
use recoup_ports::images::Images;
use recoup_ports::jobs::{Job, Jobs, Lane, WebhookJob};
use serde_json::Value;

use changes::{Change, change};
use fan_out::FanOut;

/// What the function needs.
pub struct Context<I, S, J> {
    /// Reads the stream's items.
    pub images: I,
    /// The store of endpoints and events.
    pub store: S,
    /// The queues.
    pub jobs: J,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// Most records worked on at once: a whole batch, so that it takes three round trips however long it is.
pub const AT_ONCE: usize = 25;

/// What became of a record.
struct Relayed {
    jobs: Vec<Job>,
    /// Whether it has to be received again.
    failed: bool,
}

/// One batch of the stream. Its records are worked on side by side: whatever is written for one is the same whether
/// another one came before it, and no queue keeps an order.
pub async fn handle<I, S, J>(context: &Context<I, S, J>, event: Value) -> Result<BatchResponse, Error>
where
    I: Images<Image>,
    S: Endpoints + RecordEvents,
    J: Jobs,
{
    let records = stream_records(&event)?;
    let fan_out = FanOut::new(&context.store);
    let relayed = stream::iter(&records).map(|record| relay(context, &fan_out, record)).buffered(AT_ONCE);
    let (mut jobs, mut origins, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (position, relayed) in relayed.collect::<Vec<_>>().await.into_iter().enumerate() {
        origins.extend(std::iter::repeat_n(position, relayed.jobs.len()));
        jobs.extend(relayed.jobs);
        failed.extend(relayed.failed.then_some(position));
    }
    for (index, error) in context.jobs.send(&jobs).await {
        tracing::error!(error = causes(&error), "a job was not sent");
        failed.extend(origins.get(index));
    }
    let first = failed.into_iter().min().and_then(|position| records.get(position));
    Ok(BatchResponse::failing(first.map(|record| match record {
        Ok(record) => record.sequence_number.to_owned(),
        Err(bad) => bad.id.to_owned(),
    })))
}

async fn relay<I: Images<Image>, S: Endpoints + RecordEvents, J: Jobs>(
    context: &Context<I, S, J>,
    fan_out: &FanOut<'_, S>,
    record: &Result<StreamRecord<'_>, BadRecord<'_>>,
) -> Relayed {
    let change = match record {
        Ok(record) => change(&context.images, record).map_err(|why| why.to_string()),
        Err(bad) => Err(bad.why.to_owned()),
    };
    let (jobs, why) = match change {
        Ok(change) => match jobs_of(context, fan_out, change).await {
            (jobs, Ok(())) => return Relayed { jobs, failed: false },
            (jobs, Err(error @ WriteError::Unavailable(_))) => {
                tracing::error!(error = causes(&error), "a change was not announced");
                return Relayed { jobs, failed: true };
            }
            (jobs, Err(error @ WriteError::Unreadable { .. })) => (jobs, error.to_string()),
        },
        Err(why) => (Vec::new(), why),
    };
    // A retry would not make it readable: it is kept where a person will find it, and the stream goes on.
    tracing::error!(error = why, "a stream record cannot be processed and is dead-lettered");
    let text = record.as_ref().map_or_else(BadRecord::text, StreamRecord::text);
    let buried = context.jobs.dead_letter(&text).await;
    if let Err(error) = &buried {
        tracing::error!(%error, "the record was not dead-lettered");
    }
    Relayed { jobs, failed: buried.is_err() }
}

/// The jobs of a change. The refund job is sent even if the event fails: money does not wait for an announcement.
async fn jobs_of<I, S: Endpoints + RecordEvents, J>(
    context: &Context<I, S, J>,
    fan_out: &FanOut<'_, S>,
    change: Change,
) -> (Vec<Job>, Result<(), WriteError>) {
    let now = (context.now)();
    let (mut jobs, event, has_url) = match change {
        Change::Nothing => return (Vec::new(), Ok(())),
        Change::Attempt { delivery, at } => {
            let delay = at.since(now);
            let job = Job::Webhook { job: WebhookJob::of(*delivery), lane: Lane::Retries, delay };
            return (vec![job], Ok(()));
        }
        Change::Payment { job, at } => {
            return (vec![Job::Payment { job, delay: at.since(now) }], Ok(()));
        }
        Change::SwitchedOff(event) => (Vec::new(), event, false),
        Change::Refund { event, has_url, ask } => {
            let asking = ask.map(|(job, at)| Job::Refund { job, delay: at.since(now) });
            let asking = asking.into_iter().collect();
            let Some(event) = event else { return (asking, Ok(())) };
            (asking, event, has_url)
        }
    };
    match fan_out.first_tries(&event, has_url).await {
        Ok(tries) => {
            jobs.extend(tries);
            (jobs, Ok(()))
        }
        Err(error) => (jobs, Err(error)),
    }
}
