//! Manages an account's webhook endpoints, shows its events with their deliveries, and redelivers them.
//!
//! It sends nothing itself: a redelivery is a write, and the table's stream has `relay-events` send it, as for every other
//! attempt; a sample is sent by `dispatch-webhook`. It seals secrets, and can open none.

mod body;
mod budget;
mod endpoints;
mod events;
mod pages;
mod redeliver;
mod sample;

use std::time::Duration;

use lambda_http::{Body, Request, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::time::Timestamp;
use recoup_http::problem::Problem;
use recoup_http::request::Caller;
use recoup_http::respond::{Answer, WORK_MAX, respond_within};
use recoup_http::route::Managing;
use recoup_ports::endpoints::{KeepEndpoints, TestBudget};
use recoup_ports::events::{Events, RecordDeliveries, RecordEvents};
use recoup_ports::refunds::Refunds;
use recoup_ports::samples::SendSamples;
use recoup_ports::seals::Seal;
use recoup_ports::webhooks::Reach;
use recoup_views::PublicUrl;

/// Longest work on a sample, which waits 15 s for its receiver: a second less than the 20 s that the template gives
/// this function.
const SAMPLE_MAX: Duration = Duration::from_secs(19);

/// What the function needs.
pub struct Context<Store, Samples, Key> {
    /// The store of endpoints, events and refunds.
    pub store: Store,
    /// Has samples sent.
    pub samples: Samples,
    /// Seals the secrets that sign.
    pub seal: Key,
    /// The API's own address.
    pub public_url: PublicUrl,
    /// Which webhook URLs are accepted.
    pub reach: Reach,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// 128 random bits.
    pub random: fn() -> u128,
}

/// What the function needs from the store.
pub trait Store:
    KeepEndpoints + TestBudget + Events + RecordDeliveries + RecordEvents + Refunds + Sync
{
}

impl<S: KeepEndpoints + TestBudget + Events + RecordDeliveries + RecordEvents + Refunds + Sync> Store for S {}

/// `/v1/webhook-endpoints`, `/v1/events`, and everything below them.
pub async fn handle<S, P, K>(context: &Context<S, P, K>, request: Request) -> Response<Body>
where
    S: Store,
    P: SendSamples + Sync,
    K: Seal + Sync,
{
    let route = Managing::of(&request);
    let limit = if matches!(route, Ok(Managing::SendSample)) { SAMPLE_MAX } else { WORK_MAX };
    // One future for the work of ten routes is too large to move about.
    let work = Box::pin(async { grant(context, &request, route?).await });
    respond_within(limit, &request, work).await
}

async fn grant<S, P, K>(
    context: &Context<S, P, K>,
    request: &Request,
    route: Managing,
) -> Result<Answer, Problem>
where
    S: Store,
    P: SendSamples + Sync,
    K: Seal + Sync,
{
    let caller = Caller::with_scope(request, Scope::WebhooksManage)?;
    let tenant = &caller.tenant;
    match route {
        Managing::CreateEndpoint => endpoints::create(context, request, tenant).await,
        Managing::ListEndpoints => endpoints::list(context, request, tenant).await,
        Managing::GetEndpoint => endpoints::get(context, request, tenant).await,
        Managing::ChangeEndpoint => endpoints::change(context, request, tenant).await,
        Managing::DeleteEndpoint => endpoints::delete(context, request, tenant).await,
        Managing::RotateSecret => endpoints::rotate_secret(context, request, tenant).await,
        Managing::SendSample => sample::send(context, request, tenant).await,
        Managing::ListEvents => events::list(context, request, &caller).await,
        Managing::GetEvent => events::get(context, request, &caller).await,
        Managing::Redeliver => redeliver::redeliver(context, request, &caller).await,
    }
}
