//! AWS Secrets Manager, with limits. Nothing of a secret gets into a log or an error; what AWS says of a refusal does.

use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use tokio::time::timeout;

use crate::lazy::Lazy;
use crate::unread::{Unread, Words, unread};

/// One read with all its tries: a third of the time that a processor's question has, so that with a kept value
/// there is time left to ask.
const READ_LIMIT: Duration = Duration::from_secs(2);
const WORDS: Words =
    Words { did_not_answer: "the secret store did not answer", refused: "the secret store refused" };

/// The store of secrets. A clone shares the client.
#[derive(Clone, Debug)]
pub struct SecretStore {
    client: Lazy<Client>,
    read_limit: Duration,
}

/// A secret's text and the version it was read from.
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) version: String,
}

impl SecretStore {
    /// The store behind this client, which is built when a secret is first read: a process that needs none pays none.
    pub fn new(client: impl FnOnce() -> Client + Send + 'static) -> Self {
        Self { client: Lazy::new(client), read_limit: READ_LIMIT }
    }

    /// The same with another limit for each read.
    #[must_use]
    pub fn within(self, read_limit: Duration) -> Self {
        Self { read_limit, ..self }
    }

    pub(crate) fn client(&self) -> &Client {
        self.client.get()
    }

    /// The secret's current version; `None` where there is no such secret.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Secret>, Unread> {
        // On the heap: the SDK's future is large, and those that await it would be, too.
        let request = Box::pin(self.client().get_secret_value().secret_id(name).send());
        let secret = match timeout(self.read_limit, request).await {
            Err(_) => return Err(Unread::too_late()),
            Ok(Err(error)) if is_absent(&error) => return Ok(None),
            Ok(Err(error)) => return Err(unread(&error, &WORDS)),
            Ok(Ok(secret)) => secret,
        };
        let text = secret.secret_string.ok_or(Unread::unusable("it is binary"))?;
        Ok(Some(Secret { text, version: secret.version_id.unwrap_or_default() }))
    }
}

/// A secret that is marked for deletion is an `InvalidRequestException`; somebody has taken it away.
fn is_absent(error: &SdkError<GetSecretValueError>) -> bool {
    error
        .as_service_error()
        .is_some_and(|error| error.is_resource_not_found_exception() || error.is_invalid_request_exception())
}
