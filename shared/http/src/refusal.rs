//! The one map from a domain refusal to the problem that its caller reads.

use recoup_domain::decide::{Refusal, ShortActor};
use recoup_domain::money::Money;
use recoup_domain::payment::Conflict;
use recoup_domain::split::Actor;
use serde_json::{Value, json};

use crate::fields::invalid;
use crate::problem::{Code, Problem};
use crate::respond::internal;

fn sentence(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).chain(['.']).collect()
}

fn left(problem: Problem, money: Money) -> Problem {
    problem
        .with("refundable_amount", money.minor().into())
        .with("refundable_amount_decimal", money.decimal().into())
        .with("currency", money.currency().code().into())
}

fn short(actor: &ShortActor) -> Value {
    let who = match &actor.actor {
        Actor::Platform => json!({ "actor": "platform" }),
        Actor::Merchant(id) => json!({ "actor": "merchant", "account_id": id.as_str() }),
    };
    let Value::Object(mut fields) = who else { return who };
    fields.insert("amount".into(), actor.wanted.minor().into());
    fields.insert("amount_decimal".into(), actor.wanted.decimal().into());
    fields.insert("refundable_amount".into(), actor.refundable.minor().into());
    fields.insert("refundable_amount_decimal".into(), actor.refundable.decimal().into());
    Value::Object(fields)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = sentence(&refusal);
        let problem = |code| Problem::new(code, detail.clone());
        match refusal {
            Refusal::Contradiction { payment, why } => {
                tracing::error!(payment.id = %payment, why, "a payment whose amounts contradict each other is not refunded");
                internal()
            }
            Refusal::NotCompleted(_) | Refusal::TermsDiffer(_) | Refusal::TooManyRefunds => {
                problem(Code::PaymentNotRefundable)
            }
            Refusal::NotVerified(wait) => problem(Code::PaymentNotVerified).waiting(wait),
            Refusal::Disputed => problem(Code::PaymentDisputed),
            Refusal::WindowExpired(_) => problem(Code::RefundWindowExpired),
            Refusal::CurrencyMismatch(_) => problem(Code::CurrencyMismatch).about("currency"),
            Refusal::Amount { param, why } => invalid(&param, why),
            Refusal::NothingLeft => problem(Code::PaymentAlreadyRefunded).with("refundable_amount", 0.into()),
            Refusal::RefundableChanged(money) => {
                left(problem(Code::RefundableAmountChanged).about("expected_refundable_amount"), money)
            }
            Refusal::ExceedsRefundable { left: money, .. } => {
                left(problem(Code::AmountExceedsRefundable), money)
            }
            Refusal::ActorsShort(actors) => problem(Code::ActorAmountExceedsRefundable)
                .about("routing")
                .with("actors", actors.iter().map(short).collect()),
            Refusal::PartialNotAllowed => problem(Code::PartialRefundNotAllowed),
            Refusal::PartialBeforePayout => problem(Code::PartialRefundBeforePayout),
            Refusal::RoutingRequired => problem(Code::RoutingRequired).about("routing"),
            Refusal::RoutingMismatch(_) => problem(Code::RoutingMismatch).about("routing"),
            Refusal::LineUnknown { by_amount, .. } => {
                let param = if by_amount { "lines" } else { "invoice_detail_ids" };
                problem(Code::InvoiceDetailUnknown).about(param)
            }
            Refusal::LineTaken(_) => problem(Code::InvoiceDetailAlreadyRefunded).about("invoice_detail_ids"),
            Refusal::LineExceeds { left: money, .. } => {
                left(problem(Code::LineAmountExceedsRefundable).about("lines"), money)
            }
        }
    }
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Self {
        let (Conflict::Fixed(fact) | Conflict::Backwards(fact)) = conflict;
        Problem::new(Code::PaymentConflict, format!("{conflict}.")).about(fact)
    }
}
