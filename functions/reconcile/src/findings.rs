//! Puts discrepancies right where that is safe, keeps them for the report, and logs them.

use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::event::{Event, EventType};
use recoup_domain::ids::{PaymentId, RefundId};
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_domain::report::{Finding, Mismatch, Remedy};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use recoup_ports::payments::Moved;
use recoup_ports::settlement::Settled;

use crate::Store;
use crate::checks::{Discrepancy, Repair};

/// The findings of a run.
pub(crate) struct Findings<'a, S> {
    store: &'a S,
    now: fn() -> Timestamp,
    pub(crate) found: Vec<Finding>,
}

impl<'a, S: Store> Findings<'a, S> {
    pub(crate) fn new(store: &'a S, now: fn() -> Timestamp) -> Self {
        Self { store, now, found: Vec::new() }
    }

    /// Puts right what was found, and keeps it with what came of that. What turns out to be right by now is no finding.
    pub(crate) async fn add<'d>(&mut self, discrepancies: impl IntoIterator<Item = Discrepancy<'d>>) {
        for Discrepancy { mismatch, refund, payment, detail, repair } in discrepancies {
            let Some((mismatch, remedy)) = self.repaired(mismatch, repair).await else { continue };
            tracing::error!(
                mismatch = mismatch.as_str(),
                remedy = remedy.as_str(),
                refund.id = refund.as_ref().map(RefundId::as_str),
                payment.id = payment.as_ref().map(PaymentId::as_str),
                "mismatch found: {detail}"
            );
            let detail = Text::cut(&detail);
            self.found.push(Finding { mismatch, refund, payment, detail, remedy, found_at: (self.now)() });
        }
    }

    /// What came of a repair; `None` if there is nothing to report any more.
    async fn repaired(&self, mismatch: Mismatch, repair: Repair<'_>) -> Option<(Mismatch, Remedy)> {
        let remedy = match repair {
            Repair::None => Remedy::None,
            Repair::AlreadySentFor => Remedy::SentFor,
            Repair::SendFor(refund) => self.send_for(refund).await?,
            Repair::Record(event, receivers) => self.record(&event, &receivers).await?,
            Repair::Deliver(event, receivers) => self.deliver(&event, &receivers).await,
            Repair::Dispute(payments) => self.enter(&payments.0, &payments.1).await?,
            Repair::Settle(refund, change) => match self.store.carry_out(&change).await {
                Ok(Settled::Applied) => Remedy::Settled,
                Ok(Settled::NothingLeft) if refund.flag.is_none() => {
                    return Some((Mismatch::SucceededAfterFailure, Remedy::None));
                }
                // Its flag has been reported.
                Ok(Settled::Overtaken | Settled::NothingLeft) => return None,
                Err(error) => {
                    tracing::error!(error = causes(&error), refund.id = %refund.id, "the outcome was not written");
                    Remedy::Failed
                }
            },
        };
        Some((mismatch, remedy))
    }

    async fn enter(&self, from: &Payment, to: &Payment) -> Option<Remedy> {
        match self.store.keep_disputes(from, to).await {
            Ok(Moved::Applied) => Some(Remedy::Settled),
            // It was told meanwhile, or a refund moved: the next audit compares them.
            Ok(Moved::Overtaken) => None,
            Err(error) => {
                tracing::error!(error = causes(&error), payment.id = %from.id, "a dispute was not written");
                Some(Remedy::Failed)
            }
        }
    }

    async fn send_for(&self, refund: &Refund) -> Option<Remedy> {
        match self.store.schedule(refund, refund.sent_for((self.now)())).await {
            Ok(Settled::Applied) => Some(Remedy::SentFor),
            // It changed since it was read: there was a job.
            Ok(Settled::Overtaken | Settled::NothingLeft) => None,
            Err(error) => {
                tracing::error!(error = causes(&error), refund.id = %refund.id, "no job could be sent for");
                Some(Remedy::Failed)
            }
        }
    }

    async fn record(&self, event: &Event, receivers: &[Target]) -> Option<Remedy> {
        let refund = event.refund().map(RefundId::as_str);
        let receivers = match self.store.record_event(event, receivers).await {
            Ok(receivers) => receivers,
            Err(error) => {
                tracing::error!(error = causes(&error), refund.id = refund, "an event could not be recorded");
                return Some(Remedy::Failed);
            }
        };
        // Version 0.1 did not record the beginning of a refund that had no receivers.
        if event.r#type == EventType::Initiated && receivers.is_empty() {
            tracing::info!(event.id = %event.id, refund.id = refund, "an event without receivers was recorded");
            return None;
        }
        Some(self.deliver(event, &receivers).await)
    }

    /// Writes the deliveries that should be there. The stream sends what is written.
    async fn deliver(&self, event: &Event, receivers: &[Target]) -> Remedy {
        for target in receivers {
            let delivery = Delivery::first(event, target.clone(), (self.now)());
            // A delivery that is there by now does as well.
            if let Err(error) = self.store.record_delivery(None, &delivery).await {
                tracing::error!(error = causes(&error), event.id = %event.id, "an event could not be announced");
                return Remedy::Failed;
            }
        }
        Remedy::Announced
    }
}
