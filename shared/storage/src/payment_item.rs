//! A payment as stored.

use std::collections::{BTreeMap, BTreeSet};

use recoup_domain::ids::{ActorId, LineId, PaymentId, RefundId};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{
    CaptureStatus, Facts, Line, PartialRefunds, Payment, Payout, Processor, ProcessorName, Routing,
    Settlement,
};
use recoup_domain::split::{Actor, MerchantPart, Split};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{Key, PAYMENT, owner_and_id};

pub(crate) const REFUNDABLE: &str = "refundable";
pub(crate) const REFUNDS: &str = "refunds";
pub(crate) const REFUNDABLE_UNTIL: &str = "refundable_until";
pub(crate) const REVISION: &str = "revision";
/// The list of actors, the platform first; their positions never change.
pub(crate) const ACTORS: &str = "actors";
pub(crate) const LINES_REFUNDED: &str = "lines_refunded";

/// One actor: what was routed to it, and what it has left.
#[derive(Debug, Serialize, Deserialize)]
struct ActorItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    amount: u64,
    refundable: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct LineItem {
    id: String,
    amount: u64,
}

/// The facts that may change, under the attribute names that `move_facts` writes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FactsItem {
    status: String,
    settlement: String,
    payout: String,
    disputed: bool,
    partial_refunds: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refundable_until: Option<String>,
    metadata: BTreeMap<String, String>,
    revision: u32,
    updated_at: String,
}

/// A payment's attributes. Money is `N` in minor units, so that conditions can compare it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PaymentItem {
    pk: String,
    sk: String,
    amount: u64,
    refundable: u64,
    currency: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actors: Vec<ActorItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<LineItem>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    lines_refunded: BTreeSet<String>,
    processor: String,
    processor_payment: String,
    refunds: Vec<String>,
    created_at: String,
    #[serde(flatten)]
    facts: FactsItem,
}

impl From<&Payment> for PaymentItem {
    fn from(payment: &Payment) -> Self {
        let Payment {
            tenant,
            id,
            amount,
            refundable,
            routing,
            lines,
            processor: Processor { name, reference },
            facts,
            revision,
            refunds,
            created_at,
            updated_at,
        } = payment;
        let Key { pk, sk } = Key::payment(tenant, id);
        let refunded = lines.iter().filter(|line| line.refunded);
        Self {
            pk,
            sk,
            amount: amount.minor(),
            refundable: refundable.minor(),
            currency: amount.currency().code().to_owned(),
            actors: routing.as_ref().map(actors).unwrap_or_default(),
            lines_refunded: refunded.map(|line| line.id.to_string()).collect(),
            lines: lines.iter().map(LineItem::from).collect(),
            processor: name.as_str().to_owned(),
            processor_payment: reference.as_str().to_owned(),
            refunds: refunds.iter().map(ToString::to_string).collect(),
            created_at: created_at.rfc3339(),
            facts: FactsItem::new(facts, *revision, *updated_at),
        }
    }
}

impl From<&Line> for LineItem {
    fn from(line: &Line) -> Self {
        // The refunded lines are a separate set, so that a condition can test it.
        let Line { id, amount, refunded: _ } = line;
        Self { id: id.to_string(), amount: amount.minor() }
    }
}

fn actors(routing: &Routing) -> Vec<ActorItem> {
    let Routing { original, refundable } = routing;
    let parts = original.parts();
    parts
        .map(|(actor, amount)| ActorItem {
            refundable: refundable.part_of(&actor).minor(),
            amount: amount.minor(),
            id: match actor {
                Actor::Platform => None,
                Actor::Merchant(id) => Some(id.to_string()),
            },
        })
        .collect()
}

