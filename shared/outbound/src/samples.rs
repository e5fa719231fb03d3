//! Samples, sent by the function that sends all webhooks: it is invoked, and its answer awaited.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use recoup_ports::BoxError;
use recoup_ports::samples::{SampleError, SampleJob, SampleRequest, Sampled, SendSamples};

use crate::lazy::Lazy;
use crate::unread::{Words, unread};

const WORDS: Words = Words { did_not_answer: "Lambda did not answer", refused: "Lambda refused" };

/// Has `dispatch-webhook` send samples.
#[derive(Clone, Debug)]
pub struct SampleSender {
    client: Lazy<Client>,
    function: String,
}

impl SampleSender {
    /// Invokes the function of this name or ARN. The client is built for the first sample.
    pub fn new(client: impl FnOnce() -> Client + Send + 'static, function: String) -> Self {
        Self { client: Lazy::new(client), function }
    }

    async fn invoke(&self, job: &SampleJob) -> Result<Sampled, BoxError> {
        let request = serde_json::to_vec(&SampleRequest { sample: job.clone() })?;
        let invoke = self.client.get().invoke().function_name(&self.function).payload(Blob::new(request));
        let answer = invoke.send().await.map_err(|error| {
            let failure = unread(&error, &WORDS);
            failure.cause.map_or_else(|| failure.why.to_owned(), |cause| format!("{}: {cause}", failure.why))
        })?;
        if answer.function_error.is_some() {
            return Err("it failed; its own log says why".into());
        }
        let answer = answer.payload.ok_or("it answered nothing")?;
        // The error says where, never what: the answer holds what a receiver said.
        let read = serde_json::from_slice(answer.as_ref());
        read.map_err(|error| format!("its answer is unreadable at column {}", error.column()).into())
    }
}

impl SendSamples for SampleSender {
    async fn send_sample(&self, job: &SampleJob) -> Result<Sampled, SampleError> {
        self.invoke(job).await.map_err(SampleError)
    }
}
