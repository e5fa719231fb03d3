//! A payment as stored.

use std::collections::BTreeSet;

use recoup_domain::by::By;
use recoup_domain::dispute::{Dispute, Disputes};
use recoup_domain::ids::{ActorId, LineId, PaymentId, RefundId};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{
    CaptureStatus, Facts, Line, PartialRefunds, Payment, Payout, Processor, ProcessorName, Routing,
    Settlement,
};
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::seal::Seal;
use recoup_domain::split::{Actor, MerchantPart, Split};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use recoup_domain::waiting::Wait;
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::by_item::ByItem;
use crate::dispute_item::DisputeItem;
use crate::keys::{Key, PAYMENT, owner_and_id, payment_by_time};
use crate::table::Item;
use crate::verification_item::{VerificationItem, verification_attributes};

pub(crate) const AMOUNT: &str = "amount";
pub(crate) const CURRENCY: &str = "currency";
pub(crate) const LINES: &str = "lines";
pub(crate) const REFUNDABLE: &str = "refundable";
pub(crate) const REFUNDS: &str = "refunds";
pub(crate) const REFUNDABLE_UNTIL: &str = "refundable_until";
pub(crate) const REVISION: &str = "revision";
/// The list of actors, the platform first; their positions never change.
pub(crate) const ACTORS: &str = "actors";
/// What refunds have left of each line, in the order of the lines; absent as long as none has taken anything.
pub(crate) const LINES_LEFT: &str = "lines_left";
/// The lines that refunds of version 0.1 cover, which took lines whole. Nothing is added to it now.
pub(crate) const LINES_REFUNDED: &str = "lines_refunded";
/// How its split is carried out.
pub(crate) const SHAPE: &str = "shape";
pub(crate) const SEAL: &str = "seal";
pub(crate) const PROCESSOR: &str = "processor";
pub(crate) const CLAIMS: &str = "claims";

/// One actor: what was routed to it, and what it has left.
#[derive(Debug, Serialize, Deserialize)]
struct ActorItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ActorId>,
    amount: u64,
    refundable: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transfer: Option<Text<255>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LineItem {
    id: LineId,
    amount: u64,
}

/// The facts that may change, under the attribute names that `move_facts` writes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FactsItem {
    status: CaptureStatus,
    settlement: Settlement,
    payout: Payout,
    disputed: bool,
    partial_refunds: PartialRefunds,
    #[serde(skip_serializing_if = "Option::is_none")]
    refundable_until: Option<Timestamp>,
    metadata: Metadata,
    revision: u32,
    updated_at: Timestamp,
}

/// A payment's attributes. Money is `N` in minor units, so that conditions can compare it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PaymentItem {
    pk: String,
    sk: String,
    /// The keys of the index by time; earlier versions did not write them.
    #[serde(default)]
    list_pk: String,
    #[serde(default)]
    list_sk: String,
    amount: u64,
    refundable: u64,
    currency: Currency,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actors: Vec<ActorItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<LineItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines_left: Vec<u64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    lines_refunded: BTreeSet<LineId>,
    processor: ProcessorName,
    processor_payment: Text<255>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    processor_account: Option<Text<255>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<Shape>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<Text<255>>,
    /// This and the three behind it are written by [`verification_attributes`].
    #[serde(default, skip_serializing)]
    verification: Option<VerificationItem>,
    #[serde(default, skip_serializing)]
    ask_at: Option<Timestamp>,
    #[serde(default, skip_serializing)]
    rests: bool,
    #[serde(default, skip_serializing)]
    woken_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    disputes: Vec<DisputeItem>,
    #[serde(default, skip_serializing_if = "is_none_yet")]
    disputes_revision: u32,
    refunds: Vec<RefundId>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registered_by: Option<ByItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<ByteArray<32>>,
    #[serde(flatten)]
    facts: FactsItem,
}

