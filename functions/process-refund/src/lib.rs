//! Asks the processor about each refund job, and writes what it says.
//!
//! The refund is marked as handed over before the processor is asked, so that nobody can cancel what may
//! already have moved; every write that follows is conditional on the state it was decided on. A job may
//! come any number of times, and a crash between any two steps only makes it come again.
//!
//! What has no end yet is asked about again: the refund's own item says when, with the number of the question, and
//! the stream sends the next job. So a job ends with its one question, and waits for hours hold no message.
//!
//! Once the customer is paid, the same jobs have the actors' parts taken from them (`parts`).

mod charges;
mod circuit;
mod outcome;
mod parts;
mod rates;
mod terms;

use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_runtime::Error;
use recoup_batch::{BadRecord, BatchResponse, QueueRecord, queue_records};
use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::refund::{Outcome, Refund, State};
use recoup_domain::time::Timestamp;
use recoup_ports::charges::ChargeRead;
use recoup_ports::direct::{DirectRequest, KeysChecked};
use recoup_ports::jobs::{Pace, ProcessorJob, RefundJob};
use recoup_ports::payments::{KeepVerifications, Payments};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::seal_keys::SealKeys;
use recoup_ports::settlement::{HandedOver, Settle};
use recoup_ports::{ReadError, causes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::Instrument;

use charges::{Charges, Place};
use circuit::Circuits;
pub use circuit::{OPEN_FOR, SILENCES_MAX};
use outcome::{asked_once_more, settle, written};
use rates::Rates;

/// Most jobs worked on at once, most of which wait: a whole batch.
const JOBS_AT_ONCE: usize = 10;
/// How often a job starts again because somebody else moved its refund.
const STARTS_MAX: usize = 3;
/// How often an outcome is written to a refund that changes: its metadata may change a hundred times.
const WRITES_MAX: usize = 110;
/// Seconds until a job that could not be worked on comes again, by how often it has come: the table did not answer,
/// or its refund is not there. After the last of [`RECEIVES_MAX`] receipts there is nothing to wait for: the next one
/// takes it to the dead letters, whose alarm should ring at once.
const AGAIN_SECONDS: [u32; 7] = [2, 10, 60, 300, 900, 3_600, 7_200];
/// How often a job comes: the queue's `maxReceiveCount` in `template.yaml`.
pub const RECEIVES_MAX: usize = AGAIN_SECONDS.len().saturating_add(1);

/// What the function needs.
pub struct Context<S, P, V, K> {
    /// Where refunds lie.
    pub store: S,
    /// Who moves the money.
    pub processor: P,
    /// Says when an unfinished job comes again.
    pub pace: V,
    /// The key that seals the terms that a processor told.
    pub seal_keys: K,
    /// What keeps it from asking at any time.
    pub restraints: Restraints,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Draws from [`recoup_domain::waiting::JITTER_PERMILLE`].
    pub jitter_permille: fn() -> u32,
}

/// What this process knows of when a processor is not to be asked.
#[derive(Default)]
pub struct Restraints {
    circuits: Circuits,
    rates: Rates,
}

/// What the function answers to its two kinds of events.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a batch of messages: those that stay in the queue.
    Batch(BatchResponse),
    /// To [`DirectRequest::CheckProcessor`].
    Checked(KeysChecked),
    /// To [`DirectRequest::ReadCharge`].
    Charge(ChargeRead),
}

/// One batch of refund jobs, of which those that are not finished come again; or one direct question.
pub async fn handle<S, P, V, K>(context: &Context<S, P, V, K>, event: Value) -> Result<Answer, Error>
where
    S: Settle + Payments + KeepVerifications + Sync,
    P: Processor + Sync,
    V: Pace + Sync,
    K: SealKeys + Sync,
{
    if event.get("Records").is_some() {
        return Ok(Answer::Batch(batch(context, &event).await?));
    }
    Ok(match DirectRequest::deserialize(event)? {
        DirectRequest::CheckProcessor(check) => {
            Answer::Checked(context.processor.check_key(&check.tenant, check.processor).await)
        }
        DirectRequest::ReadCharge(question) => Answer::Charge(context.processor.read_charge(&question).await),
    })
}

