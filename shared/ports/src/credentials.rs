//! Accounts and their API keys.

use recoup_domain::api_key::StoredKey;
use recoup_domain::ids::{AccountId, Environment, KeyId, Tenant};
use recoup_domain::sealed::{StoredSecret, StoredSecrets};
use recoup_domain::time::Timestamp;

use crate::{ReadError, WriteError};

/// The outcome of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The new secrets are stored, now or by an earlier call whose answer was lost.
    Yes,
    /// The secrets have changed since they were read; nothing was written.
    Overtaken,
}

/// Reads keys.
pub trait Keys {
    /// The key with this id, revoked or not.
    fn key(&self, id: &KeyId) -> impl Future<Output = Result<Option<StoredKey>, ReadError>> + Send;
}

/// A new account: one tenant in each environment, each with its own webhook secret.
#[derive(Debug)]
pub struct NewAccount {
    /// The account's id.
    pub id: AccountId,
    /// The account's name, for people.
    pub name: String,
    /// Signs webhooks to refunds' own URLs in the sandbox.
    pub sandbox_secret: StoredSecret,
    /// Signs webhooks to refunds' own URLs in live.
    pub live_secret: StoredSecret,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The outcome of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The key is revoked, now or since before.
    Yes,
    /// There is no such key.
    NoSuchKey,
}

/// Creates accounts, and creates and revokes keys.
pub trait Accounts {
    /// Writes both tenants of a new account, or neither.
    fn create_account(&self, account: &NewAccount) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Whether the account has a tenant in this environment.
    fn account_exists(
        &self,
        account: &AccountId,
        environment: Environment,
    ) -> impl Future<Output = Result<bool, ReadError>> + Send;

    /// Replaces a tenant's webhook secrets if the stored ones are still `from`.
    fn rotate_webhook_secret(
        &self,
        tenant: &Tenant,
        from: &StoredSecrets,
        to: &StoredSecrets,
    ) -> impl Future<Output = Result<Rotated, WriteError>> + Send;

    /// Writes a new key.
    fn create_key(
        &self,
        key: &StoredKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Revokes a key for good.
    fn revoke_key(
        &self,
        id: &KeyId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Revoked, WriteError>> + Send;
}
