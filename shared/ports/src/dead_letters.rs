//! Dead letters: messages whose processing was given up, shown to a person and put back on their queues.

use recoup_domain::time::Timestamp;
use thiserror::Error;

use crate::BoxError;
use crate::jobs::{Job, SendJobError};

/// Most messages that one read returns.
pub const READ_MAX: usize = 10;

/// A dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterQueue {
    /// The one of the refund jobs.
    RefundJobs,
    /// The one of both lanes of webhook jobs.
    WebhookJobs,
    /// The one of the table's stream.
    Relay,
}

/// A dead-lettered message. It has no `Debug`, since its body may hold personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's own id.
    pub message_id: String,
    /// The handle by which this read of the message is released or deleted.
    pub receipt_handle: String,
    /// When it was first sent, if the queue says so.
    pub sent_at: Option<Timestamp>,
    /// How often it was received, including this read.
    pub receive_count: u32,
    /// The name of the queue that it came from; none if it was sent here directly.
    pub source_queue: Option<String>,
    /// The message's body.
    pub body: String,
}

/// Why dead letters cannot be read.
#[derive(Debug, Error)]
#[error("the queue did not answer")]
pub struct DeadLettersError(#[source] pub BoxError);

/// Why a message is still in the dead-letter queue.
#[derive(Debug, Error)]
pub enum PutBackError {
    /// The message was not sent.
    #[error("its queue did not accept it")]
    NotSent(#[source] SendJobError),
    /// The message was sent, but could not be deleted here: putting it back again makes a harmless duplicate.
    #[error("it was put back, but could not be deleted")]
    NotDeleted(#[source] BoxError),
}

/// Reads the dead-letter queues and empties them.
pub trait DeadLetters {
    /// About how many messages a queue has, including those being read.
    fn count(&self, queue: DeadLetterQueue) -> impl Future<Output = Result<u64, DeadLettersError>> + Send;

    /// At most [`READ_MAX`] messages, none if there are no more. Each is hidden from other readers for longer than a
    /// command may last, so that nobody sees one twice.
    fn read(
        &self,
        queue: DeadLetterQueue,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, DeadLettersError>> + Send;

    /// Makes these messages visible again at once. One that is not released is visible a minute after it was read.
    fn release(
        &self,
        queue: DeadLetterQueue,
        receipt_handles: &[String],
    ) -> impl Future<Output = Result<(), DeadLettersError>> + Send;

    /// Sends each job and only then deletes its message: a crash in between makes a duplicate, never a loss. The
    /// answer names, by position, the messages that are still here.
    fn put_back(
        &self,
        queue: DeadLetterQueue,
        letters: &[(DeadLetter, Job)],
    ) -> impl Future<Output = Vec<(usize, PutBackError)>> + Send;
}