async fn batch<S, P, V, K>(context: &Context<S, P, V, K>, event: &Value) -> Result<BatchResponse, Error>
where
    S: Settle + Payments + KeepVerifications + Sync,
    P: Processor + Sync,
    V: Pace + Sync,
    K: SealKeys + Sync,
{
    let charges = Charges::new((context.now)());
    let records = queue_records(event)?;
    let failed = stream::iter(records)
        .map(|record| one(context, &charges, record))
        .buffer_unordered(JOBS_AT_ONCE)
        .filter_map(async |failed| failed);
    Ok(BatchResponse::failing(failed.collect::<Vec<_>>().await))
}

/// Works on one record; the id of one that has to come again.
async fn one<S, P, V, K>(
    context: &Context<S, P, V, K>,
    charges: &Charges,
    record: Result<QueueRecord<'_>, BadRecord<'_>>,
) -> Option<String>
where
    S: Settle + Payments + KeepVerifications + Sync,
    P: Processor + Sync,
    V: Pace + Sync,
    K: SealKeys + Sync,
{
    let record = match record {
        Ok(record) => record,
        Err(bad) => {
            tracing::error!(message.id = bad.id, error = bad.why, "a queue record cannot be read");
            return Some(bad.id.to_owned());
        }
    };
    let job = ProcessorJob::read(record.body);
    let done = match &job {
        Ok(ProcessorJob::Refund(job)) => {
            let span = tracing::info_span!("refund job", refund.id = %job.refund, job.receives = record.receive_count);
            work(context, charges, job).instrument(span).await
        }
        Ok(ProcessorJob::Payment(job)) => {
            let span = tracing::info_span!("payment job", payment.id = %job.payment, job.receives = record.receive_count);
            terms::work(context, charges, job).instrument(span).await
        }
        Err(error) => {
            tracing::error!(message.id = record.message_id, %error, "a refund job cannot be read");
            Done::Unreadable
        }
    };
    let again_in = match done {
        Done::Finished => return None,
        Done::NotYet => wait(record.receive_count),
        // To come again later would not make it readable: it comes back at once until the queue gives it to the dead
        // letters, whose alarm should ring.
        Done::Unreadable => 0,
    };
    if let Err(error) = context.pace.again_in(record.receipt_handle, again_in).await {
        tracing::warn!(message.id = record.message_id, %error, "the queue's own time-out paces this job");
    }
    Some(record.message_id.to_owned())
}

fn wait(receive_count: u32) -> u32 {
    let index = usize::try_from(receive_count.saturating_sub(1)).unwrap_or(usize::MAX);
    AGAIN_SECONDS.get(index).copied().unwrap_or(0)
}

enum Done {
    Finished,
    NotYet,
    /// It, its refund or its payment cannot be read, now or later.
    Unreadable,
}

impl From<ReadError> for Done {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => Self::NotYet,
            ReadError::Unreadable { .. } => Self::Unreadable,
        }
    }
}

async fn work<S: Settle + Sync, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    charges: &Charges,
    job: &RefundJob,
) -> Done {
    let first = match due(context, job).await {
        Ok(refund) => refund,
        Err(done) => return done,
    };
    let charge = charges.of(&first);
    let turn = charge.turn().await;
    let mut fresh = (!turn.waited).then_some(first);
    for _ in 0..STARTS_MAX {
        let refund = match fresh.take() {
            Some(refund) => refund,
            None => match due(context, job).await {
                Ok(refund) => refund,
                Err(done) => return done,
            },
        };
        let asked = if parts::are_due(context, &refund) {
            parts::recover(context, charges, refund).await
        } else {
            ask_and_settle(context, charges, refund).await
        };
        match asked {
            Asked::Settled(done) => return done,
            Asked::Overtaken => tracing::info!("the refund moved meanwhile; looking again"),
        }
    }
    Done::NotYet
}

