//! Samples: `manage-webhooks` has the sender of webhooks send one, since only the sender opens their secrets.

use std::time::Duration;

use recoup_domain::delivery::AttemptOutcome;
use recoup_domain::ids::{EndpointId, EventId, Tenant};
use recoup_domain::time::whole_millis;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BoxError;

/// Send a sample to this endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleJob {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The receiver.
    #[serde(rename = "endpoint_id")]
    pub endpoint: EndpointId,
    /// The id of the sample event.
    #[serde(rename = "event_id")]
    pub event: EventId,
}

/// A sample as the sender of webhooks is invoked with it; a batch of messages has no such field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SampleRequest {
    /// What is to be sent.
    pub sample: SampleJob,
}

/// The outcome of sending a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Sampled {
    /// The sample was sent.
    Sent {
        /// The status of the receiver's answer; none where there was no answer.
        status: Option<u16>,
        /// The first bytes of the answer, or why there was none.
        said: String,
        /// How long the receiver took.
        duration_ms: u64,
    },
    /// The tenant has no such endpoint.
    NoSuchEndpoint,
    /// What is stored of the endpoint cannot be read.
    Unreadable,
}

impl Sampled {
    /// The sample was sent, with this outcome.
    pub fn sent(outcome: AttemptOutcome, took: Duration) -> Self {
        let (status, said) = match outcome {
            AttemptOutcome::Status { status, head } => (Some(status), head),
            AttemptOutcome::Nothing(why) => (None, why),
        };
        Self::Sent { status, said, duration_ms: whole_millis(took) }
    }
}

/// The sender of webhooks did not answer. The sample may have been sent.
#[derive(Debug, Error)]
#[error("the sender of webhooks did not answer")]
pub struct SampleError(#[source] pub BoxError);

/// Has samples sent.
pub trait SendSamples {
    /// Sends one sample, once, and returns what came of it.
    fn send_sample(&self, job: &SampleJob) -> impl Future<Output = Result<Sampled, SampleError>> + Send;
}
