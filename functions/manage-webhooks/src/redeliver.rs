//! Redelivery: a new round of attempts for an event, the first of them now.

use futures_util::future::try_join_all;
use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::endpoint::Switch;
use recoup_domain::event::Event;
use recoup_domain::ids::EndpointId;
use recoup_http::event::named;
use recoup_http::problem::{Code, Problem};
use recoup_http::request::Caller;
use recoup_http::respond::Answer;
use recoup_ports::events::DeliveryRecorded;

use crate::events::{Found, found};
use crate::{Context, Store, body, endpoints};

/// Most attempts to schedule a delivery; another is needed when the delivery has changed meanwhile.
const WRITES_MAX: usize = 5;

pub(crate) async fn redeliver<S: Store, P, K>(
    context: &Context<S, P, K>,
    request: &Request,
    caller: &Caller,
) -> Result<Answer, Problem> {
    let tenant = &caller.tenant;
    let id = named(request)?;
    let only = body::only_endpoint(request)?;
    let mut found = found(context, tenant, &id).await?;
    let targets = targets(context, &found, only).await?;
    let event = &found.recorded.event;
    let standing = |target: &Target| {
        found.recorded.deliveries.iter().find(|delivery| delivery.target == *target).cloned()
    };
    if targets.iter().filter_map(standing).any(|standing| !standing.may_go_again()) {
        return Err(too_many());
    }
    let again = targets.into_iter().map(|target| schedule(context, event, standing(&target), target));
    let again = try_join_all(again).await?;
    tracing::info!(event.id = %id, account.id = %tenant.account, receivers = again.len(), "event sent again");
    let untouched = |delivery: &Delivery| !again.iter().any(|one| one.target == delivery.target);
    found.recorded.deliveries.retain(untouched);
    found.recorded.deliveries.extend(again);
    found.recorded.deliveries.sort_by(|one, other| one.target.cmp(&other.target));
    found.answer(context, caller, StatusCode::ACCEPTED)
}

/// The receivers of a redelivery: the named endpoint, or all that would receive the event if it happened now.
async fn targets<S: Store, P, K>(
    context: &Context<S, P, K>,
    found: &Found,
    only: Option<EndpointId>,
) -> Result<Vec<Target>, Problem> {
    let event = &found.recorded.event;
    if let Some(id) = only {
        let endpoint = endpoints::found(context, &event.tenant, &id).await?;
        if endpoint.switch != Switch::On {
            let detail = "The webhook endpoint is disabled. Enable it, and send the same request again.";
            return Err(Problem::new(Code::EndpointDisabled, detail));
        }
        return Ok(vec![Target::Endpoint(id)]);
    }
    let endpoints = context.store.endpoints(&event.tenant).await?;
    let has_url = found.refund.as_ref().is_some_and(|refund| refund.notes.webhook_url.is_some());
    let targets = endpoints.receivers(|endpoint| endpoint.receives(event.r#type), has_url);
    if targets.is_empty() {
        let detail =
            "No enabled webhook endpoint receives events of this type, and the refund has no URL of its own.";
        return Err(Problem::new(Code::NoReceiver, detail));
    }
    Ok(targets)
}

/// Writes that an attempt is due now. The table's stream does the rest.
async fn schedule<S: Store, P, K>(
    context: &Context<S, P, K>,
    event: &Event,
    mut from: Option<Delivery>,
    target: Target,
) -> Result<Delivery, Problem> {
    if from.is_none() {
        // Version 0.1 told the event only in its deliveries to others: this one would have none.
        context.store.record_event(event, &[]).await?;
    }
    for _ in 0..WRITES_MAX {
        let now = (context.now)();
        let to = match &from {
            Some(standing) if !standing.may_go_again() => return Err(too_many()),
            Some(standing) => standing.again(now),
            None => Delivery::first(event, target.clone(), now),
        };
        match context.store.record_delivery(from.as_ref(), &to).await? {
            DeliveryRecorded::Yes => return Ok(to),
            DeliveryRecorded::Overtaken(standing) => from = Some(*standing),
        }
    }
    let detail = "The event is being delivered right now. The same request may be sent again.";
    Err(Problem::new(Code::Unavailable, detail))
}

fn too_many() -> Problem {
    let detail = "The event has been sent to a receiver a hundred times, and is not sent again.";
    Problem::new(Code::TooManyRedeliveries, detail)
}
