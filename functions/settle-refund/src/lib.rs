//! `POST /v1/processors/{name}/notifications`: a processor reports on a refund or a dispute unasked, and the books follow.
//!
//! No API key: the signature is the credential. A notification may come in any order, late and any number of times, so
//! it is judged by where its refund stands, and every write is conditional on just that. After a 5xx the processor sends
//! the notification again. One that would be no clearer the next time is answered with 200 and logged for a person.

mod disputes;
mod entering;
mod genuine;
mod known;
mod settle;

use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;
use recoup_http::problem::{Code, Problem};
use recoup_http::request::path_parameter;
use recoup_http::respond::{Answer, respond_within};
use recoup_ports::payments::{KeepDisputes, KeepVerifications};
use recoup_ports::processor::Processor;
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_ports::refunds::Reserve;
use recoup_ports::settlement::Settle;
use recoup_processors::notification::Told;
use serde::Serialize;

pub use genuine::BODY_BYTES_MAX;
pub use known::KeysOfAccounts;
pub use settle::STARTS_MAX;

/// Longest work on one notification: a second less than the 30 s of the template and of the gateway.
const WORK_MAX: Duration = Duration::from_secs(29);

/// What the function needs.
pub struct Context<S, K, P> {
    /// Where refunds lie.
    pub store: S,
    /// Whose signatures are believed.
    pub keys: K,
    /// Who is asked where a notification contradicts what we know.
    pub processor: P,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// One notification.
pub async fn handle<S, K, P>(context: &Context<S, K, P>, request: Request) -> Response<Body>
where
    S: Settle + Reserve + KeepDisputes + KeepVerifications + Sync,
    K: ProcessorKeys + Sync,
    P: Processor + Sync,
{
    let answer = async {
        let sender = sender(&request)?;
        let now = (context.now)();
        let answer = match genuine::notification(&context.keys, sender, &request, now).await? {
            Some(Told::Refund(notification)) => settle::carry_out(context, sender, &notification).await?,
            Some(Told::Dispute(tenant, notice)) => disputes::enter(context, sender, &tenant, &notice).await?,
            None => AttemptOutcome::ignored(),
        };
        Answer::new(StatusCode::OK, &answer)
    };
    respond_within(WORK_MAX, &request, answer).await
}

/// Who sent the notification.
fn sender(request: &Request) -> Result<ProcessorName, Problem> {
    path_parameter(request, "name").as_deref().and_then(ProcessorName::parse).ok_or_else(no_such_sender)
}

pub(crate) fn no_such_sender() -> Problem {
    Problem::new(Code::ProcessorNotFound, "No processor of this name sends notifications.")
}

/// What became of a notification, as its sender reads it.
#[derive(Debug, Serialize)]
pub(crate) struct AttemptOutcome {
    object: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

impl AttemptOutcome {
    /// The refund moved.
    pub(crate) fn applied(next: &Refund) -> Self {
        Self::about("applied", next)
    }

    /// Old news: the refund is where it was.
    pub(crate) fn unchanged(refund: &Refund) -> Self {
        Self::about("unchanged", refund)
    }

    /// It is not for us, or says nothing that could be believed, now or later.
    pub(crate) fn ignored() -> Self {
        Self { object: "notification", outcome: "ignored", refund_id: None, payment_id: None, status: None }
    }

    /// What a dispute's notification made of its payment.
    pub(crate) fn of_payment(outcome: &'static str, payment: &Payment) -> Self {
        Self { outcome, payment_id: Some(payment.id.to_string()), ..Self::ignored() }
    }

    fn about(outcome: &'static str, refund: &Refund) -> Self {
        let (id, status) = (refund.id.to_string(), refund.version.state.as_str());
        Self { object: "notification", outcome, refund_id: Some(id), payment_id: None, status: Some(status) }
    }
}

/// The sender's cue to send the same again.
pub(crate) fn unavailable() -> Problem {
    let detail = "The notification cannot be judged right now. The same notification may be sent again.";
    Problem::new(Code::Unavailable, detail)
}
