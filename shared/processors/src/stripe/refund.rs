//! A refund as Stripe tells of it.

use std::collections::BTreeMap;

use recoup_domain::ids::Tenant;
use recoup_domain::refund::{Failure, FailureCode, Outcome, Refund};
use recoup_domain::text::Text;
use recoup_ports::processor::Listed;
use serde::Deserialize;

use super::{Order, StripeAmount, metadata};
use crate::failure;
use crate::notification::names;

/// Stripe's refund object, as far as we read it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StripeRefund {
    object: Tag,
    /// Stripe's name for it, `re_…` or `pyr_…`.
    pub id: String,
    amount: u64,
    currency: String,
    status: Option<String>,
    failure_reason: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
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

    /// Whether it carries this refund's id.
    pub fn is_of(&self, refund: &Refund) -> bool {
        self.named(metadata::REFUND) == Some(refund.id.as_str())
    }

    /// What it means for our refund. [`Outcome::Unknown`] where it is not the refund that was asked for: under
    /// another id, or of another amount or currency. A person has to look at that.
    pub fn outcome_of(&self, refund: &Refund) -> Outcome {
        let asked = Order::of(refund).ok().map(|order| order.amount);
        if self.is_of(refund) && asked == Some(self.amount()) { self.outcome() } else { Outcome::Unknown }
    }

    /// What it is in Stripe's list of this tenant's refunds; `None` if it is not one of them: somebody made it at
    /// Stripe without us, or it is another tenant's, for two may share one account there.
    ///
    /// One whose amount cannot be told is [`Outcome::Unknown`], whatever its status: it is not what was asked for.
    pub fn listed(&self, tenant: &Tenant) -> Option<Listed> {
        let (environment, account) = (self.named(metadata::ENVIRONMENT)?, self.named(metadata::ACCOUNT)?);
        let (whose, refund) = names(environment, account, self.named(metadata::REFUND)?)?;
        if whose != *tenant {
            return None;
        }
        let reference = Text::new(self.id.clone()).ok()?;
        let amount = self.amount().money();
        let outcome = if amount.is_some() { self.outcome() } else { Outcome::Unknown };
        Some(Listed { refund, reference, outcome, amount })
    }

    /// How it stands. Stripe's own list of statuses; a null or an unheard-of one says nothing.
    pub(super) fn outcome(&self) -> Outcome {
        match self.status.as_deref() {
            Some("succeeded") => Text::new(self.id.clone())
                .map_or(Outcome::Unknown, |reference| Outcome::Succeeded { reference }),
            // Stripe waits: for the customer's details, for its own balance, for the bank.
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
    failure(code, message)
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
        assert_eq!(outcome(r#""status":"succeeded""#), Outcome::Succeeded { reference });
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
