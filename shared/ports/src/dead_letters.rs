//! The messages that were given up: shown to a person, and put back where they came from.

use recoup_domain::time::Timestamp;
use thiserror::Error;

use crate::BoxError;
use crate::jobs::{Job, SendJobError};

/// Most messages that one reading gives.
pub const READ_MAX: usize = 10;

/// A queue of messages that were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterQueue {
    /// Of the refund jobs.
    RefundJobs,
    /// Of both lanes of webhook jobs.
    WebhookJobs,
    /// Of the table's stream.
    Relay,
}

/// A message that was given up. It cannot be printed whole: its body may hold personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's own id.
    pub message_id: String,
    /// By which this reading of it is released or deleted.
    pub receipt_handle: String,
    /// When it was first sent, if the queue tells.
    pub sent_at: Option<Timestamp>,
    /// How often it was received, this reading included.
    pub receive_count: u32,
    /// The name of the queue that gave it up; nothing if it was sent here directly.
    pub source_queue: Option<String>,
    /// What it says.
    pub body: String,
}

/// Why the dead letters cannot be read.
#[derive(Debug, Error)]
#[error("the queue did not answer")]
pub struct DeadLettersError(#[source] pub BoxError);

/// Why a letter is still among the dead ones.
#[derive(Debug, Error)]
pub enum PutBackError {
    /// It was not sent.
    #[error("its queue did not take it")]
    NotSent(#[source] SendJobError),
    /// It was sent, but could not be deleted here: putting it back again makes a duplicate, which does no harm.
    #[error("it was put back, but could not be deleted")]
    NotDeleted(#[source] BoxError),
}

/// Reads the dead letters and empties them.
pub trait DeadLetters {
    /// About how many lie in a queue, those that somebody is reading included.
    fn count(&self, queue: DeadLetterQueue) -> impl Future<Output = Result<u64, DeadLettersError>> + Send;

    /// At most [`READ_MAX`] of them, hidden from everybody for longer than a command may last, so that nobody sees one
    /// twice; none if there are no more.
    fn read(
        &self,
        queue: DeadLetterQueue,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, DeadLettersError>> + Send;

    /// Shows these to everybody again, at once. One that is not released shows itself a minute after it was read.
    fn release(
        &self,
        queue: DeadLetterQueue,
        receipt_handles: &[String],
    ) -> impl Future<Output = Result<(), DeadLettersError>> + Send;

    /// Sends each job and only then deletes its letter: a crash in between makes a duplicate, and never a loss. The
    /// answer names, by position, those that are still here.
    fn put_back(
        &self,
        queue: DeadLetterQueue,
        letters: &[(DeadLetter, Job)],
    ) -> impl Future<Output = Vec<(usize, PutBackError)>> + Send;
}
