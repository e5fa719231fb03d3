//! Moving a refund to its end: each move is one conditional write, and a repeat is an answer.

use recoup_domain::refund::{Move, Question, Refund};
use recoup_domain::time::Timestamp;
use thiserror::Error;

use crate::refunds::Refunds;
use crate::{BoxError, ReadError, WriteError};

/// Whether the refund may now be handed to the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedOver {
    /// It may: nobody can cancel it any more.
    Yes,
    /// It is no longer on its way, or somebody else has handed it over.
    TooLate,
}

/// What became of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is written.
    Applied,
    /// The refund was no longer in the state the move started from; nothing was written.
    Overtaken,
    /// The payment no longer has what would have to be taken again: the refund did not move, and is marked for a person.
    NothingLeft,
}

/// Why a move has no outcome.
#[derive(Debug, Error)]
pub enum SettleError {
    /// Other writes kept getting in the way; nothing was written. Worth a retry.
    #[error("the payment is being written by too many at once")]
    Contended,
    /// The refund or its payment is not in the table: the books are wrong and a person must look.
    #[error("the refund or its payment does not exist")]
    Missing,
    /// The table did not answer in time: it may or may not be written, a retry tells.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
    /// What is stored is not what this program writes. Not worth a retry.
    #[error("the item {key} cannot be read: {why}")]
    Unreadable {
        /// The item's key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl From<ReadError> for SettleError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(cause) => Self::Unavailable(cause),
            ReadError::Unreadable { key, why } => Self::Unreadable { key, why },
        }
    }
}

/// Moves refunds.
pub trait Settle: Refunds {
    /// Marks a refund as handed to the processor, before the processor is asked for the first time, unless it was
    /// withdrawn.
    fn hand_over(
        &self,
        refund: &Refund,
        now: Timestamp,
    ) -> impl Future<Output = Result<HandedOver, WriteError>> + Send;

    /// Writes a change and what it does to the payment's balances, all or nothing, if the refund is still what the change
    /// was decided on. A success after a failure whose money is gone marks the refund for a person instead.
    fn carry_out(&self, change: &Move) -> impl Future<Output = Result<Settled, SettleError>> + Send;

    /// Takes the mark away that a person has looked at, if the refund is still as it was.
    fn clear_flag(&self, refund: &Refund) -> impl Future<Output = Result<Settled, SettleError>> + Send;

    /// Writes the next question if the refund is still on its way, or has ended as `from` had, and its turn that of `from`.
    /// Nobody is told of it, and
    /// what else changed meanwhile stays as it is.
    fn schedule(
        &self,
        from: &Refund,
        next: Question,
    ) -> impl Future<Output = Result<Settled, SettleError>> + Send;

    /// Writes the parts and the next question of `to`, provided that both still are those of `from`. Nobody is told of
    /// it.
    fn record_parts(
        &self,
        from: &Refund,
        to: &Refund,
    ) -> impl Future<Output = Result<Settled, SettleError>> + Send;
}
