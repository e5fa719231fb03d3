//! Samples: a sample event is sent to one endpoint, so that its owner sees whether it arrives and verifies.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::delivery::AttemptOutcome;
use recoup_domain::ids::{EventId, Tenant};
use recoup_http::endpoint::{named, not_found};
use recoup_http::event::AttemptOutcomeView;
use recoup_http::problem::Problem;
use recoup_http::request;
use recoup_http::respond::Answer;
use recoup_ports::ReadError;
use recoup_ports::samples::{SampleJob, Sampled, SendSamples};
use serde::Serialize;

use crate::budget::spend_test;
use crate::{Context, Store};

/// The outcome of sending a sample.
#[derive(Serialize)]
struct SampleView {
    object: &'static str,
    event_id: String,
    delivered: bool,
    #[serde(flatten)]
    outcome: AttemptOutcomeView,
    duration_ms: u64,
}

/// Has a sample sent, even to an endpoint that is switched off, and shows the outcome. Who sends it reads the endpoint,
/// too: this function can open no secret.
pub(crate) async fn send<S: Store, P: SendSamples, K>(
    context: &Context<S, P, K>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let endpoint = named(request)?;
    request::body(request, &[])?.finish()?;
    spend_test(&context.store, tenant, &endpoint, (context.now)()).await?;
    let event = EventId::from_bits((context.random)());
    let job = SampleJob { tenant: tenant.clone(), endpoint, event };
    let (outcome, duration_ms) = match context.samples.send_sample(&job).await? {
        Sampled::Sent { status: Some(status), said, duration_ms } => {
            (AttemptOutcome::Status { status, head: said }, duration_ms)
        }
        Sampled::Sent { status: None, said, duration_ms } => (AttemptOutcome::Nothing(said), duration_ms),
        Sampled::NoSuchEndpoint => return Err(not_found()),
        Sampled::Unreadable => {
            let (key, why) = (job.endpoint.to_string(), "the sender of webhooks cannot read it".to_owned());
            return Err(ReadError::Unreadable { key, why }.into());
        }
    };
    let view = SampleView {
        object: "webhook_test",
        event_id: job.event.to_string(),
        delivered: outcome.is_success(),
        outcome: (&outcome).into(),
        duration_ms,
    };
    Answer::new(StatusCode::OK, &view)
}
