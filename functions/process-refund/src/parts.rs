//! Has the actors' parts of a refund taken from them, once the customer is paid.
//!
//! That a part is asked for is written before it is, and what became of it afterwards, each only over the parts that
//! were read: so a part that may have been taken is looked up before it is asked for again, whatever breaks between.

use recoup_domain::recovery::Taken;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use recoup_ports::processor::Processor;
use recoup_ports::settlement::{Settle, Settled};

use crate::charges::Charges;
use crate::{Asked, Context, Done, admitted, asked_once_more, written};

/// Whether a job is about the parts of its refund.
pub(crate) fn are_due<S, P: Processor, V, K>(context: &Context<S, P, V, K>, refund: &Refund) -> bool {
    let has_ended = !refund.version.state.holds_money();
    let waits = !refund.recovery.is_empty() && refund.wait.is_some();
    has_ended && (refund.has_open_parts() || waits && asked_once_more(context, refund).is_none())
}

/// Asks about the open parts, and writes what became of them.
pub(crate) async fn recover<S: Settle + Sync, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    charges: &Charges,
    refund: Refund,
) -> Asked {
    if !refund.has_open_parts() {
        return record(context, &refund, done(context, refund.clone())).await;
    }
    let _place = match admitted(context, charges, &refund).await {
        Ok(place) => place,
        Err(retry_after) => {
            let next = later(context, &refund, &Outcome::Busy { retry_after });
            return record(context, &refund, next).await;
        }
    };
    let marked = match mark(context, &refund, (context.now)()).await {
        Ok(marked) => marked,
        Err(asked) => return asked,
    };
    // As they were read, not as they were marked: what was asked for before is looked up first.
    let answers = context.processor.recover(&refund).await;
    let outcome = outcome(&answers);
    context.restraints.circuits.record(&refund, &outcome, (context.now)());
    let recovery = marked.parts_after(&answers, (context.now)());
    let next = Refund { recovery, ..marked.clone() };
    let next = if next.has_open_parts() { later(context, &next, &outcome) } else { done(context, next) };
    record(context, &marked, next).await
}

/// What the answers say of the processor: a part without a clear answer may have been taken, whoever else is busy.
fn outcome(answers: &[(usize, Taken)]) -> Outcome {
    if answers.iter().any(|(_, answer)| *answer == Taken::Unknown) {
        return Outcome::Unknown;
    }
    let busy = answers.iter().find_map(|(_, answer)| match answer {
        Taken::Busy { retry_after } => Some(Outcome::Busy { retry_after: *retry_after }),
        Taken::Yes { .. } | Taken::Short | Taken::No | Taken::Refused | Taken::Unknown => None,
    });
    busy.unwrap_or(Outcome::Pending)
}

/// The refund once it is asked about again.
fn later<S, P, V, K>(context: &Context<S, P, V, K>, refund: &Refund, outcome: &Outcome) -> Refund {
    refund.asking(refund.asked_again(outcome, (context.now)(), (context.jitter_permille)()))
}

async fn mark<S: Settle + Sync, P, V, K>(
    context: &Context<S, P, V, K>,
    refund: &Refund,
    now: Timestamp,
) -> Result<Refund, Asked> {
    let marked = Refund { recovery: refund.parts_asked(now), ..refund.clone() };
    if marked.recovery == refund.recovery {
        return Ok(marked);
    }
    match context.store.record_parts(refund, &marked).await {
        Ok(Settled::Applied) => Ok(marked),
        Ok(Settled::Overtaken | Settled::NothingLeft) => Err(Asked::Overtaken),
        Err(error) => {
            tracing::error!(error = causes(&error), "that an actor's part is asked for was not written");
            Err(Asked::Settled(Done::NotYet))
        }
    }
}

/// The refund once no part is open: what else it is asked about after its success comes next.
fn done<S, P: Processor, V, K>(context: &Context<S, P, V, K>, refund: Refund) -> Refund {
    match asked_once_more(context, &refund) {
        Some(wait) => refund.asking(refund.asked_after((context.now)(), wait)),
        None => Refund { wait: None, ..refund },
    }
}

async fn record<S: Settle + Sync, P, V, K>(
    context: &Context<S, P, V, K>,
    from: &Refund,
    next: Refund,
) -> Asked {
    let open = next.open_parts().count();
    tracing::info!(refund.open_parts = open, "the processor was asked about the actors' parts");
    written(context.store.record_parts(from, &next).await, &next)
}
