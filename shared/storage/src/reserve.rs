//! Reserving: one transaction puts the refund and takes its amounts, or nothing is written.
//!
//! The refund's item is its own idempotency record (its key is derived from the idempotency key) and its own outbox
//! record (the stream carries it). A failed condition returns the old items, which tell a replay, a reused key and a
//! changed payment apart without another read.

use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason};
use recoup_domain::decide::Reservation;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::{Line, LinesTaken};
use recoup_domain::refund::Refund;
use recoup_ports::ReadError;
use recoup_ports::payments::Payments;
use recoup_ports::refunds::{Found, Reserve, ReserveError, Reserved};

use crate::dispute_item::disputes_unchanged;
use crate::expression::{Expression, number, text};
use crate::keys::Key;
use crate::payment_item::{ACTORS, LINES_LEFT, LINES_REFUNDED, REFUNDABLE, REFUNDS, REVISION};
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
    disputes_unchanged(&mut expression, reservation.disputes);

    if let Some(left) = reservation.exactly {
        let refundable = expression.name(REFUNDABLE);
        let left = expression.value(number(left.minor()));
        expression.require(format!("{refundable} = {left}"));
    }
    amounts_taken(&mut expression, refund, reservation.lines.as_ref());
    let refunds = expression.name(REFUNDS);
    let id = expression.value(AttributeValue::L(vec![text(refund.id.as_str())]));
    expression.set(format!("{refunds} = list_append({refunds}, {id})"));
    expression
}

/// Takes each actor's amount and the lines' parts, if the actors still have enough and the lines are as they were seen.
pub(crate) fn amounts_taken(expression: &mut Expression, refund: &Refund, lines: Option<&LinesTaken>) {
    let refundable = expression.name(REFUNDABLE);
    let amount = expression.value(number(refund.taken().minor()));
    expression.require(format!("{refundable} >= {amount}"));
    expression.set(format!("{refundable} = {refundable} - {amount}"));

    for (position, part) in refund.takes() {
        let actors = expression.name(ACTORS);
        let part = expression.value(number(part.minor()));
        let left = format!("{actors}[{position}].{refundable}");
        expression.require(format!("{left}>={part}"));
        expression.set(format!("{left}={left}-{part}"));
    }
    if let Some(LinesTaken { seen, after }) = lines {
        lines_unchanged(expression, seen);
        expression.assign(LINES_LEFT, Some(left_of(after)));
        if let Some(covered) = covered(refund) {
            let name = expression.name(LINES_REFUNDED);
            let covered = expression.value(covered);
            expression.add(format!("{name} {covered}"));
        }
    }
}

/// Requires of all lines together what was seen of them. A condition for each would be more operators than DynamoDB takes
/// in one expression (300), of a payment with a hundred lines and fifty merchants.
fn lines_unchanged(expression: &mut Expression, seen: &[Line]) {
    let left = expression.name(LINES_LEFT);
    let as_seen = expression.value(left_of(seen));
    if seen.iter().all(|line| line.left == line.amount) {
        expression.require(format!("(attribute_not_exists({left}) OR {left} = {as_seen})"));
    } else {
        expression.require(format!("{left} = {as_seen}"));
    }
    let whole = expression.name(LINES_REFUNDED);
    let covered = seen.iter().filter(|line| line.covered).map(|line| line.id.to_string());
    match set(covered) {
        None => expression.require(format!("attribute_not_exists({whole})")),
        Some(covered) => {
            let covered = expression.value(covered);
            expression.require(format!("{whole} = {covered}"));
        }
    }
}

fn left_of(lines: &[Line]) -> AttributeValue {
    AttributeValue::L(lines.iter().map(|line| number(line.left.minor())).collect())
}

/// The lines that a refund of version 0.1 covers whole.
pub(crate) fn covered(refund: &Refund) -> Option<AttributeValue> {
    set(refund.lines.iter().filter(|part| part.taken.is_none()).map(|part| part.id.to_string()))
}

/// A set of texts; DynamoDB knows no empty one.
fn set(texts: impl Iterator<Item = String>) -> Option<AttributeValue> {
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then_some(AttributeValue::Ss(texts))
}
