//! Another of our functions, invoked and its answer awaited: for what only that function's role may do.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use recoup_ports::charges::{ChargeQuestion, ChargeRead, ReadCharges};
use recoup_ports::direct::{CheckKeys, CheckKeysError, DirectRequest, KeysCheck, KeysChecked};
use recoup_ports::samples::{SampleError, SampleJob, SampleRequest, Sampled, SendSamples};
use recoup_ports::{BoxError, causes};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::lazy::Lazy;
use crate::unread::{Words, unread};

const WORDS: Words = Words { did_not_answer: "Lambda did not answer", refused: "Lambda refused" };

/// One function, to be invoked.
#[derive(Clone, Debug)]
pub struct Invoked {
    client: Lazy<Client>,
    function: String,
}

impl Invoked {
    /// Invokes the function of this name or ARN. The client is built when it is first needed.
    pub fn new(client: impl FnOnce() -> Client + Send + 'static, function: String) -> Self {
        Self { client: Lazy::new(client), function }
    }

    /// Asks once. An error says where an answer cannot be read, never what it holds.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(&self, request: &Q) -> Result<A, BoxError> {
        let request = serde_json::to_vec(request)?;
        let invoke = self.client.get().invoke().function_name(&self.function).payload(Blob::new(request));
        let answer = invoke.send().await.map_err(|error| {
            let failure = unread(&error, &WORDS);
            failure.cause.map_or_else(|| failure.why.to_owned(), |cause| format!("{}: {cause}", failure.why))
        })?;
        if answer.function_error.is_some() {
            return Err("it failed; its own log says why".into());
        }
        let answer = answer.payload.ok_or("it answered nothing")?;
        let read = serde_json::from_slice(answer.as_ref());
        read.map_err(|error| format!("its answer is unreadable at column {}", error.column()).into())
    }
}

impl SendSamples for Invoked {
    async fn send_sample(&self, job: &SampleJob) -> Result<Sampled, SampleError> {
        self.ask(&SampleRequest { sample: job.clone() }).await.map_err(SampleError)
    }
}

impl CheckKeys for Invoked {
    async fn check_keys(&self, check: &KeysCheck) -> Result<KeysChecked, CheckKeysError> {
        self.ask(&DirectRequest::CheckProcessor(check.clone())).await.map_err(CheckKeysError)
    }
}

impl ReadCharges for Invoked {
    async fn read_charge(&self, question: &ChargeQuestion) -> ChargeRead {
        match self.ask(&DirectRequest::ReadCharge(question.clone())).await {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(error = causes(&*error), "process-refund did not read the charge");
                ChargeRead::Unclear
            }
        }
    }
}
