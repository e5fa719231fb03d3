//! One try: read what it needs, send, write what came of it.

use std::time::Duration;

use recoup_domain::delivery::{Attempt, Delivery, GivenUp, Heard, Standing};
use recoup_domain::endpoint::{DisabledReason, Endpoint, Switch};
use recoup_domain::event::Event;
use recoup_domain::refund::Refund;
use recoup_domain::signing::{Secrets, sign};
use recoup_domain::text::TargetUrl;
use recoup_ports::endpoints::EndpointHealth;
use recoup_ports::events::{NoteDeliveries, Noted, PrepareTries, Receiver};
use recoup_ports::jobs::WebhookJob;
use recoup_ports::webhooks::Deliver;
use recoup_ports::{BoxError, WriteError, causes};
use recoup_views::webhook::{EventData, body};

use crate::Context;

/// How often what a try brought is written again because somebody else wrote meanwhile.
const NOTES_MAX: usize = 4;

/// A delivery must have failed so often before its endpoint is switched off for failing: after days without traffic
/// the last failure says little, and one more answer that went wrong may be a blip.
const TRIES_OF_A_BLIP: u32 = 4;

/// What became of a message, for the log.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) why: &'static str,
    pub(crate) r#type: Option<&'static str>,
    pub(crate) status: Option<u16>,
    pub(crate) tries: u32,
    pub(crate) next_try_at: Option<String>,
}

