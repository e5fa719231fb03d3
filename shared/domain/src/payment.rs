//! A captured payment: what may be refunded of it, and the facts that say whether.

mod lines;

use crate::by::By;
use crate::dispute::Disputes;
use crate::ids::{LineId, PaymentId, RefundId, Tenant};
use crate::money::Money;
use crate::or_abort::OrAbort;
use crate::recovery::SplitTerms;
use crate::refund::Refund;
use crate::seal::Seal;
use crate::split::Split;
use crate::text::{Metadata, Text};
use crate::time::Timestamp;
use crate::verification::Verification;

pub use lines::{Line, LinesTaken};

/// A fact with an order and a name for each of its values.
macro_rules! fact {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All values, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Their names.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The name in the API and the table.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads a name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        crate::text_form::text_form!(
            [] $name,
            this => this.as_str(),
            text => Self::parse(&text).ok_or(concat!("unknown ", stringify!($name)))
        );
    };
}
pub(crate) use fact;

fact!(
    /// How far the payment itself has come; moves forward only.
    CaptureStatus {
        /// Known, not begun.
        Created = "created",
        /// The customer has begun.
        Started = "started",
        /// Waiting for the result.
        Processing = "processing",
        /// Captured: the only state in which it can be refunded.
        Completed = "completed"
    }
);
fact!(
    /// Whether the customer's money has reached the account; before that a refund is a reversal.
    Settlement {
        /// Not yet.
        Unsettled = "unsettled",
        /// It has.
        Settled = "settled"
    }
);
fact!(
    /// Whether paying out to the merchants has begun.
    Payout {
        /// Not yet.
        NotStarted = "not_started",
        /// It has.
        Started = "started"
    }
);
fact!(
    /// Which partial refunds the payment allows.
    PartialRefunds {
        /// Any.
        Allowed = "allowed",
        /// None.
        FullOnly = "full_only",
        /// Any, once the payout has started.
        AfterPayout = "after_payout"
    }
);
fact!(
    /// Who moves the money back.
    ProcessorName {
        /// The built-in rehearsal, chosen by its reference.
        Sandbox = "sandbox",
        /// Stripe: a charge or a payment intent.
        Stripe = "stripe",
        /// The team's own adapter, over HTTP.
        Http = "http"
    }
);

/// What may change after a payment is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How far the payment has come.
    pub status: CaptureStatus,
    /// Whether it is settled.
    pub settlement: Settlement,
    /// Whether its payout has started.
    pub payout: Payout,
    /// Whether its caller says that the customer disputes it.
    pub disputed: bool,
    /// Its policy on partial refunds.
    pub partial_refunds: PartialRefunds,
    /// After this moment nothing is refunded any more.
    pub refundable_until: Option<Timestamp>,
    /// The caller's own pairs.
    pub metadata: Metadata,
}

impl Facts {
    /// Whether other facts allow what these forbid: a dispute is lifted, or there is more time for refunds.
    pub fn loosened_to(&self, facts: &Self) -> bool {
        let lifted = self.disputed && !facts.disputed;
        let until = self.refundable_until;
        let more_time = until.is_some_and(|until| facts.refundable_until.is_none_or(|later| later > until));
        lifted || more_time
    }
}

/// The processor that captured the payment, and its name for it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Which one.
    pub name: ProcessorName,
    /// The payment's name there.
    pub reference: Text<255>,
    /// The merchant's account there, if the payment was made in it.
    pub account: Option<Text<255>>,
    /// How its split is carried out there; none where it was not routed, or an earlier version registered it.
    pub split: Option<SplitTerms>,
}

impl Processor {
    /// A payment of the account's own, not routed.
    pub fn of(name: ProcessorName, reference: Text<255>) -> Self {
        Self { name, reference, account: None, split: None }
    }
}

/// The actors' parts, as routed and as left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// What each actor was routed.
    pub original: Split,
    /// What each actor can still give back.
    pub refundable: Split,
}

