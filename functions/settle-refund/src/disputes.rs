//! What a processor tells of a dispute enters its payment's books: what it blocks, and what a lost one took.

use recoup_domain::dispute::Dispute;
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_http::problem::Problem;
use recoup_ports::causes;
use recoup_ports::payments::{KeepDisputes, Moved};
use recoup_processors::notification::DisputeNotice;

use crate::entering::payment_of;
use crate::settle::STARTS_MAX;
use crate::{AttemptOutcome, Context, unavailable};

/// Judges a notification by what is known of its dispute, and writes what follows.
pub(crate) async fn enter<S: KeepDisputes, K, P>(
    context: &Context<S, K, P>,
    sender: ProcessorName,
    tenant: &Tenant,
    notice: &DisputeNotice,
) -> Result<AttemptOutcome, Problem> {
    let Some(word) = &notice.word else { return Ok(not_believed("its status or its amount cannot be told")) };
    for _ in 0..STARTS_MAX {
        let Some(payment) = payment_of(context, sender, tenant, &notice.payments).await? else {
            tracing::info!("a dispute is of no payment that is registered");
            return Ok(AttemptOutcome::ignored());
        };
        let next = match payment.told_of_dispute(word) {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(AttemptOutcome::of_payment("unchanged", &payment)),
            Err(why) => return Ok(not_believed(&why.to_string())),
        };
        match context.store.keep_disputes(&payment, &next).await {
            Ok(Moved::Applied) => {
                tracing::warn!(payment.id = %payment.id, dispute.status = word.status.as_str(), "a dispute entered the books");
                let told = next.disputes.list.iter().find(|one| one.word.reference == word.reference);
                if told.is_some_and(|dispute: &Dispute| !dispute.excess().is_zero()) {
                    tracing::error!(payment.id = %payment.id, "a lost dispute took more than was refundable; a person has to look");
                }
                return Ok(AttemptOutcome::of_payment("applied", &payment));
            }
            Ok(Moved::Overtaken) => {
                tracing::info!(payment.id = %payment.id, "the payment moved meanwhile; looking again");
            }
            Err(error) => {
                tracing::error!(error = causes(&error), payment.id = %payment.id, "a dispute was not written");
                return Err(unavailable());
            }
        }
    }
    tracing::warn!("the payment keeps moving");
    Err(unavailable())
}

fn not_believed(why: &str) -> AttemptOutcome {
    tracing::error!(why, "a dispute does not enter the books; a person has to look");
    AttemptOutcome::ignored()
}
