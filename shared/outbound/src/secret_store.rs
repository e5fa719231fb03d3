//! Secrets of Recoup itself in AWS Secrets Manager. The client is built when a secret is first needed, never at start-up.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use thiserror::Error;
use tokio::time::timeout;

/// One read with all its tries.
const READ_LIMIT: Duration = Duration::from_secs(2);

/// Why a secret was not read, in words that hold nothing of it. Never the debug form of the SDK's error: an answer that
/// could not be parsed is part of it.
#[derive(Debug, Error)]
#[error("{why}{}", .cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default())]
pub struct Unread {
    why: &'static str,
    cause: Option<String>,
}

/// Reads secrets by name or ARN.
pub struct SecretStore {
    build: Box<dyn Fn() -> Client + Send + Sync>,
    client: OnceLock<Client>,
    read_limit: Duration,
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStore(…)")
    }
}

impl SecretStore {
    /// Reads through the client that this builds on the first read.
    pub fn new(build: impl Fn() -> Client + Send + Sync + 'static) -> Self {
        Self { build: Box::new(build), client: OnceLock::new(), read_limit: READ_LIMIT }
    }

    /// The same with another limit for each read.
    #[must_use]
    pub fn within(self, read_limit: Duration) -> Self {
        Self { read_limit, ..self }
    }

    /// The secret's text; `None` where there is no such secret.
    pub async fn read(&self, name: &str) -> Result<Option<String>, Unread> {
        let client = self.client.get_or_init(&self.build);
        let asked = timeout(self.read_limit, client.get_secret_value().secret_id(name).send());
        match asked.await {
            Err(_) => Err(Unread { why: "the secret store did not answer in time", cause: None }),
            Ok(Err(error)) if is_absent(&error) => Ok(None),
            Ok(Err(error)) => Err(unread(&error)),
            Ok(Ok(secret)) => match secret.secret_string {
                Some(text) => Ok(Some(text)),
                None => Err(Unread { why: "the secret is binary", cause: None }),
            },
        }
    }
}

/// A secret that is marked for deletion is an `InvalidRequestException`; somebody has taken it away.
fn is_absent(error: &SdkError<GetSecretValueError>) -> bool {
    error
        .as_service_error()
        .is_some_and(|error| error.is_resource_not_found_exception() || error.is_invalid_request_exception())
}

fn unread(error: &SdkError<GetSecretValueError>) -> Unread {
    let Some(refusal) = error.as_service_error() else {
        return Unread { why: "the secret store did not answer", cause: None };
    };
    let cause = refusal.code().map(|code| format!("{code}: {}", refusal.message().unwrap_or_default()));
    Unread { why: "the secret store refused", cause }
}
