//! Where a payment's money is: refundable, held by refunds on the way, refunded, or charged back.

use std::collections::HashSet;

use crate::ids::{PaymentId, RefundId};
use crate::money::Money;
use crate::payment::{CaptureStatus, Payment};
use crate::refund::{Kind, Refund, Status};
use crate::split::{Actor, Split};

/// `amount = refundable + held + refunded + charged_back`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The whole amount.
    pub amount: Money,
    /// What can still be refunded.
    pub refundable: Money,
    /// What refunds on the way hold.
    pub held: Money,
    /// What succeeded refunds gave back.
    pub refunded: Money,
    /// What lost disputes took.
    pub charged_back: Money,
}

/// The status of a payment in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenStatus {
    /// The payment is not fully refunded.
    Captured(CaptureStatus),
    /// The payment is fully refunded.
    Refunded,
    /// The payment is fully refunded by reversals, made before it was settled.
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

/// What the balances of a payment need of one of its refunds, and no more: a payment may have thousands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The refund.
    pub refund: RefundId,
    /// The payment that it refunds.
    pub payment: PaymentId,
    /// How far it has come.
    pub status: Status,
    /// What it takes of the payment.
    pub amount: Money,
    /// Refund or reversal.
    pub kind: Kind,
    /// Which actor gives how much, if the payment was routed.
    pub split: Option<Split>,
}

impl From<&Refund> for Posting {
    fn from(refund: &Refund) -> Self {
        Self {
            refund: refund.id.clone(),
            payment: refund.payment_id.clone(),
            status: refund.version.state.status(),
            amount: refund.taken(),
            kind: refund.kind,
            split: refund.split.clone(),
        }
    }
}

/// The balances of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    /// The balance of the whole payment.
    pub total: Balance,
    /// The balance of each actor, the platform first; empty for a payment that was not routed.
    pub actors: Vec<(Actor, Balance)>,
    /// The payment's status in the API.
    pub status: SeenStatus,
}

impl Balances {
    /// The balances of a payment with these refunds.
    ///
    /// The refunds must have been read after the payment; one created in between is ignored. What has left
    /// `refundable` and is not refunded is held. `None` if more was refunded than has left `refundable`: then the two
    /// reads do not belong together.
    pub fn of(payment: &Payment, refunds: &[Posting]) -> Option<Self> {
        let own: HashSet<&RefundId> = payment.refunds.iter().collect();
        let succeeded: Vec<&Posting> = refunds
            .iter()
            .filter(|posting| posting.status == Status::Succeeded && own.contains(&posting.refund))
            .collect();
        let zero = Money::zero(payment.amount.currency());
        let refunded = Money::sum(payment.amount.currency(), succeeded.iter().map(|refund| refund.amount))?;
        let total = balance(payment.amount, payment.refundable, refunded, payment.charged_back()?)?;
        let mut actors = Vec::new();
        if let Some(routing) = &payment.routing {
            for (actor, amount) in routing.original.parts() {
                let parts = succeeded
                    .iter()
                    .map(|refund| refund.split.as_ref().map_or(zero, |split| split.part_of(&actor)));
                let refunded = Money::sum(payment.amount.currency(), parts)?;
                let refundable = routing.refundable.part_of(&actor);
                let charged_back = payment.charged_back_of(&actor)?;
                actors.push((actor, balance(amount, refundable, refunded, charged_back)?));
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

fn balance(amount: Money, refundable: Money, refunded: Money, charged_back: Money) -> Option<Balance> {
    let held = amount.minus(refundable)?.minus(refunded)?.minus(charged_back)?;
    Some(Balance { amount, refundable, held, refunded, charged_back })
}
