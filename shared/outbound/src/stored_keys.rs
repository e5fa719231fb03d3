//! The processors' keys in AWS Secrets Manager: one secret for each account, environment and processor.
//!
//! A secret is read when a refund first needs it and kept for a while, never at start-up: most functions' lives see
//! few accounts. Nothing of a secret gets into a log or an error; what AWS says of a refusal does.

mod kept;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use tokio::time::timeout;

use self::kept::Kept;

pub use self::kept::TENANTS_MAX;

/// One read with all its tries: a third of the time that a processor's question has, so that with a kept value
/// there is time left to ask.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// What AWS says when it is asked too often; some of it with a 400.
const THROTTLED: [&str; 3] = ["ThrottlingException", "Throttling", "TooManyRequestsException"];

/// Reads each tenant's keys, and keeps them. A clone shares what is kept.
#[derive(Clone, Debug)]
pub struct StoredKeys {
    client: Client,
    prefix: Arc<str>,
    now: fn() -> Timestamp,
    read_limit: Duration,
    kept: Arc<Mutex<HashMap<ProcessorName, Kept<SecretText>>>>,
}

/// A secret that its processor could read; never printed by accident.
#[derive(Clone)]
struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Why a secret was not read; in words that hold nothing of it.
struct Unread {
    why: &'static str,
    cause: Option<String>,
    /// The store gave no answer, so what it said before still counts.
    away: bool,
}

impl StoredKeys {
    /// Reads `{prefix}/{environment}/{account}/{processor}` through this client.
    pub fn new(client: Client, prefix: &str, now: fn() -> Timestamp) -> Self {
        Self { client, prefix: prefix.into(), now, read_limit: READ_LIMIT, kept: Arc::default() }
    }

    /// The same with another limit for each read.
    #[must_use]
    pub fn within(self, read_limit: Duration) -> Self {
        Self { read_limit, ..self }
    }

    /// Does something to what is kept of one processor's secrets.
    fn with_kept<T>(&self, processor: ProcessorName, act: impl FnOnce(&mut Kept<SecretText>) -> T) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        act(kept.entry(processor).or_insert_with(Kept::empty))
    }

    /// The secret as it is kept, or else as the store has it now.
    async fn secret<A: Access>(&self, tenant: &Tenant) -> Result<Option<SecretText>, KeysError> {
        let now = (self.now)();
        let fresh = |kept: &mut Kept<SecretText>| kept.fresh(tenant, now).map(|entry| entry.value.clone());
        if let Some(secret) = self.with_kept(A::PROCESSOR, fresh) {
            return Ok(secret);
        }
        let read = match timeout(self.read_limit, self.read::<A>(tenant)).await {
            Ok(read) => read,
            Err(_) => Err(Unread { why: "too late", cause: None, away: true }),
        };
        let now = (self.now)();
        let Unread { why, cause, away } = match read {
            Ok(secret) => {
                self.with_kept(A::PROCESSOR, |kept| kept.keep(tenant, secret.clone(), now));
                return Ok(secret);
            }
            Err(unread) => unread,
        };
        let kept = if away { self.with_kept(A::PROCESSOR, |kept| kept.outlive(tenant, now)) } else { None };
        tracing::error!(
            account.id = %tenant.account,
            environment = tenant.environment.as_str(),
            processor.name = A::PROCESSOR.as_str(),
            why,
            cause,
            kept = kept.is_some(),
            "the processor's keys cannot be read"
        );
        kept.map(Some).ok_or_else(|| KeysError(why.into()))
    }

    /// Asks the store; `None` where the tenant has no such secret.
    async fn read<A: Access>(&self, tenant: &Tenant) -> Result<Option<SecretText>, Unread> {
        let (environment, account) = (tenant.environment.as_str(), &tenant.account);
        let name = format!("{}/{environment}/{account}/{}", self.prefix, A::PROCESSOR.as_str());
        let secret = match self.client.get_secret_value().secret_id(name).send().await {
            Ok(secret) => secret,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(unread(&error)),
        };
        let unusable = |why| Unread { why, cause: None, away: false };
        let text = secret.secret_string.ok_or(unusable("it is binary"))?;
        A::parse(&text).map_err(unusable)?;
        Ok(Some(SecretText(text)))
    }
}

impl ProcessorKeys for StoredKeys {
    async fn access<A: Access>(&self, tenant: &Tenant) -> Result<Option<A>, KeysError> {
        let secret = self.secret::<A>(tenant).await?;
        secret.map(|SecretText(text)| A::parse(&text)).transpose().map_err(|why| KeysError(why.into()))
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
