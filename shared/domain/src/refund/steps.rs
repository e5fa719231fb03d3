//! The only ways in which a refund can change.

use std::time::Duration;

use super::{Change, Failure, Pending, Refund, State, Version};
use crate::text::{Metadata, Text};
use crate::time::Timestamp;
use crate::waiting::{Wait, jittered};

/// After each question that brought no end; past the last, [`ASKED_AGAIN_AFTER`] for as long as it takes.
const WAITS: [Duration; 9] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(8),
];
/// The longest wait between two questions about a refund, before jitter.
const ASKED_AGAIN_AFTER: Duration = Duration::from_hours(12);

/// What a processor says about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money went back.
    Succeeded {
        /// The processor's name for it.
        reference: Text<255>,
    },
    /// It did not and will not.
    Failed(Failure),
    /// It has it and will say later.
    Pending,
    /// No answer: the money may or may not have moved.
    Unknown,
}

/// What an outcome means for a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing new: a repeat, or an answer that a later one has overtaken.
    NoChange,
    /// A new state; no balance changes.
    Move(Refund),
    /// A new state, and the amounts return to every actor they came from.
    GiveBack(Refund),
    /// A success after all, and the amounts are taken again from every actor they had returned to, if they are still
    /// there. Believed only of a processor that was asked, never of old news.
    TakeAgain(Refund),
}

impl Step {
    /// The refund after it, unless it stays.
    pub fn next(&self) -> Option<&Refund> {
        match self {
            Self::NoChange => None,
            Self::Move(next) | Self::GiveBack(next) | Self::TakeAgain(next) => Some(next),
        }
    }
}

/// What a wish to cancel means for a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It becomes this, and its amounts return to every actor they came from.
    Now(Box<Refund>),
    /// It was cancelled before.
    Already,
    /// It is with the processor, or has ended.
    TooLate,
}

impl Refund {
    /// What an outcome makes of this refund. The write that follows is conditional on this very state.
    pub fn step(&self, outcome: Outcome, now: Timestamp) -> Step {
        match (&self.version.state, outcome) {
            (State::Initiated | State::Processing(_), Outcome::Succeeded { reference }) => {
                let mut next = self.changed_to(State::Succeeded, now);
                next.version.processor_reference = Some(reference);
                Step::Move(next)
            }
            // A processor that takes a success back gives the money back, too.
            (State::Initiated | State::Processing(_) | State::Succeeded, Outcome::Failed(failure)) => {
                Step::GiveBack(self.changed_to(State::Failed(failure), now))
            }
            (State::Initiated | State::Processing(_), Outcome::Pending) => {
                self.processing(Pending::Processor, now)
            }
            (State::Initiated | State::Processing(Pending::OutcomeUnknown), Outcome::Unknown) => {
                self.processing(Pending::OutcomeUnknown, now)
            }
            (State::Failed(_) | State::Cancelled, Outcome::Succeeded { reference }) => {
                let mut next = self.changed_to(State::Succeeded, now);
                next.version.processor_reference = Some(reference);
                next.flag = None;
                Step::TakeAgain(next)
            }
            // That the processor has it stays true, whether or not it answers.
            (State::Processing(Pending::Processor), Outcome::Unknown)
            | (State::Succeeded, Outcome::Succeeded { .. } | Outcome::Pending | Outcome::Unknown)
            | (
                State::Failed(_) | State::Cancelled,
                Outcome::Failed(_) | Outcome::Pending | Outcome::Unknown,
            ) => Step::NoChange,
        }
    }

    /// Whether an outcome contradicts the end that this refund has come to. What was overtaken on its way does so, too,
    /// so it is believed only once the processor, asked anew, says the same.
    pub fn contradicts(&self, outcome: &Outcome) -> bool {
        match (&self.version.state, outcome) {
            (State::Succeeded, Outcome::Failed(_))
            | (State::Failed(_) | State::Cancelled, Outcome::Succeeded { .. }) => true,
            (State::Initiated | State::Processing(_), _)
            | (State::Succeeded, Outcome::Succeeded { .. } | Outcome::Pending | Outcome::Unknown)
            | (
                State::Failed(_) | State::Cancelled,
                Outcome::Failed(_) | Outcome::Pending | Outcome::Unknown,
            ) => false,
        }
    }

    /// The refund with its next question to the processor scheduled: seconds after the first, hours after many.
    #[must_use]
    pub fn asked_again(&self, now: Timestamp, jitter_permille: u32) -> Self {
        let index = usize::try_from(self.turn).unwrap_or(usize::MAX);
        let wait = WAITS.get(index).copied().unwrap_or(ASKED_AGAIN_AFTER);
        self.asked_after(now, jittered(wait, jitter_permille))
    }

    /// The refund with its next question scheduled after so long, whatever came before.
    #[must_use]
    pub fn asked_after(&self, now: Timestamp, wait: Duration) -> Self {
        Self { turn: self.turn.saturating_add(1), wait: Some(Wait::of(now, wait)), ..self.clone() }
    }

    /// The refund with the question that is due sent for at once: its job was lost. Since when it has been due stays
    /// told, so that one whose every job is lost does not look new each time.
    #[must_use]
    pub fn sent_for(&self, now: Timestamp) -> Self {
        let at = self.wait.map_or(now, |wait| wait.at);
        Self { wait: Some(Wait { at, rests: false, woken_at: Some(now) }), ..self.clone() }
    }

    /// Withdraws the refund. [`Withdrawn::TooLate`] once it was handed over: the money may be moving.
    pub fn withdraw(&self, now: Timestamp) -> Withdrawn {
        match (&self.version.state, self.handed_over_at) {
            (State::Cancelled, _) => Withdrawn::Already,
            (State::Initiated, None) => Withdrawn::Now(Box::new(self.changed_to(State::Cancelled, now))),
            (State::Initiated, Some(_)) | (State::Processing(_) | State::Succeeded | State::Failed(_), _) => {
                Withdrawn::TooLate
            }
        }
    }

    /// The refund with other metadata; `None` if they are the same.
    pub fn with_metadata(&self, metadata: Metadata, now: Timestamp) -> Option<Self> {
        if metadata == self.version.metadata {
            return None;
        }
        let mut next = self.changed_to(self.version.state.clone(), now);
        next.version.metadata = metadata;
        Some(next)
    }

    fn processing(&self, pending: Pending, now: Timestamp) -> Step {
        let state = State::Processing(pending);
        if self.version.state == state { Step::NoChange } else { Step::Move(self.changed_to(state, now)) }
    }

    fn changed_to(&self, state: State, now: Timestamp) -> Self {
        let at = now.max(self.version.updated_at);
        let mut next = self.clone();
        next.wait = self.wait.filter(|_| state.holds_money());
        next.history.push(Change { at, state: Some(state.clone()) });
        let forgotten = next.history.len().saturating_sub(Self::CHANGES_KEPT);
        next.history.drain(..forgotten);
        let sequence = self.version.sequence.saturating_add(1);
        next.version = Version { sequence, state, updated_at: at, ..next.version };
        next
    }
}
