//! Samples: a sample event is sent to one endpoint, so that its owner sees whether it arrives and verifies.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::delivery::Heard;
use recoup_domain::event::EventType;
use recoup_domain::ids::{EventId, PaymentId, RefundId, Tenant};
use recoup_domain::money::{Currency, Money};
use recoup_domain::or_abort::OrAbort;
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::refund::{Change, Kind, Notes, Refund, State, Version};
use recoup_domain::signing::sign;
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::{Timestamp, whole_millis};
use recoup_http::endpoint::named;
use recoup_http::event::HeardView;
use recoup_http::problem::Problem;
use recoup_http::request;
use recoup_http::respond::Answer;
use recoup_ports::webhooks::Deliver;
use recoup_views::RefundView;
use recoup_views::webhook::{EventData, body};
use serde::Serialize;

use crate::budget::spend_test;
use crate::endpoints::found;
use crate::{Context, Store};

/// The outcome of sending a sample.
#[derive(Serialize)]
struct SampleView {
    object: &'static str,
    event_id: String,
    delivered: bool,
    #[serde(flatten)]
    heard: HeardView,
    duration_ms: u64,
}

/// Sends a sample, even to an endpoint that is switched off, and shows the outcome. Nothing is stored, and the
/// endpoint does not change.
pub(crate) async fn send<S: Store, R: Deliver>(
    context: &Context<S, R>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let id = named(request)?;
    request::body(request, &[])?.finish()?;
    let endpoint = found(context, tenant, &id).await?;
    let (event, at) = (EventId::from_bits((context.random)()), (context.now)());
    spend_test(&context.store, tenant, &id, at).await?;
    let refund = RefundView::of(&sample(tenant, at), &context.public_url);
    let body = body(EventType::EndpointTest, at, &EventData::Refund(Box::new(refund)));
    let body = body.or_abort("a view has text keys and plain values");
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
        duration_ms: whole_millis(took),
    };
    Answer::new(StatusCode::OK, &view)
}

/// A refund as one looks like; there is none of this id.
fn sample(tenant: &Tenant, now: Timestamp) -> Refund {
    let euro = Currency::parse("EUR").or_abort("the euro is a currency");
    let description = "A sample, sent because it was asked for. No money moves.";
    Refund {
        tenant: tenant.clone(),
        id: RefundId::from_bits(0),
        payment_id: PaymentId::try_from("pay_sample").or_abort("it is an id of the length that ids have"),
        amount: Money::of_minor(1_500, euro).or_abort("it is within the bounds of money"),
        kind: Kind::Refund,
        split: None,
        lines: Vec::new(),
        notes: Notes { description: Some(Text::cut(description)), ..Notes::default() },
        processor: Processor { name: ProcessorName::Sandbox, reference: Text::cut("sandbox_succeed") },
        fingerprint: [0; 32],
        version: Version {
            sequence: 2,
            state: State::Succeeded,
            processor_reference: Some(Text::cut("sandbox_sample")),
            metadata: Metadata::default(),
            updated_at: now,
        },
        history: vec![Change { at: now, state: Some(State::Succeeded) }],
        handed_over_at: Some(now),
        turn: 0,
        wait: None,
        flag: None,
        created_at: now,
    }
}
