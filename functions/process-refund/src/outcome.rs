//! Writes what a processor said of a refund.

use std::time::Duration;

use recoup_domain::refund::{Amounts, Outcome, Refund, State};
use recoup_ports::causes;
use recoup_ports::processor::Processor;
use recoup_ports::settlement::{Settle, SettleError, Settled};

use crate::{Asked, Context, Done, WRITES_MAX, ask, read};

/// Writes an outcome. What is known is not asked for again because something else about the refund changed meanwhile:
/// it is written to the refund as it then stands. So is a success, whatever became of the refund on its way.
pub(crate) async fn settle<S: Settle, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    mut refund: Refund,
    outcome: &Outcome,
) -> Asked {
    for _ in 0..WRITES_MAX {
        match write(context, &refund, outcome).await {
            Asked::Overtaken => {}
            settled @ Asked::Settled(_) => return settled,
        }
        let stands = match read(context, &refund.tenant, &refund.id).await {
            Ok(stands) => stands,
            Err(done) => return Asked::Settled(done),
        };
        let same = stands.version.state == refund.version.state && stands.turn == refund.turn;
        let paid = matches!(outcome, Outcome::Succeeded { .. });
        match stands.version.state {
            _ if same => {}
            State::Initiated | State::Processing(_) if paid => {}
            State::Failed(_) | State::Cancelled if paid => return doubt(context, stands).await,
            _ => return Asked::Overtaken,
        }
        refund = stands;
    }
    Asked::Overtaken
}

/// Somebody ended a refund otherwise while its money moved. Which word is the newer, the processor alone knows.
async fn doubt<S: Settle, P: Processor, V, K>(context: &Context<S, P, V, K>, refund: Refund) -> Asked {
    let word = ask(&context.processor, &refund).await;
    tracing::warn!(
        refund.status = refund.version.state.as_str(),
        payment.id = %refund.payment_id,
        processor.confirms = matches!(word, Outcome::Succeeded { .. }),
        "a success met another end"
    );
    write(context, &refund, &word).await
}

async fn write<S: Settle, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    refund: &Refund,
    outcome: &Outcome,
) -> Asked {
    let now = (context.now)();
    let again = |next: &Refund| {
        if next.version.state.holds_money() {
            Some(next.asked_again(outcome, now, (context.jitter_permille)()))
        } else {
            asked_once_more(context, next).map(|wait| next.asked_after(now, wait))
        }
    };
    let Some(change) = refund.step(outcome.clone(), now) else {
        return match again(refund) {
            Some(question) => {
                written(context.store.schedule(refund, question).await, &refund.asking(question))
            }
            None if refund.expects_bank_reference() => {
                let change = refund.without_bank_reference(now);
                written(context.store.carry_out(&change).await, change.to())
            }
            // A success that stands is not asked about again.
            None => Asked::Settled(Done::Finished),
        };
    };
    let question = match change.amounts() {
        // The next question is about them.
        _ if change.to().has_open_parts() => None,
        Amounts::Stay => again(change.to()),
        Amounts::Return | Amounts::TakeAgain => None,
    };
    let change = match question {
        Some(question) => change.asking(question),
        None => change,
    };
    written(context.store.carry_out(&change).await, change.to())
}

/// How long until the processor is asked about a success, if it is: whether it stands, or for the bank's number.
pub(crate) fn asked_once_more<S, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    refund: &Refund,
) -> Option<Duration> {
    let stands = context.processor.asked_once_more_after(refund);
    stands.or_else(|| refund.bank_reference_wait((context.now)()))
}

/// What a write means for its job.
pub(crate) fn written(settled: Result<Settled, SettleError>, next: &Refund) -> Asked {
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
