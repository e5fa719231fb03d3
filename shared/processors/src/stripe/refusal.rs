//! What Stripe means when it does not make a refund.

use recoup_domain::refund::{Failure, FailureCode};
use recoup_domain::text::Text;
use serde::Deserialize;

use crate::failure;

/// An answer that is no refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Stripe understood, and will not do it. Whether it did it *before* is another question: an idempotency
    /// key is forgotten after a day, and then our own refund of yesterday makes today's `already refunded`.
    Definite(Failure),
    /// Stripe does not know the payment, or not under this key.
    NoSuchPayment(Failure),
    /// Nothing is decided: busy, broken, or a key that is not accepted. Says why, for the log.
    Undecided(&'static str),
}

#[derive(Deserialize)]
struct Envelope {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    r#type: String,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
}

impl Refusal {
    /// Judges by the status first, then by the error object; what has none is not Stripe's own word.
    /// From <https://docs.stripe.com/error-low-level> and <https://docs.stripe.com/error-codes>.
    pub fn of(status: u16, body: &[u8]) -> Self {
        match status {
            400 | 402 | 404 => match serde_json::from_slice::<Envelope>(body) {
                Ok(envelope) => envelope.error.judged(),
                Err(_) => Self::Undecided("an error without Stripe's error object"),
            },
            401 | 403 => Self::Undecided("the key is not accepted"),
            409 => Self::Undecided("another request for this refund or payment is under way"),
            424 => Self::Undecided("something that Stripe depends on failed"),
            429 => Self::Undecided("too many requests"),
            500..=599 => Self::Undecided("an error at Stripe"),
            _ => Self::Undecided("a status that Stripe does not document"),
        }
    }
}

impl ErrorObject {
    fn judged(&self) -> Refusal {
        let code = self.code.as_deref().unwrap_or_default();
        match (self.r#type.as_str(), code) {
            // This id was used with other parameters: then something was done under it.
            ("idempotency_error", _) => Refusal::Undecided("the id was used with other parameters"),
            (_, "lock_timeout" | "idempotency_key_in_use") => {
                Refusal::Undecided("another request for this refund or payment is under way")
            }
            (_, "rate_limit") => Refusal::Undecided("too many requests"),
            (
                _,
                "api_key_expired"
                | "platform_api_key_expired"
                | "secret_key_required"
                | "account_invalid"
                | "livemode_mismatch"
                | "testmode_charges_only",
            ) => Refusal::Undecided("the key is not accepted"),
            ("invalid_request_error", "resource_missing") => Refusal::NoSuchPayment(failure(
                FailureCode::ProcessorRejected,
                "Stripe does not know the payment.",
            )),
            ("card_error", _) => Refusal::Definite(self.of_the_card(code)),
            ("invalid_request_error", _) => Refusal::Definite(self.of_the_request(code)),
            _ => Refusal::Undecided("an error at Stripe"),
        }
    }

    fn of_the_card(&self, code: &str) -> Failure {
        let reason = self.decline_code.as_deref().unwrap_or(code);
        let (code, message) = match reason {
            "expired_card" | "lost_card" | "stolen_card" | "pickup_card" | "invalid_account"
            | "account_closed" => {
                (FailureCode::ExpiredOrClosedAccount, "The customer's card or account is gone.")
            }
            "insufficient_funds" | "balance_insufficient" => {
                (FailureCode::InsufficientFunds, "The balance at Stripe does not suffice.")
            }
            "processing_error" | "try_again_later" | "issuer_not_available" => {
                (FailureCode::ProcessorError, "The refund failed on its way to the customer's bank.")
            }
            _ => (FailureCode::Declined, "The customer's bank declined the refund."),
        };
        failure(code, message)
    }

    fn of_the_request(&self, code: &str) -> Failure {
        let message = match code {
            "charge_already_refunded" => "The payment has already been refunded at Stripe.",
            "charge_disputed" | "refund_disputed_payment" => "The payment is disputed at Stripe.",
            "balance_insufficient" | "insufficient_funds" => {
                let message = "The balance at Stripe does not suffice.";
                return failure(FailureCode::InsufficientFunds, message);
            }
            "account_closed" => {
                let message = "The customer's card or account is gone.";
                return failure(FailureCode::ExpiredOrClosedAccount, message);
            }
            _ if self.param.as_deref() == Some("amount") => {
                "Stripe refuses the amount: it is more than is left of the payment there, or not allowed."
            }
            _ => return unlisted(code),
        };
        failure(FailureCode::ProcessorRejected, message)
    }
}

