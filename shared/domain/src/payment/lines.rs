//! The lines of a payment's invoice, and what refunds have left of each.

use super::Payment;
use crate::ids::LineId;
use crate::money::Money;
use crate::refund::{LinePart, Refund};

/// A line of the invoice that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub id: LineId,
    /// Its amount.
    pub amount: Money,
    /// What refunds that take a part of it have left.
    pub left: Money,
    /// Whether a refund of version 0.1, which took lines whole, covers it.
    pub covered: bool,
}

impl Line {
    /// What the line itself still has to give.
    pub fn refundable(&self) -> Money {
        if self.covered { Money::zero(self.amount.currency()) } else { self.left }
    }

    /// The line after a refund took its part of it; `None` if the line has less.
    pub(super) fn after_taking(&self, part: &LinePart) -> Option<Self> {
        match part.taken {
            Some((_, amount)) => {
                self.refundable().minus(amount)?;
                Some(Self { left: self.left.minus(amount)?, ..self.clone() })
            }
            None if self.refundable() == self.amount => Some(Self { covered: true, ..self.clone() }),
            None => None,
        }
    }

    /// The line after it got a refund's part back; `None` if that were more than it ever had.
    pub(super) fn after_giving_back(&self, part: &LinePart) -> Option<Self> {
        let Some((_, amount)) = part.taken else { return Some(Self { covered: false, ..self.clone() }) };
        let left = self.left.plus(amount)?;
        (!left.exceeds(self.amount)).then(|| Self { left, ..self.clone() })
    }
}

/// The lines of a payment of which a refund takes something: as they were seen, and as it leaves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinesTaken {
    /// Before it.
    pub seen: Vec<Line>,
    /// After it.
    pub after: Vec<Line>,
}

impl Payment {
    /// What can still be refunded of a line: what it has left itself, and no more than the payment has.
    pub fn refundable_of(&self, line: &Line) -> Money {
        let left = line.refundable();
        if left.exceeds(self.refundable) { self.refundable } else { left }
    }

    /// The lines before and after a refund takes its parts of them; `None` if one has less.
    pub fn lines_taken(&self, refund: &Refund) -> Option<LinesTaken> {
        let after = self.lines_after(refund, Line::after_taking)?;
        Some(LinesTaken { seen: self.lines.clone(), after })
    }

    pub(super) fn lines_after(
        &self,
        refund: &Refund,
        change: fn(&Line, &LinePart) -> Option<Line>,
    ) -> Option<Vec<Line>> {
        let part_of = |line: &Line| refund.lines.iter().find(|part| part.id == line.id);
        let changed = |line: &Line| part_of(line).map_or(Some(line.clone()), |part| change(line, part));
        self.lines.iter().map(changed).collect()
    }
}
