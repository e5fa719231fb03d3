//! Secrets as they are stored: sealed, so that a reader of the table can forge nothing.

use std::fmt;

use crate::signing::{Secret, Secrets};

/// A sealed text. It says nothing without the key that sealed it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// What the key made of a text.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// A signing secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSecret {
    /// As version 0.1 stored every secret, and as a new one is before it is sealed.
    Plain(Secret),
    /// As it is stored since.
    Sealed(Sealed),
}

/// One receiver's secrets as they are stored.
pub type StoredSecrets = Secrets<StoredSecret>;
