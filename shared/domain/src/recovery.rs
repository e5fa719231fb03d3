//! How the actors' parts of a refund are taken from them at the processor, once the customer is paid.

use std::time::Duration;

use crate::ids::ActorId;
use crate::payment::{Processor, fact};
use crate::refund::{Origin, Refund, State};
use crate::split::{Actor, Split};
use crate::text::Text;
use crate::time::Timestamp;

fact!(
    /// How a payment's processor carries its split out.
    Shape {
        /// Not at all: the split stands in the books alone.
        BooksOnly = "books_only",
        /// With the refund itself, in one step.
        WithRefund = "with_refund",
        /// The platform pays the customer, and each merchant's part is taken from the merchant afterwards.
        Apart = "apart",
        /// Stripe's destination charge: [`Shape::WithRefund`] of parts in proportion to the payment's, else
        /// [`Shape::Apart`].
        Destination = "destination",
        /// Stripe's direct charge: the merchant pays the customer, and gets the platform's part back:
        /// [`Shape::WithRefund`] of parts in proportion to the payment's, else afterwards.
        Direct = "direct"
    }
);

impl Shape {
    /// What may be said of it when a payment is registered: [`Shape::as_said`] of all others is the first.
    pub const SAID: [&'static str; 2] = ["executed", "books_only"];

    /// Whether the actors' parts are taken at the processor, as callers say it.
    pub fn as_said(self) -> &'static str {
        let [executed, books_only] = Self::SAID;
        if self == Self::BooksOnly { books_only } else { executed }
    }
}

/// How a routed payment's split is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitTerms {
    /// By which means.
    pub shape: Shape,
    /// The processor's names of what merchants were paid by.
    pub transfers: Vec<(ActorId, Text<255>)>,
}

impl SplitTerms {
    /// What this merchant was paid by.
    pub fn transfer_to(&self, merchant: &ActorId) -> Option<&Text<255>> {
        self.transfers.iter().find_map(|(account, transfer)| (account == merchant).then_some(transfer))
    }
}

/// For so long a request may still reach the processor: what it has not taken yet, it may.
const ON_ITS_WAY: Duration = Duration::from_mins(5);

/// A part that is taken by a request of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The actor's position in the split; the platform is 0.
    pub position: usize,
    /// How far it has come.
    pub state: PartState,
}

/// How far a part has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// It is still to be taken.
    Open {
        /// How often the processor has said that the actor lacks the money. Processors repeat a refusal under the
        /// same id, so each try after one has an id of its own.
        refusals: u32,
        /// When the current try was first handed over. From then on the part may have been taken.
        asked_at: Option<Timestamp>,
    },
    /// It was taken.
    Taken {
        /// The processor's name for that.
        reference: Text<255>,
    },
    /// The processor will never take it: a person has to.
    Refused,
}

/// What a processor says about a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It has been taken.
    Yes {
        /// The processor's name for that.
        reference: Text<255>,
    },
    /// The actor lacks the money: nothing was taken.
    Short,
    /// It was looked for, and has not been taken.
    No,
    /// It was not taken, and never will be.
    Refused,
    /// Not now: this question did nothing.
    Busy {
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// No clear answer.
    Unknown,
}

/// What has become of an actor's part, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery<'refund> {
    /// Nothing is to be taken, or not yet.
    None,
    /// The customer is paid, and the actor's part is to be taken.
    Pending,
    /// The actor has given it.
    Recovered(Option<&'refund Text<255>>),
    /// The processor will never take it.
    Failed,
}

impl Processor {
    /// How a split is carried out: for what an earlier version registered, in the books only.
    pub fn shape(&self) -> Shape {
        self.split.as_ref().map_or(Shape::BooksOnly, |terms| terms.shape)
    }

    /// The same, as one refund goes by it. What the processor takes in proportion by itself it is told to take, if that
    /// is exactly what each actor gives; no cent of it may depend on rounding.
    #[must_use]
    pub(crate) fn for_parts(&self, whole: Option<&Split>, parts: Option<&Split>) -> Self {
        let mut same = self.clone();
        if let (Some(terms), Some(whole), Some(parts)) = (&mut same.split, whole, parts)
            && matches!(terms.shape, Shape::Destination | Shape::Direct)
            && in_proportion(whole, parts)
        {
            terms.shape = Shape::WithRefund;
        }
        same
    }
}

/// Two actors: if one gives in proportion, so does the other.
fn in_proportion(whole: &Split, parts: &Split) -> bool {
    let product = |one: &Split, other: &Split| {
        u128::from(one.platform().minor()).checked_mul(u128::from(other.total().minor()))
    };
    product(whole, parts) == product(parts, whole)
}

