//! Rows that are read together: one that cannot be read is named, and the others are still returned.

use crate::ReadError;

/// A row that exists but cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// The id of the refund, payment or endpoint in the row.
    pub id: String,
    /// The item's key, for the log.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// The rows that could be read, and those that could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// The readable rows.
    pub read: Vec<T>,
    /// The unreadable rows.
    pub unreadable: Vec<UnreadableRow>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { read: Vec::new(), unreadable: Vec::new() }
    }
}

impl<T> Rows<T> {
    /// Adds a row, or names it as unreadable; fails if the table did not answer.
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

    /// All rows, for a caller that cannot do without any of them; fails if one is unreadable.
    pub fn whole(self) -> Result<Vec<T>, ReadError> {
        match self.unreadable.into_iter().next() {
            None => Ok(self.read),
            Some(UnreadableRow { key, why, .. }) => Err(ReadError::Unreadable { key, why }),
        }
    }
}
