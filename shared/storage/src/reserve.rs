//! Reserving: one transaction puts the refund and takes its amounts, or nothing is written.
//!
//! The refund's item is its own idempotency record (its key is derived from the idempotency key) and its own outbox
//! record (the stream carries it). A failed condition returns the old items, which tell a replay, a reused key and a
//! changed payment apart without another read.

use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason};
use recoup_domain::decide::Reservation;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_ports::ReadError;
use recoup_ports::payments::Payments;
use recoup_ports::refunds::{Found, Reserve, ReserveError, Reserved};

use crate::expression::{Expression, number, text};
use crate::keys::Key;
use crate::payment_item::{ACTORS, LINES_REFUNDED, REFUNDABLE, REFUNDS, REVISION};
use crate::refund_item;
use crate::table::{Table, read_payment, read_refund, sort};
use crate::write::{Transacted, condition_failed, in_conflict};

impl Reserve for Table {
    async fn payment_and_refund(
        &self,
        tenant: &Tenant,
        payment: &PaymentId,
        refund: Option<&RefundId>,
    ) -> Result<Found, ReadError> {
        let Some(refund) = refund else {
            return Ok(Found { payment: self.payment(tenant, payment).await?, refund: None });
        };
        let keys = [Key::payment(tenant, payment), Key::refund(tenant, refund)];
        let (payment, refund) = sort(self.items(&keys).await?)?;
        Ok(Found { payment, refund })
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, ReserveError> {
        let refund = &reservation.refund;
        let put = refund_item::to_item(refund).and_then(|item| self.transact_put(item));
        let put = put.map_err(ReserveError::Unavailable)?;
        let payment = Key::payment(&refund.tenant, &refund.payment_id);
        let take = self.transact_update(&payment, take(reservation));
        let take = take.map_err(|error| ReserveError::Unavailable(error.into()))?;
        match self.transact(vec![put, take]).await {
            Transacted::Done => Ok(Reserved::New),
            Transacted::Refused(reasons) => refused(&reasons),
            Transacted::Contended(reasons) => match reasons.first() {
                Some(of_payment_only) if !in_conflict(of_payment_only) => Err(ReserveError::Contended),
                _ => Err(ReserveError::KeyInUse),
            },
            Transacted::Failed(cause) => Err(ReserveError::Unavailable(cause)),
        }
    }
}

/// The outcome of a refused reservation. An existing refund wins over a changed payment: it is a replay.
fn refused(reasons: &[CancellationReason]) -> Result<Reserved, ReserveError> {
    let old = |index: usize| reasons.get(index).filter(|reason| condition_failed(reason))?.item.clone();
    if let Some(item) = old(0) {
        return Ok(Reserved::Existing(Box::new(read_refund(item).map_err(read_error)?)));
    }
    if let Some(item) = old(1) {
        return Ok(Reserved::PaymentChanged(Box::new(read_payment(item).map_err(read_error)?)));
    }
    Err(ReserveError::Unavailable("a condition failed, and the old item was not returned".into()))
}

fn read_error(error: ReadError) -> ReserveError {
    match error {
        ReadError::Unavailable(cause) => ReserveError::Unavailable(cause),
        ReadError::Unreadable { key, why } => ReserveError::Unreadable { key, why },
    }
}

/// Takes the amounts from the payment, if it is still as it was when decided on: the conditions are the rule.
fn take(reservation: &Reservation) -> Expression {
    let refund = &reservation.refund;
    let mut expression = Expression::default();
    let revision = expression.name(REVISION);
    let decided_on = expression.value(number(reservation.revision));
    expression.require(format!("{revision} = {decided_on}"));

    if let Some(left) = reservation.exactly {
        let refundable = expression.name(REFUNDABLE);
        let left = expression.value(number(left.minor()));
        expression.require(format!("{refundable} = {left}"));
    }
    amounts_taken(&mut expression, refund);
    let refunds = expression.name(REFUNDS);
    let id = expression.value(AttributeValue::L(vec![text(refund.id.as_str())]));
    expression.set(format!("{refunds} = list_append({refunds}, {id})"));
    expression
}

/// Takes each actor's amount and the lines, if the actors still have enough and the lines are unused.
pub(crate) fn amounts_taken(expression: &mut Expression, refund: &Refund) {
    let refundable = expression.name(REFUNDABLE);
    let amount = expression.value(number(refund.amount.minor()));
    expression.require(format!("{refundable} >= {amount}"));
    expression.set(format!("{refundable} = {refundable} - {amount}"));

    for (position, part) in refund.takes() {
        let actors = expression.name(ACTORS);
        let part = expression.value(number(part.minor()));
        let left = format!("{actors}[{position}].{refundable}");
        expression.require(format!("{left}>={part}"));
        expression.set(format!("{left}={left}-{part}"));
    }
    lines(expression, refund, |expression, taken, lines| {
        expression.add(format!("{taken} {lines}"));
    });
    for line in &refund.lines {
        let taken = expression.name(LINES_REFUNDED);
        let line = expression.value(text(line.as_str()));
        expression.require(format!("NOT contains({taken},{line})"));
    }
}

/// Changes the set of refunded lines, if the refund covers any.
pub(crate) fn lines(
    expression: &mut Expression,
    refund: &Refund,
    change: impl FnOnce(&mut Expression, &str, &str),
) {
    if refund.lines.is_empty() {
        return;
    }
    let taken = expression.name(LINES_REFUNDED);
    let lines = refund.lines.iter().map(ToString::to_string).collect();
    let lines = expression.value(AttributeValue::Ss(lines));
    change(expression, &taken, &lines);
}

#[cfg(test)]
mod tests {
    use recoup_domain::decide::Identity;
    use recoup_domain::payment::{Payment, Terms};
    use recoup_domain::split::{MerchantPart, Split};
    use recoup_domain::wanted::WantedRouting;
    use recoup_testing::fixtures::{self, eur};

    use super::*;

    /// The longest expression that DynamoDB reads.
    const EXPRESSION_BYTES_MAX: usize = 4_096;

    #[test]
    fn the_largest_refund_there_can_be_still_fits_into_an_expression() {
        let small = fixtures::getpaid_payment();
        let merchant = |number: usize| MerchantPart {
            account: format!("acc_{number}").as_str().try_into().unwrap(),
            amount: eur(100),
        };
        let merchants = (0..Split::MERCHANTS_MAX).map(merchant).collect();
        let split = Split::new(eur(5_000), merchants).unwrap();
        let lines = (0..Payment::LINES_MAX)
            .map(|number| (format!("line_{number}").as_str().try_into().unwrap(), eur(100)));
        let terms =
            Terms { amount: split.total(), routing: Some(split), lines: lines.collect(), ..small.terms() };
        let payment = Payment::registered(
            small.tenant.clone(),
            small.id.clone(),
            terms,
            small.facts.clone(),
            small.created_at,
        );
        let mut wanted = fixtures::wanted(&payment, Some(9_999));
        wanted.lines = payment.lines.iter().map(|line| line.id.clone()).collect();
        wanted.routing = Some(WantedRouting::Proportional);
        let identity = Identity { id: RefundId::from_bits(1), fingerprint: [0; 32], now: payment.created_at };
        let reservation = recoup_domain::decide::decide(&payment, &wanted, identity).unwrap();
        let expression = take(&reservation);
        assert_eq!(reservation.refund.takes().count(), 51);
        assert!(expression.condition().len() <= EXPRESSION_BYTES_MAX, "{}", expression.condition().len());
        assert!(expression.update().len() <= EXPRESSION_BYTES_MAX, "{}", expression.update().len());
    }
}
