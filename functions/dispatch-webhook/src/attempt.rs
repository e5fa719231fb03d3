//! One attempt: read what it needs, send the webhook, write the outcome.

use std::time::Duration;

use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, GivenUp, Standing};
use recoup_domain::endpoint::{DisabledReason, Endpoint, Switch};
use recoup_domain::event::{Event, EventType, Subject};
use recoup_domain::ids::RefundId;
use recoup_domain::refund::Refund;
use recoup_domain::report::Mismatch;
use recoup_domain::sealed::StoredSecrets;
use recoup_domain::signing::sign;
use recoup_domain::text::TargetUrl;
use recoup_ports::endpoints::EndpointHealth;
use recoup_ports::events::{DeliveryRecorded, PrepareAttempts, Receiver, RecordDeliveries};
use recoup_ports::jobs::WebhookJob;
use recoup_ports::seals::{Open, Purpose, opened};
use recoup_ports::webhooks::Deliver;
use recoup_ports::{BoxError, WriteError, causes};
use recoup_views::webhook::{EventData, body};

use crate::Context;

/// Most writes of one outcome; another is needed when the delivery has changed meanwhile.
const WRITES_MAX: usize = 4;

/// Fewest failed attempts of a delivery before its endpoint is switched off for failing: after days without traffic
/// the last failure says little, and one more may be a blip.
const FAILED_ATTEMPTS_MIN: u32 = 4;

/// The outcome of a message, for the log.
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
        let status = match delivery.attempts.last().map(|attempt| &attempt.outcome) {
            Some(AttemptOutcome::Status { status, .. }) => Some(*status),
            Some(AttemptOutcome::Nothing(_)) | None => None,
        };
        let r#type = Some(event.r#type.as_str());
        Self { why, r#type, status, tries: delivery.tries, next_try_at }
    }
}

/// Where one attempt is sent.
struct Destination<'prepared> {
    url: &'prepared TargetUrl,
    secrets: &'prepared StoredSecrets,
    purpose: Purpose,
    endpoint: Option<&'prepared Endpoint>,
}

/// Works on one message. After an error it stays in its queue.
pub(crate) async fn work<S, R, O>(context: &Context<S, R, O>, job: &WebhookJob) -> Result<Done, BoxError>
where
    S: PrepareAttempts + RecordDeliveries + EndpointHealth,
    R: Deliver,
    O: Open,
{
    let prepared = context.store.prepare(job).await?;
    let from = prepared.delivery.as_ref();
    let Some(event) = &prepared.event else {
        // If the event should have been recorded, reconcile announces it.
        tracing::error!(event.id = %job.event, account.id = %job.tenant.account, "the event of a job is not recorded");
        return Ok(Done::nothing("event is not recorded"));
    };
    let current = match from {
        Some(delivery) if delivery.awaits(job.turn) => delivery.clone(),
        None if job.turn == 1 => Delivery::first(event, job.target.clone(), (context.now)()),
        // This attempt has been made or given up, or another one has replaced it.
        Some(_) | None => return Ok(Done::nothing("message is stale")),
    };
    if !is_borne_out(event, prepared.refund.as_ref()) {
        // Counted with reconcile's mismatches by a metric of `template.yaml`: somebody wrote past the relay.
        tracing::error!(
            mismatch = Mismatch::EventAstray.as_str(), event.id = %job.event, account.id = %job.tenant.account,
            refund.id = event.refund().map(RefundId::as_str),
            "an event that its refund's history does not bear out is not sent"
        );
        return Ok(Done::nothing("event is not borne out"));
    }
    let destination = match &prepared.receiver {
        Receiver::Missing => return give_up(context, event, from, &current, GivenUp::EndpointDeleted).await,
        Receiver::Endpoint(endpoint) if endpoint.switch != Switch::On => {
            return give_up(context, event, from, &current, GivenUp::EndpointDisabled).await;
        }
        Receiver::Endpoint(endpoint) => {
            let purpose = Purpose::Endpoint(endpoint.id.clone());
            Destination { url: &endpoint.url, secrets: &endpoint.secrets, purpose, endpoint: Some(endpoint) }
        }
        Receiver::RefundUrl(url, secrets) => {
            Destination { url, secrets, purpose: Purpose::Account, endpoint: None }
        }
    };
    let (attempt, retry_after) = send(context, event, prepared.refund.as_ref(), &destination).await?;
    let next = current.after(attempt, retry_after, (context.jitter_permille)());
    let succeeded = next.standing == Standing::Delivered;
    if let Some(endpoint) = destination.endpoint.filter(|_| !succeeded) {
        record_failure(context, endpoint, &next).await?;
    }
    note(context, from, &next).await?;
    if let Some(endpoint) = destination.endpoint.filter(|_| succeeded)
        && let Err(error) = context.store.record_recovered(endpoint).await
    {
        // The next success records it.
        tracing::warn!(endpoint.id = %endpoint.id, error = causes(&error), "a recovery was not recorded");
    }
    Ok(Done::with(event, &next))
}