/// The item of a payment.
pub(crate) fn to_item(payment: &Payment) -> Result<Item, BoxError> {
    let mut item: Item = serde_dynamo::to_item(PaymentItem::from(payment))?;
    let verification = verification_attributes(payment)?.into_iter();
    item.extend(verification.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(item)
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
            processor: Processor { name, reference, account, split },
            claims,
            verification: _,
            disputes,
            facts,
            revision,
            refunds,
            created_at,
            registered_by,
            updated_at,
            seal,
        } = payment;
        let Key { pk, sk } = Key::payment(tenant, id);
        let (list, place) = payment_by_time(tenant, *created_at, id);
        let covered = lines.iter().filter(|line| line.covered);
        let is_touched = lines.iter().any(|line| line.left != line.amount);
        let left = lines.iter().filter(|_| is_touched).map(|line| line.left.minor());
        Self {
            pk,
            sk,
            list_pk: list,
            list_sk: place,
            amount: amount.minor(),
            refundable: refundable.minor(),
            currency: amount.currency(),
            actors: routing.as_ref().map(|routing| actors(routing, split.as_ref())).unwrap_or_default(),
            lines_left: left.collect(),
            lines_refunded: covered.map(|line| line.id.clone()).collect(),
            lines: lines.iter().map(LineItem::from).collect(),
            processor: *name,
            processor_payment: reference.clone(),
            processor_account: account.clone(),
            shape: split.as_ref().map(|terms| terms.shape),
            claims: claims.clone(),
            verification: None,
            ask_at: None,
            rests: false,
            woken_at: None,
            disputes: disputes.list.iter().map(DisputeItem::from).collect(),
            disputes_revision: disputes.revision,
            refunds: refunds.clone(),
            created_at: *created_at,
            registered_by: registered_by.clone().map(ByItem::from),
            seal: seal.map(|Seal(seal)| ByteArray::new(seal)),
            facts: FactsItem::new(facts, *revision, *updated_at),
        }
    }
}

/// An item without disputes looks as it always did.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none_yet(revision: &u32) -> bool {
    *revision == 0
}

impl From<&Line> for LineItem {
    fn from(line: &Line) -> Self {
        // What is left of the lines is a separate list, so that one condition can compare it.
        let Line { id, amount, left: _, covered: _ } = line;
        Self { id: id.clone(), amount: amount.minor() }
    }
}

fn actors(routing: &Routing, terms: Option<&SplitTerms>) -> Vec<ActorItem> {
    let Routing { original, refundable } = routing;
    let parts = original.parts();
    parts
        .map(|(actor, amount)| ActorItem {
            refundable: refundable.part_of(&actor).minor(),
            amount: amount.minor(),
            transfer: match &actor {
                Actor::Platform => None,
                Actor::Merchant(id) => terms.and_then(|terms| terms.transfer_to(id)).cloned(),
            },
            id: match actor {
                Actor::Platform => None,
                Actor::Merchant(id) => Some(id),
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
            status: *status,
            settlement: *settlement,
            payout: *payout,
            disputed: *disputed,
            partial_refunds: *partial_refunds,
            refundable_until: *refundable_until,
            metadata: metadata.clone(),
            revision,
            updated_at,
        }
    }

    fn into_facts(self) -> Facts {
        let Self {
            status, settlement, payout, disputed, partial_refunds, refundable_until, metadata, ..
        } = self;
        Facts { status, settlement, payout, disputed, partial_refunds, refundable_until, metadata }
    }
}

impl PaymentItem {
    /// Reads the attributes back; the error names the one that is wrong.
    pub(crate) fn into_payment(self) -> Result<Payment, &'static str> {
        let (tenant, id) = owner_and_id(&self.pk, PAYMENT).ok_or("pk is not a payment's")?;
        let money = |minor| Money::of_minor(minor, self.currency).map_err(|_| "an amount is too large");
        if ![0, self.lines.len()].contains(&self.lines_left.len()) {
            return Err("lines_left has another length than lines");
        }
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut left = self.lines_left.into_iter();
        for LineItem { id, amount } in self.lines {
            let (left, covered) = (left.next().unwrap_or(amount), self.lines_refunded.contains(&id));
            lines.push(Line { id, amount: money(amount)?, left: money(left)?, covered });
        }
        let (at, rests, woken_at) = (self.ask_at, self.rests, self.woken_at);
        let wait = at.map(|at| Wait { at, rests, woken_at });
        let verification = self.verification.map(|item| item.read(wait));
        let paid = self.actors.iter();
        let transfers = paid.filter_map(|actor| Some((actor.id.clone()?, actor.transfer.clone()?)));
        let split = self.shape.map(|shape| SplitTerms { shape, transfers: transfers.collect() });
        let routing = routing(self.actors, self.currency)?;
        let disputes = self.disputes.into_iter();
        let disputes: Result<Vec<Dispute>, &str> =
            disputes.map(|dispute| dispute.into_dispute(self.currency, routing.as_ref())).collect();
        Ok(Payment {
            tenant,
            id: PaymentId::try_from(id).map_err(|_| "pk has no payment id")?,
            amount: money(self.amount)?,
            refundable: money(self.refundable)?,
            routing,
            lines,
            processor: Processor {
                name: self.processor,
                reference: self.processor_payment,
                account: self.processor_account,
                split,
            },
            claims: self.claims,
            verification: verification.transpose()?,
            disputes: Disputes { list: disputes?, revision: self.disputes_revision },
            revision: self.facts.revision,
            refunds: self.refunds,
            created_at: self.created_at,
            registered_by: self.registered_by.map(By::from),
            updated_at: self.facts.updated_at,
            seal: self.seal.map(|seal| Seal(seal.into_array())),
            facts: self.facts.into_facts(),
        })
    }
}
