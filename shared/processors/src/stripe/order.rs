//! What we ask of Stripe: one refund, in the same words at every repeat.

use recoup_domain::recovery::Shape;
use recoup_domain::refund::{Failure, FailureCode, ReasonCode, Refund};
use recoup_domain::text::Text;

use super::{StripeAmount, metadata};
use crate::{BadReference, failure};

/// Most characters of a payment's name at Stripe that we believe to be one.
const REFERENCE_MAX: usize = 255;

/// A refund in Stripe's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which parameter names the payment: `charge` or `payment_intent`.
    pub payment_parameter: &'static str,
    /// The payment.
    pub payment: String,
    /// How much.
    pub amount: StripeAmount,
    reason: Option<&'static str>,
    flags: Vec<&'static str>,
    metadata: Vec<(&'static str, String)>,
}

impl Order {
    /// The order for a refund; the failure of one that Stripe could never carry out, at any time: its payment
    /// is no charge (`ch_…`, `py_…`) or payment intent (`pi_…`), or its amount cannot be said there.
    pub fn of(refund: &Refund) -> Result<Self, Failure> {
        let payment = refund.processor.reference.as_str();
        let Some(payment_parameter) = payment_parameter(payment) else {
            return Err(rejected("The payment's reference is no charge or payment intent of Stripe's."));
        };
        let Some(amount) = StripeAmount::of(refund.amount) else {
            return Err(rejected("Stripe cannot refund exactly this amount in this currency."));
        };
        let reason = refund.notes.reason.as_ref().map(ReasonCode::of).and_then(reason);
        let mut pairs = ours(refund);
        if let Some(description) = &refund.notes.description {
            pairs.push((metadata::DESCRIPTION, description.as_str().to_owned()));
        }
        let flags = flags(refund);
        Ok(Self { payment_parameter, payment: payment.to_owned(), amount, reason, flags, metadata: pairs })
    }

    /// The parameters of `POST /v1/refunds`. They depend on nothing that can change in a refund: Stripe
    /// refuses its idempotency key with other parameters.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let mut parameters = vec![
            (self.payment_parameter.to_owned(), self.payment.clone()),
            ("amount".to_owned(), self.amount.units().to_string()),
        ];
        parameters.extend(self.reason.map(|reason| ("reason".to_owned(), reason.to_owned())));
        parameters.extend(self.flags.iter().map(|flag| ((*flag).to_owned(), "true".to_owned())));
        let metadata = self.metadata.iter();
        parameters.extend(metadata.map(|(key, value)| (format!("metadata[{key}]"), value.clone())));
        parameters
    }
}

/// Our names for a refund, by which it is found again.
pub(super) fn ours(refund: &Refund) -> Vec<(&'static str, String)> {
    vec![
        (metadata::REFUND, refund.id.to_string()),
        (metadata::ACCOUNT, refund.tenant.account.to_string()),
        (metadata::ENVIRONMENT, refund.tenant.environment.as_str().to_owned()),
    ]
}

/// What Stripe does in the same step, in proportion to the refund: which is exactly what each actor gives.
fn flags(refund: &Refund) -> Vec<&'static str> {
    let is_whole = refund.processor.shape() == Shape::WithRefund;
    let Some(split) = refund.split.as_ref().filter(|_| is_whole) else { return Vec::new() };
    let gives_from_transfer = refund.processor.account.is_none() && split.platform() != split.total();
    let reversed = gives_from_transfer.then_some("reverse_transfer");
    let fee = (!split.platform().is_zero()).then_some("refund_application_fee");
    reversed.into_iter().chain(fee).collect()
}

/// A payment's reference, if a refund could ever be made of it.
pub(crate) fn reference(reference: Text<255>) -> Result<Text<255>, BadReference> {
    let why = "must be a charge (ch_… or py_…) or a payment intent (pi_…) of Stripe's";
    payment_parameter(reference.as_str()).map(|_| reference).ok_or(BadReference::Malformed(why))
}

/// Which of Stripe's parameters names this payment; `None` if it is no charge (`ch_…`, `py_…`) and no payment
/// intent (`pi_…`).
pub fn payment_parameter(reference: &str) -> Option<&'static str> {
    match reference.split_once('_')? {
        ("ch" | "py", rest) if is_name(rest) => Some("charge"),
        ("pi", rest) if is_name(rest) => Some("payment_intent"),
        _ => None,
    }
}

/// Whether this can stand in a path: Stripe's names are letters, digits and `_`.
pub fn is_name(rest: &str) -> bool {
    (1..=REFERENCE_MAX).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `fraudulent` is never said: with it Stripe puts the customer's card and e-mail on block lists, which
/// nobody asked us for.
fn reason(code: ReasonCode) -> Option<&'static str> {
    match code {
        ReasonCode::CustomerRequest => Some("requested_by_customer"),
        ReasonCode::Duplicate => Some("duplicate"),
        ReasonCode::Fraud | ReasonCode::Other => None,
    }
}

fn rejected(message: &'static str) -> Failure {
    failure(FailureCode::ProcessorRejected, message)
}

#[cfg(test)]
mod tests {
    use recoup_testing::fixtures::{self, text};

    use super::*;

    fn refund(reference: &str) -> Refund {
        let payment = fixtures::getpaid_payment();
        let mut refund = fixtures::decided(&payment, &fixtures::getpaid_wanted(), "key").refund;
        refund.processor.reference = text(reference);
        refund
    }

    #[test]
    fn an_order_names_the_payment_the_amount_and_us() {
        let refund = refund("ch_3MmlLrLkdIwHu7ix0uke3Ezy");
        let parameters = Order::of(&refund).unwrap().parameters();
        let expected = [
            ("charge", "ch_3MmlLrLkdIwHu7ix0uke3Ezy"),
            ("amount", "1500"),
            ("reason", "requested_by_customer"),
            ("metadata[recoup_refund_id]", refund.id.as_str()),
            ("metadata[recoup_account_id]", refund.tenant.account.as_str()),
            ("metadata[recoup_environment]", "sandbox"),
            ("metadata[recoup_description]", "Refund for ORD-123456"),
        ];
        assert_eq!(parameters, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_payment_is_a_charge_or_a_payment_intent() {
        for (reference, parameter) in
            [("ch_1", "charge"), ("py_1", "charge"), ("pi_1", "payment_intent"), ("pi_a_B", "payment_intent")]
        {
            assert_eq!(Order::of(&refund(reference)).unwrap().payment_parameter, parameter);
        }
        for reference in ["re_1", "ch_", "ch", "sandbox_succeed", "ch_1&amount=1", "CH_1", "ch_1/refunds"] {
            let failure = Order::of(&refund(reference)).unwrap_err();
            assert_eq!(failure.code, FailureCode::ProcessorRejected, "{reference}");
        }
    }

    #[test]
    fn the_words_are_the_same_whatever_became_of_the_refund() {
        let first = refund("ch_1");
        let mut later = fixtures::stepped(&first, recoup_domain::refund::Outcome::Unknown);
        later.handed_over_at = Some(fixtures::later(1));
        later.version.metadata = recoup_domain::text::Metadata::default();
        assert_eq!(Order::of(&later), Order::of(&first));
    }

    #[test]
    fn nobody_is_put_on_a_block_list() {
        let mut refund = refund("ch_1");
        refund.notes.reason = Some(text("fraud"));
        let parameters = Order::of(&refund).unwrap().parameters();
        assert!(parameters.iter().all(|(key, _)| key != "reason"), "{parameters:?}");
    }
}
