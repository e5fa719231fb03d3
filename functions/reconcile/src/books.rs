//! Whether a payment's amounts are where its refunds say. Nothing is put right by itself: somebody wrote behind the
//! conditions, and only a person can know what is true.

use recoup_domain::audit::{Astray, audit};
use recoup_domain::ids::PaymentId;
use recoup_domain::money::Money;
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_domain::report::{Mismatch, Remedy};
use recoup_domain::split::Actor;
use recoup_ports::ReadError;
use recoup_ports::processor::Processor;

use crate::Store;
use crate::findings::About;
use crate::run::Run;

/// How often a payment that looks astray is read anew while its books keep moving.
const READS_MAX: usize = 5;

impl<S: Store, P: Processor + Sync> Run<'_, S, P> {
    pub(crate) async fn books(&mut self, id: &PaymentId) -> Result<(), ReadError> {
        self.checked.payments = self.checked.payments.saturating_add(1);
        let mut before = None;
        for _ in 0..READS_MAX {
            let (payment, refunds) = match self.read(id).await {
                Ok(Some(books)) => books,
                Ok(None) => {
                    let detail = "the payment of this refund does not exist";
                    self.findings.add(Mismatch::RefundAstray, About::payment(id), Remedy::None, detail);
                    return Ok(());
                }
                Err(ReadError::Unreadable { why, .. }) => {
                    let detail = format!("the payment or one of its refunds cannot be read: {why}");
                    self.findings.add(Mismatch::Unreadable, About::payment(id), Remedy::None, &detail);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let astray = audit(&payment, &refunds);
            if astray.is_empty() {
                return Ok(());
            }
            // Payment and refunds are two reads: what was found between them stands only if it stays.
            let books = Some((payment, refunds));
            if books == before {
                for one in astray {
                    self.report(id, one);
                }
                return Ok(());
            }
            before = books;
        }
        tracing::info!(payment.id = %id, "its books move too fast to be compared; the next run will");
        Ok(())
    }

    async fn read(&self, id: &PaymentId) -> Result<Option<(Payment, Vec<Refund>)>, ReadError> {
        let Some(payment) = self.context.store.payment(self.tenant, id).await? else { return Ok(None) };
        let mut refunds = self.context.store.refunds(self.tenant, &payment.refunds).await?.whole()?;
        refunds.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Some((payment, refunds)))
    }

    fn report(&mut self, id: &PaymentId, astray: Astray) {
        match astray {
            Astray::Amount { actor, amount, refundable, held, refunded } => {
                let whose = match &actor {
                    None => "in total".to_owned(),
                    Some(Actor::Platform) => "of the platform".to_owned(),
                    Some(Actor::Merchant(id)) => format!("of {id}"),
                };
                let figure = |money: Option<Money>| money.map_or("too much".to_owned(), Money::decimal);
                let detail = format!(
                    "{whose}: {} {} is not {} refundable + {} held + {} refunded",
                    amount.decimal(),
                    amount.currency().code(),
                    refundable.decimal(),
                    figure(held),
                    figure(refunded),
                );
                self.findings.add(Mismatch::AmountAstray, About::payment(id), Remedy::None, &detail);
            }
            Astray::Refund(refund) => {
                let detail = "the payment names a refund that does not exist or is not its own";
                let about = About::refund_id(&refund, Some(id));
                self.findings.add(Mismatch::RefundAstray, about, Remedy::None, detail);
            }
            Astray::Line(line) => {
                let detail = format!("the mark of line {line} and the refunds that cover it do not agree");
                self.findings.add(Mismatch::LineAstray, About::payment(id), Remedy::None, &detail);
            }
        }
    }
}
