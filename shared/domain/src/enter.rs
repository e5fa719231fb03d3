//! Refunds that were made at a processor without us. They moved money, so they enter the books, allowed or not.

use crate::by::By;
use crate::decide::Reservation;
use crate::ids::RefundId;
use crate::money::Money;
use crate::or_abort::OrAbort;
use crate::payment::{Payment, Routing, Settlement};
use crate::refund::{Flag, Kind, Notes, Origin, Outcome, Pending, Refund, State, Version};
use crate::text::{Metadata, Text};
use crate::time::Timestamp;

/// A refund as its processor tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The processor's name for it.
    pub reference: Text<255>,
    /// How much it moves.
    pub amount: Money,
    /// Whether it has moved it, or has still to.
    pub has_moved: bool,
}

/// Why such a refund cannot enter the books of a payment: a person has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEntered {
    /// Another currency than the payment's.
    #[error("it is in another currency than its payment")]
    Currency,
    /// The payment's stored amounts contradict each other.
    #[error("the amounts of its payment contradict each other: {0}")]
    Contradiction(&'static str),
}

/// The refund that this makes of a payment. What is no longer refundable stays outside the sums, and nobody is asked
/// whether the payment may be refunded: it was. Each actor gives in proportion to what it has left, and no line is covered,
/// since nobody said which.
pub fn enter(payment: &Payment, made: &Made, now: Timestamp) -> Result<Reservation, NotEntered> {
    if made.amount.currency() != payment.amount.currency() {
        return Err(NotEntered::Currency);
    }
    if let Some(why) = payment.contradiction() {
        return Err(NotEntered::Contradiction(why));
    }
    let excess = made.amount.minus(payment.refundable).unwrap_or(Money::zero(made.amount.currency()));
    let taken = made.amount.minus(excess).or_abort("what exceeds it is a part of it");
    let proportion =
        |left: &Routing| left.refundable.proportional(taken).or_abort("no more is taken than is left");
    let split = payment.routing.as_ref().map(proportion);
    let first = if made.has_moved { State::Succeeded } else { State::Processing(Pending::Processor) };
    let version = Version::first(first.clone(), Metadata::default(), now);
    let depends_on_the_rest = split.is_some() || !excess.is_zero();
    let refund = Refund {
        tenant: payment.tenant.clone(),
        id: RefundId::of_processor(&payment.tenant, payment.processor.name, &made.reference),
        payment_id: payment.id.clone(),
        amount: made.amount,
        kind: match payment.facts.settlement {
            Settlement::Unsettled => Kind::Reversal,
            Settlement::Settled => Kind::Refund,
        },
        split,
        lines: Vec::new(),
        notes: Notes::default(),
        origin: Origin::Processor { excess },
        processor: payment.processor.clone(),
        fingerprint: [0; 32],
        version: Version { processor_reference: Some(made.reference.clone()), ..version },
        first,
        history: Vec::new(),
        handed_over_at: Some(now),
        turn: 0,
        postponed: 0,
        wait: None,
        recovery: Vec::new(),
        flag: (!excess.is_zero()).then_some(Flag::ExceedsRefundable),
        verdict: None,
        created_at: now,
        created_by: Some(By::processor(payment.processor.name)),
    };
    // It is the processor that says how it ends; where that is not told, it is asked.
    let refund = if made.has_moved {
        refund
    } else {
        refund.asking(refund.asked_again(&Outcome::Pending, now, 1_000))
    };
    let exactly = depends_on_the_rest.then_some(payment.refundable);
    Ok(Reservation { refund, revision: payment.revision, exactly, lines: None })
}
