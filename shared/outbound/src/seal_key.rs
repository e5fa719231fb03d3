//! The key that seals payments, read from the secret store when it is first needed and kept for the process's life.

use std::sync::OnceLock;

use recoup_domain::seal::SealKey;
use recoup_ports::BoxError;
use recoup_ports::seal_keys::{SealKeyError, SealKeys};

use crate::secret_store::SecretStore;
use crate::unread::Unread;

/// The key under this name in the secret store. What could not be read is read again when it is next needed.
#[derive(Debug)]
pub struct StoredSealKey {
    store: SecretStore,
    name: String,
    kept: OnceLock<SealKey>,
}

impl StoredSealKey {
    /// Reads the secret of this name or ARN.
    pub fn new(store: SecretStore, name: String) -> Self {
        Self { store, name, kept: OnceLock::new() }
    }

    async fn read(&self) -> Result<SealKey, BoxError> {
        let secret =
            self.store.read(&self.name).await.map_err(Unread::into_text)?.ok_or("there is no such secret")?;
        Ok(SealKey::new(secret.text.into_bytes()).ok_or("the secret is too short")?)
    }
}

impl SealKeys for StoredSealKey {
    async fn seal_key(&self) -> Result<SealKey, SealKeyError> {
        if let Some(key) = self.kept.get() {
            return Ok(key.clone());
        }
        let key = self.read().await.map_err(SealKeyError)?;
        Ok(self.kept.get_or_init(|| key).clone())
    }
}
