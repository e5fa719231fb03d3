//! Asks a payment's processor whether the payment's terms are its charge's, and writes what it says.
//!
//! The payment's own item says that this is due, and with which number; it is written over only what was read. Until there
//! is a clear answer, each question ends with the next one.

use recoup_domain::payment::Payment;
use recoup_domain::verification::{Awaited, Verification};
use recoup_ports::charges::{ChargeQuestion, ChargeRead, keep};
use recoup_ports::jobs::PaymentJob;
use recoup_ports::payments::{KeepVerifications, Kept, Payments};
use recoup_ports::processor::Processor;
use recoup_ports::seal_keys::SealKeys;
use recoup_ports::{WriteError, causes};

use crate::charges::Charges;
use crate::{Context, Done, STARTS_MAX};

/// Works on one job.
pub(crate) async fn work<S, P, V, K>(
    context: &Context<S, P, V, K>,
    charges: &Charges,
    job: &PaymentJob,
) -> Done
where
    S: Payments + KeepVerifications,
    P: Processor,
    K: SealKeys,
{
    let mut told = None;
    for _ in 0..STARTS_MAX {
        let (payment, awaited) = match due(&context.store, job).await {
            Ok(due) => due,
            Err(done) => return done,
        };
        let told = match &mut told {
            Some(told) => told,
            none => none.insert(ask(context, charges, &payment).await),
        };
        match record(context, payment, awaited, told).await {
            Ok(true) => return Done::Finished,
            Ok(false) => tracing::info!("the payment moved meanwhile; looking again"),
            Err(error) => {
                tracing::error!(error = causes(&error), "the processor's word was not written");
                return match error {
                    WriteError::Unavailable(_) => Done::NotYet,
                    WriteError::Unreadable { .. } => Done::Unreadable,
                };
            }
        }
    }
    Done::NotYet
}

/// The payment of a job, if this question about it is due.
async fn due(store: &impl Payments, job: &PaymentJob) -> Result<(Payment, Awaited), Done> {
    match store.payment(&job.tenant, &job.payment).await {
        Ok(Some(payment)) => match payment.verification {
            Some(Verification::Awaited(awaited)) if awaited.turn == job.turn => Ok((payment, awaited)),
            _ => {
                tracing::info!("nothing to do: the processor has answered, or another job asks next");
                Err(Done::Finished)
            }
        },
        Ok(None) => {
            tracing::error!("the payment of this job does not exist");
            Err(Done::NotYet)
        }
        Err(error) => {
            tracing::error!(error = causes(&error), "the payment cannot be read");
            Err(error.into())
        }
    }
}

/// The processor's word. While it is to be left alone, or asked too often, it gives none. Only refunds open a circuit: what
/// is no answer about a charge is none about whether the processor is up.
async fn ask<S, P: Processor, V, K>(
    context: &Context<S, P, V, K>,
    charges: &Charges,
    payment: &Payment,
) -> ChargeRead {
    let (now, of) = ((context.now)(), (&payment.tenant, payment.processor.name));
    if context.restraints.circuits.is_open(of.0, of.1, now) {
        return ChargeRead::Unclear;
    }
    let Some(left) = charges.time_left(now) else { return ChargeRead::Unclear };
    let Ok(wait) = context.restraints.rates.reserve(of, now, left) else { return ChargeRead::Unclear };
    tokio::time::sleep(wait).await;
    let _place = charges.place().await;
    if charges.time_left((context.now)()).is_none() {
        return ChargeRead::Unclear;
    }
    let question = ChargeQuestion::new(&payment.tenant, &payment.processor);
    context.processor.read_charge(&question).await
}

/// Writes what was said, or when it is asked about next; `false` if the payment was written meanwhile.
async fn record<S: KeepVerifications, P, V, K: SealKeys>(
    context: &Context<S, P, V, K>,
    payment: Payment,
    awaited: Awaited,
    told: &ChargeRead,
) -> Result<bool, WriteError> {
    let now = (context.now)();
    let is_clear = matches!(told, ChargeRead::Found(_) | ChargeRead::NoSuchCharge);
    let kept = keep(&context.store, &context.seal_keys, payment, told, now).await?;
    if !matches!(kept.verification, Some(Verification::Awaited(_))) {
        tracing::info!(
            payment.verified = matches!(kept.verification, Some(Verification::Verified(_))),
            "the processor's word on a payment was recorded"
        );
        return Ok(true);
    }
    if is_clear {
        return Ok(false);
    }
    let next = Verification::Awaited(awaited.again(now, (context.jitter_permille)()));
    let asked_again = Payment { verification: Some(next), ..kept.clone() };
    Ok(context.store.keep_verification(&asked_again, &kept).await? == Kept::Yes)
}
