//! The walk over every payment, touched or not: each run goes on where the last one ended, and begins anew at the end.

use std::collections::HashMap;

use recoup_domain::ids::PaymentId;
use recoup_domain::payment::Payment;
use recoup_domain::report::Mismatch;
use recoup_domain::time::Timestamp;
use recoup_ports::lists::Place;
use recoup_ports::processor::Processor;
use recoup_ports::rows::{Rows, UnreadableRow};
use recoup_ports::seal_keys::SealKeys;

use crate::checks::{self, Discrepancy};
use crate::reader::PAGE;
use crate::run::Run;
use crate::{ReconcileError, Store, disputes, seals};

impl<S: Store, P: Processor + Sync, K: SealKeys + Sync> Run<'_, S, P, K> {
    /// Audits the next payments, as many as the scope says and this account's share of the time allows. What is left
    /// over is the next run's.
    pub(crate) async fn audit_payments(&mut self) -> Result<(), ReconcileError> {
        let (store, tenant) = (&self.reader.context.store, self.reader.tenant);
        let mut left = self.scope.audit_payments;
        if left == 0 {
            return Ok(());
        }
        let until = (self.reader.context.now)().plus(self.audit_time);
        let begun = store.audited_to(tenant).await?;
        let mut behind = begun.clone();
        while left > 0 {
            let limit = PAGE.min(u16::try_from(left).unwrap_or(PAGE));
            let places = store.payments_behind(tenant, behind.as_ref(), limit).await?;
            if !places.is_empty() && self.seals.key().await.is_none() {
                self.lacks_key = true;
                break;
            }
            if places.is_empty() && behind.is_some() && behind == begun {
                // The last audit ended with the last payment.
                behind = None;
                continue;
            }
            let audited = self.audit_page(&places, until).await?;
            left = left.saturating_sub(u32::try_from(audited).unwrap_or(u32::MAX));
            if audited == places.len() && audited < usize::from(limit) {
                behind = None;
                break;
            }
            behind = audited.checked_sub(1).and_then(|last| places.get(last)).cloned().or(behind);
            if audited < places.len() {
                break;
            }
        }
        if behind != begun {
            store.keep_audited_to(tenant, behind.as_ref()).await?;
        }
        Ok(())
    }

    /// Audits these payments until the time is over; how many of them.
    async fn audit_page(
        &mut self,
        places: &[Place<PaymentId>],
        until: Timestamp,
    ) -> Result<usize, ReconcileError> {
        let ids: Vec<PaymentId> = places.iter().map(|place| place.id.clone()).collect();
        let Rows { read, unreadable } = self.reader.context.store.payments(self.reader.tenant, &ids).await?;
        self.findings.add(unreadable.iter().map(unreadable_payment)).await;
        let payments: HashMap<PaymentId, Payment> =
            read.into_iter().map(|payment| (payment.id.clone(), payment)).collect();
        let charges = self.charges(places.iter().filter_map(|place| payments.get(&place.id))).await;
        for (audited, place) in places.iter().enumerate() {
            if self.reader.is_over() || (self.reader.context.now)() > until {
                return Ok(audited);
            }
            // One that cannot be read, or is gone by now, is done with; so are the books of one that was compared with a
            // refund of it.
            let Some(payment) = payments.get(&place.id) else { continue };
            if !self.compared.contains(&payment.id) {
                self.audit(payment).await?;
            }
            if let Some(read) = charges.get(&payment.id) {
                self.compare_charge(payment, read).await?;
                self.compare_disputes(payment, read).await?;
            }
        }
        Ok(places.len())
    }

    async fn audit(&mut self, payment: &Payment) -> Result<(), ReconcileError> {
        self.compared.insert(payment.id.clone());
        self.checked.payments = self.checked.payments.saturating_add(1);
        let refunds = if payment.refunds.is_empty() {
            Some(Vec::new())
        } else {
            let rows = self.reader.context.store.refunds(self.reader.tenant, &payment.refunds).await?;
            rows.unreadable.is_empty().then_some(rows.read)
        };
        let adds_up = refunds.is_some_and(|refunds| checks::books(payment, &refunds).is_empty());
        let is_sealed = match self.seals.key().await {
            Some(key) => seals::terms(payment, key).is_none(),
            None => false,
        };
        let takes_more = payment.charged_back_again().is_some();
        let is_quiet = !takes_more && disputes::excess(payment, self.scope).is_empty();
        if !adds_up || !is_sealed || !is_quiet {
            // Both are read again: what does not add up stands only if it stays.
            let found = self.books(&payment.id).await?;
            self.findings.add(found).await;
        }
        Ok(())
    }
}

fn unreadable_payment<'a>(row: &UnreadableRow) -> Discrepancy<'a> {
    let detail = format!("the payment's item cannot be read: {}", row.why);
    match PaymentId::try_from(row.id.as_str()) {
        Ok(id) => Discrepancy::of_payment(Mismatch::Unreadable, &id, detail),
        Err(_) => Discrepancy::new(Mismatch::Unreadable, None, detail),
    }
}
