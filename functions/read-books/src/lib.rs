//! Reads the books: one refund, one payment, a list of either, or a reconciliation report; always as last written, except
//! that what was just created may be missing from the account's lists for a moment.

mod expand;
mod list;
mod page;
mod payments;
mod reports;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::ids::PaymentId;
use recoup_http::list::Parameters;
use recoup_http::payment::{not_found, show};
use recoup_http::problem::Problem;
use recoup_http::refund::named;
use recoup_http::request::{Caller, routed_parameter};
use recoup_http::respond::{Answer, respond};
use recoup_http::route::{Reading, unrouted};
use recoup_ports::lists::{PaymentList, RefundList};
use recoup_ports::payments::Payments;
use recoup_ports::refunds::Refunds;
use recoup_ports::reports::Reports;
use recoup_views::{PublicUrl, RefundView};

/// What the function needs.
pub struct Context<S> {
    /// The store of payments and refunds.
    pub store: S,
    /// The API's own address.
    pub public_url: PublicUrl,
}

/// What the function needs from the store.
pub trait Store: Payments + Refunds + RefundList + PaymentList + Reports + Sync {}

impl<S: Payments + Refunds + RefundList + PaymentList + Reports + Sync> Store for S {}

/// Every route of [`Reading`], and the refusal of requests without a route.
pub async fn handle<S: Store>(context: &Context<S>, request: Request) -> Response<Body> {
    let answer = async {
        match Reading::of(&request)? {
            Reading::Refund => refund(context, &request).await,
            Reading::Refunds => refunds(context, &request, None).await,
            Reading::Payment => payment(context, &request).await,
            Reading::Payments => payments::page(context, &request).await,
            Reading::RefundsOfPayment => refunds(context, &request, Some(payment_of_path(&request))).await,
            Reading::Report => reports::of_day(context, &request).await,
            Reading::LatestReport => reports::latest(context, &request).await,
            Reading::Unrouted => {
                // A refused credential is answered before an unknown path.
                Caller::of(&request)?;
                Err(unrouted(&request))
            }
        }
    };
    respond(&request, answer).await
}

/// The payment in the path. A text that is not a payment id is a 404.
fn payment_of_path(request: &Request) -> Result<PaymentId, Problem> {
    let id = routed_parameter(request, "payment_id")?;
    PaymentId::try_from(id.as_str()).map_err(|_| not_found())
}

async fn refunds<S: Store>(
    context: &Context<S>,
    request: &Request,
    payment: Option<Result<PaymentId, Problem>>,
) -> Result<Answer, Problem> {
    let caller = Caller::with_scope(request, Scope::RefundsRead)?;
    let wanted = list::parse(request, payment.transpose()?)?;
    if wanted.expand.any() {
        caller.require(Scope::PaymentsRead)?;
    }
    list::page(context, &caller.tenant, wanted).await
}

async fn refund<S: Payments + Refunds + Sync>(
    context: &Context<S>,
    request: &Request,
) -> Result<Answer, Problem> {
    let caller = Caller::with_scope(request, Scope::RefundsRead)?;
    let mut parameters = Parameters::of(request)?;
    let expand = expand::take(&mut parameters)?;
    parameters.finish()?;
    if expand.any() {
        caller.require(Scope::PaymentsRead)?;
    }
    let (tenant, id) = (&caller.tenant, named(request)?);
    let refund = context.store.refund(tenant, &id).await?.ok_or_else(recoup_http::refund::not_found)?;
    let mut view = RefundView::of(&refund, &context.public_url);
    if expand.any() {
        let payment = context.store.payment(tenant, &refund.payment_id).await?.ok_or_else(not_found)?;
        let payment = show(&context.store, &payment, &context.public_url).await?;
        view = expand.apply(view, payment);
    }
    Answer::new(StatusCode::OK, &view)
}

async fn payment<S: Payments + Refunds + Sync>(
    context: &Context<S>,
    request: &Request,
) -> Result<Answer, Problem> {
    let tenant = Caller::with_scope(request, Scope::PaymentsRead)?.tenant;
    Parameters::of(request)?.finish()?;
    let payment = context.store.payment(&tenant, &payment_of_path(request)?).await?.ok_or_else(not_found)?;
    Answer::new(StatusCode::OK, &show(&context.store, &payment, &context.public_url).await?)
}
