//! What waits: long waits rest in the table and are found when they are due, short ones when they are overdue.

use recoup_domain::time::Timestamp;

use crate::{ReadError, WriteError};

/// How many parts the index of waits has, so that no single one bounds what can wait or be woken.
pub const SHARDS: u8 = 8;

/// Something that rests, by its place in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
    /// Its place in the index, by which a wait that was replaced meanwhile is left alone.
    pub due: String,
}

/// Finds and wakes what rests.
pub trait Due {
    /// What is due by a moment in one part of the index and behind a place, earliest first, at most `limit`.
    fn due(
        &self,
        shard: u8,
        behind: Option<&Resting>,
        by: Timestamp,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Resting>, ReadError>> + Send;

    /// Sends for it: the table's stream tells `relay-events`. It is found again after
    /// [`recoup_domain::waiting::GRACE`], should that come to nothing. Woken or changed meanwhile is fine.
    fn wake(&self, resting: &Resting, now: Timestamp) -> impl Future<Output = Result<(), WriteError>> + Send;
}
