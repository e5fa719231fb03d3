//! Disputes of a payment's charge, as its processor tells of them: what they block, and what the lost ones took.

use crate::enter::NotEntered;
use crate::money::Money;
use crate::or_abort::OrAbort;
use crate::payment::{Payment, fact};
use crate::split::{Actor, Split};
use crate::text::Text;
use crate::time::Timestamp;

fact!(
    /// How far a dispute has come. Of two words of the same second, the later in this order is the later one.
    DisputeStatus {
        /// The bank asks; no money has moved.
        Inquiry = "inquiry",
        /// The money is withheld until it is decided.
        Open = "open",
        /// It ended without a decision, and nothing was taken.
        Closed = "closed",
        /// The customer has the money.
        Lost = "lost",
        /// The money stays, or came back.
        Won = "won"
    }
);

impl DisputeStatus {
    fn is_open(self) -> bool {
        match self {
            Self::Inquiry | Self::Open => true,
            Self::Closed | Self::Lost | Self::Won => false,
        }
    }
}

/// What a processor says of a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeWord {
    /// The processor's name for it.
    pub reference: Text<255>,
    /// How far it has come.
    pub status: DisputeStatus,
    /// Whether the processor refunds nothing of the charge meanwhile.
    pub blocks_refunds: bool,
    /// How much of the charge is disputed.
    pub amount: Money,
    /// The bank's reason, in the processor's words.
    pub reason: Option<Text<64>>,
    /// The moment it is true of.
    pub told_at: Timestamp,
}

impl DisputeWord {
    /// Whether it says more than what was heard before: processors send words in any order.
    fn is_later_than(&self, before: &Self) -> bool {
        let rank = |word: &Self| (word.told_at, word.status, word.blocks_refunds);
        rank(self) > rank(before)
    }

    /// Whether it says the same, at whatever moment.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        Self { told_at: other.told_at, ..self.clone() } == *other
    }
}

/// A dispute in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// The latest word on it.
    pub word: DisputeWord,
    /// What it took of the payment, if it was lost.
    pub charged_back: Money,
    /// Who gave how much of that, if the payment was routed.
    pub split: Option<Split>,
}

impl Dispute {
    /// Whether nothing of the payment can be refunded because of it: it is open, and its processor says so.
    pub fn blocks_refunds(&self) -> bool {
        self.word.status.is_open() && self.word.blocks_refunds
    }

    /// What a lost dispute took from the account and is not in the sums, for it was not refundable any more.
    pub fn excess(&self) -> Money {
        let lost = self.word.status == DisputeStatus::Lost;
        let beyond = self.word.amount.minus(self.charged_back).filter(|_| lost);
        beyond.unwrap_or(Money::zero(self.word.amount.currency()))
    }
}

/// All disputes of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disputes {
    /// Each of them, in the order in which they were first heard of.
    pub list: Vec<Dispute>,
    /// Counts their changes: a refund is only committed against the disputes it was decided on.
    pub revision: u32,
}

impl Disputes {
    /// Most disputes of one payment: they stand in its own item.
    pub const MAX: usize = 20;
}

impl Payment {
    /// Whether it must not be refunded now: its caller says so, an open dispute blocks it, or what is refundable came
    /// back from a refund, and a lost dispute has taken it already.
    pub fn is_disputed(&self) -> bool {
        let owes = |dispute: &Dispute| !dispute.excess().is_zero() && !self.refundable.is_zero();
        self.facts.disputed || self.disputes.list.iter().any(|one| one.blocks_refunds() || owes(one))
    }

    /// What lost disputes took of the payment; `None` if that is more than any amount can be.
    pub fn charged_back(&self) -> Option<Money> {
        let taken = self.disputes.list.iter().map(|dispute| dispute.charged_back);
        Money::sum(self.amount.currency(), taken)
    }

