//! Turns the changes in the table's stream into jobs. No other function sends to the queues.
//!
//! A new refund becomes a refund job, and so does one whose processor is to be asked again. Every announced change is
//! recorded as an event with its receivers, and becomes a webhook job for each of them; a delivery whose next attempt
//! is due becomes a webhook job again. A stream continues at the first record that failed, so later records may come
//! twice: every job may be done twice, an event's id is derived from what happened, and its receivers stay the first.

mod changes;
mod fan_out;

use lambda_runtime::Error;
use recoup_batch::{BatchResponse, Image, stream_records};
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

/// The jobs of a batch, each with the position of the record it comes from.
#[derive(Default)]
struct Gathered {
    jobs: Vec<Job>,
    origins: Vec<usize>,
    /// The positions of records that have to be received again.
    failed: Vec<usize>,
}

/// One batch of the stream.
pub async fn handle<I, S, J>(context: &Context<I, S, J>, event: Value) -> Result<BatchResponse, Error>
where
    I: Images<Image>,
    S: Endpoints + RecordEvents,
    J: Jobs,
{
    let records = stream_records(&event)?;
    let mut fan_out = FanOut::new(&context.store);
    let mut gathered = Gathered::default();
    for (position, record) in records.iter().enumerate() {
        let (text, change) = match record {
            Ok(record) => (record.text(), change(&context.images, record).map_err(|why| why.to_string())),
            Err(bad) => (bad.text(), Err(bad.why.to_owned())),
        };
        let unreadable = match change {
            Ok(change) => {
                let (jobs, announced) = jobs_of(context, &mut fan_out, change).await;
                gathered.origins.extend(std::iter::repeat_n(position, jobs.len()));
                gathered.jobs.extend(jobs);
                match announced {
                    Ok(()) => None,
                    Err(error @ WriteError::Unreadable { .. }) => Some(error.to_string()),
                    Err(error @ WriteError::Unavailable(_)) => {
                        tracing::error!(error = causes(&error), "a change was not announced");
                        gathered.failed.push(position);
                        None
                    }
                }
            }
            Err(why) => Some(why),
        };
        // A retry would not make it readable: it is kept where a person will find it, and the stream goes on.
        if let Some(why) = unreadable {
            tracing::error!(error = why, "a stream record cannot be processed and is dead-lettered");
            if let Err(error) = context.jobs.dead_letter(&text).await {
                tracing::error!(%error, "the record was not dead-lettered");
                gathered.failed.push(position);
            }
        }
    }
    for (index, error) in context.jobs.send(&gathered.jobs).await {
        tracing::error!(error = causes(&error), "a job was not sent");
        gathered.failed.extend(gathered.origins.get(index));
    }
    let first = gathered.failed.into_iter().min().and_then(|position| records.get(position));
    Ok(BatchResponse::failing(first.map(|record| match record {
        Ok(record) => record.sequence_number.to_owned(),
        Err(bad) => bad.id.to_owned(),
    })))
}

/// The jobs of a change. The refund job is sent even if the event fails: money does not wait for an announcement.
async fn jobs_of<I, S: Endpoints + RecordEvents, J>(
    context: &Context<I, S, J>,
    fan_out: &mut FanOut<'_, S>,
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
