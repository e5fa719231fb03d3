//! The processors' keys in AWS Secrets Manager: one secret for each account, environment and processor.
//!
//! A secret is read when a refund first needs it and kept for a while, never at start-up: most functions' lives see
//! few accounts. Nothing of a secret gets into a log or an error; what AWS says of a refusal does.

mod kept;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};

use self::kept::Kept;
use crate::secret_store::{SecretStore, Unread};

pub use self::kept::TENANTS_MAX;

/// Reads each tenant's keys, and keeps them. A clone shares what is kept.
#[derive(Clone, Debug)]
pub struct StoredKeys {
    store: Arc<SecretStore>,
    prefix: Arc<str>,
    now: fn() -> Timestamp,
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

impl StoredKeys {
    /// Reads `{prefix}/{environment}/{account}/{processor}` from this store.
    pub fn new(store: SecretStore, prefix: &str, now: fn() -> Timestamp) -> Self {
        Self { store: Arc::new(store), prefix: prefix.into(), now, kept: Arc::default() }
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
        let read = self.read::<A>(tenant).await;
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
        let Some(secret) = self.store.read(&name).await? else { return Ok(None) };
        A::parse(&secret.text).map_err(Unread::unusable)?;
        Ok(Some(SecretText(secret.text)))
    }
}

impl ProcessorKeys for StoredKeys {
    async fn access<A: Access>(&self, tenant: &Tenant) -> Result<Option<A>, KeysError> {
        let secret = self.secret::<A>(tenant).await?;
        secret.map(|SecretText(text)| A::parse(&text)).transpose().map_err(|why| KeysError(why.into()))
    }
}