    /// What lost disputes took of one of its actors.
    pub fn charged_back_of(&self, actor: &Actor) -> Option<Money> {
        let splits = self.disputes.list.iter().filter_map(|dispute| dispute.split.as_ref());
        Money::sum(self.amount.currency(), splits.map(|split| split.part_of(actor)))
    }

    /// The payment once a word on a dispute entered its books; `None` where it changes nothing. A lost dispute takes its
    /// amount, as far as it is refundable, from each actor in proportion to what it has left; any other gives back what it
    /// took.
    pub fn told_of_dispute(&self, word: &DisputeWord) -> Result<Option<Self>, NotEntered> {
        if word.amount.currency() != self.amount.currency() {
            return Err(NotEntered::Currency);
        }
        if let Some(why) = self.contradiction() {
            return Err(NotEntered::Contradiction(why));
        }
        let mut after = self.clone();
        let zero = Money::zero(self.amount.currency());
        let place = self.disputes.list.iter().position(|known| known.word.reference == word.reference);
        match place.and_then(|place| after.disputes.list.get_mut(place)) {
            Some(known) if word.is_later_than(&known.word) => known.word = word.clone(),
            Some(_) => {}
            None if self.disputes.list.len() >= Disputes::MAX => return Err(NotEntered::TooManyDisputes),
            None => {
                let split = self.routing.as_ref().and_then(|routing| routing.original.proportional(zero));
                after.disputes.list.push(Dispute { word: word.clone(), charged_back: zero, split });
            }
        }
        // What this one gives back, another may have taken long ago.
        let place = place.unwrap_or(self.disputes.list.len());
        let places = std::iter::once(place).chain(0..after.disputes.list.len());
        Ok(places.fold(after, Self::with_amounts_of).counted_after(self))
    }

    /// The payment once its lost disputes took what came back since; `None` if nothing did.
    pub fn charged_back_again(&self) -> Option<Self> {
        if self.contradiction().is_some() {
            return None;
        }
        let places = 0..self.disputes.list.len();
        places.fold(self.clone(), Self::with_amounts_of).counted_after(self)
    }

    fn counted_after(mut self, before: &Self) -> Option<Self> {
        let revision = before.disputes.revision.checked_add(1);
        self.disputes.revision = revision.or_abort("no payment is disputed four billion times");
        (self.disputes.list != before.disputes.list).then_some(self)
    }

    /// The payment with what the dispute in this place takes of it, or gives back.
    fn with_amounts_of(mut self, place: usize) -> Self {
        let Some(dispute) = self.disputes.list.get_mut(place) else { return self };
        let zero = Money::zero(self.amount.currency());
        let sums = "no sum of a payment's parts exceeds its amount";
        let within_reach = self.refundable.plus(dispute.charged_back).or_abort(sums);
        let due = match dispute.word.status {
            DisputeStatus::Lost if dispute.word.amount.exceeds(within_reach) => within_reach,
            DisputeStatus::Lost => dispute.word.amount,
            DisputeStatus::Inquiry | DisputeStatus::Open | DisputeStatus::Closed | DisputeStatus::Won => zero,
        };
        let (taken, back) = match due.minus(dispute.charged_back) {
            Some(taken) => (taken, zero),
            None => (zero, dispute.charged_back.minus(due).or_abort(sums)),
        };
        if let (Some(routing), Some(split)) = (&mut self.routing, &mut dispute.split) {
            let (gives, gets) = (routing.refundable.proportional(taken), split.proportional(back));
            let (gives, gets) = (gives.or_abort(sums), gets.or_abort(sums));
            *split = split.plus(&gives).and_then(|split| split.minus(&gets)).or_abort(sums);
            let left = routing.refundable.minus(&gives).and_then(|left| left.plus(&gets));
            routing.refundable = left.or_abort(sums);
        }
        self.refundable = within_reach.minus(due).or_abort(sums);
        dispute.charged_back = due;
        self
    }
}
