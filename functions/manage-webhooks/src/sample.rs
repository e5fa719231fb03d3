//! A sample event to one endpoint, so that its owner sees whether it arrives and verifies.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::delivery::Heard;
use recoup_domain::event::EventType;
use recoup_domain::ids::{EventId, PaymentId, RefundId, Tenant};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::refund::{Change, Kind, Notes, Refund, State, Version};
use recoup_domain::signing::sign;
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use recoup_http::endpoint::named;
use recoup_http::event::HeardView;
use recoup_http::problem::{Code, Problem};
use recoup_http::request;
use recoup_http::respond::Answer;
use recoup_ports::webhooks::Deliver;
use recoup_views::RefundView;
use recoup_views::webhook::{EventData, body};
use serde::Serialize;

use crate::endpoints::found;
use crate::{Context, Store};

/// What a sample brought.
#[derive(Serialize)]
struct SampleView {
    object: &'static str,
    event_id: String,
    delivered: bool,
    #[serde(flatten)]
    heard: HeardView,
    duration_ms: u64,
}

/// Sends a sample, also to an endpoint that is switched off, and says what came of it. Nothing is kept of it, and
/// it changes nothing about the endpoint.
pub(crate) async fn send<S: Store, R: Deliver>(
    context: &Context<S, R>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let id = named(request)?;
    request::body(request, &[])?.finish()?;
    let endpoint = found(context, tenant, &id).await?;
    let (event, at) = (EventId::from_bits((context.random)()), (context.now)());
    let Some(body) = sample(tenant, at).and_then(|refund| {
        let data = EventData::Refund(Box::new(RefundView::of(&refund, &context.public_url)));
        body(EventType::EndpointTest, at, &data).ok()
    }) else {
        tracing::error!("the sample cannot be written");
        return Err(Problem::new(Code::Internal, "The sample could not be made."));
    };
    let message = sign(event.as_str(), at, body, &endpoint.secrets);
    let heard = match context.receivers.deliver(&endpoint.url, &message).await {
        Ok(reply) => Heard::Status { status: reply.status, head: reply.head },
        Err(error) => Heard::Nothing(error.to_string()),
    };
    let took = (context.now)().since(at);
    let view = SampleView {
        object: "webhook_test",
        event_id: event.to_string(),
        delivered: heard.is_success(),
        heard: (&heard).into(),
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    Answer::new(StatusCode::OK, &view)
}

/// A refund as one looks like; there is none of this id.
fn sample(tenant: &Tenant, now: Timestamp) -> Option<Refund> {
    let description = "A sample, sent because it was asked for. No money moves.";
    Some(Refund {
        tenant: tenant.clone(),
        id: RefundId::from_bits(0),
        payment_id: PaymentId::try_from("pay_sample").ok()?,
        amount: Money::of_minor(1_500, Currency::parse("EUR")?).ok()?,
        kind: Kind::Refund,
        split: None,
        lines: Vec::new(),
        notes: Notes { description: Text::new(description.to_owned()).ok(), ..Notes::default() },
        processor: Processor {
            name: ProcessorName::Sandbox,
            reference: Text::new("sandbox_succeed".to_owned()).ok()?,
        },
        fingerprint: [0; 32],
        version: Version {
            sequence: 2,
            state: State::Succeeded,
            processor_reference: Text::new("sandbox_sample".to_owned()).ok(),
            metadata: Metadata::default(),
            updated_at: now,
        },
        history: vec![Change { at: now, state: Some(State::Succeeded) }],
        handed_over_at: Some(now),
        turn: 0,
        wait: None,
        flag: None,
        created_at: now,
    })
}
