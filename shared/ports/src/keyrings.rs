//! The secrets of the deployment itself, in the store of secrets.

use recoup_domain::keyring::Keyring;
use thiserror::Error;

use crate::BoxError;

/// Which keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// The pepper under which API keys are proven.
    Pepper,
    /// The key that signs access tokens.
    TokenSigning,
}

impl Ring {
    /// The ring's name, such as `pepper`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::TokenSigning => "token_signing",
        }
    }
}

/// The store of secrets did not answer or refused, or what it holds is no keyring.
#[derive(Debug, Error)]
#[error("a keyring cannot be read or replaced")]
pub struct KeyringError(#[source] pub BoxError);

/// Reads keyrings.
pub trait Keyrings {
    /// A keyring, as it is kept. Where it lacks the key with the id `needed`, it is read anew, but not more often than
    /// once in a minute; it may lack the key then, too.
    fn keyring(
        &self,
        ring: Ring,
        needed: Option<&str>,
    ) -> impl Future<Output = Result<Keyring, KeyringError>> + Send;
}

/// Replaces keyrings.
pub trait RotateKeyrings {
    /// The keyring as the store has it now, whatever is kept.
    fn stored_keyring(&self, ring: Ring) -> impl Future<Output = Result<StoredKeyring, KeyringError>> + Send;

    /// Replaces a keyring, if it is still what was read. `Ok(false)`: somebody else replaced it meanwhile.
    fn replace_keyring(
        &self,
        ring: Ring,
        from: &StoredKeyring,
        to: &Keyring,
    ) -> impl Future<Output = Result<bool, KeyringError>> + Send;
}

/// A keyring, and which version of the secret it was read from.
#[derive(Clone, Debug)]
pub struct StoredKeyring {
    /// The keyring.
    pub keyring: Keyring,
    /// The secret's version.
    pub version: String,
}
