//! The key that seals payments: held by those who register them, and by those who check.

use recoup_domain::seal::SealKey;
use thiserror::Error;

use crate::BoxError;

/// Knows the key that seals payments.
pub trait SealKeys {
    /// The key; read when it is first needed, and kept.
    fn seal_key(&self) -> impl Future<Output = Result<SealKey, SealKeyError>> + Send;
}

/// The secret store did not answer or refused, or what it holds is no key.
#[derive(Debug, Error)]
#[error("the key that seals payments cannot be read")]
pub struct SealKeyError(#[source] pub BoxError);
