//! What we ask of Stripe to take an actor's part: the reversal of a transfer, or the refund of an application fee.

use std::collections::BTreeMap;

use recoup_domain::money::Money;
use recoup_domain::payment::Processor;
use recoup_domain::recovery::{PartState, Shape, Taken};
use recoup_domain::refund::Refund;
use recoup_domain::split::{Actor, Split};
use recoup_domain::text::Text;
use serde::Deserialize;

use super::order::{is_name, ours};
use super::{StripeAmount, metadata};

/// How Stripe can carry this split out; `None` where it cannot.
pub(crate) fn shape(
    processor: &Processor,
    split: &Split,
    has_transfer: impl Fn(&Actor) -> bool,
) -> Option<Shape> {
    let merchants = || split.parts().skip(1);
    let with = merchants().filter(|(actor, _)| has_transfer(actor)).count();
    match (&processor.account, with, split.merchants().len()) {
        (Some(_), 0, 1) => Some(Shape::Direct),
        (None, 0, 1) => Some(Shape::Destination),
        (None, _, _) if merchants().all(|(actor, part)| part.is_zero() || has_transfer(&actor)) => {
            Some(Shape::Apart)
        }
        _ => None,
    }
}

/// A name of Stripe's with this prefix: `tr_…`, `acct_…`.
pub fn named(prefix: &str, text: &str) -> bool {
    text.split_once('_').is_some_and(|(found, rest)| found == prefix && is_name(rest))
}

/// One part in Stripe's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartOrder {
    /// The idempotency key: the part's own, and a new one for each try after a refusal, which Stripe would repeat.
    pub key: String,
    /// How much.
    pub amount: StripeAmount,
    /// Whose part.
    actor: String,
    /// What is taken back from, where that is known.
    pub source: Option<Text<255>>,
    metadata: Vec<(&'static str, String)>,
}

/// What a part is taken back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The merchant's transfer.
    Transfer,
    /// The platform's application fee.
    Fee,
}

impl Source {
    /// What this refund's parts are taken back from.
    pub fn of(refund: &Refund) -> Self {
        if refund.processor.shape() == Shape::Direct { Self::Fee } else { Self::Transfer }
    }

    /// Where one of them, by its name, is taken back and listed.
    pub fn path(self, name: &str) -> String {
        match self {
            Self::Transfer => format!("v1/transfers/{name}/reversals"),
            Self::Fee => format!("v1/application_fees/{name}/refunds"),
        }
    }
}

impl PartOrder {
    /// The order for an open part; `None` where Stripe cannot say its amount.
    pub fn of(refund: &Refund, position: usize) -> Option<Self> {
        let (actor, amount): (Actor, Money) = refund.giver(position)?;
        let amount = StripeAmount::of(amount)?;
        let part = refund.recovery.iter().find(|part| part.position == position)?;
        let PartState::Open { refusals, .. } = part.state else { return None };
        let (source, actor) = match actor {
            Actor::Platform => (None, "platform".to_owned()),
            Actor::Merchant(id) => {
                let terms = refund.processor.split.as_ref();
                (terms.and_then(|terms| terms.transfer_to(&id)).cloned(), id.to_string())
            }
        };
        // No actor's name has a slash, so no two parts or tries have the same key.
        let key = match refusals {
            0 => format!("{}/{actor}", refund.id),
            refusals => format!("{}/{actor}/{refusals}", refund.id),
        };
        let mut metadata = ours(refund);
        metadata.push((metadata::ACTOR, actor.clone()));
        Some(Self { key, amount, actor, source, metadata })
    }

    /// The parameters of the request.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|(key, value)| (format!("metadata[{key}]"), value.clone()));
        std::iter::once(("amount".to_owned(), self.amount.units().to_string())).chain(metadata).collect()
    }
}

/// A transfer's reversal, or an application fee's refund.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StripePart {
    object: Tag,
    /// Stripe's name for it, `trr_…` or `fr_…`.
    pub id: String,
    amount: u64,
    currency: String,
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    TransferReversal,
    FeeRefund,
}

/// One page of them, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StripeParts {
    /// The parts.
    pub data: Vec<StripePart>,
    /// Whether older ones follow.
    pub has_more: bool,
}

impl StripePart {
    /// Reads an answer's body.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Its name and how much it is, if that is exact in our minor units.
    pub(super) fn money(&self) -> Option<(Text<255>, Money)> {
        let reference = Text::new(self.id.clone()).ok()?;
        Some((reference, StripeAmount::of_units(self.amount, &self.currency).money()?))
    }

    /// Whether it was made for this part of the refund.
    pub fn is_of(&self, refund: &Refund, order: &PartOrder) -> bool {
        let says = |key, value| {
            self.metadata.as_ref().and_then(|pairs| pairs.get(key)).is_some_and(|it| it == value)
        };
        says(metadata::REFUND, refund.id.as_str()) && says(metadata::ACTOR, &order.actor)
    }

    /// What it means for the part. Another amount or currency than ours is for a person.
    pub fn taken(&self, order: &PartOrder) -> Taken {
        let is_ours = StripeAmount::of_units(self.amount, &self.currency) == order.amount;
        match Text::new(self.id.clone()) {
            Ok(reference) if is_ours => Taken::Yes { reference },
            Ok(_) | Err(_) => Taken::Unknown,
        }
    }
}

impl StripeParts {
    /// Reads an answer's body.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// A refund with its charge, as far as parts are taken back from it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChargeOfRefund {
    charge: Charge,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Charge {
    transfer: Option<String>,
    application_fee: Option<String>,
}

impl ChargeOfRefund {
    /// Reads an answer's body.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// What the charge's part is taken back from; none where it was made without.
    pub fn source(self, source: Source) -> Option<Text<255>> {
        let name = match source {
            Source::Transfer => self.charge.transfer,
            Source::Fee => self.charge.application_fee,
        };
        name.filter(|name| is_name(name)).and_then(|name| Text::new(name).ok())
    }
}
