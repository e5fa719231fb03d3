//! Decides whether and how a payment is refunded. The decision is pure, so it can be explained and repeated.
//!
//! It rests on a read that may be stale; [`Reservation`] carries what must still hold when the refund is written.

mod lines;

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use crate::by::By;
use crate::ids::{ActorId, LineId, PaymentId, RefundId};
use crate::money::{Currency, Money, MoneyError};
use crate::payment::{CaptureStatus, LinesTaken, PartialRefunds, Payment, Payout, Routing, Settlement};
use crate::refund::{Fingerprint, Kind, Origin, Refund, State, Version};
use crate::split::{Actor, MerchantPart, Split};
use crate::time::Timestamp;
use crate::verification::{Term, Verification};
use crate::wanted::{Wanted, WantedParts, WantedRouting};

/// An actor that would have to give more than it has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortActor {
    /// The actor.
    pub actor: Actor,
    /// What the actor would have to give.
    pub wanted: Money,
    /// What the actor has left.
    pub refundable: Money,
}

/// Why a payment cannot be refunded as requested. Nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The payment's stored amounts contradict each other: somebody wrote past the conditions. Not the caller's fault.
    #[error("the amounts of payment {payment} contradict each other: {why}")]
    Contradiction {
        /// The payment.
        payment: PaymentId,
        /// How.
        why: &'static str,
    },
    /// The payment is not captured.
    #[error("only a completed payment can be refunded; this one is {}", .0.as_str())]
    NotCompleted(CaptureStatus),
    /// The payment's terms are not those of its charge.
    #[error("the payment's processor says otherwise about its {}", .0.as_str())]
    TermsDiffer(Term),
    /// The payment's processor has yet to confirm its terms; it is asked after so long.
    #[error(
        "the payment's processor has not confirmed its terms yet; processor_verification shows when it has"
    )]
    NotVerified(Duration),
    /// The payment has as many refunds as it can carry.
    #[error("the payment already has {} refunds, which is the most one can have", Payment::REFUNDS_MAX)]
    TooManyRefunds,
    /// The customer disputes the payment; a chargeback would give the money back a second time.
    #[error("the payment is disputed")]
    Disputed,
    /// The time in which the payment could be refunded is over.
    #[error("the payment could be refunded until {}", .0.rfc3339())]
    WindowExpired(Timestamp),
    /// Another currency than the payment's.
    #[error("the payment is in {}", .0.code())]
    CurrencyMismatch(Currency),
    /// An amount that the payment's currency cannot have.
    #[error("{param} {why}")]
    Amount {
        /// The parameter, by path.
        param: String,
        /// What is wrong with it.
        why: MoneyError,
    },
    /// The whole payment is refunded or held by refunds on the way.
    #[error("nothing is left to refund")]
    NothingLeft,
    /// The caller expected another refundable amount.
    #[error("{} {} are refundable now", .0.decimal(), .0.currency().code())]
    RefundableChanged(Money),
    /// The amount is more than is left.
    #[error("{}", too_much(.wanted.as_ref(), *.left))]
    ExceedsRefundable {
        /// The requested amount, as it was understood; none where it is more than any payment can have.
        wanted: Option<Money>,
        /// What can still be refunded.
        left: Money,
    },
    /// At least one actor would give more than it has left.
    #[error("an actor would give back more than it has left of this payment")]
    ActorsShort(Vec<ShortActor>),
    /// The payment can only be refunded in full.
    #[error("this payment can only be refunded in full")]
    PartialNotAllowed,
    /// The payment can be refunded in part only after its payout has started.
    #[error("this payment can be refunded in part only after its payout has started")]
    PartialBeforePayout,
    /// A partial refund of a routed payment must say which actors give how much.
    #[error("a partial refund of a routed payment needs routing")]
    RoutingRequired,
    /// The routing fits neither the payment nor the amount.
    #[error("{0}")]
    RoutingMismatch(RoutingProblem),
    /// The payment has no such line.
    #[error("the payment has no line {line}")]
    LineUnknown {
        /// The line.
        line: LineId,
        /// Whether the request says how much of it.
        by_amount: bool,
    },
    /// Nothing is left of the line, or the request names the line twice.
    #[error("line {0} is already refunded or its refund is on the way")]
    LineTaken(LineId),
    /// The amount is more than is left of the line.
    #[error("of line {line}, {}", too_much(Some(.wanted), *.left))]
    LineExceeds {
        /// The line.
        line: LineId,
        /// The requested part of it.
        wanted: Money,
        /// What can still be refunded of it.
        left: Money,
    },
}

