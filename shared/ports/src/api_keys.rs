//! API keys and clients.

use recoup_domain::ids::{KeyId, Tenant};
use recoup_domain::stored_key::StoredKey;
use recoup_domain::time::Timestamp;

use crate::rows::Rows;
use crate::{ReadError, WriteError};

/// Reads keys.
pub trait Keys {
    /// The key with this id, revoked or not.
    fn key(&self, id: &KeyId) -> impl Future<Output = Result<Option<StoredKey>, ReadError>> + Send;

    /// Replaces the proof of a key by one under the current pepper. A key that was changed meanwhile stays as it is,
    /// and is renewed when it is next seen.
    fn renew_key(
        &self,
        from: &StoredKey,
        to: &StoredKey,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// The outcome of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The key is revoked, now or since before.
    Yes,
    /// There is no such key.
    NoSuchKey,
}

/// Keys that would end with a pepper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unrenewed {
    /// How many.
    pub count: u64,
    /// The first of them, at most [`Unrenewed::NAMED_MAX`].
    pub some: Vec<KeyId>,
}

impl Unrenewed {
    /// Most keys that are named.
    pub const NAMED_MAX: usize = 5;
}

/// Creates, lists and revokes keys.
pub trait KeepKeys: Keys {
    /// Writes a new key.
    fn create_key(&self, key: &StoredKey) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Revokes a key for good.
    fn revoke_key(
        &self,
        id: &KeyId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Revoked, WriteError>> + Send;

    /// A tenant's keys, newest first: at most `limit`. A key of version 0.1 is among them once it was used.
    fn keys_of(
        &self,
        tenant: &Tenant,
        limit: u16,
    ) -> impl Future<Output = Result<Rows<StoredKey>, ReadError>> + Send;

    /// The keys that may still be used and are proven under another pepper than this one.
    fn proven_otherwise(
        &self,
        pepper: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Unrenewed, ReadError>> + Send;
}
