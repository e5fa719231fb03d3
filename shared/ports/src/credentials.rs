//! Accounts and their API keys.

use recoup_domain::api_key::StoredKey;
use recoup_domain::ids::{AccountId, Environment, KeyId};
use recoup_domain::time::Timestamp;

use crate::webhooks::WebhookSecret;
use crate::{ReadError, WriteError};

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
    pub sandbox_secret: WebhookSecret,
    /// Signs what live announces to refunds' own URLs.
    pub live_secret: WebhookSecret,
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
