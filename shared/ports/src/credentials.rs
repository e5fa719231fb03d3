//! Accounts.

use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::sealed::{StoredSecret, StoredSecrets};
use recoup_domain::time::Timestamp;

use crate::rows::Rows;
use crate::{ReadError, WriteError};

/// The outcome of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The new secrets are stored, now or by an earlier call whose answer was lost.
    Yes,
    /// The secrets have changed since they were read; nothing was written.
    Overtaken,
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

/// An account, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    /// The account's id.
    pub id: AccountId,
    /// Its name, for people.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Creates and shows accounts.
pub trait Accounts {
    /// Writes both tenants of a new account, or neither.
    fn create_account(&self, account: &NewAccount) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// What at most 100 tenants' items say of their accounts, in the order of their ids.
    fn accounts(
        &self,
        tenants: &[Tenant],
    ) -> impl Future<Output = Result<Rows<AccountFacts>, ReadError>> + Send;

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
}
