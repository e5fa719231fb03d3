//! A dispute as Stripe tells of it.

use recoup_domain::dispute::{DisputeStatus, DisputeWord};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::StripeAmount;
use super::order::payment_parameter;
use crate::notification::DisputeNotice;

/// Stripe's dispute object, as far as we read it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct StripeDispute {
    object: Tag,
    id: Text<255>,
    amount: u64,
    currency: String,
    status: String,
    reason: Option<String>,
    is_charge_refundable: bool,
    charge: Option<Value>,
    payment_intent: Option<Value>,
    #[serde(default)]
    balance_transactions: Vec<BalanceTransaction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Dispute,
}

/// Funds withdrawn, below zero, or reinstated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct BalanceTransaction {
    amount: i64,
}

/// The disputes of one charge.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StripeDisputes {
    data: Vec<StripeDispute>,
}

/// Where the disputes of a payment's charge are read; `None` if its reference is no charge and no payment intent.
pub fn disputes_path(reference: &str) -> Option<String> {
    // A charge has few; one call reads all.
    Some(format!("v1/disputes?{}={reference}&limit=100", payment_parameter(reference)?))
}

impl StripeDisputes {
    /// Reads an answer's body.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// What they say, true of this moment; `None` where one of them cannot be told.
    pub fn words(self, told_at: Timestamp) -> Option<Vec<DisputeWord>> {
        self.data.into_iter().map(|dispute| dispute.word(told_at)).collect()
    }
}

impl StripeDispute {
    /// What it says, with the names of its payment there.
    pub(super) fn notice(self, told_at: Timestamp) -> DisputeNotice {
        let there = [&self.charge, &self.payment_intent].into_iter().flatten();
        let names = there.filter_map(|name| name.as_str().or_else(|| name.get("id")?.as_str()));
        let payments = names.filter_map(|name| Text::new(name.to_owned()).ok()).collect();
        DisputeNotice { payments, word: self.word(told_at) }
    }

    /// `None` where its status is one that we do not know, or its amount is none in our minor units.
    fn word(self, told_at: Timestamp) -> Option<DisputeWord> {
        Some(DisputeWord {
            status: self.status()?,
            blocks_refunds: !self.is_charge_refundable,
            amount: StripeAmount::of_units(self.amount, &self.currency).money()?,
            reason: self.reason.map(|reason| Text::cut(&reason)),
            reference: self.id,
            told_at,
        })
    }

    fn status(&self) -> Option<DisputeStatus> {
        Some(match self.status.as_str() {
            "warning_needs_response" | "warning_under_review" => DisputeStatus::Inquiry,
            "needs_response" | "under_review" => DisputeStatus::Open,
            "won" => DisputeStatus::Won,
            "lost" => DisputeStatus::Lost,
            // Before it was a chargeback: the money was withdrawn for the customer, or the charge is refunded apart.
            "prevented" if self.is_withdrawn() => DisputeStatus::Lost,
            "prevented" | "warning_closed" | "charge_refunded" => DisputeStatus::Closed,
            _ => return None,
        })
    }

    fn is_withdrawn(&self) -> bool {
        self.balance_transactions.iter().map(|one| i128::from(one.amount)).sum::<i128>() < 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_unix_millis(1_700_000_000_000).unwrap()
    }

    fn object(status: &str) -> Value {
        json!({
            "id": "dp_1", "object": "dispute", "amount": 900, "currency": "eur", "status": status,
            "reason": "fraudulent", "is_charge_refundable": false, "charge": "ch_1", "payment_intent": { "id": "pi_1" },
            "balance_transactions": [{ "amount": -900, "fee": 1_500 }],
        })
    }

    fn read(object: Value) -> DisputeNotice {
        serde_json::from_value::<StripeDispute>(object).unwrap().notice(at())
    }

    #[test]
    fn a_dispute_says_how_it_stands_and_what_it_is_about() {
        let notice = read(object("needs_response"));
        assert_eq!(notice.payments.iter().map(Text::as_str).collect::<Vec<_>>(), ["ch_1", "pi_1"]);
        let word = notice.word.unwrap();
        assert_eq!((word.reference.as_str(), word.amount.minor(), word.blocks_refunds), ("dp_1", 900, true));
        assert_eq!((word.reason.unwrap().as_str(), word.told_at), ("fraudulent", at()));
    }

    #[test]
    fn every_status_of_stripe_s_has_one_of_ours_and_no_other_has() {
        let ours = |status: &str| read(object(status)).word.map(|word| word.status.as_str());
        for (status, name) in [
            ("warning_needs_response", "inquiry"),
            ("warning_under_review", "inquiry"),
            ("warning_closed", "closed"),
            ("needs_response", "open"),
            ("under_review", "open"),
            ("charge_refunded", "closed"),
            ("won", "won"),
            ("lost", "lost"),
            ("prevented", "lost"),
        ] {
            assert_eq!(ours(status), Some(name), "{status}");
        }
        assert_eq!(ours("someday"), None);
        let mut nothing_moved = object("prevented");
        nothing_moved["balance_transactions"] = json!([{ "amount": -900 }, { "amount": 900 }]);
        assert_eq!(read(nothing_moved).word.unwrap().status, DisputeStatus::Closed);
        let mut unknown = object("lost");
        unknown["currency"] = json!("zzz");
        assert_eq!(read(unknown).word, None);
    }

    #[test]
    fn the_list_of_a_charge_is_read_whole_or_not_at_all() {
        let list = |data: Value| {
            let body = json!({ "object": "list", "data": data });
            StripeDisputes::parse(body.to_string().as_bytes()).unwrap().words(at())
        };
        assert_eq!(list(json!([object("lost"), object("won")])).unwrap().len(), 2);
        assert_eq!(list(json!([])), Some(Vec::new()));
        assert_eq!(list(json!([object("lost"), object("someday")])), None);
        assert_eq!(StripeDisputes::parse(b"{}"), None);
        assert_eq!(disputes_path("ch_1").unwrap(), "v1/disputes?charge=ch_1&limit=100");
        assert_eq!(disputes_path("pi_1").unwrap(), "v1/disputes?payment_intent=pi_1&limit=100");
        assert_eq!(disputes_path("ch_1&limit=1"), None);
    }
}
