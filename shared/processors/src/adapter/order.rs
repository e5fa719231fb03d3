//! What we ask of an adapter: one refund, in the same words at every repeat.

use recoup_domain::money::Money;
use recoup_domain::or_abort::OrAbort;
use recoup_domain::refund::{ReasonCode, Refund};
use recoup_domain::split::Split;
use recoup_domain::text::Text;
use serde::Serialize;

#[derive(Serialize)]
struct Order<'refund> {
    refund_id: &'refund str,
    environment: &'static str,
    account_id: &'refund str,
    payment_id: &'refund str,
    payment_reference: &'refund str,
    amount: u64,
    amount_decimal: String,
    currency: &'static str,
    kind: &'static str,
    reason: Option<&'refund str>,
    reason_code: Option<&'static str>,
    description: Option<&'refund str>,
    reference: Option<&'refund str>,
    routing: Option<Routing<'refund>>,
    /// Not said of payments that an earlier version registered: an order's words stay the same at every repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<&'static str>,
    created_at: String,
}

#[derive(Serialize)]
struct Routing<'refund> {
    platform: Part,
    merchants: Vec<MerchantPart<'refund>>,
}

#[derive(Serialize)]
struct Part {
    amount: u64,
    amount_decimal: String,
}

#[derive(Serialize)]
struct MerchantPart<'refund> {
    account_id: &'refund str,
    #[serde(flatten)]
    part: Part,
}

/// The body of `POST {base}/refunds`. It depends on nothing that can change in a refund, so an adapter may
/// compare it with what it got before.
pub fn order(refund: &Refund) -> String {
    let notes = &refund.notes;
    let order = Order {
        refund_id: refund.id.as_str(),
        environment: refund.tenant.environment.as_str(),
        account_id: refund.tenant.account.as_str(),
        payment_id: refund.payment_id.as_str(),
        payment_reference: refund.processor.reference.as_str(),
        amount: refund.amount.minor(),
        amount_decimal: refund.amount.decimal(),
        currency: refund.amount.currency().code(),
        kind: refund.kind.as_str(),
        reason: notes.reason.as_ref().map(Text::as_str),
        reason_code: notes.reason.as_ref().map(|reason| ReasonCode::of(reason).as_str()),
        description: notes.description.as_ref().map(Text::as_str),
        reference: notes.reference.as_ref().map(Text::as_str),
        routing: refund.split.as_ref().map(routing),
        split: refund.processor.split.as_ref().map(|terms| terms.shape.as_said()),
        created_at: refund.created_at.rfc3339(),
    };
    serde_json::to_string(&order).or_abort("texts and numbers can be written as JSON")
}

fn routing(split: &Split) -> Routing<'_> {
    let merchants = split.merchants().iter();
    let merchants = merchants
        .map(|merchant| MerchantPart { account_id: merchant.account.as_str(), part: part(merchant.amount) });
    Routing { platform: part(split.platform()), merchants: merchants.collect() }
}

fn part(amount: Money) -> Part {
    Part { amount: amount.minor(), amount_decimal: amount.decimal() }
}

#[cfg(test)]
mod tests {
    use recoup_domain::refund::Outcome;
    use recoup_domain::text::Metadata;
    use recoup_testing::fixtures::{self, SELLER, SUPPLIER};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_order_says_everything_that_was_agreed() {
        let payment = fixtures::getpaid_payment();
        let refund = fixtures::decided(&payment, &fixtures::getpaid_wanted(), "key").refund;
        let said: Value = serde_json::from_str(&order(&refund)).unwrap();
        let expected = json!({
            "refund_id": refund.id.as_str(), "environment": "sandbox", "account_id": refund.tenant.account.as_str(),
            "payment_id": payment.id.as_str(), "payment_reference": "sandbox_succeed",
            "amount": 1500, "amount_decimal": "15.00", "currency": "EUR", "kind": "refund",
            "reason": "customer_request", "reason_code": "customer_request",
            "description": "Refund for ORD-123456", "reference": "REFUND-123456",
            "routing": {
                "platform": { "amount": 0, "amount_decimal": "0.00" },
                "merchants": [ { "account_id": SELLER, "amount": 1000, "amount_decimal": "10.00" },
                               { "account_id": SUPPLIER, "amount": 500, "amount_decimal": "5.00" } ] },
            "created_at": "2026-11-22T09:30:00.000Z",
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn the_words_are_the_same_whatever_became_of_the_refund() {
        let payment = fixtures::payment("pay_1", 500);
        let first = fixtures::decided(&payment, &fixtures::wanted(&payment, None), "key").refund;
        let mut later = fixtures::stepped(&first, Outcome::Unknown);
        later.handed_over_at = Some(fixtures::later(1));
        let pairs = [("order".to_owned(), "1".to_owned())].into();
        later.version.metadata = Metadata::new(pairs).unwrap();
        assert_eq!(order(&later), order(&first));
    }
}