/// The refund of a job, if its processor is to be asked.
async fn due<S: Settle, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    job: &RefundJob,
) -> Result<Refund, Done> {
    let refund = read(context, &job.tenant, &job.refund).await?;
    let status = refund.version.state.as_str();
    // The last question about the bank's number comes when no other follows it.
    let numbers_last = refund.expects_bank_reference() && refund.wait.is_some();
    let once_more = numbers_last || asked_once_more(context, &refund).is_some();
    if !refund.version.state.holds_money() && !once_more && !parts::are_due(context, &refund) {
        tracing::info!(refund.status = status, "nothing to do: the refund has ended");
        return Err(Done::Finished);
    }
    if job.turn.is_some_and(|turn| turn != refund.turn) {
        tracing::info!(refund.status = status, "nothing to do: another job asks next");
        return Err(Done::Finished);
    }
    Ok(refund)
}

async fn read<S: Settle, P, V, K>(
    context: &Context<S, P, V, K>,
    tenant: &Tenant,
    id: &RefundId,
) -> Result<Refund, Done> {
    match context.store.refund(tenant, id).await {
        Ok(Some(refund)) => Ok(refund),
        // A job is sent after its refund was written, and reads are consistent: somebody deleted it.
        Ok(None) => {
            tracing::error!("the refund of this job does not exist");
            Err(Done::NotYet)
        }
        Err(error) => {
            tracing::error!(error = causes(&error), "the refund cannot be read");
            Err(error.into())
        }
    }
}

enum Asked {
    Settled(Done),
    Overtaken,
}

async fn ask_and_settle<S: Settle + Sync, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    charges: &Charges,
    refund: Refund,
) -> Asked {
    let outcome = match admitted(context, charges, &refund).await {
        Err(retry_after) => Outcome::Busy { retry_after },
        Ok(_place) => {
            if refund.handed_over_at.is_none() {
                match context.store.hand_over(&refund, (context.now)()).await {
                    Ok(HandedOver::Yes) => {}
                    Ok(HandedOver::TooLate) => return Asked::Overtaken,
                    Err(error) => {
                        tracing::error!(error = causes(&error), "the hand-over failed");
                        return Asked::Settled(Done::NotYet);
                    }
                }
            }
            let outcome = ask(&context.processor, &refund).await;
            context.restraints.circuits.record(&refund, &outcome, (context.now)());
            outcome
        }
    };
    settle(context, refund, &outcome).await
}

/// Waits until the refund's processor may be asked; if that is not soon, it is put off for so long.
async fn admitted<'batch, S, P, V, K>(
    context: &Context<S, P, V, K>,
    charges: &'batch Charges,
    refund: &Refund,
) -> Result<Place<'batch>, Option<Duration>> {
    let now = (context.now)();
    context.restraints.circuits.admit(refund, now).map_err(|until| Some(until.since(now)))?;
    let left = charges.time_left(now).ok_or(None)?;
    tokio::time::sleep(
        context.restraints.rates.reserve((&refund.tenant, refund.processor.name), now, left).map_err(Some)?,
    )
    .await;
    let place = charges.place().await;
    charges.time_left((context.now)()).ok_or(None)?;
    Ok(place)
}

/// Asks for the money to be moved; or, if that may have been asked before and has no end yet, what became of it. Only
/// what the processor never received is sent again.
async fn ask<P: Processor>(processor: &P, refund: &Refund) -> Outcome {
    match refund.version.state {
        // A job that was cut off between sending and writing sends the same id again: the processor knows it.
        State::Initiated => processor.refund(refund).await,
        State::Processing(_) if refund.handed_over_at.is_none() => processor.refund(refund).await,
        State::Processing(pending) => match processor.look_up(refund).await {
            LookedUp::Stands(outcome) => outcome,
            LookedUp::NeverReceived if !pending.is_received() => processor.refund(refund).await,
            // It has said that it has it.
            LookedUp::NeverReceived => Outcome::Unknown,
        },
        // What has ended is never sent again.
        State::Succeeded | State::Failed(_) | State::Cancelled => match processor.look_up(refund).await {
            LookedUp::Stands(outcome) => outcome,
            LookedUp::NeverReceived => Outcome::Unknown,
        },
    }
}
