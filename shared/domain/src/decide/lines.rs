//! What a refund takes of the lines of its payment's invoice.

use super::Refusal;
use crate::money::Money;
use crate::payment::Payment;
use crate::refund::LinePart;
use crate::wanted::WantedLine;

/// The part of each wanted line: all that is left of it, or what the caller says.
pub(super) fn parts(payment: &Payment, wanted: &[WantedLine]) -> Result<Vec<LinePart>, Refusal> {
    let mut parts: Vec<LinePart> = Vec::with_capacity(wanted.len());
    for (index, WantedLine { id, amount }) in wanted.iter().enumerate() {
        let found = payment.lines.iter().enumerate().find(|(_, line)| line.id == *id);
        let by_amount = amount.is_some();
        let (position, line) = found.ok_or_else(|| Refusal::LineUnknown { line: id.clone(), by_amount })?;
        // A line named twice would count twice in the sum.
        if parts.iter().any(|earlier| earlier.id == *id) {
            return Err(Refusal::LineTaken(id.clone()));
        }
        let left = line.refundable();
        let taken = match amount {
            None if left.is_zero() => return Err(Refusal::LineTaken(id.clone())),
            None => left,
            Some(amount) => {
                let whole = wanted.iter().take(index).filter(|line| line.amount.is_none()).count();
                let param = || format!("lines[{}].amount", index.saturating_sub(whole));
                let amount = amount.positive_in(payment.amount.currency());
                amount.map_err(|why| Refusal::Amount { param: param(), why })?
            }
        };
        if taken.exceeds(left) {
            let left = payment.refundable_of(line);
            return Err(Refusal::LineExceeds { line: id.clone(), wanted: taken, left });
        }
        parts.push(LinePart { id: id.clone(), taken: Some((position, taken)) });
    }
    Ok(parts)
}

/// The sum of the parts, if there are any.
pub(super) fn sum(payment: &Payment, parts: &[LinePart]) -> Option<Money> {
    let taken = parts.iter().filter_map(|part| part.taken).map(|(_, amount)| amount);
    // The lines add up to the payment's amount, so their parts cannot pass the bound.
    Money::sum(payment.amount.currency(), taken).filter(|_| !parts.is_empty())
}
