//! Whether a payment's terms are those of its charge at the processor.

use crate::money::Money;
use crate::payment::{Payment, ProcessorName, fact};
use crate::text::Text;
use crate::time::Timestamp;

fact!(
    /// What of a payment is compared with its charge.
    Term {
        /// The currency.
        Currency = "currency",
        /// What was captured.
        Amount = "amount",
        /// What was refunded of it.
        RefundedAmount = "refunded_amount",
        /// The charge itself: the processor does not know it, or it is another payment's.
        Reference = "processor.reference"
    }
);

/// A term that is not the processor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which one.
    pub term: Term,
    /// What it is here.
    pub ours: Text<255>,
    /// What it is there; none where there is nothing.
    pub theirs: Option<Text<255>>,
}

impl Difference {
    /// The difference between these two texts.
    pub fn new(term: Term, ours: &str, theirs: Option<&str>) -> Self {
        Self { term, ours: Text::cut(ours), theirs: theirs.map(Text::cut) }
    }
}

/// What a processor said of a payment's terms. It is not sealed: every audit asks anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nothing yet: it was not asked, or gave no clear answer.
    Pending,
    /// They are its own.
    Verified(Timestamp),
    /// They are not.
    Failed(Timestamp, Difference),
}

impl Payment {
    /// Whether its processor could still say something that its refunds depend on.
    pub fn is_unverified(&self) -> bool {
        self.processor.name == ProcessorName::Stripe
            && !matches!(self.verification, Some(Verification::Verified(_)))
    }

    /// How its terms differ from what was captured at the processor, and whether more was refunded there than is known
    /// here. What is refunded here and not yet there is on its way.
    pub fn differs_from(&self, captured: Money, refunded: Money) -> Option<Difference> {
        let (ours, theirs) = (self.amount.currency().code(), captured.currency().code());
        if ours != theirs {
            return Some(Difference::new(Term::Currency, ours, Some(theirs)));
        }
        let of = |term, ours: Money, theirs: Money| {
            Some(Difference::new(term, &ours.decimal(), Some(&theirs.decimal())))
        };
        if self.amount != captured {
            return of(Term::Amount, self.amount, captured);
        }
        let known = self.amount.minus(self.refundable)?.minus(self.charged_back()?)?;
        if refunded.exceeds(known) { of(Term::RefundedAmount, known, refunded) } else { None }
    }
}
