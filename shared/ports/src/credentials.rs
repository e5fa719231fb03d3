//! Accounts.

use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::sealed::StoredSecret;
use recoup_domain::time::Timestamp;

use crate::rows::Rows;
use crate::{ReadError, WriteError};

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
}
