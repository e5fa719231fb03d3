//! A refund that was made at the processor without us enters the books, under an id made of the processor's own.

use recoup_domain::enter::{Made, NotEntered, Reversal, enter as decide};
use recoup_domain::ids::Tenant;
use recoup_domain::payment::{Payment, Processor as PaymentProcessor, ProcessorName};
use recoup_domain::recovery::Shape;
use recoup_domain::seal::SealKey;
use recoup_domain::text::Text;
use recoup_domain::verification::{Term, Verification};
use recoup_http::problem::Problem;
use recoup_ports::causes;
use recoup_ports::charges::{ChargeQuestion, keep};
use recoup_ports::payments::{Charges, KeepVerifications};
use recoup_ports::processor::Processor;
use recoup_ports::refunds::{Reserve, ReserveError, Reserved};
use recoup_ports::seal_keys::{SealKeyError, SealKeys};
use recoup_processors::notification::{MadeThere, Notification};

use crate::{AttemptOutcome, Context, unavailable};

/// `None` if its payment, or the refund itself, was written meanwhile.
pub(crate) async fn enter<S: Reserve + Charges + KeepVerifications, K, P: Processor>(
    context: &Context<S, K, P>,
    sender: ProcessorName,
    notification: &Notification,
    made: &MadeThere,
) -> Result<Option<AttemptOutcome>, Problem> {
    let Some(payment) = payment_of(context, sender, &notification.tenant, &made.payments).await? else {
        tracing::info!("a refund made at the processor is of no payment that is registered");
        return Ok(Some(AttemptOutcome::ignored()));
    };
    let made = with_reversal(context, &payment, &made.made).await;
    let reservation = match decide(&payment, &made, (context.now)()) {
        Ok(reservation) => reservation,
        // It was never here.
        Err(NotEntered::MovedNothing) => return Ok(Some(AttemptOutcome::ignored())),
        Err(why) => return Ok(Some(not_believed(&why.to_string()))),
    };
    match context.store.reserve(&reservation).await {
        Ok(Reserved::New) => {
            let refund = &reservation.refund;
            tracing::warn!(payment.id = %payment.id, refund.status = refund.version.state.as_str(), "a refund made at the processor entered the books");
            if lacked_refunds(&payment) {
                verify(context, &payment).await;
            }
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

/// What was made, with how much came back from the merchant: the notification names that, and the processor's list says it.
/// Without a clear answer the books split it by themselves.
async fn with_reversal<S, K, P: Processor>(
    context: &Context<S, K, P>,
    payment: &Payment,
    made: &Made,
) -> Made {
    if payment.processor.shape() != Shape::Destination || made.reversal != Reversal::NotTold {
        return made.clone();
    }
    let question = ChargeQuestion::new(&payment.tenant, &payment.processor);
    let listed = context.processor.refunds_of_charge(&question).await.unwrap_or_default();
    let found = listed.into_iter().find(|listed| listed.made.reference == made.reference);
    Made { reversal: found.map_or(Reversal::NotTold, |found| found.made.reversal), ..made.clone() }
}

/// Whether its charge was refunded before it was registered, and not all of that was in the books.
fn lacked_refunds(payment: &Payment) -> bool {
    matches!(&payment.verification, Some(Verification::Failed(_, difference)) if difference.term == Term::RefundedAmount)
}

/// Compares a payment with its charge again: perhaps nothing is missing any more. If that fails, the audit does it.
async fn verify<S: Charges + KeepVerifications, K, P: Processor>(
    context: &Context<S, K, P>,
    payment: &Payment,
) {
    let question = ChargeQuestion::new(&payment.tenant, &payment.processor);
    let told = context.processor.read_charge(&question).await;
    let Ok(Some(payment)) = context.store.payment(&payment.tenant, &payment.id).await else { return };
    if let Err(error) = keep(&context.store, &NoSealKey, payment, &told, (context.now)()).await {
        tracing::warn!(error = causes(&error), "the payment is verified by the next audit");
    }
}

/// Who may be asked by anybody holds no key that seals: terms that are told only now are sealed by the audit.
struct NoSealKey;

impl SealKeys for NoSealKey {
    async fn seal_key(&self) -> Result<SealKey, SealKeyError> {
        Err(SealKeyError("this function has none".into()))
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
        let charge = PaymentProcessor::of(sender, reference.clone());
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