/// What is fixed when a payment is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The whole amount.
    pub amount: Money,
    /// How it was routed, if it was.
    pub routing: Option<Split>,
    /// Its invoice's lines, if it has any.
    pub lines: Vec<(LineId, Money)>,
    /// Who captured it.
    pub processor: Processor,
}

/// A payment as it stands.
///
/// `amount = refundable + held + refunded + charged_back`, in total and for each actor. Of these, `refundable` is kept, and
/// what disputes charged back: what is held and what is refunded are told apart by the refunds themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its id.
    pub id: PaymentId,
    /// The whole amount.
    pub amount: Money,
    /// What no refund has taken yet.
    pub refundable: Money,
    /// The actors' parts, if it was routed.
    pub routing: Option<Routing>,
    /// Its lines, if it has any.
    pub lines: Vec<Line>,
    /// Who captured it.
    pub processor: Processor,
    /// The names of its charge there that no other payment may have: none in the sandbox, whose references are behaviours,
    /// and none where an earlier version registered it.
    pub claims: Vec<Text<255>>,
    /// What its processor said of its terms; none where it says nothing of any, or has not been asked.
    pub verification: Option<Verification>,
    /// What may change.
    pub facts: Facts,
    /// Counts the changes of `facts`: a refund is only committed against the facts it was decided on.
    pub revision: u32,
    /// Its disputes at its processor.
    pub disputes: Disputes,
    /// Every refund ever made of it, oldest first.
    pub refunds: Vec<RefundId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Who registered it; unknown where an earlier version did.
    pub registered_by: Option<By>,
    /// When its facts last changed.
    pub updated_at: Timestamp,
    /// The seal over all of this that no refund changes; none where an earlier version registered it.
    pub seal: Option<Seal>,
}

