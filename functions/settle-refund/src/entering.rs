//! A refund that was made at the processor without us enters the books, under an id made of the processor's own.

use recoup_domain::enter::{Made, enter as decide};
use recoup_domain::ids::Tenant;
use recoup_domain::payment::{Payment, Processor, ProcessorName};
use recoup_domain::refund::Outcome;
use recoup_domain::text::Text;
use recoup_http::problem::Problem;
use recoup_ports::causes;
use recoup_ports::payments::Charges;
use recoup_ports::refunds::{Reserve, ReserveError, Reserved};
use recoup_processors::notification::{MadeThere, Notification};

use crate::{AttemptOutcome, Context, unavailable};

/// `None` if its payment, or the refund itself, was written meanwhile.
pub(crate) async fn enter<S: Reserve + Charges, K, P>(
    context: &Context<S, K, P>,
    sender: ProcessorName,
    notification: &Notification,
    made: &MadeThere,
) -> Result<Option<AttemptOutcome>, Problem> {
    let has_moved = match notification.outcome() {
        Outcome::Succeeded { .. } => true,
        Outcome::Pending | Outcome::PendingFunds => false,
        // It moved nothing, and was never here.
        Outcome::Failed(_) => return Ok(Some(AttemptOutcome::ignored())),
        Outcome::Unknown | Outcome::Busy { .. } | Outcome::NotConfigured => {
            return Ok(Some(not_believed("its status says nothing")));
        }
    };
    let Some(amount) = made.amount else { return Ok(Some(not_believed("its amount cannot be told"))) };
    let Some(payment) = payment_of(context, sender, &notification.tenant, &made.payments).await? else {
        tracing::info!("a refund made at the processor is of no payment that is registered");
        return Ok(Some(AttemptOutcome::ignored()));
    };
    let made = Made { reference: made.reference.clone(), amount, has_moved };
    let reservation = match decide(&payment, &made, (context.now)()) {
        Ok(reservation) => reservation,
        Err(why) => return Ok(Some(not_believed(&why.to_string()))),
    };
    match context.store.reserve(&reservation).await {
        Ok(Reserved::New) => {
            let refund = &reservation.refund;
            tracing::warn!(payment.id = %payment.id, refund.status = refund.version.state.as_str(), "a refund made at the processor entered the books");
            Ok(Some(AttemptOutcome::applied(refund)))
        }
        Ok(Reserved::Existing(_) | Reserved::PaymentChanged(_))
        | Err(ReserveError::KeyInUse | ReserveError::Contended) => Ok(None),
        Err(error @ (ReserveError::Unavailable(_) | ReserveError::Unreadable { .. })) => {
            tracing::error!(error = causes(&error), payment.id = %payment.id, "a refund made at the processor was not written");
            Err(unavailable())
        }
    }
}

/// The payment that one of its names there is registered for.
pub(crate) async fn payment_of<S: Charges, K, P>(
    context: &Context<S, K, P>,
    sender: ProcessorName,
    tenant: &Tenant,
    references: &[Text<255>],
) -> Result<Option<Payment>, Problem> {
    for reference in references {
        let charge = Processor::of(sender, reference.clone());
        if let Some(id) = context.store.payment_of_charge(tenant, &charge).await? {
            return Ok(context.store.payment(tenant, &id).await?);
        }
    }
    Ok(None)
}

fn not_believed(why: &str) -> AttemptOutcome {
    tracing::error!(why, "a refund made at the processor does not enter the books; a person has to look");
    AttemptOutcome::ignored()
}
