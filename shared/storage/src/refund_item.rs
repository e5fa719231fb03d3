//! A refund as stored. Absent facts are absent attributes, so that an item stays under 1 KB.

use recoup_domain::balance::Posting;
use recoup_domain::by::By;
use recoup_domain::ids::{ActorId, LineId, PaymentId, RefundId};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::refund::{
    Change, External, Flag, Kind, LinePart, Notes, Origin, OriginName, Refund, Ruling, State, Status, Verdict,
};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::text::{TargetUrl, Text};
use recoup_domain::time::Timestamp;
use recoup_domain::waiting::Wait;
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use serde_with::skip_serializing_none;

use crate::by_item::ByItem;
use crate::keys::{Key, REFUND, by_time, owner_and_id};
use crate::recovery_item::RecoveryItem;
use crate::table::Item;
use crate::version_item::{ChangeItem, STATUS, StateItem, from_attributes, take_attributes, to_attributes};

pub(crate) const HANDED_OVER_AT: &str = "handed_over_at";
pub(crate) const HISTORY: &str = "history";
/// The times of the changes only, as earlier versions stored them; `history` replaces it.
pub(crate) const CHANGED_AT: &str = "changed_at";
pub(crate) const ASK_AT: &str = "ask_at";
pub(crate) const FLAG: &str = "flag";
pub(crate) const PROCESSOR_AMOUNT: &str = "processor_amount";
pub(crate) const VERDICT: &str = "verdict";
pub(crate) const POSTPONED: &str = "postponed";

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct PartItem {
    id: ActorId,
    amount: u64,
    transfer: Option<Text<255>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SplitItem {
    platform: u64,
    merchants: Vec<PartItem>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct ExternalItem {
    method: Text<64>,
    reference: Option<Text<255>>,
}

/// Money in a currency of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MoneyItem {
    amount: u64,
    currency: Currency,
}

/// A person's word, as stored.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VerdictItem {
    ruling: Ruling,
    operator: Text<64>,
    reason: Text<255>,
    reference: Option<Text<255>>,
    at: Timestamp,
}

/// What the refund takes of one line: the line's position in the payment, and how much.
#[derive(Debug, Serialize, Deserialize)]
struct LinePartItem {
    at: usize,
    amount: u64,
}

/// A refund's attributes besides its version's. Money is `N` in minor units, so that conditions can compare it.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct RefundItem {
    pk: String,
    sk: String,
    list_pk: String,
    list_sk: String,
    payment_id: PaymentId,
    amount: u64,
    currency: Currency,
    kind: Kind,
    split: Option<SplitItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<LineId>,
    /// The part of each line; version 0.1, which took lines whole, wrote none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    line_parts: Vec<LinePartItem>,
    reason: Option<Text<255>>,
    information: Option<Text<1000>>,
    description: Option<Text<255>>,
    reference: Option<Text<128>>,
    webhook_url: Option<TargetUrl>,
    /// Absent where the API asked for it, as everything did at first.
    origin: Option<OriginName>,
    external: Option<ExternalItem>,
    /// What a refund made at the processor moved beyond what was refundable.
    excess: Option<u64>,
    processor: ProcessorName,
    processor_payment: Text<255>,
    processor_account: Option<Text<255>>,
    shape: Option<Shape>,
    fingerprint: ByteArray<32>,
    /// Where it stood at first; absent where it was `initiated`.
    first: Option<StateItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<ChangeItem>,
    #[serde(default, skip_serializing)]
    changed_at: Vec<u64>,
    handed_over_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    turn: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    postponed: u32,
    ask_at: Option<Timestamp>,
    rests: Option<bool>,
    woken_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recovery: Vec<RecoveryItem>,
    flag: Option<Flag>,
    processor_amount: Option<MoneyItem>,
    verdict: Option<VerdictItem>,
    created_at: Timestamp,
    /// Who made it, under a name as short as it can be.
    #[serde(rename = "by")]
    created_by: Option<ByItem>,
}

/// The attributes that [`posting`] reads. `status` is a word that DynamoDB reserves.
pub(crate) const POSTING: [&str; 8] =
    ["pk", "payment_id", "amount", "excess", "currency", "kind", "split", STATUS];

/// What balances need of a refund's item.
#[derive(Debug, Deserialize)]
struct PostingItem {
    pk: String,
    payment_id: PaymentId,
    amount: u64,
    excess: Option<u64>,
    currency: Currency,
    kind: Kind,
    split: Option<SplitItem>,
    status: Status,
}

