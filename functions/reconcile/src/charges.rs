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
use crate::{Context, ReconcileError, Store};

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
            let Context { store, seal_keys, .. } = self.reader.context;
            keep(store, seal_keys, payment.clone(), read, now).await?
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

    /// A total that differs and stays, once what was missed has entered the books.
    async fn total(&mut self, id: &PaymentId) -> Result<Option<Discrepancy<'static>>, ReconcileError> {
        let Some((payment, refunds, charge)) = self.settled(id).await? else { return Ok(None) };
        let is_missed =
            Totals::of(&payment, &refunds, &charge).is_some_and(|totals| totals.exceed_the_books());
        if !is_missed || !self.enter_missed(&payment).await? {
            return Ok(differing_total(&payment, &refunds, &charge));
        }
        let Some((payment, refunds, charge)) = self.settled(id).await? else { return Ok(None) };
        let differing = differing_total(&payment, &refunds, &charge);
        if payment.is_unverified() {
            let Context { store, seal_keys, now, .. } = self.reader.context;
            keep(store, seal_keys, payment, &ChargeRead::Found(charge), now()).await?;
        }
        Ok(differing)
    }

    /// A payment, its refunds and its charge, if the books stay the same meanwhile: a refund that ends between two reads
    /// looks like a difference.
    async fn settled(
        &self,
        id: &PaymentId,
    ) -> Result<Option<(Payment, Vec<Refund>, Box<Charge>)>, ReconcileError> {
        let Some(before) = self.reader.books(id).await? else { return Ok(None) };
        let read = self.read_charge(&before.0).await;
        let after = self.reader.books(id).await?;
        let ChargeRead::Found(charge) = read else { return Ok(None) };
        if after.as_ref() != Some(&before) {
            tracing::info!(payment.id = %id, "it keeps changing and was not compared with its charge; the next audit compares it");
            return Ok(None);
        }
        Ok(Some((before.0, before.1, charge)))
    }
}

/// Whether all that was refunded there is all that has left the payment here, as where no refund is on its way.
fn adds_up(payment: &Payment, charge: &Charge) -> bool {
    let taken = left_with_refunds(payment);
    charge.amounts().is_ok_and(|(_, refunded)| taken == Some(refunded))
}

/// What was refunded of a payment there, and here at the processor: as far as it succeeded, and with what is on its way.
struct Totals {
    theirs: Money,
    succeeded: Money,
    taken: Money,
}

impl Totals {
    fn of(payment: &Payment, refunds: &[Refund], charge: &Charge) -> Option<Self> {
        let (_, theirs) = charge.amounts().ok()?;
        let sum = |of: fn(&Refund) -> Option<Money>| {
            Money::sum(payment.amount.currency(), refunds.iter().filter_map(of))
        };
        let paid_otherwise =
            sum(|refund| (has_succeeded(refund) && is_external(refund)).then_some(refund.amount))?;
        let succeeded =
            sum(|refund| (has_succeeded(refund) && !is_external(refund)).then_some(refund.amount))?;
        // What exceeded the payment moved there, and was not taken here.
        let excess = sum(|refund| {
            let moves = has_succeeded(refund) || refund.version.state.holds_money();
            refund.origin.excess().filter(|_| moves)
        })?;
        let taken = left_with_refunds(payment)?.minus(paid_otherwise)?.plus(excess)?;
        Some(Self { theirs, succeeded, taken })
    }

    /// Whether more was refunded there than has left the payment here.
    fn exceed_the_books(&self) -> bool {
        self.theirs.exceeds(self.taken)
    }
}

fn has_succeeded(refund: &Refund) -> bool {
    refund.version.state == State::Succeeded
}

fn is_external(refund: &Refund) -> bool {
    refund.origin.external().is_some()
}

/// What has left the payment with its refunds: what disputes took is no refund there, either.
fn left_with_refunds(payment: &Payment) -> Option<Money> {
    payment.amount.minus(payment.refundable)?.minus(payment.charged_back()?)
}

/// What was refunded there covers what succeeded here, and is covered by what has left the payment here.
fn differing_total<'a>(payment: &Payment, refunds: &[Refund], charge: &Charge) -> Option<Discrepancy<'a>> {
    let totals = Totals::of(payment, refunds, charge)?;
    let Totals { theirs, succeeded, taken } = &totals;
    if !succeeded.exceeds(*theirs) && !totals.exceed_the_books() {
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
