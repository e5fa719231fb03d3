//! A refund as Stripe tells of it.

use std::collections::BTreeMap;

use recoup_domain::enter::{Made, Reversal};
use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::refund::{
    BankReference, BankReferenceKind, Failure, FailureCode, Origin, Outcome, Refund, Said,
};
use recoup_domain::text::Text;
use recoup_ports::charges::RefundOfCharge;
use recoup_ports::processor::Listed;
use serde::Deserialize;
use serde_json::Value;

use super::order::is_name;
use super::{Order, StripeAmount, StripePart, metadata};
use crate::failure;
use crate::notification::{MadeThere, names};

/// Stripe's refund object, as far as we read it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StripeRefund {
    object: Tag,
    /// Stripe's name for it, `re_…` or `pyr_…`.
    pub id: String,
    amount: u64,
    currency: String,
    status: Option<String>,
    pending_reason: Option<String>,
    failure_reason: Option<String>,
    destination_details: Option<Destination>,
    metadata: Option<BTreeMap<String, String>>,
    /// The charge that it gives back, and the payment intent of that, or either as an object where it was expanded.
    charge: Option<Value>,
    payment_intent: Option<Value>,
    /// What came back with it of the charge's transfer: its name, or itself where it was expanded.
    transfer_reversal: Option<Value>,
}

/// Where the money went. The payment method's own part bears its name; of the others, only some have a number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Destination {
    r#type: Option<String>,
    #[serde(flatten)]
    parts: BTreeMap<String, Value>,
}

/// What Stripe has of the bank's number.
#[derive(Deserialize)]
struct Number {
    reference: Option<String>,
    reference_status: Option<String>,
    reference_type: Option<String>,
}

impl Destination {
    /// The bank's number; `unavailable`, and what has none, is none.
    fn bank_reference(&self) -> Option<BankReference> {
        let method = self.r#type.as_deref()?;
        let number = Number::deserialize(self.parts.get(method)?).ok()?;
        let kind = match (method, number.reference_type.as_deref()) {
            ("card", Some("acquirer_reference_number") | None) => BankReferenceKind::Arn,
            ("card", Some("system_trace_audit_number")) | ("us_bank_transfer", _) => {
                BankReferenceKind::TraceId
            }
            _ => BankReferenceKind::Other,
        };
        match number.reference_status.as_deref() {
            Some("pending") => Some(BankReference { kind, value: None }),
            Some("available") => {
                let value = Text::new(number.reference?).ok()?;
                Some(BankReference { kind, value: Some(value) })
            }
            _ => None,
        }
    }
}

/// Anything else that carries an id and an amount is no refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Refund,
}

/// One page of Stripe's refunds, of a payment or of all, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StripeRefunds {
    /// The refunds.
    pub data: Vec<StripeRefund>,
    /// Whether older ones follow.
    pub has_more: bool,
}

impl StripeRefund {
    /// Reads an answer's body.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Whether it is this refund: it carries its id, or it was made at Stripe and has its name there.
    pub fn is_of(&self, refund: &Refund) -> bool {
        match refund.origin {
            Origin::Api | Origin::Console => self.named(metadata::REFUND) == Some(refund.id.as_str()),
            Origin::Processor { .. } => {
                // Whatever names it carries: it is here because none of them is a refund of that payment.
                refund.version.processor_reference.as_ref().map(Text::as_str) == Some(self.id.as_str())
            }
            Origin::External(_) => false,
        }
    }

    /// What it is where it was made at Stripe without us: of which payment, by its names there, and how much.
    pub(crate) fn made(&self) -> Option<MadeThere> {
        if self.named(metadata::REFUND).is_some() {
            return None;
        }
        let there = [&self.charge, &self.payment_intent].into_iter().flatten();
        let names = there.filter_map(|name| name.as_str().or_else(|| name.get("id")?.as_str()));
        let payments = names.filter_map(|name| Text::new(name.to_owned()).ok()).collect();
        Some(MadeThere { made: self.as_made()?, payments })
    }

    fn as_made(&self) -> Option<Made> {
        let reference = Text::new(self.id.clone()).ok().filter(|_| is_name(&self.id))?;
        let (amount, outcome, reversal) = (self.amount().money(), self.outcome(), self.reversal());
        Some(Made { reference, amount, outcome, reversal })
    }

    fn reversal(&self) -> Reversal {
        let Some(told) = &self.transfer_reversal else { return Reversal::None };
        let read = StripePart::deserialize(told).ok().and_then(|part| part.money());
        read.map_or(Reversal::NotTold, |(reference, amount)| Reversal::Made { reference, amount })
    }

