//! Whether payments' terms, and what was refunded of them, are what their processor says.

use std::collections::HashMap;

use futures_util::future::join_all;
use recoup_domain::ids::PaymentId;
use recoup_domain::money::Money;
use recoup_domain::payment::{CaptureStatus, Payment, ProcessorName};
use recoup_domain::refund::{Refund, State};
use recoup_domain::report::Mismatch;
use recoup_domain::verification::{Difference, Term, Verification};
use recoup_ports::charges::{Charge, ChargeQuestion, ChargeRead, keep};
use recoup_ports::processor::Processor;
use recoup_ports::seal_keys::SealKeys;

use crate::checks::Discrepancy;
use crate::run::Run;
use crate::{ReconcileError, Store};

/// Charges that are read at once: Stripe takes a hundred reads a second of an account.
const AT_ONCE: usize = 8;

impl<S: Store, P: Processor + Sync, K: SealKeys + Sync> Run<'_, S, P, K> {
    /// The charges of these payments, as far as their processor tells of charges and answers clearly.
    pub(crate) async fn charges<'p>(
        &mut self,
        payments: impl Iterator<Item = &'p Payment>,
    ) -> HashMap<PaymentId, ChargeRead> {
        let has_charge = |payment: &&Payment| {
            payment.processor.name == ProcessorName::Stripe
                && payment.facts.status == CaptureStatus::Completed
        };
        let asked: Vec<&Payment> = payments.filter(has_charge).collect();
        let mut told = HashMap::new();
        for some in asked.chunks(AT_ONCE) {
            if self.charges_are_silent || self.reader.is_over() {
                break;
            }
            let reads = join_all(some.iter().map(|payment| self.read_charge(payment))).await;
            let is_clear =
                |read: &ChargeRead| matches!(read, ChargeRead::Found(_) | ChargeRead::NoSuchCharge);
            self.charges_are_silent = !reads.iter().any(is_clear);
            told.extend(some.iter().map(|payment| payment.id.clone()).zip(reads));
        }
        told
    }

    async fn read_charge(&self, payment: &Payment) -> ChargeRead {
        let question = ChargeQuestion::new(&payment.tenant, &payment.processor);
        self.reader.context.processor.read_charge(&question).await
    }

    /// Compares a payment with its charge. One that was not verified is, or is told why not.
    pub(crate) async fn compare_charge(
        &mut self,
        payment: &Payment,
        read: &ChargeRead,
    ) -> Result<(), ReconcileError> {
        let now = (self.reader.context.now)();
        let told = if payment.is_unverified() {
            keep(&self.reader.context.store, payment.clone(), read, now).await?
        } else {
            read.told_of(payment.clone(), now)
        };
        match (&told.verification, read) {
            (Some(Verification::Failed(_, difference)), _) if difference.term != Term::RefundedAmount => {
                self.findings.add([terms(payment, difference)]).await;
            }
            (_, ChargeRead::Found(charge)) if !adds_up(payment, charge) => {
                let found = self.total(&payment.id).await?;
                self.findings.add(found).await;
            }
            _ => {}
        }
        Ok(())
    }

    /// A total that differs and stays: a refund that ended between two reads looks like one.
    async fn total(&mut self, id: &PaymentId) -> Result<Option<Discrepancy<'static>>, ReconcileError> {
        let Some(before) = self.reader.books(id).await? else { return Ok(None) };
        let read = self.read_charge(&before.0).await;
        let after = self.reader.books(id).await?;
        let ChargeRead::Found(charge) = read else { return Ok(None) };
        if after.as_ref() != Some(&before) {
            tracing::info!(payment.id = %id, "it keeps changing and was not compared with its charge; the next audit compares it");
            return Ok(None);
        }
        Ok(differing_total(&before.0, &before.1, &charge))
    }
}

/// Whether all that was refunded there is all that has left the payment here, as where no refund is on its way.
fn adds_up(payment: &Payment, charge: &Charge) -> bool {
    let taken = left_with_refunds(payment);
    charge.amounts().is_ok_and(|(_, refunded)| taken == Some(refunded))
}

/// What has left the payment with its refunds: what disputes took is no refund there, either.
fn left_with_refunds(payment: &Payment) -> Option<Money> {
    payment.amount.minus(payment.refundable)?.minus(payment.charged_back()?)
}

/// What was refunded there covers what succeeded here, and is covered by what has left the payment here.
fn differing_total<'a>(payment: &Payment, refunds: &[Refund], charge: &Charge) -> Option<Discrepancy<'a>> {
    let (_, theirs) = charge.amounts().ok()?;
    let succeeded = |is_external: bool| {
        let is_one = |refund: &&Refund| {
            refund.version.state == State::Succeeded && refund.origin.external().is_some() == is_external
        };
        Money::sum(payment.amount.currency(), refunds.iter().filter(is_one).map(|refund| refund.amount))
    };
    // What was paid otherwise is not there.
    let taken = left_with_refunds(payment)?.minus(succeeded(true)?)?;
    let succeeded = succeeded(false)?;
    if !succeeded.exceeds(theirs) && !theirs.exceeds(taken) {
        return None;
    }
    let detail = format!(
        "its processor has refunded {}; here {} succeeded, and {} with what is on its way",
        theirs.decimal(),
        succeeded.decimal(),
        taken.decimal()
    );
    Some(Discrepancy::of_payment(Mismatch::TotalDiffersAtProcessor, &payment.id, detail))
}

fn terms<'a>(payment: &Payment, difference: &Difference) -> Discrepancy<'a> {
    let Difference { term, ours, theirs } = difference;
    let (term, ours) = (term.as_str(), ours.as_str());
    let detail = match theirs {
        Some(theirs) => format!("{term} is {ours} here and {} there", theirs.as_str()),
        None => format!("its processor does not know {ours} under the account's key"),
    };
    Discrepancy::of_payment(Mismatch::TermsDifferAtProcessor, &payment.id, detail)
}
