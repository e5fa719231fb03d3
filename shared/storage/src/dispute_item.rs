//! The disputes of a payment, which stand in its item, and what they take of it.

use std::cmp::Ordering;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::dispute::{Dispute, DisputeStatus, DisputeWord};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Payment, Routing};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::WriteError;
use recoup_ports::payments::{KeepDisputes, Moved};
use serde::{Deserialize, Serialize};

use crate::expression::{Expression, number};
use crate::keys::Key;
use crate::payment_item::{ACTORS, REFUNDABLE};
use crate::table::{Table, cause};
use crate::write::past_transactions;

pub(crate) const DISPUTES: &str = "disputes";
pub(crate) const DISPUTES_REVISION: &str = "disputes_revision";

/// One dispute.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DisputeItem {
    reference: Text<255>,
    status: DisputeStatus,
    blocks_refunds: bool,
    amount: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Text<64>>,
    told_at: Timestamp,
    charged_back: u64,
    /// What each actor gave of it, in the order of the actors; absent where nobody gave anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<u64>,
}

impl From<&Dispute> for DisputeItem {
    fn from(dispute: &Dispute) -> Self {
        let Dispute { word, charged_back, split } = dispute;
        let DisputeWord { reference, status, blocks_refunds, amount, reason, told_at } = word.clone();
        let parts = split.iter().filter(|split| !split.total().is_zero()).flat_map(Split::parts);
        Self {
            reference,
            status,
            blocks_refunds,
            amount: amount.minor(),
            reason,
            told_at,
            charged_back: charged_back.minor(),
            parts: parts.map(|(_, part)| part.minor()).collect(),
        }
    }
}

impl DisputeItem {
    /// Reads it back, as one of a payment with this currency and routing.
    pub(crate) fn into_dispute(
        self,
        currency: Currency,
        routing: Option<&Routing>,
    ) -> Result<Dispute, &'static str> {
        let money =
            |minor| Money::of_minor(minor, currency).map_err(|_| "an amount of a dispute is too large");
        let split = match routing {
            Some(routing) => {
                let merchants = routing.original.merchants();
                if ![0, merchants.len().saturating_add(1)].contains(&self.parts.len()) {
                    return Err("a dispute has another number of parts than there are actors");
                }
                // Where nobody gave anything, no parts are stored.
                let mut parts = self.parts.into_iter().chain(std::iter::repeat(0));
                let mut next = || money(parts.next().unwrap_or(0));
                let platform = next()?;
                let part = |merchant: &MerchantPart| {
                    Ok(MerchantPart { account: merchant.account.clone(), amount: next()? })
                };
                let merchants: Result<Vec<MerchantPart>, &str> = merchants.iter().map(part).collect();
                Some(Split::new(platform, merchants?).map_err(|_| "a dispute's parts do not add up")?)
            }
            None => None,
        };
        let word = DisputeWord {
            reference: self.reference,
            status: self.status,
            blocks_refunds: self.blocks_refunds,
            amount: money(self.amount)?,
            reason: self.reason,
            told_at: self.told_at,
        };
        Ok(Dispute { word, charged_back: money(self.charged_back)?, split })
    }
}

impl KeepDisputes for Table {
    async fn keep_disputes(&self, from: &Payment, to: &Payment) -> Result<Moved, WriteError> {
        let update = self.update(&Key::payment(&from.tenant, &from.id), change(from, to)?);
        let sent = past_transactions(|| update.clone().send()).await;
        let Err(error) = sent else { return Ok(Moved::Applied) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Moved::Overtaken),
            _ => Err(WriteError::Unavailable(cause(&error))),
        }
    }
}

/// The disputes and what they take, if nobody told of any meanwhile and, where they take, as much is refundable as was
/// seen.
fn change(from: &Payment, to: &Payment) -> Result<Expression, WriteError> {
    let mut expression = Expression::default();
    disputes_unchanged(&mut expression, from.disputes.revision);
    let list: Vec<DisputeItem> = to.disputes.list.iter().map(DisputeItem::from).collect();
    let list = serde_dynamo::to_attribute_value(list);
    let list: AttributeValue = list.map_err(|error| WriteError::Unavailable(error.into()))?;
    expression.assign(DISPUTES, Some(list));
    expression.assign(DISPUTES_REVISION, Some(number(to.disputes.revision)));

    let refundable = expression.name(REFUNDABLE);
    moved(&mut expression, &refundable, from.refundable, to.refundable);
    if from.refundable.exceeds(to.refundable) {
        // How much is taken, and from whom, depends on what is left.
        let seen = expression.value(number(from.refundable.minor()));
        expression.require(format!("{refundable} = {seen}"));
    }
    let parts = from.routing.iter().zip(&to.routing);
    let parts = parts.flat_map(|(from, to)| from.refundable.parts().zip(to.refundable.parts()));
    for (position, ((_, before), (_, after))) in parts.enumerate() {
        if before != after {
            let actors = expression.name(ACTORS);
            moved(&mut expression, &format!("{actors}[{position}].{refundable}"), before, after);
        }
    }
    Ok(expression)
}

/// Takes from an amount, if it has as much, or adds to it.
fn moved(expression: &mut Expression, amount: &str, before: Money, after: Money) {
    let difference = expression.value(number(before.minor().abs_diff(after.minor())));
    match after.minor().cmp(&before.minor()) {
        Ordering::Less => {
            expression.require(format!("{amount}>={difference}"));
            expression.set(format!("{amount}={amount}-{difference}"));
        }
        Ordering::Equal | Ordering::Greater => expression.set(format!("{amount}={amount}+{difference}")),
    }
}

/// Requires that no dispute changed since this revision of theirs; a payment without any has none.
pub(crate) fn disputes_unchanged(expression: &mut Expression, revision: u32) {
    let name = expression.name(DISPUTES_REVISION);
    if revision == 0 {
        expression.require(format!("attribute_not_exists({name})"));
    } else {
        let seen = expression.value(number(revision));
        expression.require(format!("{name} = {seen}"));
    }
}
