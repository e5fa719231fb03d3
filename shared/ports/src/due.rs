//! The index of waits: it returns long waits, which rest in the table, when due, and short ones when overdue.

use recoup_domain::time::Timestamp;

use crate::{ReadError, WriteError};

/// How many partitions the index of waits has, so that none of them limits how much can wait or be woken.
pub const SHARDS: u8 = 8;

/// A wait in the index, by its place in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
    /// Its place in the index; a wait that was replaced meanwhile has another, and is left alone.
    pub due: String,
}

/// Finds and wakes waits.
pub trait Due {
    /// The waits due by a moment in one partition of the index, after `behind`, earliest first, at most `limit`.
    fn due(
        &self,
        shard: u8,
        behind: Option<&Resting>,
        by: Timestamp,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Resting>, ReadError>> + Send;

    /// Marks a wait as woken, whereupon the table's stream has `relay-events` send its message. If that message is
    /// lost, the wait is found again after [`recoup_domain::waiting::GRACE`]. A repeat, or a changed wait, is fine.
    fn wake(&self, resting: &Resting, now: Timestamp) -> impl Future<Output = Result<(), WriteError>> + Send;
}
