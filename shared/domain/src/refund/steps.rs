//! The only ways in which a refund can change.

use std::time::Duration;

use super::{Change, Failure, Pending, Refund, State, Verdict, Version};
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

/// A change of a refund that may be written. Only [`Refund::step`], [`Refund::judged`], [`Refund::withdraw`] and
/// [`Refund::with_metadata`] make one, so no state is ever written beside amounts that contradict it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    from: Box<Refund>,
    to: Box<Refund>,
    amounts: Amounts,
}

/// What a [`Move`] does to the balances of its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amounts {
    /// No balance changes.
    Stay,
    /// Every amount returns to the actor it came from.
    Return,
    /// Every amount is taken again from the actor it had returned to, if it is still there. Believed only of a processor
    /// that was asked, never of old news.
    TakeAgain,
}

impl Move {
    /// The refund that the change was decided on.
    pub fn from(&self) -> &Refund {
        &self.from
    }

    /// The refund after it.
    pub fn to(&self) -> &Refund {
        &self.to
    }

    /// The refund after it.
    pub fn into_refund(self) -> Refund {
        *self.to
    }

    /// What it does to the balances.
    pub fn amounts(&self) -> Amounts {
        self.amounts
    }

    /// The same change, made by a person.
    pub(super) fn ruled(mut self, verdict: Verdict) -> Self {
        self.to.version.processor_reference =
            verdict.reference.clone().or(self.to.version.processor_reference.take());
        self.to.flag = None;
        self.to.verdict = Some(verdict);
        self
    }

    /// The same change, which also schedules a question.
    #[must_use]
    pub fn asking(self, question: Question) -> Self {
        Self { to: Box::new(self.to.asking(question)), ..self }
    }
}

/// The next question to the processor about a refund: its number, and when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    turn: u32,
    wait: Wait,
}

impl Question {
    /// Its number, as in [`Refund::turn`].
    pub fn turn(self) -> u32 {
        self.turn
    }

    /// When it is asked.
    pub fn wait(self) -> Wait {
        self.wait
    }
}

/// What a wish to cancel means for a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It is cancelled by this change.
    Now(Move),
    /// It was cancelled before.
    Already,
    /// It is with the processor, or has ended.
    TooLate,
}

impl Refund {
    /// What an outcome makes of this refund; `None` of a repeat, and of an answer that a later one has overtaken. The
    /// write that follows is conditional on this very state.
    pub fn step(&self, outcome: Outcome, now: Timestamp) -> Option<Move> {
        match (&self.version.state, outcome) {
            (State::Initiated | State::Processing(_), Outcome::Succeeded { reference }) => {
                Some(self.succeeded(reference, Amounts::Stay, now))
            }
            // A processor that takes a success back gives the money back, too.
            (State::Initiated | State::Processing(_) | State::Succeeded, Outcome::Failed(failure)) => {
                Some(self.moved_to(State::Failed(failure), Amounts::Return, now))
            }
            (State::Initiated | State::Processing(_), Outcome::Pending) => {
                self.processing(Pending::Processor, now)
            }
            (State::Initiated | State::Processing(Pending::OutcomeUnknown), Outcome::Unknown) => {
                self.processing(Pending::OutcomeUnknown, now)
            }
            (State::Failed(_) | State::Cancelled, Outcome::Succeeded { reference }) => {
                let mut next = self.succeeded(reference, Amounts::TakeAgain, now);
                next.to.flag = None;
                Some(next)
            }
            // That the processor has it stays true, whether or not it answers.
            (State::Processing(Pending::Processor), Outcome::Unknown)
            | (State::Succeeded, Outcome::Succeeded { .. } | Outcome::Pending | Outcome::Unknown)
            | (
                State::Failed(_) | State::Cancelled,
                Outcome::Failed(_) | Outcome::Pending | Outcome::Unknown,
            ) => None,
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

    /// The next question to the processor: seconds after the first, hours after many.
    pub fn asked_again(&self, now: Timestamp, jitter_permille: u32) -> Question {
        let index = usize::try_from(self.turn).unwrap_or(usize::MAX);
        let wait = WAITS.get(index).copied().unwrap_or(ASKED_AGAIN_AFTER);
        self.asked_after(now, jittered(wait, jitter_permille))
    }

    /// The next question after so long, whatever came before.
    pub fn asked_after(&self, now: Timestamp, wait: Duration) -> Question {
        Question { turn: self.turn.saturating_add(1), wait: Wait::of(now, wait) }
    }

    /// The question that is due, sent for at once: its job was lost. Since when it has been due stays told, so that one
    /// whose every job is lost does not look new each time.
    pub fn sent_for(&self, now: Timestamp) -> Question {
        let at = self.wait.map_or(now, |wait| wait.at);
        Question { turn: self.turn, wait: Wait { at, rests: false, woken_at: Some(now) } }
    }

    /// The refund once a question is scheduled.
    #[must_use]
    pub fn asking(&self, Question { turn, wait }: Question) -> Self {
        Self { turn, wait: Some(wait), ..self.clone() }
    }

    /// Withdraws the refund. [`Withdrawn::TooLate`] once it was handed over: the money may be moving.
    pub fn withdraw(&self, now: Timestamp) -> Withdrawn {
        match (&self.version.state, self.handed_over_at) {
            (State::Cancelled, _) => Withdrawn::Already,
            (State::Initiated, None) => Withdrawn::Now(self.moved_to(State::Cancelled, Amounts::Return, now)),
            (State::Initiated, Some(_)) | (State::Processing(_) | State::Succeeded | State::Failed(_), _) => {
                Withdrawn::TooLate
            }
        }
    }

    /// The change to other metadata; `None` if they are the same.
    pub fn with_metadata(&self, metadata: Metadata, now: Timestamp) -> Option<Move> {
        if metadata == self.version.metadata {
            return None;
        }
        let mut next = self.moved_to(self.version.state.clone(), Amounts::Stay, now);
        next.to.version.metadata = metadata;
        Some(next)
    }

    fn processing(&self, pending: Pending, now: Timestamp) -> Option<Move> {
        let state = State::Processing(pending);
        (self.version.state != state).then(|| self.moved_to(state, Amounts::Stay, now))
    }

    fn succeeded(&self, reference: Text<255>, amounts: Amounts, now: Timestamp) -> Move {
        let mut next = self.moved_to(State::Succeeded, amounts, now);
        next.to.version.processor_reference = Some(reference);
        next
    }

    pub(super) fn moved_to(&self, state: State, amounts: Amounts, now: Timestamp) -> Move {
        let at = now.max(self.version.updated_at);
        let mut to = self.clone();
        to.wait = self.wait.filter(|_| state.holds_money());
        to.history.push(Change { at, state: Some(state.clone()) });
        let forgotten = to.history.len().saturating_sub(Self::CHANGES_KEPT);
        to.history.drain(..forgotten);
        let sequence = self.version.sequence.saturating_add(1);
        to.version = Version { sequence, state, updated_at: at, ..to.version };
        Move { from: Box::new(self.clone()), to: Box::new(to), amounts }
    }
}
