//! A refund as it lies in the table. Absent facts are absent attributes, so that an item stays under 1 KB.

use std::collections::BTreeMap;

use recoup_domain::ids::{LineId, PaymentId, RefundId};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::refund::{Failure, FailureCode, Flag, Kind, Notes, Pending, Refund, State};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::text::{Metadata, TargetUrl, Text};
use recoup_domain::time::Timestamp;
use recoup_domain::waiting::Wait;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::keys::{Key, REFUND, by_time, owner_and_id};

pub(crate) const STATUS: &str = "status";
pub(crate) const SEQUENCE: &str = "sequence";
pub(crate) const UPDATED_AT: &str = "updated_at";
pub(crate) const HANDED_OVER_AT: &str = "handed_over_at";
pub(crate) const CHANGED_AT: &str = "changed_at";
pub(crate) const FIRST_METADATA: &str = "first_metadata";
pub(crate) const METADATA: &str = "metadata";
pub(crate) const PENDING_REASON: &str = "pending_reason";
pub(crate) const FAILURE_CODE: &str = "failure_code";
pub(crate) const FAILURE_MESSAGE: &str = "failure_message";
pub(crate) const PROCESSOR_REFERENCE: &str = "processor_reference";
pub(crate) const ASK_AT: &str = "ask_at";
pub(crate) const FLAG: &str = "flag";

#[derive(Debug, Serialize, Deserialize)]
struct PartItem {
    id: String,
    amount: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SplitItem {
    platform: u64,
    merchants: Vec<PartItem>,
}

/// The attributes. Money is `N` in minor units, so that conditions can compare it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefundItem {
    pk: String,
    sk: String,
    list_pk: String,
    list_sk: String,
    payment_id: String,
    amount: u64,
    currency: String,
    kind: String,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split: Option<SplitItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    information: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,
    processor: String,
    processor_payment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    processor_reference: Option<String>,
    fingerprint: ByteArray<32>,
    sequence: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changed_at: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_metadata: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handed_over_at: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    turn: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ask_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rests: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    woken_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flag: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<&Refund> for RefundItem {
    fn from(refund: &Refund) -> Self {
        let key = Key::refund(&refund.tenant, &refund.id);
        let (list, place) = by_time(&refund.tenant, refund.created_at, &refund.id);
        let notes = &refund.notes;
        Self {
            pk: key.pk,
            sk: key.sk,
            list_pk: list,
            list_sk: place,
            payment_id: refund.payment_id.to_string(),
            amount: refund.amount.minor(),
            currency: refund.amount.currency().code().to_owned(),
            kind: refund.kind.as_str().to_owned(),
            status: refund.state.as_str().to_owned(),
            pending_reason: pending_reason(&refund.state).map(str::to_owned),
            failure_code: failure(&refund.state).map(|failure| failure.code.as_str().to_owned()),
            failure_message: failure(&refund.state).map(|failure| failure.message.as_str().to_owned()),
            split: refund.split.as_ref().map(|split| SplitItem {
                platform: split.platform().minor(),
                merchants: split
                    .merchants()
                    .iter()
                    .map(|part| PartItem { id: part.account.to_string(), amount: part.amount.minor() })
                    .collect(),
            }),
            lines: refund.lines.iter().map(ToString::to_string).collect(),
            reason: notes.reason.as_ref().map(|text| text.as_str().to_owned()),
            information: notes.information.as_ref().map(|text| text.as_str().to_owned()),
            description: notes.description.as_ref().map(|text| text.as_str().to_owned()),
            reference: notes.reference.as_ref().map(|text| text.as_str().to_owned()),
            metadata: notes.metadata.pairs().clone(),
            webhook_url: notes.webhook_url.as_ref().map(|url| url.as_str().to_owned()),
            processor: refund.processor.name.as_str().to_owned(),
            processor_payment: refund.processor.reference.as_str().to_owned(),
            processor_reference: refund.processor_reference.as_ref().map(|text| text.as_str().to_owned()),
            fingerprint: ByteArray::new(refund.fingerprint),
            sequence: refund.sequence,
            changed_at: refund.changed_at.iter().map(|at| at.unix_millis()).collect(),
            first_metadata: refund.first_metadata.as_ref().map(|metadata| metadata.pairs().clone()),
            handed_over_at: refund.handed_over_at.map(Timestamp::rfc3339),
            turn: refund.turn,
            ask_at: refund.wait.map(|wait| wait.at.rfc3339()),
            rests: refund.wait.and_then(|wait| wait.rests.then_some(true)),
            woken_at: refund.wait.and_then(|wait| wait.woken_at).map(Timestamp::rfc3339),
            flag: refund.flag.map(|flag| flag.as_str().to_owned()),
            created_at: refund.created_at.rfc3339(),
            updated_at: refund.updated_at.rfc3339(),
        }
    }
}

/// The `pending_reason` of a state, if it has one.
pub(crate) fn pending_reason(state: &State) -> Option<&'static str> {
    match state {
        State::Processing(pending) => Some(pending.as_str()),
        State::Initiated | State::Succeeded | State::Failed(_) | State::Cancelled => None,
    }
}