/// The refusal of a sum that no payment can have.
fn beyond(payment: &Payment) -> Refusal {
    Refusal::ExceedsRefundable { wanted: None, left: payment.refundable }
}

fn too_much(wanted: Option<&Money>, left: Money) -> String {
    let code = left.currency().code();
    let limit = format!("at most {} {code} can still be refunded", left.decimal());
    match wanted {
        None => limit,
        // `"1000"` and `1000` are far apart: a caller who mixes them up sees it here.
        Some(wanted) => format!("the amount is {} {code}, and {limit}", wanted.decimal()),
    }
}

/// Why a routing does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RoutingProblem {
    /// The payment was not routed.
    #[error("the payment has no routing, so its refunds have none")]
    NotRouted,
    /// A merchant that has no part in the payment.
    #[error("nothing of the payment was routed to {0}")]
    Stranger(ActorId),
    /// The parts do not add up to the amount.
    #[error("the routing adds up to {} and the amount is {}", .0.decimal(), .1.decimal())]
    Sum(Money, Money),
}

/// What a new refund needs besides the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The refund's id.
    pub id: RefundId,
    /// The fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// Who asks for it.
    pub by: Option<By>,
    /// The time of the decision.
    pub now: Timestamp,
}

/// A decided refund, with what must still be true of the payment when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The refund.
    pub refund: Refund,
    /// The revision of the payment's facts that it was decided on.
    pub revision: u32,
    /// The revision of its disputes that it was decided on.
    pub disputes: u32,
    /// What must be refundable, exactly, where the decision depends on it: a refund of all that is left, a
    /// proportional split, a caller's expectation. Otherwise the refundable amount must only cover the refund.
    pub exactly: Option<Money>,
    /// The payment's lines, if the refund takes something of them. They must be as they were seen.
    pub lines: Option<LinesTaken>,
}

impl Reservation {
    /// Whether the refund leaves nothing refundable.
    pub fn takes_all(&self) -> bool {
        self.exactly == Some(self.refund.taken())
    }
}

