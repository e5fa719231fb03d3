//! The errors of every read and of every write without conditions.

use thiserror::Error;

/// A cause, for the log alone.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error with its chain of causes, for the log.
///
/// By Display, never by Debug: an SDK error's Debug holds the raw response, and with it an item's texts and secrets.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Why a read failed.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The table did not answer in time, or refused for load. Worth a retry.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
    /// What is stored is not what Recoup writes. Not worth a retry.
    #[error("the item {key} cannot be read: {why}")]
    Unreadable {
        /// The item's partition key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a write without conditions failed.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The table did not answer in time, or refused for load. Worth a retry.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
    /// What is stored there is not what Recoup writes, so whether the write was made before cannot be told. Not worth
    /// a retry.
    #[error("the item {key} cannot be read: {why}")]
    Unreadable {
        /// The item's partition key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(cause) => Self::Unavailable(cause),
            ReadError::Unreadable { key, why } => Self::Unreadable { key, why },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an SDK's error is: its Debug holds what was answered.
    #[derive(Debug, Error)]
    #[error("the answer cannot be parsed")]
    struct Raw {
        body: &'static str,
    }

    #[test]
    fn a_chain_of_causes_tells_each_and_nothing_of_what_they_hold() {
        let raw = Raw { body: "whsec_secret" };
        assert!(format!("{raw:?}").contains(raw.body));
        assert_eq!(
            causes(&ReadError::Unavailable(raw.into())),
            "the table did not answer: the answer cannot be parsed"
        );
    }
}
