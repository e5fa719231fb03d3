//! Accounts and their API keys.

use recoup_domain::api_key::StoredKey;
use recoup_domain::ids::{AccountId, Environment, KeyId, Tenant};
use recoup_domain::signing::{Secret, Secrets};
use recoup_domain::time::Timestamp;

use crate::{ReadError, WriteError};

/// What became of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The new secrets are the ones, from this rotation or from a try before that lost its answer.
    Yes,
    /// Somebody else rotated meanwhile; nothing was written.
    Overtaken,
}

/// Looks keys up.
pub trait Keys {
    /// The key of that id, revoked or not.
    fn key(&self, id: &KeyId) -> impl Future<Output = Result<Option<StoredKey>, ReadError>> + Send;
}

/// A new account: one tenant in each environment, each with its own webhook secret.
#[derive(Debug)]
pub struct NewAccount {
    /// Its id.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// Signs what the sandbox announces to refunds' own URLs.
    pub sandbox_secret: Secret,
    /// Signs what live announces to refunds' own URLs.
    pub live_secret: Secret,
    /// When.
    pub created_at: Timestamp,
}

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The key is revoked, now or before.
    Yes,
    /// There is no such key.
    NoSuchKey,
}

/// Keeps accounts and keys.
pub trait Accounts {
    /// Writes both tenants of a new account, or neither.
    fn create_account(&self, account: &NewAccount) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Whether the account has a tenant in this environment.
    fn account_exists(
        &self,
        account: &AccountId,
        environment: Environment,
    ) -> impl Future<Output = Result<bool, ReadError>> + Send;

    /// Puts a tenant's webhook secrets in the place of those that were read.
    fn rotate_webhook_secret(
        &self,
        tenant: &Tenant,
        from: &Secrets,
        to: &Secrets,
    ) -> impl Future<Output = Result<Rotated, WriteError>> + Send;

    /// Writes a new key.
    fn create_key(
        &self,
        key: &StoredKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Takes a key back, for good.
    fn revoke_key(
        &self,
        id: &KeyId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Revoked, WriteError>> + Send;
}
