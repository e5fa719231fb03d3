//! A secret that is replaced now and then: the newest one is used for what is new, once every process can know it, and the
//! one before it still counts.
//!
//! The pepper under which API keys are hashed is such a secret, and so is the key that signs access tokens. Both live
//! outside the tables.

use std::fmt;
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// One secret of a keyring.
#[derive(Clone, PartialEq, Eq)]
pub struct RingKey {
    id: String,
    secret: String,
}

impl RingKey {
    /// Fewest characters of a secret.
    pub const LENGTH_MIN: usize = 32;
    /// Bytes of the hash that make the id.
    const ID_BYTES: usize = 8;

    /// The key of a secret; `None` if the secret is too short.
    pub fn new(secret: String) -> Option<Self> {
        if secret.len() < Self::LENGTH_MIN {
            return None;
        }
        let hash = Sha256::new().chain_update("recoup key id\n").chain_update(&secret).finalize();
        let id = hash.get(..Self::ID_BYTES).map(|bytes| HEXLOWER.encode(bytes))?;
        Some(Self { id, secret })
    }

    /// 16 hexadecimal digits that name the key and tell nothing of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret, for the store of secrets alone.
    pub fn reveal(&self) -> &str {
        &self.secret
    }

    /// The key of HMACs.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.secret.as_bytes()
    }
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingKey({}, …)", self.id)
    }
}

/// The newest key, and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    /// The newest key.
    pub current: RingKey,
    /// The key before it, which still counts.
    pub previous: Option<RingKey>,
    /// When the current key became that; `None` for the first key.
    pub rotated_at: Option<Timestamp>,
}

impl Keyring {
    /// How long after a rotation the key before it is still used for what is new: longer than a process that has read the
    /// ring just before the rotation leaves it alone.
    pub const SPREADS_FOR: Duration = Duration::from_mins(2);

    /// The key for what is made now: one that every process knows.
    pub fn for_new(&self, now: Timestamp) -> &RingKey {
        let spreads = self.rotated_at.is_some_and(|at| now.since(at) < Self::SPREADS_FOR);
        self.previous.as_ref().filter(|_| spreads).unwrap_or(&self.current)
    }

    /// A ring of one key.
    pub fn first(current: RingKey) -> Self {
        Self { current, previous: None, rotated_at: None }
    }

    /// The key with this id, if it still counts.
    pub fn key(&self, id: &str) -> Option<&RingKey> {
        self.keys().find(|key| key.id == id)
    }

    /// Every key that counts, the newest first.
    pub fn keys(&self) -> impl Iterator<Item = &RingKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The ring after a rotation: the key before the current one no longer counts.
    #[must_use]
    pub fn rotated(&self, new: RingKey, now: Timestamp) -> Self {
        Self { current: new, previous: Some(self.current.clone()), rotated_at: Some(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(letter: &str) -> RingKey {
        RingKey::new(letter.repeat(32)).unwrap()
    }

    #[test]
    fn a_rotation_keeps_the_key_before_and_drops_the_one_before_that() {
        let now = Timestamp::from_unix_millis(1).unwrap();
        let first = Keyring::first(key("a"));
        let third = first.rotated(key("b"), now).rotated(key("c"), now);
        let known = |ring: &Keyring, letter| ring.key(key(letter).id()).cloned();
        assert_eq!(known(&first, "a"), Some(key("a")));
        assert_eq!(["a", "b", "c"].map(|letter| known(&third, letter).is_some()), [false, true, true]);
        assert_eq!((third.current, third.rotated_at), (key("c"), Some(now)));
    }

    #[test]
    fn what_is_new_is_made_with_a_key_that_every_process_knows() {
        let rotated_at = Timestamp::from_unix_millis(1).unwrap();
        let first = Keyring::first(key("a"));
        let second = first.rotated(key("b"), rotated_at);
        assert_eq!(first.for_new(rotated_at), &key("a"));
        let last = rotated_at.plus(Keyring::SPREADS_FOR.saturating_sub(Duration::from_millis(1)));
        for (now, expected) in [(rotated_at, "a"), (last, "a"), (rotated_at.plus(Keyring::SPREADS_FOR), "b")]
        {
            assert_eq!(second.for_new(now), &key(expected));
        }
    }

    #[test]
    fn a_key_has_an_id_and_is_not_printed() {
        assert_eq!(key("a").id(), "1e09c544d113de7d");
        assert_ne!(key("a").id(), key("b").id());
        assert_eq!(format!("{:?}", key("a")), format!("RingKey({}, …)", key("a").id()));
        assert_eq!(RingKey::new("a".repeat(31)), None);
    }
}
