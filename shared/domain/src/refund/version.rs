//! What can change about a refund, and what is kept of its changes.

use super::{BankReference, FailureCode, Pending, Said};
use crate::by::By;
use crate::payment::fact;
use crate::text::{Metadata, Text};
use crate::time::Timestamp;

fact!(
    /// How far a refund has come, without the reasons that [`State`] adds.
    Status {
        /// Decided and reserved; the amount is held.
        Initiated = "initiated",
        /// With the processor, which has not said yet; the amount is held.
        Processing = "processing",
        /// The money went back.
        Succeeded = "succeeded",
        /// It did not; the amount is refundable again.
        Failed = "failed",
        /// Withdrawn before it was handed over; the amount is refundable again.
        Cancelled = "cancelled"
    }
);

impl Status {
    /// Whether the amount is on its way: neither given nor given back.
    pub fn holds_money(self) -> bool {
        match self {
            Self::Initiated | Self::Processing => true,
            Self::Succeeded | Self::Failed | Self::Cancelled => false,
        }
    }
}

/// How a refund failed, in words a merchant may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub code: FailureCode,
    /// A sentence.
    pub message: Text<255>,
    /// What the processor itself said.
    pub said: Said,
}

/// Where a refund stands: its [`Status`] with the facts of that status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// [`Status::Initiated`].
    Initiated,
    /// [`Status::Processing`], and why it is not done yet.
    Processing(Pending),
    /// [`Status::Succeeded`].
    Succeeded,
    /// [`Status::Failed`], and how.
    Failed(Failure),
    /// [`Status::Cancelled`].
    Cancelled,
}

impl State {
    /// The state of these parts, which are those of [`State::pending`] and [`State::failure`]; the error names what is
    /// missing.
    pub fn of_parts(
        status: Status,
        pending: Option<Pending>,
        failure: Option<Failure>,
    ) -> Result<Self, &'static str> {
        Ok(match status {
            Status::Initiated => Self::Initiated,
            Status::Processing => Self::Processing(pending.ok_or("pending_reason is missing")?),
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed(failure.ok_or("failure_code or failure_message is missing")?),
            Status::Cancelled => Self::Cancelled,
        })
    }

    /// How far it has come.
    pub fn status(&self) -> Status {
        match self {
            Self::Initiated => Status::Initiated,
            Self::Processing(_) => Status::Processing,
            Self::Succeeded => Status::Succeeded,
            Self::Failed(_) => Status::Failed,
            Self::Cancelled => Status::Cancelled,
        }
    }

    /// Why it is not done yet, while it is with the processor.
    pub fn pending(&self) -> Option<Pending> {
        match self {
            Self::Processing(pending) => Some(*pending),
            Self::Initiated | Self::Succeeded | Self::Failed(_) | Self::Cancelled => None,
        }
    }

    /// How it failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Initiated | Self::Processing(_) | Self::Succeeded | Self::Cancelled => None,
        }
    }

    /// The name of its status in the API and the table.
    pub fn as_str(&self) -> &'static str {
        self.status().as_str()
    }

    /// Whether the amount is on its way: neither given nor given back.
    pub fn holds_money(&self) -> bool {
        self.status().holds_money()
    }
}

/// What can change about a refund, as it was after one change. With the refund itself, whose other facts never
/// change, it shows the refund as it was at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Counts the announced changes, from 1.
    pub sequence: u32,
    /// Where the refund stood.
    pub state: State,
    /// The processor's name for the refund, once it gave one.
    pub processor_reference: Option<Text<255>>,
    /// The bank's number for it, once the processor has announced one.
    pub bank_reference: Option<BankReference>,
    /// The caller's own pairs.
    pub metadata: Metadata,
    /// When it changed.
    pub updated_at: Timestamp,
}

impl Version {
    /// The version with which a refund begins.
    pub fn first(state: State, metadata: Metadata, now: Timestamp) -> Self {
        let (processor_reference, bank_reference) = (None, None);
        Self { sequence: 1, state, processor_reference, bank_reference, metadata, updated_at: now }
    }
}

/// What is kept of a change, so that its event can be told even if nothing was recorded when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When it happened.
    pub at: Timestamp,
    /// Where the refund stood from then on; absent where only the time was kept.
    pub state: Option<State>,
    /// Who made it; unknown where an earlier version wrote it.
    pub by: Option<By>,
}
