//! Asks the processor about each refund job, and writes what it says.
//!
//! The refund is marked as handed over before the processor is asked, so that nobody can cancel what may
//! already have moved; every write that follows is conditional on the state it was decided on. A job may
//! come any number of times, and a crash between any two steps only makes it come again.
//!
//! What has no end yet is asked about again: the refund's own item says when, with the number of the question, and
//! the stream sends the next job. So a job ends with its one question, and waits for hours hold no message.

mod circuit;

use futures_util::{StreamExt, stream};
use lambda_runtime::Error;
use recoup_batch::{BadRecord, BatchResponse, QueueRecord, queue_records};
use recoup_domain::refund::{Amounts, Outcome, Pending, Question, Refund, State};
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::causes;
use recoup_ports::jobs::{Pace, RefundJob, read_job};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::settlement::{HandedOver, Settle, SettleError, Settled};
use serde_json::Value;
use tracing::Instrument;

pub use circuit::{Circuits, OPEN_FOR, SILENCES_MAX};

/// Jobs of one batch that are worked on at once.
const JOBS_AT_ONCE: usize = 5;
/// How often a job starts again because somebody else moved its refund.
const STARTS_MAX: usize = 3;
/// Seconds until a job that could not be worked on comes again, by how often it has come: the table did not answer,
/// or its refund is not there. After the last of [`RECEIVES_MAX`] receipts there is nothing to wait for: the next one
/// takes it to the dead letters, whose alarm should ring at once.
const AGAIN_SECONDS: [u32; 7] = [2, 10, 60, 300, 900, 3_600, 7_200];
/// How often a job comes: the queue's `maxReceiveCount` in `template.yaml`.
pub const RECEIVES_MAX: usize = AGAIN_SECONDS.len().saturating_add(1);

/// What the function needs.
pub struct Context<S, P, V> {
    /// Where refunds lie.
    pub store: S,
    /// Who moves the money.
    pub processor: P,
    /// Says when an unfinished job comes again.
    pub pace: V,
    /// Which processors do not answer.
    pub circuits: Circuits,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Draws from [`recoup_domain::waiting::JITTER_PERMILLE`].
    pub jitter_permille: fn() -> u32,
}

/// One batch of refund jobs; those that are not finished come again.
pub async fn handle<S, P, V>(context: &Context<S, P, V>, event: Value) -> Result<BatchResponse, Error>
where
    S: Settle + Sync,
    P: Processor + Sync,
    V: Pace + Sync,
{
    let records = queue_records(&event)?;
    let failed = stream::iter(records)
        .map(|record| one(context, record))
        .buffer_unordered(JOBS_AT_ONCE)
        .filter_map(async |failed| failed);
    Ok(BatchResponse::failing(failed.collect::<Vec<_>>().await))
}