/// Whether what is known of its subject says the same as the event. An event of a refund that is missing is not sent
/// either, but its message is received again.
fn is_borne_out(event: &Event, refund: Option<&Refund>) -> bool {
    match &event.subject {
        Subject::Refund { .. } => refund.is_none_or(|refund| refund.bears_out(event)),
        Subject::Endpoint { .. } => event.r#type == EventType::EndpointDisabled,
    }
}

async fn send<S, R: Deliver, O: Open>(
    context: &Context<S, R, O>,
    event: &Event,
    refund: Option<&Refund>,
    destination: &Destination<'_>,
) -> Result<(Attempt, Option<Duration>), BoxError> {
    let data = EventData::of(event, refund, &context.public_url);
    let data = data.ok_or("the refund of this event does not exist")?;
    let body = body(event.r#type, event.at(), &data)?;
    let Destination { secrets, purpose, .. } = destination;
    let secrets = opened(&context.open, &event.tenant, purpose, secrets, (context.now)()).await?;
    let at = (context.now)();
    let message = sign(event.id.as_str(), at, body, &secrets);
    let reply = context.receivers.deliver(destination.url, &message).await;
    let took = (context.now)().since(at);
    Ok(match reply {
        Ok(reply) => {
            let outcome = AttemptOutcome::Status { status: reply.status, head: reply.head };
            (Attempt { at, took, outcome }, reply.retry_after)
        }
        Err(error) => (Attempt { at, took, outcome: AttemptOutcome::Nothing(error.to_string()) }, None),
    })
}

/// Records a failure of an endpoint. This must come before the delivery is written: after a crash in between, the
/// message is received again and the failure is not lost.
async fn record_failure<S: EndpointHealth, R, O>(
    context: &Context<S, R, O>,
    endpoint: &Endpoint,
    next: &Delivery,
) -> Result<(), WriteError> {
    let now = (context.now)();
    let reason = if next.standing == Standing::DeadLettered(GivenUp::Gone) {
        DisabledReason::Gone
    } else if endpoint.has_failed_too_long(now) && next.tries >= FAILED_ATTEMPTS_MIN {
        DisabledReason::Failing
    } else {
        return context.store.record_failing(endpoint, now).await;
    };
    context.store.switch_off(endpoint, reason, now).await?;
    tracing::warn!(
        endpoint.id = %endpoint.id, account.id = %endpoint.tenant.account, reason = reason.as_str(),
        "webhook endpoint switched off, unless its owner changed it at the same moment"
    );
    Ok(())
}

async fn give_up<S: RecordDeliveries, R, O>(
    context: &Context<S, R, O>,
    event: &Event,
    from: Option<&Delivery>,
    current: &Delivery,
    why: GivenUp,
) -> Result<Done, BoxError> {
    let next = current.given_up(why);
    note(context, from, &next).await?;
    Ok(Done::with(event, &next))
}

/// Writes the outcome of an attempt. If the delivery has changed meanwhile (a duplicate message, a redelivery), that
/// change stays, except that a success is always added: the receiver has the event.
async fn note<S: RecordDeliveries, R, O>(
    context: &Context<S, R, O>,
    from: Option<&Delivery>,
    next: &Delivery,
) -> Result<(), BoxError> {
    let (mut from, mut next) = (from.cloned(), next.clone());
    for _ in 0..WRITES_MAX {
        match context.store.record_delivery(from.as_ref(), &next).await? {
            DeliveryRecorded::Yes => return Ok(()),
            DeliveryRecorded::Overtaken(stored) => {
                let attempt = next.attempts.pop().filter(|attempt| attempt.outcome.is_success());
                let (Some(attempt), true) = (attempt, stored.standing != Standing::Delivered) else {
                    return Ok(());
                };
                next = stored.after(attempt, None, (context.jitter_permille)());
                from = Some(*stored);
            }
        }
    }
    Err("too many concurrent writes to the delivery".into())
}
