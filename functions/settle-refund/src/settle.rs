//! What a genuine notification makes of its refund: one conditional write, or none.

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Amounts, Move, Outcome, Refund};
use recoup_http::problem::Problem;
use recoup_http::refund::not_found;
use recoup_ports::causes;
use recoup_ports::payments::{Charges, KeepVerifications};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::refunds::Reserve;
use recoup_ports::settlement::{Settle, SettleError, Settled};
use recoup_processors::notification::Notification;
use tracing::Instrument;

use crate::{AttemptOutcome, Context, entering, unavailable};

/// How often a notification is judged anew because somebody else moved its refund.
pub const STARTS_MAX: usize = 3;

/// Judges a notification by where its refund stands, and writes what follows.
pub(crate) async fn carry_out<S: Settle + Reserve + Charges + KeepVerifications + Sync, K, P: Processor>(
    context: &Context<S, K, P>,
    sender: ProcessorName,
    notification: &Notification,
) -> Result<AttemptOutcome, Problem> {
    let span = tracing::info_span!(
        "notification",
        refund.id = %notification.refund,
        account.id = %notification.tenant.account,
        environment = notification.tenant.environment.as_str(),
        processor.name = sender.as_str(),
    );
    let starts = async {
        for _ in 0..STARTS_MAX {
            if let Some(answer) = once(context, sender, notification).await? {
                return Ok(answer);
            }
            tracing::info!("the refund moved meanwhile; looking again");
        }
        tracing::warn!("the refund keeps moving");
        Err(unavailable())
    };
    starts.instrument(span).await
}

/// `None` if the refund moved between reading and writing.
async fn once<S: Settle + Reserve + Charges + KeepVerifications + Sync, K, P: Processor>(
    context: &Context<S, K, P>,
    sender: ProcessorName,
    notification: &Notification,
) -> Result<Option<AttemptOutcome>, Problem> {
    let refund =
        match (context.store.refund(&notification.tenant, &notification.refund).await?, &notification.made) {
            (Some(refund), _) => refund,
            // On the heap: what few notifications need is large.
            (None, Some(made)) => {
                return Box::pin(entering::enter(context, sender, notification, made)).await;
            }
            (None, None) => return Err(not_found()),
        };
    let Some(outcome) = outcome(sender, notification, &refund) else {
        return Ok(Some(AttemptOutcome::ignored()));
    };
    let outcome = if refund.contradicts(&outcome) {
        tracing::warn!(
            refund.status = refund.version.state.as_str(),
            "a notification contradicts the end; its processor is asked"
        );
        confirmed(&context.processor, &refund).await?
    } else {
        outcome
    };
    let Some(change) = refund.step(outcome, (context.now)()) else {
        tracing::info!(refund.status = refund.version.state.as_str(), "old news");
        return Ok(Some(AttemptOutcome::unchanged(&refund)));
    };
    written(context.store.carry_out(&change).await, &change)
}

/// What a notification says of this refund. Nothing, if it speaks of another processor's refund, or in words that
/// nobody knows: repeated, it would say no more, so a person has to look.
fn outcome(sender: ProcessorName, notification: &Notification, refund: &Refund) -> Option<Outcome> {
    let outcome = notification.outcome_of(refund);
    let why = if refund.processor.name != sender {
        "another processor has the refund"
    } else if outcome.silence().is_some() {
        "its amount cannot be told, or its status says nothing"
    } else {
        return Some(outcome);
    };
    tracing::error!(
        refund.status = refund.version.state.as_str(),
        why,
        "a notification is not believed; a person has to look"
    );
    None
}

/// What the processor itself says, asked. What was overtaken on its way contradicts an end as much as what is new.
async fn confirmed<P: Processor>(processor: &P, refund: &Refund) -> Result<Outcome, Problem> {
    match processor.look_up(refund).await {
        LookedUp::Stands(clear @ (Outcome::Succeeded { .. } | Outcome::Failed(_))) => Ok(clear),
        LookedUp::Stands(Outcome::Pending | Outcome::PendingFunds) => {
            tracing::error!("the processor says that a refund is pending whose end it reported");
            Ok(Outcome::Pending)
        }
        LookedUp::Stands(
            Outcome::Differs { .. } | Outcome::Unknown | Outcome::Busy { .. } | Outcome::NotConfigured,
        )
        | LookedUp::NeverReceived => {
            tracing::error!("the processor does not confirm what it reported");
            Err(unavailable())
        }
    }
}

fn written(settled: Result<Settled, SettleError>, change: &Move) -> Result<Option<AttemptOutcome>, Problem> {
    let (refund, next) = (change.from(), change.to());
    let payment = &refund.payment_id;
    match settled {
        Ok(Settled::Applied) => {
            if change.amounts() == Amounts::TakeAgain {
                tracing::warn!(payment.id = %payment, "the money of a failed refund is taken again");
            }
            tracing::info!(refund.status = next.version.state.as_str(), payment.id = %payment, "settled");
            Ok(Some(AttemptOutcome::applied(next)))
        }
        Ok(Settled::NothingLeft) => {
            tracing::error!(refund.status = refund.version.state.as_str(), payment.id = %payment, "a refund needs a person: it succeeded after it had failed, and its payment no longer has the money");
            Ok(Some(AttemptOutcome::unchanged(refund)))
        }
        Ok(Settled::Overtaken) => Ok(None),
        Err(error) => {
            tracing::error!(error = causes(&error), payment.id = %payment, "a notification was not written");
            Err(unavailable())
        }
    }
}