/// Names Stripe's code if it looks like one: it is looked up in Stripe's own list.
fn unlisted(code: &str) -> Failure {
    let is_code = (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let message = is_code.then(|| Text::new(format!("Stripe refuses the refund ({code}).")).ok()).flatten();
    match message {
        Some(message) => Failure { code: FailureCode::ProcessorRejected, message },
        None => failure(FailureCode::ProcessorRejected, "Stripe refuses the refund."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, error: &str) -> Refusal {
        Refusal::of(status, format!(r#"{{"error":{error}}}"#).as_bytes())
    }

    fn code(refusal: &Refusal) -> Option<FailureCode> {
        match refusal {
            Refusal::Definite(failure) | Refusal::NoSuchPayment(failure) => Some(failure.code),
            Refusal::Undecided(_) => None,
        }
    }

    #[test]
    fn a_definite_refusal_has_the_best_code() {
        let invalid = |code: &str| format!(r#"{{"type":"invalid_request_error","code":"{code}"}}"#);
        let card =
            |code: &str| format!(r#"{{"type":"card_error","code":"card_declined","decline_code":"{code}"}}"#);
        for (status, error, expected) in [
            (400, invalid("charge_already_refunded"), FailureCode::ProcessorRejected),
            (400, invalid("charge_disputed"), FailureCode::ProcessorRejected),
            (400, invalid("refund_disputed_payment"), FailureCode::ProcessorRejected),
            (404, invalid("resource_missing"), FailureCode::ProcessorRejected),
            (400, invalid("balance_insufficient"), FailureCode::InsufficientFunds),
            (400, invalid("parameter_unknown"), FailureCode::ProcessorRejected),
            (402, card("generic_decline"), FailureCode::Declined),
            (402, card("expired_card"), FailureCode::ExpiredOrClosedAccount),
            (402, card("lost_card"), FailureCode::ExpiredOrClosedAccount),
            (402, card("processing_error"), FailureCode::ProcessorError),
            (
                400,
                r#"{"type":"invalid_request_error","param":"amount"}"#.to_owned(),
                FailureCode::ProcessorRejected,
            ),
        ] {
            let refusal = judged(status, &error);
            assert_eq!(code(&refusal), Some(expected), "{error}");
            let missing = matches!(refusal, Refusal::NoSuchPayment(_));
            assert_eq!(missing, error.contains("resource_missing"), "{error}");
        }
    }

    #[test]
    fn nothing_else_is_a_refusal() {
        let error = |kind: &str, code: &str| format!(r#"{{"type":"{kind}","code":"{code}"}}"#);
        for (status, error) in [
            (400, error("idempotency_error", "")),
            (400, error("invalid_request_error", "lock_timeout")),
            (400, error("invalid_request_error", "livemode_mismatch")),
            (400, error("api_error", "")),
            (400, error("something_new", "charge_disputed")),
            (401, error("invalid_request_error", "charge_disputed")),
            (403, error("invalid_request_error", "charge_disputed")),
            (409, error("invalid_request_error", "charge_disputed")),
            (429, error("rate_limit_error", "rate_limit")),
            (500, error("card_error", "card_declined")),
            (503, error("api_error", "")),
            (302, error("card_error", "card_declined")),
            (418, error("card_error", "card_declined")),
        ] {
            assert_eq!(code(&judged(status, &error)), None, "{status} {error}");
        }
        for body in ["", "<html>", "{}", r#"{"error":"no"}"#, r#"{"error":{"code":"charge_disputed"}}"#] {
            assert_eq!(code(&Refusal::of(400, body.as_bytes())), None, "{body}");
        }
    }

    #[test]
    fn a_refusal_repeats_no_words_of_the_processor() {
        let noisy =
            r#"{"type":"invalid_request_error","code":"Card 4242 of <b>Ann</b>","message":"Card 4242"}"#;
        let Refusal::Definite(failure) = judged(400, noisy) else { panic!("it is a refusal") };
        assert_eq!(failure.message.as_str(), "Stripe refuses the refund.");
        let coded = r#"{"type":"invalid_request_error","code":"url_invalid"}"#;
        let Refusal::Definite(failure) = judged(400, coded) else { panic!("it is a refusal") };
        assert_eq!(failure.message.as_str(), "Stripe refuses the refund (url_invalid).");
    }
}
