//! Refunds that were made at the processor without us, and of which no notification came: they enter the books.

use std::collections::HashSet;

use recoup_domain::enter::{Made, NotEntered, enter};
use recoup_domain::ids::{PaymentId, RefundId};
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Refund, State};
use recoup_ports::charges::{ChargeQuestion, RefundOfCharge};
use recoup_ports::processor::Processor;
use recoup_ports::refunds::{ReserveError, Reserved};
use recoup_ports::seal_keys::SealKeys;
use recoup_ports::{ReadError, causes};

use crate::Store;
use crate::reader::PAGE;
use crate::run::{READS_MAX, Run};

impl<S: Store, P: Processor + Sync, K: SealKeys + Sync> Run<'_, S, P, K> {
    /// Enters what the processor lists of a payment's charge and the books do not have; whether there was any.
    pub(crate) async fn enter_missed(&self, payment: &Payment) -> Result<bool, ReadError> {
        let question = ChargeQuestion::new(&payment.tenant, &payment.processor);
        let Some(theirs) = self.reader.context.processor.refunds_of_charge(&question).await else {
            return Ok(false);
        };
        let ours = self.ours(payment, &theirs).await?;
        let mut has_entered = false;
        for RefundOfCharge { ours: named, made } in theirs {
            if self.reader.is_over() {
                break;
            }
            if named.is_none_or(|named| !ours.contains(&named)) {
                has_entered |= self.enter(&payment.id, &made).await?;
            }
        }
        Ok(has_entered)
    }

    /// Those of the named refunds that are of this payment. One that cannot be read may be, and has its own finding.
    async fn ours(
        &self,
        payment: &Payment,
        theirs: &[RefundOfCharge],
    ) -> Result<HashSet<RefundId>, ReadError> {
        let named: HashSet<RefundId> = theirs.iter().filter_map(|one| one.ours.clone()).collect();
        let (named, mut ours) = (named.into_iter().collect::<Vec<_>>(), HashSet::new());
        for some in named.chunks(usize::from(PAGE)) {
            let rows = self.reader.context.store.refunds(&payment.tenant, some).await?;
            let read = rows.read.into_iter().filter(|refund| refund.payment_id == payment.id);
            // Of a refund that a person ended because another amount moved, that amount is in nobody's books.
            let is_ours = |refund: &Refund| {
                let gave_back = matches!(refund.version.state, State::Failed(_) | State::Cancelled);
                !gave_back || refund.processor_amount.is_none()
            };
            ours.extend(read.filter(is_ours).map(|refund| refund.id));
            ours.extend(rows.unreadable.iter().filter_map(|row| RefundId::try_from(row.id.as_str()).ok()));
        }
        Ok(ours)
    }

    /// Whether it is in the books now, and was not before.
    async fn enter(&self, id: &PaymentId, made: &Made) -> Result<bool, ReadError> {
        let (store, now) = (&self.reader.context.store, (self.reader.context.now)());
        for _ in 0..READS_MAX {
            let Some(payment) = store.payment(self.reader.tenant, id).await? else { return Ok(false) };
            let reservation = match enter(&payment, made, now) {
                Ok(reservation) => reservation,
                Err(NotEntered::MovedNothing) => return Ok(false),
                Err(why) => {
                    tracing::error!(payment.id = %id, %why, "a refund made at the processor does not enter the books; a person has to look");
                    return Ok(false);
                }
            };
            let refund = &reservation.refund;
            if payment.refunds.contains(&refund.id) {
                return Ok(false);
            }
            match store.reserve(&reservation).await {
                Ok(Reserved::New) => {
                    tracing::warn!(payment.id = %id, refund.id = %refund.id, refund.status = refund.version.state.as_str(), "a refund made at the processor, of which no notification came, entered the books");
                    return Ok(true);
                }
                Ok(Reserved::Existing(_)) => return Ok(false),
                Ok(Reserved::PaymentChanged(_)) | Err(ReserveError::KeyInUse | ReserveError::Contended) => {}
                Err(error @ (ReserveError::Unavailable(_) | ReserveError::Unreadable { .. })) => {
                    tracing::error!(error = causes(&error), payment.id = %id, "a refund made at the processor was not written");
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }
}
