//! What Stripe means when it does not make a refund.

use recoup_domain::refund::{Failure, FailureCode, Said};
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
    /// Nothing is decided. Says why, for the log.
    Undecided(&'static str),
    /// Not now, and nothing was done. Says why, for the log.
    Busy(&'static str),
    /// The key is not accepted, so nothing was done.
    KeyRefused,
}

/// What Stripe says beside an answer's body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'answer> {
    /// `Stripe-Should-Retry`: whether the same request would have an effect, where Stripe knows.
    pub should_retry: Option<bool>,
    /// `Idempotent-Replayed`: the answer is that of an earlier request, which was begun.
    pub replayed: bool,
    /// `Request-Id`.
    pub request_id: Option<&'answer str>,
}

#[derive(Deserialize)]
struct Envelope {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    r#type: String,
    code: Option<String>,
    message_code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

const UNDER_WAY: &str = "another request for this refund or payment is under way";
const TOO_MANY: &str = "too many requests";

impl Refusal {
    /// Judges by the status first, then by the error object; what has none is not Stripe's own word.
    /// From <https://docs.stripe.com/error-low-level> and <https://docs.stripe.com/error-codes>.
    ///
    /// What is limited or locked out was not begun: both stand before the idempotency keys, so no such answer is ever
    /// kept under one. One that is replayed all the same, or not worth a repeat, leaves open what was done.
    pub fn of(status: u16, body: &[u8], beside: Beside<'_>) -> Self {
        let judged = match status {
            400 | 402 | 404 => match serde_json::from_slice::<Envelope>(body) {
                Ok(envelope) => envelope.error.judged(beside.request_id),
                Err(_) => Self::Undecided("an error without Stripe's error object"),
            },
            401 | 403 => Self::KeyRefused,
            409 => Self::Busy(UNDER_WAY),
            424 => Self::Undecided("something that Stripe depends on failed"),
            429 => Self::Busy(TOO_MANY),
            500..=599 => Self::Undecided("an error at Stripe"),
            _ => Self::Undecided("a status that Stripe does not document"),
        };
        match judged {
            Self::Busy(why) if beside.replayed || beside.should_retry == Some(false) => Self::Undecided(why),
            Self::Definite(_) | Self::NoSuchPayment(_) if beside.should_retry == Some(true) => {
                Self::Busy("Stripe asks for the same request again")
            }
            judged => judged,
        }
    }
}

impl Refusal {
    /// An answer that is not in JSON: what stands before Stripe's API may also turn us away.
    pub fn unread(status: u16, beside: Beside<'_>) -> Self {
        match Self::of(status, &[], beside) {
            busy @ Self::Busy(_) => busy,
            Self::Definite(_) | Self::NoSuchPayment(_) | Self::Undecided(_) | Self::KeyRefused => {
                Self::Undecided("the answer is not JSON")
            }
        }
    }
}

impl ErrorObject {
    fn judged(&self, request_id: Option<&str>) -> Refusal {
        let code = self.code.as_deref().or(self.message_code.as_deref()).unwrap_or_default();
        let said = || Said {
            code: Some(code).and_then(Text::cleaned),
            message: self.message.as_deref().and_then(Text::cleaned),
            request_id: request_id.and_then(Text::cleaned),
        };
        match (self.r#type.as_str(), code) {
            // This id was used with other parameters: then something was done under it.
            ("idempotency_error", _) => Refusal::Undecided("the id was used with other parameters"),
            (_, "lock_timeout" | "idempotency_key_in_use") => Refusal::Busy(UNDER_WAY),
            (_, "rate_limit") => Refusal::Busy(TOO_MANY),
            (
                _,
                "api_key_expired"
                | "platform_api_key_expired"
                | "secret_key_required"
                | "account_invalid"
                | "livemode_mismatch"
                | "testmode_charges_only",
            ) => Refusal::KeyRefused,
            ("invalid_request_error", "resource_missing") => {
                let failure = failure(FailureCode::ProcessorRejected, "Stripe does not know the payment.");
                Refusal::NoSuchPayment(Failure { said: said(), ..failure })
            }
            ("card_error", _) => Refusal::Definite(Failure { said: said(), ..self.of_the_card(code) }),
            ("invalid_request_error", _) => {
                Refusal::Definite(Failure { said: said(), ..self.of_the_request(code) })
            }
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
            // Stripe says so without a code, in its own words.
            "" if self.message.as_deref().is_some_and(lacks_funds) => {
                let message = "The balance at Stripe does not suffice.";
                return failure(FailureCode::InsufficientFunds, message);
            }
            _ if self.param.as_deref() == Some("amount") => {
                "Stripe refuses the amount: it is more than is left of the payment there, or not allowed."
            }
            _ => return unlisted(code),
        };
        failure(FailureCode::ProcessorRejected, message)
    }
}

fn lacks_funds(message: &str) -> bool {
    message.to_ascii_lowercase().contains("insufficient funds")
}

/// Names Stripe's code if it looks like one: it is looked up in Stripe's own list.
fn unlisted(code: &str) -> Failure {
    let is_code = (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let message = is_code.then(|| Text::new(format!("Stripe refuses the refund ({code}).")).ok()).flatten();
    match message {
        Some(message) => Failure { code: FailureCode::ProcessorRejected, message, said: Said::default() },
        None => failure(FailureCode::ProcessorRejected, "Stripe refuses the refund."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, error: &str) -> Refusal {
        beside(status, error, Beside::default())
    }

    fn beside(status: u16, error: &str, beside: Beside<'_>) -> Refusal {
        Refusal::of(status, format!(r#"{{"error":{error}}}"#).as_bytes(), beside)
    }

    fn code(refusal: &Refusal) -> Option<FailureCode> {
        match refusal {
            Refusal::Definite(failure) | Refusal::NoSuchPayment(failure) => Some(failure.code),
            Refusal::Undecided(_) | Refusal::Busy(_) | Refusal::KeyRefused => None,
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
            (
                400,
                r#"{"type":"invalid_request_error","param":"amount","message":"Insufficient funds in your Stripe balance."}"#
                    .to_owned(),
                FailureCode::InsufficientFunds,
            ),
            (
                400,
                r#"{"type":"invalid_request_error","message_code":"balance_insufficient"}"#.to_owned(),
                FailureCode::InsufficientFunds,
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
            assert_eq!(code(&Refusal::of(400, body.as_bytes(), Beside::default())), None, "{body}");
        }
    }

    #[test]
    fn busy_is_only_what_was_not_begun() {
        let lock = r#"{"type":"invalid_request_error","code":"lock_timeout"}"#;
        let in_use = r#"{"type":"idempotency_error","code":"idempotency_key_in_use"}"#;
        let error = r#"{"type":"api_error"}"#;
        let definite = r#"{"type":"invalid_request_error","code":"charge_disputed"}"#;
        let plain = Beside::default();
        let again = Beside { should_retry: Some(true), ..plain };
        let no_use = Beside { should_retry: Some(false), ..plain };
        let replayed = Beside { replayed: true, ..plain };
        for (status, body, said, is_busy) in [
            (429, lock, plain, true),
            (400, lock, plain, true),
            (409, in_use, plain, true),
            (409, lock, again, true),
            (400, definite, again, true),
            (400, definite, plain, false),
            (429, lock, no_use, false),
            (429, lock, replayed, false),
            // Stripe calls the result of a 500 indeterminate, also where it asks for the request again.
            (500, error, again, false),
            (503, error, plain, false),
            (424, error, again, false),
        ] {
            let refusal = beside(status, body, said);
            assert_eq!(matches!(refusal, Refusal::Busy(_)), is_busy, "{status} {body} {said:?}: {refusal:?}");
        }
        assert_eq!(judged(401, error), Refusal::KeyRefused);
        assert_eq!(judged(403, error), Refusal::KeyRefused);
    }

    #[test]
    fn a_refusal_keeps_what_stripe_said_and_no_number_of_a_card() {
        let noisy = r#"{"type":"invalid_request_error","code":"charge_disputed","message":"Charge\u0007 4242 4242 4242 4242 is disputed"}"#;
        let said = beside(400, noisy, Beside { request_id: Some("req_1"), ..Beside::default() });
        let Refusal::Definite(Failure { said, .. }) = said else { panic!("it is a refusal") };
        assert_eq!(said.code.unwrap().as_str(), "charge_disputed");
        assert_eq!(said.message.unwrap().as_str(), "Charge  (number) is disputed");
        assert_eq!(said.request_id.unwrap().as_str(), "req_1");
    }

    #[test]
    fn our_own_sentence_repeats_no_words_of_the_processor() {
        let noisy =
            r#"{"type":"invalid_request_error","code":"Card 4242 of <b>Ann</b>","message":"Card 4242"}"#;
        let Refusal::Definite(failure) = judged(400, noisy) else { panic!("it is a refusal") };
        assert_eq!(failure.message.as_str(), "Stripe refuses the refund.");
        let coded = r#"{"type":"invalid_request_error","code":"url_invalid"}"#;
        let Refusal::Definite(failure) = judged(400, coded) else { panic!("it is a refusal") };
        assert_eq!(failure.message.as_str(), "Stripe refuses the refund (url_invalid).");
    }
}