/// Decides on a refund.
///
/// The refund's amount is the one requested; else the sum of the lines' parts; else the sum of the routing; else all that
/// is left. An amount equal to all that is left is a full refund, wherever it came from: every actor gives what
/// it has left.
pub fn decide(payment: &Payment, wanted: &Wanted, identity: Identity) -> Result<Reservation, Refusal> {
    if let Some(why) = payment.contradiction() {
        return Err(Refusal::Contradiction { payment: payment.id.clone(), why });
    }
    may_be_refunded(payment, wanted, identity.now)?;
    let lines = lines::parts(payment, &wanted.lines)?;
    let lines_sum = lines::sum(payment, &lines);
    let parts = match &wanted.routing {
        Some(WantedRouting::Parts(parts)) => Some(split_of(payment, parts)?),
        Some(WantedRouting::Proportional) | None => None,
    };
    let amount = amount_of(payment, wanted, lines_sum, parts.as_ref())?;
    if amount != payment.refundable {
        partial_allowed(payment)?;
    }
    let depends_on_the_rest = amount == payment.refundable
        || wanted.routing == Some(WantedRouting::Proportional)
        || wanted.expected_refundable.is_some();
    let split = split(payment, wanted, amount, parts)?;
    // What was paid otherwise is done: there is nobody to ask.
    let (origin, first) = match &wanted.external {
        Some(external) => (Origin::External(external.clone()), State::Succeeded),
        None => (Origin::Api, State::Initiated),
    };
    let whole = payment.routing.as_ref().map(|routing| &routing.original);
    let refund = Refund {
        tenant: payment.tenant.clone(),
        id: identity.id,
        payment_id: payment.id.clone(),
        amount,
        kind: match payment.facts.settlement {
            Settlement::Unsettled => Kind::Reversal,
            Settlement::Settled => Kind::Refund,
        },
        processor: payment.processor.for_parts(whole, split.as_ref()),
        split,
        lines,
        notes: wanted.notes.clone(),
        origin,
        fingerprint: identity.fingerprint,
        version: Version::first(first.clone(), wanted.metadata.clone(), identity.now),
        first,
        history: Vec::new(),
        handed_over_at: None,
        turn: 0,
        postponed: 0,
        wait: None,
        recovery: Vec::new(),
        flag: None,
        processor_amount: None,
        verdict: None,
        created_at: identity.now,
        created_by: identity.by,
    };
    let exactly = depends_on_the_rest.then_some(payment.refundable);
    let lines = match refund.lines.as_slice() {
        [] => None,
        [..] => Some(payment.lines_taken(&refund).ok_or_else(|| beyond(payment))?),
    };
    let disputes = payment.disputes.revision;
    Ok(Reservation { refund, revision: payment.revision, disputes, exactly, lines })
}

/// How much each actor gives: in a full refund all it has left, else what the routing says.
fn split(
    payment: &Payment,
    wanted: &Wanted,
    amount: Money,
    parts: Option<Split>,
) -> Result<Option<Split>, Refusal> {
    let Some(left) = &payment.routing else {
        return match wanted.routing {
            None => Ok(None),
            Some(_) => Err(Refusal::RoutingMismatch(RoutingProblem::NotRouted)),
        };
    };
    if let Some(parts) = parts {
        actors_suffice(left, &parts)?;
        return Ok(Some(parts));
    }
    let proportional = wanted.routing == Some(WantedRouting::Proportional);
    if !proportional && amount != payment.refundable {
        return Err(Refusal::RoutingRequired);
    }
    // In a full refund, each share is all that the actor has left.
    let split = left.refundable.proportional(amount);
    split.map(Some).ok_or(Refusal::ExceedsRefundable { wanted: Some(amount), left: payment.refundable })
}

fn may_be_refunded(payment: &Payment, wanted: &Wanted, now: Timestamp) -> Result<(), Refusal> {
    let facts = &payment.facts;
    if facts.status != CaptureStatus::Completed {
        return Err(Refusal::NotCompleted(facts.status));
    }
    match &payment.verification {
        Some(Verification::Awaited(awaited)) => {
            return Err(Refusal::NotVerified(awaited.wait.at.since(now)));
        }
        Some(Verification::Failed(_, difference)) => return Err(Refusal::TermsDiffer(difference.term)),
        Some(Verification::Pending | Verification::Verified(_)) | None => {}
    }
    if payment.is_disputed() {
        return Err(Refusal::Disputed);
    }
    if let Some(until) = facts.refundable_until.filter(|until| now > *until) {
        return Err(Refusal::WindowExpired(until));
    }
    let currency = payment.amount.currency();
    if wanted.currency.is_some_and(|wanted| wanted != currency) {
        return Err(Refusal::CurrencyMismatch(currency));
    }
    if payment.refunds.len() >= Payment::REFUNDS_MAX {
        return Err(Refusal::TooManyRefunds);
    }
    if let Some(expected) = &wanted.expected_refundable {
        let expected = expected
            .positive_in(currency)
            .map_err(|why| Refusal::Amount { param: "expected_refundable_amount".into(), why })?;
        if expected != payment.refundable {
            return Err(Refusal::RefundableChanged(payment.refundable));
        }
    }
    if payment.refundable.is_zero() { Err(Refusal::NothingLeft) } else { Ok(()) }
}