impl Refund {
    /// The actor at this position, with what it gives.
    pub fn giver(&self, position: usize) -> Option<(Actor, crate::money::Money)> {
        self.split.as_ref()?.parts().nth(position)
    }

    /// Whether we asked the processor for it: who moved money there otherwise has seen to the actors.
    fn is_of_ours(&self) -> bool {
        matches!(self.origin, Origin::Api | Origin::Console)
    }

    /// The parts that have to be taken once the customer is paid.
    pub(crate) fn parts_to_take(&self) -> Vec<Part> {
        if !self.is_of_ours() {
            return Vec::new();
        }
        let is_apart = |position: usize| match self.processor.shape() {
            Shape::BooksOnly | Shape::WithRefund => false,
            Shape::Apart | Shape::Destination => position != 0,
            Shape::Direct => position == 0,
        };
        let apart = self.takes().filter(|(position, _)| is_apart(*position));
        apart
            .map(|(position, _)| Part { position, state: PartState::Open { refusals: 0, asked_at: None } })
            .collect()
    }

    /// The parts about which the processor is asked now. Of a refund that failed after all nothing more is taken, but
    /// what was asked for may have been.
    pub fn open_parts(&self) -> impl Iterator<Item = &Part> {
        self.recovery.iter().filter(|part| match (&part.state, &self.version.state) {
            (PartState::Open { .. }, State::Succeeded) => true,
            (PartState::Open { asked_at, .. }, State::Failed(_)) => asked_at.is_some(),
            (PartState::Open { .. }, State::Initiated | State::Processing(_) | State::Cancelled)
            | (PartState::Taken { .. } | PartState::Refused, _) => false,
        })
    }

    /// Whether the processor has to be asked about a part.
    pub fn has_open_parts(&self) -> bool {
        self.open_parts().next().is_some()
    }

    /// The parts once those that are open are about to be asked for.
    pub fn parts_asked(&self, now: Timestamp) -> Vec<Part> {
        let mut parts = self.recovery.clone();
        if self.version.state == State::Succeeded {
            for part in &mut parts {
                if let PartState::Open { asked_at, .. } = &mut part.state {
                    asked_at.get_or_insert(now);
                }
            }
        }
        parts
    }

    /// The parts after these answers, by position. Each is of a part as it stands.
    pub fn parts_after(&self, answers: &[(usize, Taken)], now: Timestamp) -> Vec<Part> {
        let mut parts = self.recovery.clone();
        for part in &mut parts {
            let PartState::Open { refusals, asked_at } = part.state else { continue };
            let answer = answers.iter().find(|(position, _)| *position == part.position);
            match answer.map(|(_, answer)| answer) {
                Some(Taken::Yes { reference }) => {
                    part.state = PartState::Taken { reference: reference.clone() }
                }
                Some(Taken::Short) => {
                    part.state = PartState::Open { refusals: refusals.saturating_add(1), asked_at: None };
                }
                Some(Taken::No) if asked_at.is_none_or(|at| now.since(at) > ON_ITS_WAY) => {
                    part.state = PartState::Open { refusals, asked_at: None };
                }
                Some(Taken::Refused) => part.state = PartState::Refused,
                Some(Taken::No | Taken::Busy { .. } | Taken::Unknown) | None => {}
            }
        }
        parts
    }

    /// What has become of the part of the actor at this position.
    pub fn recovery_of(&self, position: usize) -> Recovery<'_> {
        let gives = self.takes().any(|(giving, _)| giving == position);
        if !gives || self.processor.shape() == Shape::BooksOnly {
            return Recovery::None;
        }
        let succeeded = self.version.state == State::Succeeded;
        // What was paid otherwise, or ended by a person, says nothing of the actors at the processor.
        let by_processor = self.is_of_ours() && self.verdict.is_none();
        match self.recovery.iter().find(|part| part.position == position).map(|part| &part.state) {
            Some(PartState::Taken { reference }) => Recovery::Recovered(Some(reference)),
            Some(PartState::Open { asked_at, .. }) if succeeded || asked_at.is_some() => Recovery::Pending,
            Some(PartState::Refused) if succeeded => Recovery::Failed,
            None if succeeded && by_processor => {
                Recovery::Recovered(self.version.processor_reference.as_ref())
            }
            Some(PartState::Open { .. } | PartState::Refused) | None => Recovery::None,
        }
    }
}
