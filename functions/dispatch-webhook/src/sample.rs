//! Samples: a sample event is sent to one endpoint, so that its owner sees whether it arrives and verifies.

use recoup_domain::by::By;
use recoup_domain::delivery::AttemptOutcome;
use recoup_domain::event::EventType;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::money::{Currency, Money};
use recoup_domain::or_abort::OrAbort;
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::refund::{Change, Kind, Notes, Origin, Refund, State, Version};
use recoup_domain::signing::sign;
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use recoup_ports::events::PrepareAttempts;
use recoup_ports::samples::{SampleJob, Sampled};
use recoup_ports::seals::{Open, Purpose, opened};
use recoup_ports::webhooks::Deliver;
use recoup_ports::{BoxError, ReadError};
use recoup_views::RefundView;
use recoup_views::webhook::{EventData, body};

use crate::Context;

/// Sends a sample, even to an endpoint that is switched off. Nothing is stored, and the endpoint does not change.
pub(crate) async fn send<S, R, O>(context: &Context<S, R, O>, job: &SampleJob) -> Result<Sampled, BoxError>
where
    S: PrepareAttempts,
    R: Deliver,
    O: Open,
{
    let SampleJob { tenant, endpoint: id, event } = job;
    let endpoint = match context.store.receiver_of_sample(tenant, id).await {
        Ok(Some(endpoint)) => endpoint,
        Ok(None) => return Ok(Sampled::NoSuchEndpoint),
        Err(ReadError::Unreadable { .. }) => return Ok(Sampled::Unreadable),
        Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
    };
    let purpose = Purpose::Endpoint(id.clone());
    let secrets = opened(&context.open, tenant, &purpose, &endpoint.secrets, (context.now)()).await?;
    let at = (context.now)();
    let refund = RefundView::of(&sample(tenant, at), &context.public_url);
    let body = body(EventType::EndpointTest, at, &EventData::Refund(Box::new(refund)))?;
    let message = sign(event.as_str(), at, body, &secrets);
    let outcome = match context.receivers.deliver(&endpoint.url, &message).await {
        Ok(reply) => AttemptOutcome::Status { status: reply.status, head: reply.head },
        Err(error) => AttemptOutcome::Nothing(error.to_string()),
    };
    tracing::info!(
        event.id = %event, endpoint.id = %id, account.id = %tenant.account, delivered = outcome.is_success(),
        "sample sent"
    );
    Ok(Sampled::sent(outcome, (context.now)().since(at)))
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
        origin: Origin::Api,
        processor: Processor::of(ProcessorName::Sandbox, Text::cut("sandbox_succeed")),
        fingerprint: [0; 32],
        version: Version {
            sequence: 2,
            state: State::Succeeded,
            processor_reference: Some(Text::cut("sandbox_sample")),
            bank_reference: None,
            metadata: Metadata::default(),
            updated_at: now,
        },
        first: State::Initiated,
        history: vec![Change { at: now, state: Some(State::Succeeded), by: None }],
        handed_over_at: Some(now),
        turn: 0,
        postponed: 0,
        wait: None,
        recovery: Vec::new(),
        flag: None,
        processor_amount: None,
        verdict: None,
        created_at: now,
        created_by: Some(By::recoup()),
    }
}