/// Works on one record; the id of one that has to come again.
async fn one<S: Settle + Sync, P: Processor + Sync, V: Pace>(
    context: &Context<S, P, V>,
    record: Result<QueueRecord<'_>, BadRecord<'_>>,
) -> Option<String> {
    let record = match record {
        Ok(record) => record,
        Err(bad) => {
            tracing::error!(message.id = bad.id, error = bad.why, "a queue record cannot be read");
            return Some(bad.id.to_owned());
        }
    };
    let again_in = match read_job::<RefundJob>(record.body) {
        Ok(job) => {
            let span = tracing::info_span!("refund job", refund.id = %job.refund, job.receives = record.receive_count);
            match work(context, &job).instrument(span).await {
                Done::Finished => return None,
                Done::NotYet => wait(record.receive_count),
                // To come again later would not make it readable: the dead letters' alarm should ring at once.
                Done::Unreadable => 0,
            }
        }
        Err(error) => {
            // It will never be readable: it comes back at once until the queue gives it to the dead letters.
            tracing::error!(message.id = record.message_id, %error, "a refund job cannot be read");
            0
        }
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
    /// Its refund cannot be read, now or later.
    Unreadable,
}

async fn work<S: Settle + Sync, P: Processor, V>(context: &Context<S, P, V>, job: &RefundJob) -> Done {
    for _ in 0..STARTS_MAX {
        let refund = match context.store.refund(&job.tenant, &job.refund).await {
            Ok(Some(refund)) => refund,
            // A job is sent after its refund was written, and reads are consistent: somebody deleted it.
            Ok(None) => {
                tracing::error!("the refund of this job does not exist");
                return Done::NotYet;
            }
            Err(error) => {
                tracing::error!(error = causes(&error), "the refund cannot be read");
                return match error {
                    ReadError::Unavailable(_) => Done::NotYet,
                    ReadError::Unreadable { .. } => Done::Unreadable,
                };
            }
        };
        let once_more = context.processor.asked_once_more_after(&refund);
        if !refund.version.state.holds_money() && once_more.is_none() {
            tracing::info!(
                refund.status = refund.version.state.as_str(),
                "nothing to do: the refund has ended"
            );
            return Done::Finished;
        }
        if job.turn.is_some_and(|turn| turn != refund.turn) {
            tracing::info!(
                refund.status = refund.version.state.as_str(),
                "nothing to do: another job asks next"
            );
            return Done::Finished;
        }
        match ask_and_settle(context, refund).await {
            Asked::Settled(done) => return done,
            Asked::Overtaken => tracing::info!("the refund moved meanwhile; looking again"),
        }
    }
    Done::NotYet
}

enum Asked {
    Settled(Done),
    Overtaken,
}

async fn ask_and_settle<S: Settle + Sync, P: Processor, V>(
    context: &Context<S, P, V>,
    refund: Refund,
) -> Asked {
    if let Err(until) = context.circuits.admit(&refund, (context.now)()) {
        return schedule(context, &refund, Some(until)).await;
    }
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
    context.circuits.record_answer(&refund, outcome != Outcome::Unknown, (context.now)());
    let Some(change) = refund.step(outcome, (context.now)()) else {
        // A success that stands is not asked about again.
        return if refund.version.state.holds_money() {
            schedule(context, &refund, None).await
        } else {
            Asked::Settled(Done::Finished)
        };
    };
    let next = change.to();
    let question = match change.amounts() {
        Amounts::Stay if next.version.state.holds_money() => Some(later(context, next, None)),
        Amounts::Stay => {
            context.processor.asked_once_more_after(next).map(|wait| next.asked_after((context.now)(), wait))
        }
        Amounts::Return | Amounts::TakeAgain => None,
    };
    let change = match question {
        Some(question) => change.asking(question),
        None => change,
    };
    written(context.store.carry_out(&change).await, change.to())
}

async fn schedule<S: Settle, P, V>(
    context: &Context<S, P, V>,
    refund: &Refund,
    earliest: Option<Timestamp>,
) -> Asked {
    let next = later(context, refund, earliest);
    written(context.store.schedule(refund, next).await, &refund.asking(next))
}

/// The next question, not before a moment.
fn later<S, P, V>(context: &Context<S, P, V>, refund: &Refund, earliest: Option<Timestamp>) -> Question {
    let now = (context.now)();
    let next = refund.asked_again(now, (context.jitter_permille)());
    match earliest {
        Some(earliest) if next.wait().at < earliest => refund.asked_after(now, earliest.since(now)),
        _ => next,
    }
}

/// What a write means for its job.
fn written(settled: Result<Settled, SettleError>, next: &Refund) -> Asked {
    match settled {
        Ok(Settled::Applied) => {
            let again_at = next.wait.map(|wait| wait.at.rfc3339());
            tracing::info!(refund.status = next.version.state.as_str(), payment.id = %next.payment_id, refund.ask_at = again_at, "refund outcome recorded");
            Asked::Settled(Done::Finished)
        }
        Ok(Settled::Overtaken) => Asked::Overtaken,
        Ok(Settled::NothingLeft) => Asked::Settled(Done::Finished),
        Err(error) => {
            tracing::error!(error = causes(&error), "the outcome was not written");
            Asked::Settled(match error {
                SettleError::Contended | SettleError::Missing | SettleError::Unavailable(_) => Done::NotYet,
                SettleError::Unreadable { .. } => Done::Unreadable,
            })
        }
    }
}

/// Asks for the money to be moved; or, if that was asked before and has no end yet, what became of it. Only what the
/// processor never received is sent again.
async fn ask<P: Processor>(processor: &P, refund: &Refund) -> Outcome {
    match refund.version.state {
        State::Processing(pending) => match processor.look_up(refund).await {
            LookedUp::Stands(outcome) => outcome,
            LookedUp::NeverReceived if pending == Pending::OutcomeUnknown => processor.refund(refund).await,
            // It has said that it has it.
            LookedUp::NeverReceived => Outcome::Unknown,
        },
        // A job that was cut off between sending and writing sends the same id again: the processor knows it.
        State::Initiated => processor.refund(refund).await,
        // What has ended is never sent again.
        State::Succeeded | State::Failed(_) | State::Cancelled => match processor.look_up(refund).await {
            LookedUp::Stands(outcome) => outcome,
            LookedUp::NeverReceived => Outcome::Unknown,
        },
    }
}
