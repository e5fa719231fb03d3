//! Refunds that were made at a processor without us. They moved money, so they enter the books, allowed or not.

use crate::by::By;
use crate::decide::Reservation;
use crate::ids::RefundId;
use crate::money::Money;
use crate::or_abort::OrAbort;
use crate::payment::{Payment, Routing, Settlement};
use crate::recovery::{Part, PartState, Shape};
use crate::refund::{Flag, Kind, Notes, Origin, Outcome, Pending, Refund, State, Version};
use crate::split::{MerchantPart, Split};
use crate::text::{Metadata, Text};
use crate::time::Timestamp;

/// A refund as its processor tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The processor's name for it.
    pub reference: Text<255>,
    /// How much it moves, if that is exact in our minor units.
    pub amount: Option<Money>,
    /// How it stands.
    pub outcome: Outcome,
    /// What came back with it from the merchant to whom its charge was transferred.
    pub reversal: Reversal,
}

/// What came back of a charge's transfer with a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reversal {
    /// That is not told.
    NotTold,
    /// Nothing.
    None,
    /// A part of it.
    Made {
        /// The processor's name for that.
        reference: Text<255>,
        /// How much.
        amount: Money,
    },
}

/// Why such a refund, or a dispute, does not enter the books of a payment. Unless it moved nothing, a person has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEntered {
    /// It failed.
    #[error("it moved nothing")]
    MovedNothing,
    /// Whether it moves anything is not told.
    #[error("its status says nothing")]
    Unclear,
    /// How much it moves is not told.
    #[error("its amount cannot be told")]
    Amount,
    /// Another currency than the payment's.
    #[error("it is in another currency than its payment")]
    Currency,
    /// The payment has as many disputes as its item may hold.
    #[error("its payment has too many disputes")]
    TooManyDisputes,
    /// The payment's stored amounts contradict each other.
    #[error("the amounts of its payment contradict each other: {0}")]
    Contradiction(&'static str),
}

/// The refund that this makes of a payment. What is no longer refundable stays outside the sums, and nobody is asked
/// whether the payment may be refunded: it was. Each actor gives as the processor says, else in proportion to what it has
/// left, and no line is covered, since nobody said which.
pub fn enter(payment: &Payment, made: &Made, now: Timestamp) -> Result<Reservation, NotEntered> {
    let has_moved = match made.outcome {
        Outcome::Succeeded { .. } => true,
        Outcome::Pending | Outcome::PendingFunds => false,
        Outcome::Failed(_) => return Err(NotEntered::MovedNothing),
        Outcome::Differs { .. } | Outcome::Unknown | Outcome::Busy { .. } | Outcome::NotConfigured => {
            return Err(NotEntered::Unclear);
        }
    };
    let amount = made.amount.ok_or(NotEntered::Amount)?;
    if amount.currency() != payment.amount.currency() {
        return Err(NotEntered::Currency);
    }
    if let Some(why) = payment.contradiction() {
        return Err(NotEntered::Contradiction(why));
    }
    let excess = amount.minus(payment.refundable).unwrap_or(Money::zero(amount.currency()));
    let taken = amount.minus(excess).or_abort("what exceeds it is a part of it");
    let (split, recovery) = shares(payment, amount, taken, &made.reversal).unzip();
    let first = if has_moved { State::Succeeded } else { State::Processing(Pending::Processor) };
    let version = Version::first(first.clone(), Metadata::default(), now);
    let depends_on_the_rest = split.is_some() || !excess.is_zero();
    let refund = Refund {
        tenant: payment.tenant.clone(),
        id: RefundId::of_processor(&payment.tenant, payment.processor.name, &made.reference),
        payment_id: payment.id.clone(),
        amount,
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
        recovery: recovery.unwrap_or_default(),
        flag: (!excess.is_zero()).then_some(Flag::ExceedsRefundable),
        processor_amount: None,
        verdict: None,
        created_at: now,
        created_by: Some(By::processor(payment.processor.name)),
    };
    // It is the processor that says how it ends; where that is not told, it is asked.
    let refund =
        if has_moved { refund } else { refund.asking(refund.asked_again(&Outcome::Pending, now, 1_000)) };
    let exactly = depends_on_the_rest.then_some(payment.refundable);
    let disputes = payment.disputes.revision;
    Ok(Reservation { refund, revision: payment.revision, disputes, exactly, lines: None })
}

/// What each actor gives, and from which merchants the processor has taken it; nothing if the payment is not routed.
fn shares(payment: &Payment, amount: Money, taken: Money, reversal: &Reversal) -> Option<(Split, Vec<Part>)> {
    let Routing { original, refundable: left } = payment.routing.as_ref()?;
    let proportional = left.proportional(taken).or_abort("no more is taken than is left");
    // What came back from the merchant, where that is told.
    let reversed = match (payment.processor.shape(), reversal) {
        // A transfer of its own does not come back with the charge's refund.
        (Shape::Apart, _) => {
            let parts = parts(&proportional, |_| PartState::Refused);
            return Some((proportional, parts));
        }
        (Shape::Destination, Reversal::None) => Money::zero(amount.currency()),
        (Shape::Destination, Reversal::Made { amount: reversed, .. })
            if reversed.currency() == amount.currency() =>
        {
            *reversed
        }
        (Shape::Destination, Reversal::NotTold | Reversal::Made { .. })
        | (Shape::BooksOnly | Shape::WithRefund | Shape::Direct, _) => {
            return Some((proportional, Vec::new()));
        }
    };
    // All of it came back where the merchant had paid a fee: whether the fee went back to the merchant is not told.
    let is_of_fee = reversed == amount && !original.platform().is_zero();
    let split =
        if is_of_fee { proportional } else { with_merchant(left, reversed, taken).unwrap_or(proportional) };
    let parts = parts(&split, |part| match reversal {
        Reversal::Made { reference, .. } if !part.exceeds(reversed) => {
            PartState::Taken { reference: reference.clone() }
        }
        Reversal::Made { .. } | Reversal::None | Reversal::NotTold => PartState::Refused,
    });
    Some((split, parts))
}

fn parts(split: &Split, state: impl Fn(Money) -> PartState) -> Vec<Part> {
    let parts = split.merchants().iter().map(|part| part.amount).zip(1..);
    let giving = parts.filter(|(part, _)| !part.is_zero());
    giving.map(|(part, position)| Part { position, state: state(part) }).collect()
}

/// The only merchant gives this much and the platform the rest, as far as each has it; what one lacks the other gives.
fn with_merchant(left: &Split, reversed: Money, taken: Money) -> Option<Split> {
    let [merchant] = left.merchants() else { return None };
    let lesser = |one: Money, other: Money| if one.exceeds(other) { other } else { one };
    let by_platform = lesser(left.platform(), taken.minus(lesser(reversed, taken))?);
    let by_merchant = lesser(merchant.amount, taken.minus(by_platform)?);
    let by_platform = taken.minus(by_merchant)?;
    Split::new(by_platform, vec![MerchantPart { account: merchant.account.clone(), amount: by_merchant }])
        .ok()
}
