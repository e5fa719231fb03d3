//! Reads one refund or one payment, always as last written.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::ids::{PaymentId, RefundId};
use recoup_http::payment::{not_found, show};
use recoup_http::problem::{Code, Problem};
use recoup_http::request::{Caller, path_parameter};
use recoup_http::respond::{Answer, respond};
use recoup_http::view::{PublicUrl, RefundView};
use recoup_ports::payments::Payments;
use recoup_ports::refunds::Refunds;

/// What the function needs.
pub struct Context<S> {
    /// Where payments and refunds lie.
    pub store: S,
    /// The API's own address.
    pub public_url: PublicUrl,
}

/// `GET /v1/refunds/{refund_id}` and `GET /v1/payments/{payment_id}`.
pub async fn handle<S: Payments + Refunds + Sync>(context: &Context<S>, request: Request) -> Response<Body> {
    let answer = async {
        match path_parameter(&request, "refund_id") {
            Some(id) => refund(context, &request, &id).await,
            None => payment(context, &request).await,
        }
    };
    respond(&request, answer).await
}

async fn refund<S: Refunds>(context: &Context<S>, request: &Request, id: &str) -> Result<Answer, Problem> {
    let tenant = Caller::with_scope(request, Scope::RefundsRead)?.tenant;
    let not_found =
        || Problem::new(Code::RefundNotFound, "There is no such refund in this account and environment.");
    // What is no refund id names no refund.
    let id = RefundId::try_from(id).map_err(|_| not_found())?;
    let refund = context.store.refund(&tenant, &id).await?.ok_or_else(not_found)?;
    Answer::new(StatusCode::OK, &RefundView::of(&refund, &context.public_url))
}

async fn payment<S: Payments + Refunds + Sync>(
    context: &Context<S>,
    request: &Request,
) -> Result<Answer, Problem> {
    let tenant = Caller::with_scope(request, Scope::PaymentsRead)?.tenant;
    let id = path_parameter(request, "payment_id").unwrap_or_default();
    let id = PaymentId::try_from(id.as_str()).map_err(|_| not_found())?;
    let payment = context.store.payment(&tenant, &id).await?.ok_or_else(not_found)?;
    Answer::new(StatusCode::OK, &show(&context.store, payment, &context.public_url).await?)
}