/// Why a payment cannot be registered as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Something fixed differs.
    #[error("{0} is fixed when the payment is first registered")]
    Fixed(&'static str),
    /// A fact would go back.
    #[error("{0} only moves forward")]
    Backwards(&'static str),
}

impl Payment {
    /// Most refunds of one payment: their ids stand in the payment's own item.
    pub const REFUNDS_MAX: usize = 5_000;
    /// Most invoice lines of one payment.
    pub const LINES_MAX: usize = 100;

    /// A payment seen for the first time: all of it is refundable.
    pub fn registered(tenant: Tenant, id: PaymentId, terms: Terms, facts: Facts, now: Timestamp) -> Self {
        let lines = terms.lines.into_iter();
        Self {
            tenant,
            id,
            amount: terms.amount,
            refundable: terms.amount,
            routing: terms.routing.map(|split| Routing { original: split.clone(), refundable: split }),
            lines: lines.map(|(id, amount)| Line { id, amount, left: amount, covered: false }).collect(),
            processor: terms.processor,
            claims: Vec::new(),
            verification: None,
            facts,
            revision: 1,
            disputes: Disputes::default(),
            refunds: Vec::new(),
            created_at: now,
            registered_by: None,
            updated_at: now,
            seal: None,
        }
        .claiming()
    }

    /// The payment with the name that it was registered under among its claims.
    #[must_use]
    pub fn claiming(mut self) -> Self {
        let Processor { name, reference, .. } = &self.processor;
        if *name != ProcessorName::Sandbox && !self.claims.contains(reference) {
            self.claims.push(reference.clone());
        }
        self
    }

    /// Whether this names the payment's own charge.
    pub fn is_charge(&self, name: ProcessorName, reference: &Text<255>) -> bool {
        let is_its = self.processor.reference == *reference || self.claims.contains(reference);
        self.processor.name == name && is_its
    }

    /// How the amounts of this payment contradict each other; none where they were written under the conditions.
    pub fn contradiction(&self) -> Option<&'static str> {
        let kept = self.charged_back().and_then(|taken| taken.plus(self.refundable));
        if kept.is_none_or(|kept| kept.exceeds(self.amount)) {
            return Some("more is refundable or charged back than was paid");
        }
        if let Some(Routing { original, refundable }) = &self.routing {
            if original.total() != self.amount {
                return Some("the actors' parts do not add up to the amount");
            }
            if refundable.total() != self.refundable {
                return Some("what the actors have left does not add up to what is refundable");
            }
            let mut disputes = self.disputes.list.iter();
            if disputes.any(|one| one.split.as_ref().map(Split::total) != Some(one.charged_back)) {
                return Some("what a dispute took of the actors does not add up");
            }
            let splits = self.disputes.list.iter().filter_map(|dispute| dispute.split.as_ref());
            if splits.chain([refundable]).try_fold(original.clone(), |rest, part| rest.minus(part)).is_none()
            {
                return Some("an actor has more left than was routed to it");
            }
        }
        if self.lines.iter().any(|line| line.left.exceeds(line.amount)) {
            return Some("a line has more left than it had");
        }
        let lines = Money::sum(self.amount.currency(), self.lines.iter().map(|line| line.amount));
        let add_up = self.lines.is_empty() || lines == Some(self.amount);
        (!add_up).then_some("the lines do not add up to the amount")
    }

    /// What was fixed at registration.
    pub fn terms(&self) -> Terms {
        Terms {
            amount: self.amount,
            routing: self.routing.as_ref().map(|routing| routing.original.clone()),
            lines: self.lines.iter().map(|line| (line.id.clone(), line.amount)).collect(),
            processor: self.processor.clone(),
        }
    }

    /// The same payment with newer facts, not yet sealed; `None` if nothing is new.
    pub fn moved_to(&self, facts: Facts, now: Timestamp) -> Result<Option<Self>, Conflict> {
        if facts.status < self.facts.status {
            return Err(Conflict::Backwards("status"));
        }
        if facts.settlement < self.facts.settlement {
            return Err(Conflict::Backwards("settlement"));
        }
        if facts.payout < self.facts.payout {
            return Err(Conflict::Backwards("payout"));
        }
        Ok((facts != self.facts).then(|| self.revised(facts, now)))
    }

    /// The same payment with corrected terms and newer facts, not yet sealed. Only what is not captured is corrected, for
    /// nothing of it was refunded.
    pub fn corrected_to(&self, terms: Terms, facts: Facts, now: Timestamp) -> Result<Self, Conflict> {
        let moved = self.moved_to(facts.clone(), now)?.unwrap_or_else(|| self.revised(facts, now));
        let Self { amount, refundable, routing, lines, processor, .. } =
            Self::registered(self.tenant.clone(), self.id.clone(), terms, moved.facts.clone(), now);
        Ok(Self { amount, refundable, routing, lines, processor, ..moved })
    }

    pub(crate) fn revised(&self, facts: Facts, now: Timestamp) -> Self {
        let revision = self.revision.checked_add(1).or_abort("nobody changes a payment four billion times");
        Self { facts, revision, updated_at: now, seal: None, ..self.clone() }
    }

    /// The payment after a refund of it was reserved; `None` if it does not hold that much.
    pub fn after_reserving(&self, refund: &Refund) -> Option<Self> {
        let mut after = self.after_taking(refund)?;
        after.refunds.push(refund.id.clone());
        Some(after)
    }

    /// The payment after a refund of it took its amounts, which it may have given back before; `None` if it does not
    /// hold that much, or a line does not.
    pub fn after_taking(&self, refund: &Refund) -> Option<Self> {
        let mut after = self.clone();
        after.refundable = self.refundable.minus(refund.taken())?;
        if let (Some(routing), Some(split)) = (&mut after.routing, &refund.split) {
            routing.refundable = routing.refundable.minus(split)?;
        }
        after.lines = self.lines_after(refund, Line::after_taking)?;
        Some(after)
    }

    /// The payment after a refund of it failed or was cancelled; `None` if that were more than it ever had.
    pub fn after_giving_back(&self, refund: &Refund) -> Option<Self> {
        let mut after = self.clone();
        after.refundable = self.refundable.plus(refund.taken())?;
        if after.refundable.exceeds(after.amount) {
            return None;
        }
        if let (Some(routing), Some(split)) = (&mut after.routing, &refund.split) {
            routing.refundable = routing.refundable.plus(split)?;
        }
        after.lines = self.lines_after(refund, Line::after_giving_back)?;
        Some(after)
    }
}
