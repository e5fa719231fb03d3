//! The only sender to the queues: turns what the table's stream tells of refunds into jobs.
//!
//! A stream comes again from the first record that failed, so records behind it are seen twice; every job is
//! safe to do twice, and an event's id is made from the refund and the number of its change.

use lambda_runtime::Error;
use recoup_batch::{BatchResponse, StreamRecord, stream_records};
use recoup_domain::ids::EventId;
use recoup_domain::refund::{Refund, State};
use recoup_http::view::PublicUrl;
use recoup_http::webhook::event_body;
use recoup_ports::images::Images;
use recoup_ports::jobs::{Job, Jobs, RefundJob, WebhookJob};
use serde_json::Value;

/// What the function needs.
pub struct Context<I, J> {
    /// Reads the stream's items.
    pub images: I,
    /// The queues.
    pub jobs: J,
    /// The API's own address.
    pub public_url: PublicUrl,
}

/// One batch of the stream.
pub async fn handle<I: Images, J: Jobs>(
    context: &Context<I, J>,
    event: Value,
) -> Result<BatchResponse, Error> {
    let records = stream_records(&event)?;
    let mut jobs = Vec::new();
    // Beside each job, the position of the record it comes from.
    let mut origins = Vec::new();
    let mut failed = Vec::new();
    for (position, record) in records.iter().enumerate() {
        let made = match record {
            Ok(record) => jobs_of(context, record).map_err(|why| (record.text(), why)),
            Err(bad) => Err((bad.text(), bad.why.to_owned())),
        };
        match made {
            Ok(made) => {
                origins.extend(std::iter::repeat_n(position, made.len()));
                jobs.extend(made);
            }
            // Nobody can read it, now or later: it is kept where a person will find it, and the stream goes on.
            Err((record, why)) => {
                tracing::error!(error = why, "a stream record cannot be read and is put to the dead letters");
                if let Err(error) = context.jobs.bury(&record).await {
                    tracing::error!(%error, "the dead letters did not take it");
                    failed.push(position);
                }
            }
        }
    }
    for (index, error) in context.jobs.send(&jobs).await {
        tracing::error!(%error, cause = ?std::error::Error::source(&error), "a job was not sent");
        failed.extend(origins.get(index));
    }
    let first = failed.into_iter().min().and_then(|position| records.get(position));
    Ok(BatchResponse::failing(first.map(|record| match record {
        Ok(record) => record.sequence_number.to_owned(),
        Err(bad) => bad.id.to_owned(),
    })))
}

/// The jobs that a change asks for: none, unless it is an announced change of a refund.
fn jobs_of<I: Images, J>(context: &Context<I, J>, record: &StreamRecord<'_>) -> Result<Vec<Job>, String> {
    let Some(image) = record.new_image else { return Ok(Vec::new()) };
    let Some(refund) = context.images.refund(image).map_err(|error| error.to_string())? else {
        return Ok(Vec::new());
    };
    let before = match record.old_image {
        Some(image) => context.images.refund(image).map_err(|error| error.to_string())?,
        None => None,
    };
    // A change that is not announced, such as the hand-over, leaves the sequence as it was.
    if before.as_ref().is_some_and(|before| before.sequence == refund.sequence) {
        return Ok(Vec::new());
    }
    let mut jobs = Vec::new();
    if before.is_none() && refund.state == State::Initiated {
        let job = RefundJob { tenant: refund.tenant.clone(), refund: refund.id.clone() };
        jobs.push(Job::Refund(job));
    }
    jobs.extend(
        announcement(before.as_ref(), &refund, &context.public_url).map_err(|error| error.to_string())?,
    );
    Ok(jobs)
}

fn announcement(
    before: Option<&Refund>,
    refund: &Refund,
    public_url: &PublicUrl,
) -> serde_json::Result<Option<Job>> {
    let Some(url) = refund.notes.webhook_url.clone() else { return Ok(None) };
    Ok(Some(Job::Webhook(WebhookJob {
        tenant: refund.tenant.clone(),
        event: EventId::of_change(&refund.tenant, &refund.id, refund.sequence),
        refund: refund.id.clone(),
        url,
        body: event_body(before, refund, public_url)?,
    })))
}
