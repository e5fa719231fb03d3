//! The secrets that open the processors: each account has its own, in each environment.

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use thiserror::Error;

use crate::BoxError;

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

/// The secret store did not answer or refused, or what it holds is no key: both pass once somebody has put it right.
#[derive(Debug, Error)]
#[error("the processor's keys cannot be read")]
pub struct KeysError(#[source] pub BoxError);
