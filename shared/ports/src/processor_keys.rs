//! The secrets that open the processors: each account has its own, in each environment.

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::Sealed;
use recoup_domain::time::Timestamp;
use thiserror::Error;

use crate::{BoxError, ReadError, WriteError};

/// What opens one processor for one account.
pub trait Access: Sized + Send {
    /// Which processor it opens.
    const PROCESSOR: ProcessorName;

    /// Reads the account's secret. An error says what is wrong with it, and repeats nothing of it.
    fn parse(secret: &str) -> Result<Self, &'static str>;
}

/// Knows each tenant's access to its processors.
pub trait ProcessorKeys {
    /// The tenant's access to one processor; `None` where it has none.
    fn access<A: Access>(&self, tenant: &Tenant)
    -> impl Future<Output = Result<Option<A>, KeysError>> + Send;
}

/// Why there is no key: both pass, once somebody has put it right.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The store of secrets did not answer, or refused.
    #[error("the processor's keys cannot be read")]
    Unavailable(#[source] BoxError),
    /// What it holds is no key.
    #[error("the processor's keys cannot be read")]
    NoKey(#[source] BoxError),
}

/// Reads the secrets that `admin` has stored.
pub trait SealedKeys {
    /// The tenant's sealed secret for one processor; `None` where `admin` has stored none.
    fn sealed_keys(
        &self,
        tenant: &Tenant,
        processor: ProcessorName,
    ) -> impl Future<Output = Result<Option<Sealed>, ReadError>> + Send;
}

/// The outcome of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The secret is gone.
    Yes,
    /// There was none.
    Missing,
}

/// Stores and deletes sealed secrets.
pub trait KeepSealedKeys {
    /// Stores a tenant's secret for one processor, in the place of an earlier one.
    fn keep_sealed_keys(
        &self,
        tenant: &Tenant,
        processor: ProcessorName,
        sealed: &Sealed,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Deletes it.
    fn delete_sealed_keys(
        &self,
        tenant: &Tenant,
        processor: ProcessorName,
    ) -> impl Future<Output = Result<Deleted, WriteError>> + Send;
}
