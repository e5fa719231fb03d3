//! A charge as Stripe tells of it, by its own name or by its payment intent's.

use recoup_domain::text::Text;
use recoup_ports::charges::Charge;
use serde::Deserialize;

use super::StripeAmount;
use super::order::payment_parameter;

/// Where the charge behind a payment's reference is read; `None` if it is no charge and no payment intent.
pub fn charge_path(reference: &str) -> Option<String> {
    match payment_parameter(reference)? {
        "charge" => Some(format!("v1/charges/{reference}")),
        _ => Some(format!("v1/payment_intents/{reference}?expand%5B%5D=latest_charge")),
    }
}

#[derive(Deserialize)]
#[serde(tag = "object", rename_all = "snake_case")]
enum Answer {
    Charge(ChargeObject),
    PaymentIntent { id: String, currency: String, latest_charge: Option<ChargeObject> },
}

#[derive(Deserialize)]
struct ChargeObject {
    id: String,
    amount_captured: u64,
    amount_refunded: u64,
    #[serde(default)]
    disputed: bool,
    currency: String,
    status: String,
    payment_intent: Option<String>,
    transfer: Option<String>,
    transfer_data: Option<TransferData>,
    on_behalf_of: Option<String>,
    application_fee: Option<String>,
}

#[derive(Deserialize)]
struct TransferData {
    destination: String,
}

/// Reads an answer's body; `None` where it is neither a charge nor a payment intent, or has an amount that our minor
/// units cannot say.
pub fn charge(body: &[u8]) -> Option<Charge> {
    match serde_json::from_slice(body).ok()? {
        Answer::Charge(object) => object.charge(),
        Answer::PaymentIntent { id, currency, latest_charge } => match latest_charge {
            Some(object) => ChargeObject { payment_intent: Some(id), ..object }.charge(),
            None => nothing_captured(&currency),
        },
    }
}

/// A charge that failed, or waits to be captured, may be followed by another one of the same payment intent. What is
/// released of it without a capture counts as refunded at Stripe; nobody ever paid it.
fn nothing_captured(currency: &str) -> Option<Charge> {
    Some(Charge {
        names: Vec::new(),
        currency: StripeAmount::of_units(0, currency).money()?.currency(),
        captured_minor: 0,
        refunded_minor: 0,
        disputed: false,
        destination: None,
        transfer: None,
        on_behalf_of: None,
        application_fee: None,
    })
}

impl ChargeObject {
    fn charge(self) -> Option<Charge> {
        if self.status != "succeeded" || self.amount_captured == 0 {
            return nothing_captured(&self.currency);
        }
        let money = |units| StripeAmount::of_units(units, &self.currency).money();
        let (captured, refunded) = (money(self.amount_captured)?, money(self.amount_refunded)?);
        let text = |text: String| Text::new(text).ok();
        Some(Charge {
            names: [Some(self.id), self.payment_intent].into_iter().flatten().filter_map(text).collect(),
            currency: captured.currency(),
            captured_minor: captured.minor(),
            refunded_minor: refunded.minor(),
            disputed: self.disputed,
            destination: self.transfer_data.and_then(|data| text(data.destination)),
            transfer: self.transfer.and_then(text),
            on_behalf_of: self.on_behalf_of.and_then(text),
            application_fee: self.application_fee.and_then(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A charge object with the fields that are read, and some of those that are not.
    fn object() -> Value {
        json!({
            "id": "ch_1", "object": "charge", "amount": 1_000, "amount_captured": 900, "amount_refunded": 200,
            "currency": "eur", "status": "succeeded", "captured": true, "payment_intent": "pi_1",
            "transfer": "tr_1", "transfer_data": { "amount": null, "destination": "acct_1" },
            "on_behalf_of": "acct_1", "application_fee": "fee_1", "refunds": null,
        })
    }

    fn read(body: &Value) -> Option<Charge> {
        charge(body.to_string().as_bytes())
    }

    fn with(field: &str, value: Value) -> Value {
        let mut object = object();
        object[field] = value;
        object
    }

    #[test]
    fn a_charge_and_its_payment_intent_tell_the_same() {
        let found = read(&object()).unwrap();
        let intent = json!({
            "id": "pi_1", "object": "payment_intent", "amount": 1_000, "amount_received": 900, "currency": "eur",
            "latest_charge": object(),
        });
        assert_eq!(read(&intent).as_ref(), Some(&found));
        assert_eq!(found.names.iter().map(Text::as_str).collect::<Vec<_>>(), ["ch_1", "pi_1"]);
        assert_eq!(
            (found.captured_minor, found.refunded_minor),
            (900, 200),
            "what was captured, not authorised"
        );
        let text = |text: &Option<Text<255>>| text.as_ref().map(|text| text.as_str().to_owned());
        let parts =
            [&found.destination, &found.transfer, &found.on_behalf_of, &found.application_fee].map(text);
        assert_eq!(parts, ["acct_1", "tr_1", "acct_1", "fee_1"].map(|text| Some(text.to_owned())));
    }

    #[test]
    fn what_is_not_captured_has_no_amount_and_no_name_of_its_own() {
        let intent = json!({
            "id": "pi_1", "object": "payment_intent", "currency": "eur", "latest_charge": null,
        });
        let failed = with("status", json!("failed"));
        let pending = with("status", json!("pending"));
        // A released authorisation counts as refunded at Stripe.
        let mut released = with("amount_captured", json!(0));
        released["amount_refunded"] = json!(1_000);
        for body in [intent, failed, pending, released] {
            let found = read(&body).unwrap();
            assert_eq!((found.captured_minor, found.refunded_minor, found.names.len()), (0, 0, 0), "{body}");
        }
    }

    #[test]
    fn amounts_are_told_in_our_minor_units_or_not_at_all() {
        let found = read(&with("currency", json!("mga"))).unwrap();
        assert_eq!((found.currency.code(), found.captured_minor), ("MGA", 90_000));
        for unclear in [
            with("currency", json!("zzz")),
            with("amount_captured", json!(u64::MAX)),
            with("amount_captured", Value::Null),
            with("object", json!("refund")),
            json!([]),
        ] {
            assert_eq!(read(&unclear), None, "{unclear}");
        }
    }

    #[test]
    fn a_reference_is_read_where_it_belongs() {
        let path = |reference| charge_path(reference).unwrap_or_default();
        assert_eq!(path("ch_1"), "v1/charges/ch_1");
        assert_eq!(path("py_1"), "v1/charges/py_1");
        assert_eq!(path("pi_1"), "v1/payment_intents/pi_1?expand%5B%5D=latest_charge");
        assert_eq!(path("ch_1/refunds"), "");
    }
}
