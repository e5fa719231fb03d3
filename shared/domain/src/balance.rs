//! Where a payment's money is: refundable, held by refunds on the way, or refunded.

use crate::money::Money;
use crate::payment::{CaptureStatus, Payment};
use crate::refund::{Kind, Refund, State};
use crate::split::Actor;

/// `amount = refundable + held + refunded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The whole.
    pub amount: Money,
    /// What no refund has taken.
    pub refundable: Money,
    /// What refunds on the way have taken.
    pub held: Money,
    /// What went back.
    pub refunded: Money,
}

/// The status that a payment's reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenStatus {
    /// Not all of it went back.
    Captured(CaptureStatus),
    /// All of it went back.
    Refunded,
    /// All of it went back, and before it was settled.
    Reversed,
}

impl SeenStatus {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Captured(status) => status.as_str(),
            Self::Refunded => "refunded",
            Self::Reversed => "reversed",
        }
    }
}

/// A payment with its money sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    /// In total.
    pub total: Balance,
    /// The same for each actor, the platform first; empty for a payment that was not routed.
    pub actors: Vec<(Actor, Balance)>,
    /// What the payment's reader sees.
    pub status: SeenStatus,
}

impl Balances {
    /// Sorts a payment's money by its refunds.
    ///
    /// The refunds must have been read after the payment; one that was made in between is passed over. What
    /// has left `refundable` and did not succeed is held. `None` if more went back than ever left: then
    /// the two reads do not belong together.
    pub fn of(payment: &Payment, refunds: &[Refund]) -> Option<Self> {
        let succeeded: Vec<&Refund> = refunds
            .iter()
            .filter(|refund| refund.version.state == State::Succeeded && payment.refunds.contains(&refund.id))
            .collect();
        let zero = Money::zero(payment.amount.currency());
        let refunded = Money::sum(payment.amount.currency(), succeeded.iter().map(|refund| refund.amount))?;
        let total = balance(payment.amount, payment.refundable, refunded)?;
        let mut actors = Vec::new();
        if let Some(routing) = &payment.routing {
            for (actor, amount) in routing.original.parts() {
                let parts = succeeded
                    .iter()
                    .map(|refund| refund.split.as_ref().map_or(zero, |split| split.part_of(&actor)));
                let refunded = Money::sum(payment.amount.currency(), parts)?;
                let refundable = routing.refundable.part_of(&actor);
                actors.push((actor, balance(amount, refundable, refunded)?));
            }
        }
        let status = if refunded != payment.amount {
            SeenStatus::Captured(payment.facts.status)
        } else if succeeded.iter().all(|refund| refund.kind == Kind::Reversal) {
            SeenStatus::Reversed
        } else {
            SeenStatus::Refunded
        };
        Some(Self { total, actors, status })
    }
}

fn balance(amount: Money, refundable: Money, refunded: Money) -> Option<Balance> {
    let held = amount.minus(refundable)?.minus(refunded)?;
    Some(Balance { amount, refundable, held, refunded })
}
