//! AWS Secrets Manager, with limits. Nothing of a secret gets into a log or an error; what AWS says of a refusal does.

use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_types::SdkConfig;
use tokio::time::timeout;

/// One read with all its tries: a third of the time that a processor's question has, so that with a kept value
/// there is time left to ask.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// What AWS says when it is asked too often; some of it with a 400.
const THROTTLED: [&str; 3] = ["ThrottlingException", "Throttling", "TooManyRequestsException"];

/// The store of secrets. Its client is built when a secret is first read: a process that needs none pays for none.
#[derive(Debug)]
pub struct SecretStore {
    config: SdkConfig,
    client: OnceLock<Client>,
    read_limit: Duration,
}

/// A secret's text and the version it was read from.
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) version: String,
}

/// Why a secret was not read; in words that hold nothing of it.
pub(crate) struct Unread {
    pub(crate) why: &'static str,
    pub(crate) cause: Option<String>,
    /// The store gave no answer, so what it said before still counts.
    pub(crate) away: bool,
}

impl Unread {
    /// The secret was read, but is not what it should be.
    pub(crate) fn unusable(why: &'static str) -> Self {
        Self { why, cause: None, away: false }
    }

    /// The same in one text, for the log.
    pub(crate) fn told(self) -> String {
        let Self { why, cause, away: _ } = self;
        cause.map_or(why.to_owned(), |cause| format!("{why} ({cause})"))
    }
}

impl SecretStore {
    /// The store that this configuration reaches.
    pub fn new(config: SdkConfig) -> Self {
        Self { config, client: OnceLock::new(), read_limit: READ_LIMIT }
    }

    /// The same with another limit for each read.
    #[must_use]
    pub fn within(self, read_limit: Duration) -> Self {
        Self { read_limit, ..self }
    }

    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&self.config))
    }

    /// The secret's current version; `None` where there is no such secret.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Secret>, Unread> {
        // On the heap: the SDK's future is large, and those that await it would be, too.
        let request = Box::pin(self.client().get_secret_value().secret_id(name).send());
        let secret = match timeout(self.read_limit, request).await {
            Err(_) => return Err(Unread { why: "too late", cause: None, away: true }),
            Ok(Err(error)) if is_absent(&error) => return Ok(None),
            Ok(Err(error)) => return Err(unread(&error)),
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

/// What is told of an error. Never its debug form: an answer that could not be parsed is part of it.
fn unread(error: &SdkError<GetSecretValueError>) -> Unread {
    let Some(refusal) = error.as_service_error() else {
        return Unread { why: "the secret store did not answer", cause: None, away: true };
    };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let throttled = status == 429 || refusal.code().is_some_and(|code| THROTTLED.contains(&code));
    // A 200 that cannot be parsed is an error of the service to the SDK.
    let away = throttled || !(400..500).contains(&status);
    let why = if away { "the secret store did not answer" } else { "the secret store refused" };
    let cause = Some(recoup_ports::refusal(refusal.code(), refusal.message()));
    Unread { why, cause, away }
}
