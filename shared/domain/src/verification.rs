//! Whether a payment's terms are those of its charge at the processor.

use std::time::Duration;

use crate::money::{Currency, Money};
use crate::or_abort::OrAbort;
use crate::payment::{CaptureStatus, Payment, ProcessorName, fact};
use crate::text::Text;
use crate::time::Timestamp;
use crate::waiting::{Wait, jittered};

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

/// Waits for a processor's word on a payment, by how often it was asked for. After the last it is asked for every twelve
/// hours, without end.
const WAITS: [Duration; 7] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(4),
    Duration::from_hours(12),
];

/// A processor's word that is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The number of the question that is due; a message about another one is stale.
    pub turn: u32,
    /// Until when.
    pub wait: Wait,
}

impl Awaited {
    fn next_turn(self) -> u32 {
        self.turn.checked_add(1).or_abort("nobody asks four billion times")
    }

    /// The next question, after one that brought no clear answer.
    #[must_use]
    pub fn again(self, now: Timestamp, jitter_permille: u32) -> Self {
        let asked = usize::try_from(self.turn).unwrap_or(usize::MAX);
        let [.., longest] = WAITS;
        let wait = WAITS.get(asked).copied().unwrap_or(longest);
        Self { turn: self.next_turn(), wait: Wait::of(now, jittered(wait, jitter_permille)) }
    }
}

/// What a processor said of a payment's terms. It is not sealed: every audit asks anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nothing yet: it was not asked, or gave no clear answer.
    Pending,
    /// Nothing yet, and until it has said something nothing is refunded.
    Awaited(Awaited),
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

    /// Whether its terms may still be corrected: it is not captured, or its processor has never confirmed them. Of neither
    /// anything was refunded.
    pub fn is_correctable(&self) -> bool {
        let is_unconfirmed =
            matches!(self.verification, Some(Verification::Awaited(_) | Verification::Failed(..)));
        self.facts.status != CaptureStatus::Completed || (is_unconfirmed && self.refunds.is_empty())
    }

    /// Whether its processor has yet to tell amount and currency.
    pub fn lacks_terms(&self) -> bool {
        self.amount.currency() == Currency::UNKNOWN
    }

    /// The payment, not refunded until its processor has said that its terms are right; it is asked at this moment.
    #[must_use]
    pub fn awaiting(self, at: Timestamp, now: Timestamp) -> Self {
        let turn = match &self.verification {
            Some(Verification::Awaited(awaited)) => awaited.next_turn(),
            Some(Verification::Pending | Verification::Verified(_) | Verification::Failed(..)) | None => 0,
        };
        let awaited = Awaited { turn, wait: Wait::of(now, at.since(now)) };
        Self { verification: Some(Verification::Awaited(awaited)), ..self }
    }

    /// The payment with the amount that its processor told, not yet sealed.
    #[must_use]
    pub fn with_told_amount(&self, captured: Money, now: Timestamp) -> Self {
        let told = self.revised(self.facts.clone(), now);
        Self { amount: captured, refundable: captured, ..told }
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