/// The wanted parts in the payment's own order of merchants; a merchant that is not named gives nothing.
fn split_of(payment: &Payment, wanted: &WantedParts) -> Result<Split, Refusal> {
    let Some(routing) = &payment.routing else {
        return Err(Refusal::RoutingMismatch(RoutingProblem::NotRouted));
    };
    let currency = payment.amount.currency();
    let platform = match &wanted.platform {
        None => Money::zero(currency),
        Some(amount) => amount
            .in_currency(currency)
            .map_err(|why| Refusal::Amount { param: "routing.platform.amount".into(), why })?,
    };
    let mut parts = BTreeMap::new();
    for (index, part) in wanted.merchants.iter().enumerate() {
        if routing.original.of(&part.account).is_none() {
            return Err(Refusal::RoutingMismatch(RoutingProblem::Stranger(part.account.clone())));
        }
        let param = || format!("routing.merchants[{index}].amount");
        let amount = part.amount.in_currency(currency);
        let amount = amount.map_err(|why| Refusal::Amount { param: param(), why })?;
        parts.insert(&part.account, amount);
    }
    let merchants = routing.original.merchants().iter().map(|merchant| MerchantPart {
        account: merchant.account.clone(),
        // A merchant that the request leaves out gives nothing.
        amount: parts.get(&merchant.account).copied().unwrap_or(Money::zero(currency)),
    });
    // The merchants are the payment's own, so the only possible error is a sum that no payment can have.
    Split::new(platform, merchants.collect()).map_err(|_| beyond(payment))
}

fn amount_of(
    payment: &Payment,
    wanted: &Wanted,
    lines_sum: Option<Money>,
    routing: Option<&Split>,
) -> Result<Money, Refusal> {
    let explicit = wanted.amount.as_ref().map(|amount| {
        amount
            .positive_in(payment.amount.currency())
            .map_err(|why| Refusal::Amount { param: "amount".into(), why })
    });
    let explicit = explicit.transpose()?;
    let routed = routing.map(Split::total);
    let amount = explicit.or(lines_sum).or(routed).unwrap_or(payment.refundable);
    if let Some(routed) = routed.filter(|routed| *routed != amount) {
        return Err(Refusal::RoutingMismatch(RoutingProblem::Sum(routed, amount)));
    }
    if amount.is_zero() {
        return Err(Refusal::Amount { param: "routing".into(), why: MoneyError::Zero });
    }
    if let Some(sum) = lines_sum.filter(|sum| amount.exceeds(*sum)) {
        let left = if sum.exceeds(payment.refundable) { payment.refundable } else { sum };
        return Err(Refusal::ExceedsRefundable { wanted: Some(amount), left });
    }
    if amount.exceeds(payment.refundable) {
        return Err(Refusal::ExceedsRefundable { wanted: Some(amount), left: payment.refundable });
    }
    Ok(amount)
}

fn partial_allowed(payment: &Payment) -> Result<(), Refusal> {
    match (payment.facts.partial_refunds, payment.facts.payout) {
        (PartialRefunds::FullOnly, _) => Err(Refusal::PartialNotAllowed),
        (PartialRefunds::AfterPayout, Payout::NotStarted) => Err(Refusal::PartialBeforePayout),
        (PartialRefunds::Allowed, _) | (PartialRefunds::AfterPayout, Payout::Started) => Ok(()),
    }
}

fn actors_suffice(left: &Routing, split: &Split) -> Result<(), Refusal> {
    let short: Vec<_> = split
        .parts()
        .filter_map(|(actor, wanted)| {
            let refundable = left.refundable.part_of(&actor);
            wanted.exceeds(refundable).then_some(ShortActor { actor, wanted, refundable })
        })
        .collect();
    if short.is_empty() { Ok(()) } else { Err(Refusal::ActorsShort(short)) }
}