    /// What it is among the refunds of its charge, and which of this tenant's it says that it is.
    pub fn of_charge(&self, tenant: &Tenant) -> Option<RefundOfCharge> {
        Some(RefundOfCharge { ours: self.of_tenant(tenant), made: self.as_made()? })
    }

    /// The refund of this tenant that it carries the names of.
    fn of_tenant(&self, tenant: &Tenant) -> Option<RefundId> {
        let (environment, account) = (self.named(metadata::ENVIRONMENT)?, self.named(metadata::ACCOUNT)?);
        let (whose, refund) = names(environment, account, self.named(metadata::REFUND)?)?;
        (whose == *tenant).then_some(refund)
    }

    /// What it means for our refund. [`Outcome::Unknown`] where it is another one, [`Outcome::Differs`] where it moves
    /// another amount than was asked for.
    pub fn outcome_of(&self, refund: &Refund) -> Outcome {
        let asked = Order::of(refund).ok().map(|order| order.amount);
        match (self.outcome(), self.amount().money()) {
            _ if !self.is_of(refund) => Outcome::Unknown,
            (outcome, _) if asked == Some(self.amount()) => outcome,
            (Outcome::Succeeded { .. } | Outcome::Pending | Outcome::PendingFunds, Some(amount)) => {
                let differs = |reference| Outcome::Differs { reference, amount };
                Text::new(self.id.clone()).map_or(Outcome::Unknown, differs)
            }
            _ => Outcome::Unknown,
        }
    }

    /// What it is in Stripe's list of this tenant's refunds; `None` if it is not one of them: somebody made it at
    /// Stripe without us, or it is another tenant's, for two may share one account there.
    ///
    /// One whose amount cannot be told is [`Outcome::Unknown`], whatever its status: it is not what was asked for.
    pub fn listed(&self, tenant: &Tenant) -> Option<Listed> {
        let refund = self.of_tenant(tenant)?;
        let reference = Text::new(self.id.clone()).ok()?;
        let amount = self.amount().money();
        let outcome = if amount.is_some() { self.outcome() } else { Outcome::Unknown };
        Some(Listed { refund, reference, outcome, amount })
    }

    /// How it stands. Stripe's own list of statuses; a null or an unheard-of one says nothing.
    pub(super) fn outcome(&self) -> Outcome {
        match self.status.as_deref() {
            Some("succeeded") => Text::new(self.id.clone()).map_or(Outcome::Unknown, |reference| {
                let bank_reference = self.destination_details.as_ref().and_then(Destination::bank_reference);
                Outcome::Succeeded { reference, bank_reference }
            }),
            Some("pending") if self.pending_reason.as_deref() == Some("insufficient_funds") => {
                Outcome::PendingFunds
            }
            // Stripe waits: for the customer's details, for the payment to settle, for the bank.
            Some("pending" | "requires_action") => Outcome::Pending,
            Some("failed") => Outcome::Failed(failed(self.failure_reason.as_deref())),
            Some("canceled") => Outcome::Failed(failure(
                FailureCode::ProcessorRejected,
                "The refund was cancelled at Stripe; the customer gets nothing.",
            )),
            _ => Outcome::Unknown,
        }
    }

    pub(super) fn amount(&self) -> StripeAmount {
        StripeAmount::of_units(self.amount, &self.currency)
    }

    pub(super) fn named(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.get(key).map(String::as_str)
    }
}