fn routing(actors: Vec<ActorItem>, currency: Currency) -> Result<Option<Routing>, &'static str> {
    let money = |minor| Money::of_minor(minor, currency).map_err(|_| "an actor's amount is too large");
    let mut rest = actors.into_iter();
    let Some(platform) = rest.next() else { return Ok(None) };
    if platform.id.is_some() {
        return Err("the first actor is not the platform");
    }
    let mut original = Vec::with_capacity(rest.len());
    let mut refundable = Vec::with_capacity(rest.len());
    for actor in rest {
        let account = actor.id.ok_or("an actor has no id")?;
        let account = ActorId::try_from(account.as_str()).map_err(|_| "an actor has an invalid id")?;
        original.push(MerchantPart { account: account.clone(), amount: money(actor.amount)? });
        refundable.push(MerchantPart { account, amount: money(actor.refundable)? });
    }
    let original = Split::new(money(platform.amount)?, original).map_err(|_| "actors do not add up")?;
    let refundable =
        Split::new(money(platform.refundable)?, refundable).map_err(|_| "actors do not add up")?;
    Ok(Some(Routing { original, refundable }))
}

impl FactsItem {
    pub(crate) fn new(facts: &Facts, revision: u32, updated_at: Timestamp) -> Self {
        let Facts { status, settlement, payout, disputed, partial_refunds, refundable_until, metadata } =
            facts;
        Self {
            status: status.as_str().to_owned(),
            settlement: settlement.as_str().to_owned(),
            payout: payout.as_str().to_owned(),
            disputed: *disputed,
            partial_refunds: partial_refunds.as_str().to_owned(),
            refundable_until: refundable_until.map(Timestamp::rfc3339),
            metadata: metadata.pairs().clone(),
            revision,
            updated_at: updated_at.rfc3339(),
        }
    }

    fn into_facts(self) -> Result<Facts, &'static str> {
        Ok(Facts {
            status: CaptureStatus::parse(&self.status).ok_or("status is unknown")?,
            settlement: Settlement::parse(&self.settlement).ok_or("settlement is unknown")?,
            payout: Payout::parse(&self.payout).ok_or("payout is unknown")?,
            disputed: self.disputed,
            partial_refunds: PartialRefunds::parse(&self.partial_refunds)
                .ok_or("partial_refunds is unknown")?,
            refundable_until: match self.refundable_until {
                None => None,
                Some(text) => Some(Timestamp::parse(&text).ok_or("refundable_until is not a time")?),
            },
            metadata: Metadata::stored(self.metadata),
        })
    }
}

impl PaymentItem {
    /// Reads the attributes back; the error names the one that is wrong.
    pub(crate) fn into_payment(self) -> Result<Payment, &'static str> {
        let (tenant, id) = owner_and_id(&self.pk, PAYMENT).ok_or("pk is not a payment's")?;
        let currency = Currency::parse(&self.currency).ok_or("currency is unknown")?;
        let money = |minor| Money::of_minor(minor, currency).map_err(|_| "an amount is too large");
        let mut lines = Vec::with_capacity(self.lines.len());
        for line in self.lines {
            let refunded = self.lines_refunded.contains(&line.id);
            let id = LineId::try_from(line.id.as_str()).map_err(|_| "lines has an invalid id")?;
            lines.push(Line { id, amount: money(line.amount)?, refunded });
        }
        let refunds = self.refunds.iter().map(|id| RefundId::try_from(id.as_str()));
        let reference =
            Text::new(self.processor_payment).map_err(|_| "processor_payment is out of bounds")?;
        Ok(Payment {
            tenant,
            id: PaymentId::try_from(id).map_err(|_| "pk has no payment id")?,
            amount: money(self.amount)?,
            refundable: money(self.refundable)?,
            routing: routing(self.actors, currency)?,
            lines,
            processor: Processor {
                name: ProcessorName::parse(&self.processor).ok_or("processor is unknown")?,
                reference,
            },
            revision: self.facts.revision,
            refunds: refunds.collect::<Result<_, _>>().map_err(|_| "refunds has an invalid id")?,
            created_at: Timestamp::parse(&self.created_at).ok_or("created_at is not a time")?,
            updated_at: Timestamp::parse(&self.facts.updated_at).ok_or("updated_at is not a time")?,
            facts: self.facts.into_facts()?,
        })
    }
}