/// The failure of a state, if it has one.
pub(crate) fn failure(state: &State) -> Option<&Failure> {
    match state {
        State::Failed(failure) => Some(failure),
        State::Initiated | State::Processing(_) | State::Succeeded | State::Cancelled => None,
    }
}

/// Reads a state from its attributes; a failure is its code and its message.
pub(crate) fn state(
    status: &str,
    pending_reason: Option<&str>,
    failure: Option<(&str, &str)>,
) -> Result<State, &'static str> {
    match status {
        "initiated" => Ok(State::Initiated),
        "processing" => {
            let pending = pending_reason.and_then(Pending::parse);
            pending.map(State::Processing).ok_or("pending_reason is missing or unknown")
        }
        "succeeded" => Ok(State::Succeeded),
        "failed" => {
            let (code, message) = failure.ok_or("failure_code or failure_message is missing")?;
            let code = FailureCode::parse(code).ok_or("failure_code is unknown")?;
            let message =
                Text::new(message.to_owned()).map_err(|_| "failure_message is empty or too long")?;
            Ok(State::Failed(Failure { code, message }))
        }
        "cancelled" => Ok(State::Cancelled),
        _ => Err("status is unknown"),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_zero(turn: &u32) -> bool {
    *turn == 0
}

fn text<const MAX: usize>(value: Option<String>) -> Result<Option<Text<MAX>>, &'static str> {
    value.map(|text| Text::new(text).map_err(|_| "a text is empty or too long")).transpose()
}

impl RefundItem {
    fn wait(&self) -> Result<Option<Wait>, &'static str> {
        let Some(at) = self.ask_at.as_deref() else { return Ok(None) };
        Ok(Some(Wait {
            at: Timestamp::parse(at).ok_or("ask_at is no time")?,
            rests: self.rests.unwrap_or(false),
            woken_at: self.woken_at.as_deref().and_then(Timestamp::parse),
        }))
    }

    /// Reads the attributes back; the error names the one that is wrong.
    pub(crate) fn into_refund(self) -> Result<Refund, &'static str> {
        let (tenant, id) = owner_and_id(&self.pk, REFUND).ok_or("pk is not a refund's")?;
        let wait = self.wait()?;
        let currency = Currency::parse(&self.currency).ok_or("currency is unknown")?;
        let money = |minor| Money::of_minor(minor, currency).map_err(|_| "an amount is too large");
        let failure = self.failure_code.as_deref().zip(self.failure_message.as_deref());
        let state = state(&self.status, self.pending_reason.as_deref(), failure)?;
        let changed_at = self.changed_at.into_iter().map(Timestamp::from_unix_millis);
        let changed_at: Option<Vec<_>> = changed_at.collect();
        let first_metadata = self.first_metadata.map(Metadata::stored);
        let id = RefundId::try_from(id).map_err(|_| "pk has no refund id")?;
        let split = match self.split {
            None => None,
            Some(split) => {
                let mut merchants = Vec::with_capacity(split.merchants.len());
                for part in split.merchants {
                    let account = part.id.as_str().try_into().map_err(|_| "split has an invalid id")?;
                    merchants.push(MerchantPart { account, amount: money(part.amount)? });
                }
                Some(
                    Split::new(money(split.platform)?, merchants)
                        .map_err(|_| "split adds up to no amount")?,
                )
            }
        };
        let lines = self.lines.iter().map(|line| LineId::try_from(line.as_str()));
        Ok(Refund {
            tenant,
            id,
            payment_id: PaymentId::try_from(self.payment_id.as_str()).map_err(|_| "payment_id is invalid")?,
            amount: money(self.amount)?,
            kind: Kind::parse(&self.kind).ok_or("kind is unknown")?,
            split,
            lines: lines.collect::<Result<_, _>>().map_err(|_| "lines has an invalid id")?,
            state,
            notes: Notes {
                reason: text(self.reason)?,
                information: text(self.information)?,
                description: text(self.description)?,
                reference: text(self.reference)?,
                metadata: Metadata::stored(self.metadata),
                webhook_url: self.webhook_url.map(TargetUrl::unchecked),
            },
            processor: Processor {
                name: ProcessorName::parse(&self.processor).ok_or("processor is unknown")?,
                reference: text(Some(self.processor_payment))?.ok_or("processor_payment is missing")?,
            },
            processor_reference: text(self.processor_reference)?,
            fingerprint: self.fingerprint.into_array(),
            sequence: self.sequence,
            changed_at: changed_at.ok_or("changed_at has no time")?,
            first_metadata,
            handed_over_at: self.handed_over_at.as_deref().and_then(Timestamp::parse),
            turn: self.turn,
            wait,
            flag: self.flag.as_deref().map(|flag| Flag::parse(flag).ok_or("flag is unknown")).transpose()?,
            created_at: Timestamp::parse(&self.created_at).ok_or("created_at is no time")?,
            updated_at: Timestamp::parse(&self.updated_at).ok_or("updated_at is no time")?,
        })
    }
}
