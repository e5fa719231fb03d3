//! Rows that are read together: one that cannot be read is named and harms no other.

use crate::ReadError;

/// A row that is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// The id of what it holds.
    pub id: String,
    /// The item's key, for the log.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// What was read, and what could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows that can be read.
    pub read: Vec<T>,
    /// The others.
    pub unreadable: Vec<UnreadableRow>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { read: Vec::new(), unreadable: Vec::new() }
    }
}

impl<T> Rows<T> {
    /// Adds a row, or its name; fails if the table did not answer.
    pub fn add(&mut self, id: &str, row: Result<T, ReadError>) -> Result<(), ReadError> {
        match row {
            Ok(row) => self.read.push(row),
            Err(ReadError::Unreadable { key, why }) => {
                self.unreadable.push(UnreadableRow { id: id.to_owned(), key, why });
            }
            Err(error @ ReadError::Unavailable(_)) => return Err(error),
        }
        Ok(())
    }

    /// All rows, for who cannot do without one of them.
    pub fn whole(self) -> Result<Vec<T>, ReadError> {
        match self.unreadable.into_iter().next() {
            None => Ok(self.read),
            Some(UnreadableRow { key, why, .. }) => Err(ReadError::Unreadable { key, why }),
        }
    }
}
