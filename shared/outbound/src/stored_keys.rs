//! The processors' keys: sealed in the credentials table where `admin` put them, else in AWS Secrets Manager, one secret
//! for each account, environment and processor.
//!
//! A secret is read when a refund first needs it and kept for a while, never at start-up: most functions' lives see
//! few accounts. Nothing of a secret gets into a log or an error; what AWS says of a refusal does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys, SealedKeys};
use recoup_ports::seals::{Open, OpenError, Purpose};
use recoup_ports::{ReadError, causes};
use tokio::time::timeout;

use crate::kept::Kept;
use crate::secret_store::SecretStore;
use crate::unread::Unread;

pub use crate::kept::KEPT_MAX as TENANTS_MAX;

/// One read with all its tries: a third of the time that a processor's question has, so that with a kept value
/// there is time left to ask.
const READ_LIMIT: Duration = Duration::from_secs(2);

/// Reads each tenant's keys, and keeps them. A clone shares what is kept.
#[derive(Clone, Debug)]
pub struct StoredKeys<S, O> {
    sealed: S,
    open: O,
    store: SecretStore,
    prefix: Arc<str>,
    now: fn() -> Timestamp,
    read_limit: Duration,
    kept: Arc<Mutex<KeptOfAll>>,
}

type KeptOfAll = HashMap<ProcessorName, Kept<Tenant, SecretText>>;

/// A secret that its processor could read; never printed by accident.
#[derive(Clone)]
struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl<S, O> StoredKeys<S, O> {
    /// Reads what is sealed in this store, and opens it; or else reads `{prefix}/{environment}/{account}/{processor}`
    /// from this store.
    pub fn new(sealed: S, open: O, store: SecretStore, prefix: &str, now: fn() -> Timestamp) -> Self {
        let prefix = prefix.into();
        Self { sealed, open, store, prefix, now, read_limit: READ_LIMIT, kept: Arc::default() }
    }

    /// The same with another limit for each read.
    #[must_use]
    pub fn within(self, read_limit: Duration) -> Self {
        Self { read_limit, ..self }
    }

    /// Does something to what is kept of one processor's secrets.
    fn with_kept<T>(
        &self,
        processor: ProcessorName,
        act: impl FnOnce(&mut Kept<Tenant, SecretText>) -> T,
    ) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        act(kept.entry(processor).or_insert_with(Kept::empty))
    }
}

impl<S: SealedKeys + Sync, O: Open + Sync> StoredKeys<S, O> {
    /// The secret as it is kept, or else as the store has it now.
    async fn secret<A: Access>(&self, tenant: &Tenant) -> Result<Option<SecretText>, KeysError> {
        let now = (self.now)();
        let fresh =
            |kept: &mut Kept<Tenant, SecretText>| kept.fresh(tenant, now).map(|entry| entry.value.clone());
        if let Some(secret) = self.with_kept(A::PROCESSOR, fresh) {
            return Ok(secret);
        }
        // Three stores deep, the future is too large to move about.
        let read = match timeout(self.read_limit, Box::pin(self.read::<A>(tenant))).await {
            Ok(read) => read,
            Err(_) => Err(Unread::too_late()),
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
        // What is no key stays none until somebody stores another.
        let error = if away { KeysError::Unavailable } else { KeysError::NoKey };
        kept.map(Some).ok_or_else(|| error(why.into()))
    }

    /// Asks the stores; `None` where the tenant has no such secret in either.
    async fn read<A: Access>(&self, tenant: &Tenant) -> Result<Option<SecretText>, Unread> {
        let text = match self.sealed_text::<A>(tenant).await? {
            Some(text) => Some(text),
            None => self.own_secret::<A>(tenant).await?,
        };
        let Some(text) = text else { return Ok(None) };
        A::parse(&text).map_err(Unread::unusable)?;
        Ok(Some(SecretText(text)))
    }

    /// The secret that `admin` has stored.
    async fn sealed_text<A: Access>(&self, tenant: &Tenant) -> Result<Option<String>, Unread> {
        let sealed = self.sealed.sealed_keys(tenant, A::PROCESSOR).await.map_err(|error| Unread {
            why: "the credentials cannot be read",
            cause: Some(causes(&error)),
            away: matches!(error, ReadError::Unavailable(_)),
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        let opened = self.open.open(tenant, &Purpose::Processor(A::PROCESSOR), &sealed).await;
        let opened = opened.map_err(|error| Unread {
            why: "the sealed secret cannot be opened",
            cause: Some(causes(&error)),
            away: matches!(error, OpenError::Away(_)),
        })?;
        let text = String::from_utf8(opened.bytes().to_vec());
        text.map(Some).map_err(|_| Unread::unusable("it is binary"))
    }

    /// The secret that an operator has put into Secrets Manager.
    async fn own_secret<A: Access>(&self, tenant: &Tenant) -> Result<Option<String>, Unread> {
        let (environment, account) = (tenant.environment.as_str(), &tenant.account);
        let name = format!("{}/{environment}/{account}/{}", self.prefix, A::PROCESSOR.as_str());
        Ok(self.store.read(&name).await?.map(|secret| secret.text))
    }
}

impl<S: SealedKeys + Sync, O: Open + Sync> ProcessorKeys for StoredKeys<S, O> {
    async fn access<A: Access>(&self, tenant: &Tenant) -> Result<Option<A>, KeysError> {
        let secret = self.secret::<A>(tenant).await?;
        secret.map(|SecretText(text)| A::parse(&text)).transpose().map_err(|why| KeysError::NoKey(why.into()))
    }
}
