//! What the processor says of a payment's terms: asked when it is registered, and at each PUT until it has said it.

use std::time::Duration;

use recoup_domain::money::Money;
use recoup_domain::payment::{CaptureStatus, Payment, ProcessorName};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_domain::verification::{Difference, Term, Verification};
use recoup_http::problem::{Code, Problem};
use recoup_ports::causes;
use recoup_ports::charges::{ChargeQuestion, ChargeRead, ReadCharges, keep};
use recoup_ports::payments::KeepVerifications;
use recoup_ports::seal_keys::SealKeys;
use tokio::time::timeout;

/// How long the processor is waited for; the payment is registered all the same.
const READ_FOR: Duration = Duration::from_secs(12);

/// The charge, where the processor tells of charges.
pub(crate) async fn read(charges: &impl ReadCharges, question: &ChargeQuestion) -> ChargeRead {
    match question.processor {
        ProcessorName::Stripe => {
            let read = timeout(READ_FOR, charges.read_charge(question)).await;
            read.unwrap_or_else(|_| {
                tracing::warn!("the processor's word on a charge did not come in time");
                ChargeRead::Unclear
            })
        }
        ProcessorName::Sandbox | ProcessorName::Http => ChargeRead::NotTold,
    }
}

/// What was captured, where the caller does not say it.
pub(crate) fn captured(read: &ChargeRead, question: &ChargeQuestion) -> Result<Money, Problem> {
    let reference = question.reference.as_str();
    match read {
        ChargeRead::Found(charge) => match charge.amounts() {
            Ok((captured, _)) if !captured.is_zero() => Ok(captured),
            Ok(_) | Err(_) => {
                let detail = format!("Nothing is captured of {reference}, so there is nothing to refund.");
                Err(Problem::new(Code::TermsDifferAtProcessor, detail).about("amount"))
            }
        },
        ChargeRead::NoSuchCharge => Err(differs(&Difference::new(Term::Reference, reference, None))),
        ChargeRead::NotConfigured => {
            let detail = "The account has no key that works at the processor, which would tell amount and currency: \
                store one, or say both.";
            Err(Problem::new(Code::ProcessorNotConfigured, detail).about("processor.name"))
        }
        ChargeRead::NotTold | ChargeRead::Unclear => {
            let detail = "The processor, which would tell amount and currency, does not answer now.";
            Err(Problem::new(Code::Unavailable, detail))
        }
    }
}

/// A payment seen for the first time, with what its processor says of it. Other terms than the processor's are refused.
/// What was refunded there before is registered, and refused to be refunded again until it is in the books.
pub(crate) fn first(payment: Payment, read: &ChargeRead, now: Timestamp) -> Result<Payment, Problem> {
    let payment = read.told_of(payment, now);
    match &payment.verification {
        Some(Verification::Failed(_, difference)) if difference.term != Term::RefundedAmount => {
            Err(differs(difference))
        }
        _ => Ok(payment),
    }
}

/// The payment, verified if it was not and its processor now says so. What goes wrong leaves it as it is.
pub(crate) async fn again<S: KeepVerifications, K: SealKeys>(
    store: &S,
    seal_keys: &K,
    charges: &impl ReadCharges,
    payment: Payment,
    now: Timestamp,
) -> Payment {
    if !payment.is_unverified() || payment.facts.status != CaptureStatus::Completed {
        return payment;
    }
    let question = ChargeQuestion::new(&payment.tenant, &payment.processor);
    let told = read(charges, &question).await;
    match keep(store, seal_keys, payment.clone(), &told, now).await {
        Ok(payment) => payment,
        Err(error) => {
            tracing::error!(error = causes(&error), payment.id = %payment.id, "the processor's word was not kept");
            payment
        }
    }
}

fn differs(difference: &Difference) -> Problem {
    let Difference { term, ours, theirs } = difference;
    let (term, ours) = (term.as_str(), ours.as_str());
    let detail = match theirs {
        Some(theirs) => format!("{term} is {ours} here and {} at the processor.", theirs.as_str()),
        None => format!("The processor does not know {ours} under the account's key."),
    };
    let theirs = theirs.as_ref().map(Text::as_str);
    let problem = Problem::new(Code::TermsDifferAtProcessor, detail).about(term);
    problem.with("ours", ours.into()).with("theirs", theirs.into())
}
