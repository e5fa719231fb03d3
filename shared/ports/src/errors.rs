//! What can go wrong with a read or a plain write, whatever is read or written.

use thiserror::Error;

/// A cause, for the log alone.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a read has no answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The table did not answer in time, or refused for load. Worth a retry.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
    /// What is stored is not what this program writes. Not worth a retry.
    #[error("the item {key} cannot be read: {why}")]
    Unreadable {
        /// The item's partition key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a write that nothing can refuse was not made.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The table did not answer in time, or refused for load. Worth a retry.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
}