impl Done {
    fn nothing(why: &'static str) -> Self {
        Self { why, r#type: None, status: None, tries: 0, next_try_at: None }
    }

    fn with(event: &Event, delivery: &Delivery) -> Self {
        let (why, next_try_at) = match delivery.standing {
            Standing::Delivered => ("delivered", None),
            Standing::Scheduled(at) => ("not delivered", Some(at.rfc3339())),
            Standing::DeadLettered(GivenUp::Exhausted) => ("given up: exhausted", None),
            Standing::DeadLettered(GivenUp::Gone) => ("given up: gone", None),
            Standing::DeadLettered(GivenUp::EndpointDisabled) => ("given up: endpoint disabled", None),
            Standing::DeadLettered(GivenUp::EndpointDeleted) => ("given up: endpoint deleted", None),
        };
        let status = match delivery.attempts.last().map(|attempt| &attempt.heard) {
            Some(Heard::Status { status, .. }) => Some(*status),
            Some(Heard::Nothing(_)) | None => None,
        };
        let r#type = Some(event.r#type.as_str());
        Self { why, r#type, status, tries: delivery.tries, next_try_at }
    }
}

/// Where one try goes.
struct Way<'prepared> {
    url: &'prepared TargetUrl,
    secrets: &'prepared Secrets,
    endpoint: Option<&'prepared Endpoint>,
}

/// Works on one message. An error keeps it.
pub(crate) async fn work<S, R>(context: &Context<S, R>, job: &WebhookJob) -> Result<Done, BoxError>
where
    S: PrepareTries + NoteDeliveries + EndpointHealth,
    R: Deliver,
{
    let prepared = context.store.prepare(job).await?;
    let from = prepared.delivery.as_ref();
    let Some(event) = &prepared.event else {
        // Reconcile announces what should have been recorded.
        tracing::error!(event.id = %job.event, account.id = %job.tenant.account, "the event of a job is not recorded");
        return Ok(Done::nothing("event is not recorded"));
    };
    let current = match from {
        Some(delivery) if delivery.awaits(job.turn) => delivery.clone(),
        None if job.turn == 1 => Delivery::first(event, job.target.clone(), (context.now)()),
        // Its try was made, or given up, or another one has taken its place.
        Some(_) | None => return Ok(Done::nothing("message is stale")),
    };
    let way = match &prepared.receiver {
        Receiver::Missing => return give_up(context, event, from, &current, GivenUp::EndpointDeleted).await,
        Receiver::Endpoint(endpoint) if endpoint.switch != Switch::On => {
            return give_up(context, event, from, &current, GivenUp::EndpointDisabled).await;
        }
        Receiver::Endpoint(endpoint) => {
            Way { url: &endpoint.url, secrets: &endpoint.secrets, endpoint: Some(endpoint) }
        }
        Receiver::RefundUrl(url, secrets) => Way { url, secrets, endpoint: None },
    };
    let (attempt, retry_after) = send(context, event, prepared.refund.as_ref(), &way).await?;
    let next = current.after(attempt, retry_after, (context.jitter_permille)());
    let succeeded = next.standing == Standing::Delivered;
    if let Some(endpoint) = way.endpoint.filter(|_| !succeeded) {
        note_failure(context, endpoint, &next).await?;
    }
    note(context, from, &next).await?;
    if let Some(endpoint) = way.endpoint.filter(|_| succeeded)
        && let Err(error) = context.store.note_recovered(endpoint).await
    {
        // The next success notes it.
        tracing::warn!(endpoint.id = %endpoint.id, error = causes(&error), "a recovery was not noted");
    }
    Ok(Done::with(event, &next))
}

async fn send<S, R: Deliver>(
    context: &Context<S, R>,
    event: &Event,
    refund: Option<&Refund>,
    way: &Way<'_>,
) -> Result<(Attempt, Option<Duration>), BoxError> {
    let data = EventData::of(event, refund, &context.public_url);
    let data = data.ok_or("the refund of this event does not exist")?;
    let body = body(event.r#type, event.at(), &data)?;
    let at = (context.now)();
    let message = sign(event.id.as_str(), at, body, way.secrets);
    let reply = context.receivers.deliver(way.url, &message).await;
    let took = (context.now)().since(at);
    Ok(match reply {
        Ok(reply) => {
            let heard = Heard::Status { status: reply.status, head: reply.head };
            (Attempt { at, took, heard }, reply.retry_after)
        }
        Err(error) => (Attempt { at, took, heard: Heard::Nothing(error.to_string()) }, None),
    })
}

/// Before the delivery is written: a crash in between makes the message come again, and nothing is forgotten.
async fn note_failure<S: EndpointHealth, R>(
    context: &Context<S, R>,
    endpoint: &Endpoint,
    next: &Delivery,
) -> Result<(), WriteError> {
    let now = (context.now)();
    let reason = if next.standing == Standing::DeadLettered(GivenUp::Gone) {
        DisabledReason::Gone
    } else if endpoint.has_failed_too_long(now) && next.tries >= TRIES_OF_A_BLIP {
        DisabledReason::Failing
    } else {
        return context.store.note_failing(endpoint, now).await;
    };
    context.store.switch_off(endpoint, reason, now).await?;
    tracing::warn!(
        endpoint.id = %endpoint.id, account.id = %endpoint.tenant.account, reason = reason.as_str(),
        "a webhook endpoint is switched off, unless its owner changed it at this moment"
    );
    Ok(())
}

async fn give_up<S: NoteDeliveries, R>(
    context: &Context<S, R>,
    event: &Event,
    from: Option<&Delivery>,
    current: &Delivery,
    why: GivenUp,
) -> Result<Done, BoxError> {
    let next = current.given_up(why);
    note(context, from, &next).await?;
    Ok(Done::with(event, &next))
}

/// Writes what came of a try. If somebody else wrote meanwhile (a message that came twice, a redelivery), theirs
/// stands, but for one thing: that the receiver has it is true whatever else is.
async fn note<S: NoteDeliveries, R>(
    context: &Context<S, R>,
    from: Option<&Delivery>,
    next: &Delivery,
) -> Result<(), BoxError> {
    let (mut from, mut next) = (from.cloned(), next.clone());
    for _ in 0..NOTES_MAX {
        match context.store.note_delivery(from.as_ref(), &next).await? {
            Noted::Yes => return Ok(()),
            Noted::Overtaken(stored) => {
                let attempt = next.attempts.pop().filter(|attempt| attempt.heard.is_success());
                let (Some(attempt), true) = (attempt, stored.standing != Standing::Delivered) else {
                    return Ok(());
                };
                next = stored.after(attempt, None, (context.jitter_permille)());
                from = Some(*stored);
            }
        }
    }
    Err("the delivery is being written by too many at once".into())
}