impl StripeRefunds {
    /// Reads an answer's body.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// From <https://docs.stripe.com/refunds#failed-refunds>.
fn failed(reason: Option<&str>) -> Failure {
    let (code, message) = match reason {
        Some("declined") => (FailureCode::Declined, "The refund was declined by Stripe's partners."),
        Some("expired_or_canceled_card") => (
            FailureCode::ExpiredOrClosedAccount,
            "The customer's card or account has expired or was cancelled.",
        ),
        Some("lost_or_stolen_card") => {
            (FailureCode::ExpiredOrClosedAccount, "The customer's card was lost or stolen.")
        }
        Some("insufficient_funds") => {
            (FailureCode::InsufficientFunds, "The balance at Stripe did not suffice for too long.")
        }
        Some("charge_for_pending_refund_disputed") => (
            FailureCode::ProcessorRejected,
            "The customer disputed the payment while the refund was pending.",
        ),
        Some("merchant_request") => {
            (FailureCode::ProcessorRejected, "The refund was stopped at Stripe on request.")
        }
        _ => (FailureCode::Unknown, "The refund failed; Stripe does not say why."),
    };
    let said = Said { code: reason.and_then(Text::cleaned), ..Said::default() };
    Failure { said, ..failure(code, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(fields: &str) -> Outcome {
        let body = format!(r#"{{"object":"refund","id":"re_1","amount":1,"currency":"eur",{fields}}}"#);
        StripeRefund::parse(body.as_bytes()).unwrap().outcome()
    }

    #[test]
    fn every_status_of_stripe_is_one_of_ours() {
        let reference = Text::new("re_1".to_owned()).unwrap();
        let succeeded = Outcome::Succeeded { reference, bank_reference: None };
        assert_eq!(outcome(r#""status":"succeeded""#), succeeded);
        for (reason, expected) in [
            ("insufficient_funds", Outcome::PendingFunds),
            ("charge_pending", Outcome::Pending),
            ("processing", Outcome::Pending),
        ] {
            let pending = format!(r#""status":"pending","pending_reason":"{reason}""#);
            assert_eq!(outcome(&pending), expected);
        }
        assert_eq!(outcome(r#""status":"pending""#), Outcome::Pending);
        assert_eq!(outcome(r#""status":"requires_action""#), Outcome::Pending);
        assert!(matches!(outcome(r#""status":"canceled""#), Outcome::Failed(_)));
        for unclear in [r#""status":null"#, r#""status":"reversed""#, r#""metadata":{}"#] {
            assert_eq!(outcome(unclear), Outcome::Unknown, "{unclear}");
        }
    }

    #[test]
    fn every_failure_reason_of_stripe_has_its_code() {
        for (reason, code) in [
            (r#""declined""#, FailureCode::Declined),
            (r#""expired_or_canceled_card""#, FailureCode::ExpiredOrClosedAccount),
            (r#""lost_or_stolen_card""#, FailureCode::ExpiredOrClosedAccount),
            (r#""insufficient_funds""#, FailureCode::InsufficientFunds),
            (r#""charge_for_pending_refund_disputed""#, FailureCode::ProcessorRejected),
            (r#""merchant_request""#, FailureCode::ProcessorRejected),
            (r#""unknown""#, FailureCode::Unknown),
            (r#""something_new""#, FailureCode::Unknown),
            ("null", FailureCode::Unknown),
        ] {
            let outcome = outcome(&format!(r#""status":"failed","failure_reason":{reason}"#));
            let Outcome::Failed(failure) = outcome else { panic!("{reason}: {outcome:?}") };
            assert_eq!(failure.code, code, "{reason}");
            let said = failure.said.code.as_ref().map(Text::as_str);
            assert_eq!(said, Some(reason.trim_matches('"')).filter(|said| *said != "null"));
        }
    }

    #[test]
    fn the_banks_number_is_told_with_its_kind_and_announced_before() {
        use BankReferenceKind::{Arn, Other, TraceId};
        let card = |kind: &str, status: &str| {
            format!(
                r#"{{"type":"card","card":{{"type":"refund","reference":"74","reference_status":"{status}"{kind}}}}}"#
            )
        };
        let told = |kind, value: Option<&str>| Some(BankReference { kind, value: value.map(Text::cut) });
        let arn = r#","reference_type":"acquirer_reference_number""#;
        let bank = |name: &str| {
            format!(r#"{{"type":"{name}","{name}":{{"reference":"74","reference_status":"available"}}}}"#)
        };
        for (details, expected) in [
            (card(arn, "available"), told(Arn, Some("74"))),
            (card(arn, "pending"), told(Arn, None)),
            (card("", "pending"), told(Arn, None)),
            (
                card(r#","reference_type":"system_trace_audit_number""#, "available"),
                told(TraceId, Some("74")),
            ),
            (card(r#","reference_type":"retrieval_reference_number""#, "available"), told(Other, Some("74"))),
            (card(arn, "unavailable"), None),
            (bank("us_bank_transfer"), told(TraceId, Some("74"))),
            (bank("eu_bank_transfer"), told(Other, Some("74"))),
            (r#"{"type":"klarna","klarna":{}}"#.to_owned(), None),
            (r#"{"type":"card","card":{"reference":7,"reference_status":"available"}}"#.to_owned(), None),
            ("null".to_owned(), None),
        ] {
            let outcome = outcome(&format!(r#""status":"succeeded","destination_details":{details}"#));
            let Outcome::Succeeded { bank_reference, .. } = outcome else { panic!("{details}") };
            assert_eq!(bank_reference, expected, "{details}");
        }
    }

    #[test]
    fn another_object_is_no_refund() {
        let charge = br#"{"object":"charge","id":"ch_1","amount":1,"currency":"eur","status":"succeeded"}"#;
        assert_eq!(StripeRefund::parse(charge), None);
        assert_eq!(StripeRefund::parse(b"[]"), None);
        assert_eq!(StripeRefund::parse(br#"{"object":"refund","amount":1.0}"#), None);
    }
}
