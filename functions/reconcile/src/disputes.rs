//! Whether the disputes of a payment are those that its processor tells of, and what the lost ones took is taken.

use std::time::Duration;

use recoup_domain::dispute::{Dispute, DisputeWord};
use recoup_domain::payment::Payment;
use recoup_domain::report::Mismatch;
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use recoup_ports::charges::{ChargeQuestion, ChargeRead};
use recoup_ports::payments::Moved;
use recoup_ports::processor::Processor;
use recoup_ports::seal_keys::SealKeys;

use crate::checks::{Discrepancy, Repair};
use crate::run::Run;
use crate::scope::Scope;
use crate::{ReconcileError, Store};

impl<S: Store, P: Processor + Sync, K: SealKeys + Sync> Run<'_, S, P, K> {
    /// Where a payment's charge is disputed, its processor is asked for the disputes; what nobody told of them is entered.
    pub(crate) async fn compare_disputes(
        &mut self,
        payment: &Payment,
        read: &ChargeRead,
    ) -> Result<(), ReconcileError> {
        let ChargeRead::Found(charge) = read else { return Ok(()) };
        if !charge.disputed || self.reader.is_over() {
            return Ok(());
        }
        let context = self.reader.context;
        let question = ChargeQuestion::new(&payment.tenant, &payment.processor);
        let told = context.processor.disputes(&question, this_second((context.now)())).await;
        let Some(words) = told else {
            tracing::warn!(payment.id = %payment.id, "its disputes could not be read; the next audit reads them");
            return Ok(());
        };
        for word in words {
            // Each is entered into what the one before left.
            let Some(payment) = context.store.payment(&payment.tenant, &payment.id).await? else { break };
            self.findings.add(missed(&payment, &word)).await;
        }
        Ok(())
    }

    /// A lost dispute takes what a failed refund gave back since, as its processor did long ago.
    pub(crate) async fn charge_back_again(&self, payment: &Payment) {
        let Some(next) = payment.charged_back_again() else { return };
        match self.reader.context.store.keep_disputes(payment, &next).await {
            Ok(Moved::Applied) => {
                tracing::info!(payment.id = %payment.id, "a lost dispute took what came back since");
            }
            // The next run looks again.
            Ok(Moved::Overtaken) => {}
            Err(error) => {
                tracing::error!(error = causes(&error), payment.id = %payment.id, "what a lost dispute took was not written");
            }
        }
    }
}

/// Stripe's events know whole seconds: of what happens in this one, the event says more.
fn this_second(now: Timestamp) -> Timestamp {
    now.minus(Duration::from_millis(now.unix_millis() % 1_000))
}

/// What the processor says of a dispute and nobody told us.
fn missed<'a>(payment: &Payment, word: &DisputeWord) -> Option<Discrepancy<'a>> {
    let known = payment.disputes.list.iter().any(|known| known.word.says_the_same_as(word));
    let next = payment.told_of_dispute(word).transpose().filter(|_| !known)?;
    let (reference, status, amount) = (word.reference.as_str(), word.status.as_str(), word.amount.decimal());
    let detail = format!("its processor says that the dispute {reference} of {amount} is {status}");
    let found = |detail| Discrepancy::of_payment(Mismatch::DisputeMissing, &payment.id, detail);
    Some(match next {
        Ok(next) => {
            Discrepancy { repair: Repair::Dispute(Box::new((payment.clone(), next))), ..found(detail) }
        }
        Err(why) => found(format!("{detail}, and it does not enter the books: {why}")),
    })
}

/// What lost disputes took beyond what was refundable, while that is news.
pub(crate) fn excess<'a>(payment: &Payment, scope: &Scope) -> Vec<Discrepancy<'a>> {
    let is_news = |dispute: &&Dispute| (scope.from..=scope.until).contains(&dispute.word.told_at);
    let beyond = payment.disputes.list.iter().filter(|dispute| !dispute.excess().is_zero());
    let told = |dispute: &Dispute| {
        let (reference, amount) = (dispute.word.reference.as_str(), dispute.word.amount.decimal());
        let detail = format!(
            "the lost dispute {reference} took {amount}, of which {} was not refundable any more",
            dispute.excess().decimal()
        );
        Discrepancy::of_payment(Mismatch::ExceedsRefundable, &payment.id, detail)
    };
    beyond.filter(is_news).map(told).collect()
}