/// Reads what balances need of a refund's item; the error says what is wrong with it.
pub(crate) fn posting(item: Item) -> Result<Posting, String> {
    let item: PostingItem = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
    let (_, id) = owner_and_id(&item.pk, REFUND).ok_or("pk is not a refund's")?;
    let taken = item.amount.checked_sub(item.excess.unwrap_or(0)).ok_or("excess is more than the amount")?;
    Ok(Posting {
        refund: RefundId::try_from(id).map_err(|_| "pk has no refund id")?,
        payment: item.payment_id,
        status: item.status,
        amount: money(taken, item.currency)?,
        kind: item.kind,
        split: item.split.map(|split| split.read(item.currency)).transpose()?,
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The item of a refund.
pub(crate) fn to_item(refund: &Refund) -> Result<Item, BoxError> {
    let Refund { tenant, id, payment_id, amount, kind, split, lines, notes, processor, .. } = refund;
    let Refund { origin, fingerprint, version, first, history, handed_over_at, turn, postponed, .. } = refund;
    let Refund { wait, recovery, flag, processor_amount, verdict, created_at, created_by, .. } = refund;
    let Notes { reason, information, description, reference, webhook_url } = notes.clone();
    let key = Key::refund(tenant, id);
    let (list, place) = by_time(tenant, *created_at, id);
    let mut item: Item = serde_dynamo::to_item(RefundItem {
        pk: key.pk,
        sk: key.sk,
        list_pk: list,
        list_sk: place,
        payment_id: payment_id.clone(),
        amount: amount.minor(),
        currency: amount.currency(),
        kind: *kind,
        split: split.as_ref().map(|split| SplitItem::new(split, processor)),
        lines: lines.iter().map(|part| part.id.clone()).collect(),
        line_parts: lines
            .iter()
            .filter_map(|part| part.taken)
            .map(|(at, amount)| LinePartItem { at, amount: amount.minor() })
            .collect(),
        reason,
        information,
        description,
        reference,
        webhook_url,
        origin: Some(origin.name()).filter(|name| *name != OriginName::Api),
        external: origin.external().cloned().map(ExternalItem::from),
        excess: origin.excess().filter(|excess| !excess.is_zero()).map(Money::minor),
        processor: processor.name,
        processor_payment: processor.reference.clone(),
        processor_account: processor.account.clone(),
        shape: processor.split.as_ref().map(|terms| terms.shape),
        fingerprint: ByteArray::new(*fingerprint),
        first: (*first != State::Initiated).then(|| first.into()),
        history: history.iter().map(|change| ChangeItem::new(change, processor.name)).collect(),
        changed_at: Vec::new(),
        handed_over_at: *handed_over_at,
        turn: *turn,
        postponed: *postponed,
        ask_at: wait.map(|wait| wait.at),
        rests: wait.and_then(|wait| wait.rests.then_some(true)),
        woken_at: wait.and_then(|wait| wait.woken_at),
        recovery: recovery.iter().map(RecoveryItem::from).collect(),
        flag: *flag,
        processor_amount: processor_amount.map(MoneyItem::from),
        verdict: verdict.as_ref().map(VerdictItem::from),
        created_at: *created_at,
        created_by: created_by.clone().map(ByItem::from),
    })?;
    item.extend(to_attributes(version)?);
    Ok(item)
}

/// Reads a refund's item; the error says what is wrong with it.
pub(crate) fn from_item(mut item: Item) -> Result<Refund, String> {
    let version = from_attributes(take_attributes(&mut item))?;
    let mut item: RefundItem = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
    let (tenant, id) = owner_and_id(&item.pk, REFUND).ok_or("pk is not a refund's")?;
    let id = RefundId::try_from(id).map_err(|_| "pk has no refund id")?;
    let (history, wait, lines) = (item.history(), item.wait(), item.lines()?);
    let excess = money(item.excess.unwrap_or(0), item.currency)?;
    let processor = item.processor();
    let recovery = item.recovery.into_iter().map(RecoveryItem::read).collect::<Result<_, _>>()?;
    let processor_amount =
        item.processor_amount.map(|there| money(there.amount, there.currency)).transpose()?;
    let external = item.external.map(|ExternalItem { method, reference }| External { method, reference });
    Ok(Refund {
        tenant,
        id,
        payment_id: item.payment_id,
        amount: money(item.amount, item.currency)?,
        kind: item.kind,
        split: item.split.map(|split| split.read(item.currency)).transpose()?,
        lines,
        notes: Notes {
            reason: item.reason,
            information: item.information,
            description: item.description,
            reference: item.reference,
            webhook_url: item.webhook_url,
        },
        origin: Origin::of_parts(item.origin.unwrap_or(OriginName::Api), external, excess)?,
        processor,
        fingerprint: item.fingerprint.into_array(),
        version,
        first: item.first.map_or(Ok(State::Initiated), StateItem::read)?,
        history: history?,
        handed_over_at: item.handed_over_at,
        turn: item.turn,
        postponed: item.postponed,
        wait,
        recovery,
        flag: item.flag,
        processor_amount,
        verdict: item.verdict.map(VerdictItem::read),
        created_at: item.created_at,
        created_by: item.created_by.map(By::from),
    })
}

fn money(minor: u64, currency: Currency) -> Result<Money, &'static str> {
    Money::of_minor(minor, currency).map_err(|_| "an amount is too large")
}

impl From<Money> for MoneyItem {
    fn from(money: Money) -> Self {
        Self { amount: money.minor(), currency: money.currency() }
    }
}

impl From<External> for ExternalItem {
    fn from(External { method, reference }: External) -> Self {
        Self { method, reference }
    }
}

impl From<&Verdict> for VerdictItem {
    fn from(verdict: &Verdict) -> Self {
        let Verdict { ruling, operator, reason, reference, at } = verdict.clone();
        Self { ruling, operator, reason, reference, at }
    }
}

impl VerdictItem {
    fn read(self) -> Verdict {
        let Self { ruling, operator, reason, reference, at } = self;
        Verdict { ruling, operator, reason, reference, at }
    }
}

impl SplitItem {
    fn new(split: &Split, processor: &Processor) -> Self {
        let terms = processor.split.as_ref();
        let part = |part: &MerchantPart| PartItem {
            id: part.account.clone(),
            amount: part.amount.minor(),
            transfer: terms.and_then(|terms| terms.transfer_to(&part.account)).cloned(),
        };
        Self { platform: split.platform().minor(), merchants: split.merchants().iter().map(part).collect() }
    }

    fn read(self, currency: Currency) -> Result<Split, &'static str> {
        let mut merchants = Vec::with_capacity(self.merchants.len());
        for part in self.merchants {
            merchants.push(MerchantPart { account: part.id, amount: money(part.amount, currency)? });
        }
        Split::new(money(self.platform, currency)?, merchants).map_err(|_| "split adds up to no amount")
    }
}

impl RefundItem {
    fn lines(&mut self) -> Result<Vec<LinePart>, &'static str> {
        let (ids, parts) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.line_parts));
        if ![0, ids.len()].contains(&parts.len()) {
            return Err("line_parts has another length than lines");
        }
        let mut parts = parts.into_iter();
        let read = |id| {
            let part = parts.next().map(|part| Ok::<_, &str>((part.at, money(part.amount, self.currency)?)));
            Ok(LinePart { id, taken: part.transpose()? })
        };
        ids.into_iter().map(read).collect()
    }

    fn processor(&self) -> Processor {
        let merchants = self.split.iter().flat_map(|split| &split.merchants);
        let transfers = merchants.filter_map(|part| Some((part.id.clone(), part.transfer.clone()?)));
        Processor {
            name: self.processor,
            reference: self.processor_payment.clone(),
            account: self.processor_account.clone(),
            split: self.shape.map(|shape| SplitTerms { shape, transfers: transfers.collect() }),
        }
    }

    fn wait(&self) -> Option<Wait> {
        let at = self.ask_at?;
        Some(Wait { at, rests: self.rests.unwrap_or(false), woken_at: self.woken_at })
    }

    fn history(&mut self) -> Result<Vec<Change>, &'static str> {
        let changes = std::mem::take(&mut self.history).into_iter().map(|it| it.read(self.processor));
        if self.changed_at.is_empty() {
            return changes.collect();
        }
        let timed = self.changed_at.iter().map(|at| {
            let at = Timestamp::from_unix_millis(*at).ok_or("changed_at has no time")?;
            Ok(Change { at, state: None, by: None })
        });
        timed.collect()
    }
}
