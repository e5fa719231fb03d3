//! The only ways in which a refund can change.

use std::time::Duration;

use super::{BankReference, Change, Failure, Flag, Pending, Question, Refund, State, Verdict, Version};
use crate::by::By;
use crate::money::Money;
use crate::recovery::PartState;
use crate::text::{Metadata, Text};
use crate::time::Timestamp;

/// What a processor says about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money went back.
    Succeeded {
        /// The processor's name for it.
        reference: Text<255>,
        /// The bank's number for it, as far as the processor gives one.
        bank_reference: Option<BankReference>,
    },
    /// It did not and will not.
    Failed(Failure),
    /// It has it and will say later.
    Pending,
    /// It has it, and waits for money in the balance there.
    PendingFunds,
    /// It has refunded, or will, another amount than it was asked for: a person has to look.
    Differs {
        /// The processor's name for that.
        reference: Text<255>,
        /// How much.
        amount: Money,
    },
    /// No answer: the money may or may not have moved.
    Unknown,
    /// Not now, and nothing was done: it says so, nothing could be sent, or it was not asked.
    Busy {
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// It was not asked, or refused to listen: the account has no key that it accepts.
    NotConfigured,
}

impl Outcome {
    /// What is not known, where this is no word of the processor's on the refund.
    pub fn silence(&self) -> Option<Pending> {
        match self {
            Self::Succeeded { .. }
            | Self::Failed(_)
            | Self::Pending
            | Self::PendingFunds
            | Self::Differs { .. } => None,
            Self::Unknown => Some(Pending::OutcomeUnknown),
            Self::Busy { .. } => Some(Pending::Busy),
            Self::NotConfigured => Some(Pending::NotConfigured),
        }
    }
}

/// A change of a refund that may be written. Only [`Refund::step`], [`Refund::judged`], [`Refund::withdraw`] and
/// [`Refund::with_metadata`] make one, so no state is ever written beside amounts that contradict it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    from: Box<Refund>,
    pub(super) to: Box<Refund>,
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

    /// The same change, made by somebody; by Recoup itself, if nobody says.
    pub(super) fn made_by(mut self, by: Option<By>) -> Self {
        if let Some(change) = self.to.history.last_mut() {
            change.by = by;
        }
        self
    }

    /// The same change, which also schedules the question about the actors' parts, if one may be open.
    fn asking_for_parts(self, now: Timestamp) -> Self {
        // Not only those that look open: whoever asked for a part meanwhile did not change what this was decided on.
        let may_be_open = self.to.recovery.iter().any(|part| matches!(part.state, PartState::Open { .. }));
        if !may_be_open {
            return self;
        }
        let question = self.to.asked_after(now, Duration::ZERO);
        self.asking(question)
    }

    /// The same change, which also schedules a question.
    #[must_use]
    pub fn asking(self, question: Question) -> Self {
        Self { to: Box::new(self.to.asking(question)), ..self }
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
        let by = match outcome.silence() {
            None => By::processor(self.processor.name),
            Some(_) => By::recoup(),
        };
        self.stepped(outcome, now).map(|change| change.made_by(Some(by)))
    }

    fn stepped(&self, outcome: Outcome, now: Timestamp) -> Option<Move> {
        match (&self.version.state, outcome) {
            (State::Initiated | State::Processing(_), Outcome::Succeeded { reference, bank_reference }) => {
                Some(self.succeeded(reference, bank_reference, Amounts::Stay, now))
            }
            (State::Succeeded, Outcome::Succeeded { reference, bank_reference })
                if self.learns(bank_reference.as_ref()) =>
            {
                let mut next = self.succeeded(reference, bank_reference, Amounts::Stay, now);
                next.to.wait = self.wait.filter(|_| next.to.bank_reference_wait(now).is_some());
                Some(next)
            }
            // A processor that takes a success back gives the money back, too.
            (State::Initiated | State::Processing(_) | State::Succeeded, Outcome::Failed(failure)) => {
                Some(self.moved_to(State::Failed(failure), Amounts::Return, now).asking_for_parts(now))
            }
            (State::Initiated | State::Processing(_), Outcome::Pending) => {
                self.processing(Pending::Processor, now)
            }
            (State::Initiated | State::Processing(_), Outcome::PendingFunds) => {
                self.processing(Pending::InsufficientFunds, now)
            }
            (
                State::Initiated | State::Processing(_),
                silence @ (Outcome::Unknown | Outcome::Busy { .. } | Outcome::NotConfigured),
            ) => self.unanswered(silence.silence()?, now),
            (State::Initiated | State::Processing(_), Outcome::Differs { reference, amount }) => {
                self.differing(reference, amount, now)
            }
            (State::Failed(_) | State::Cancelled, Outcome::Succeeded { reference, bank_reference }) => {
                let mut next = self.succeeded(reference, bank_reference, Amounts::TakeAgain, now);
                next.to.flag = None;
                Some(next)
            }
            (
                State::Succeeded,
                Outcome::Succeeded { .. }
                | Outcome::Pending
                | Outcome::PendingFunds
                | Outcome::Differs { .. }
                | Outcome::Unknown
                | Outcome::Busy { .. }
                | Outcome::NotConfigured,
            )
            | (
                State::Failed(_) | State::Cancelled,
                Outcome::Failed(_)
                | Outcome::Pending
                | Outcome::PendingFunds
                | Outcome::Differs { .. }
                | Outcome::Unknown
                | Outcome::Busy { .. }
                | Outcome::NotConfigured,
            ) => None,
        }
    }

    /// What becomes of a refund on which there is no word. What the processor has said that it has, it has; and what may
    /// have reached it stays unknown, for that it is busy now says nothing of an earlier question.
    fn unanswered(&self, silence: Pending, now: Timestamp) -> Option<Move> {
        let pending = match self.version.state.pending() {
            Some(Pending::Processor | Pending::InsufficientFunds | Pending::OutcomeUnknown) => return None,
            // A job that handed it over was cut off.
            None if self.handed_over_at.is_some() => Pending::OutcomeUnknown,
            None | Some(Pending::Busy | Pending::NotConfigured) => silence,
        };
        self.processing(pending, now)
    }

    /// Whether an outcome contradicts the end that this refund has come to. What was overtaken on its way does so, too,
    /// so it is believed only once the processor, asked anew, says the same.
    pub fn contradicts(&self, outcome: &Outcome) -> bool {
        match (&self.version.state, outcome) {
            (State::Succeeded, outcome) => matches!(outcome, Outcome::Failed(_)),
            (State::Failed(_) | State::Cancelled, outcome) => matches!(outcome, Outcome::Succeeded { .. }),
            (State::Initiated | State::Processing(_), _) => false,
        }
    }

    /// Withdraws the refund. [`Withdrawn::TooLate`] once it was handed over: the money may be moving.
    pub fn withdraw(&self, by: Option<By>, now: Timestamp) -> Withdrawn {
        match (&self.version.state, self.handed_over_at) {
            (State::Cancelled, _) => Withdrawn::Already,
            // A question can be put off before the hand-over.
            (State::Initiated | State::Processing(Pending::Busy | Pending::NotConfigured), None) => {
                Withdrawn::Now(self.moved_to(State::Cancelled, Amounts::Return, now).made_by(by))
            }
            (State::Initiated | State::Processing(_) | State::Succeeded | State::Failed(_), _) => {
                Withdrawn::TooLate
            }
        }
    }

    /// The change to other metadata; `None` if they are the same.
    pub fn with_metadata(&self, metadata: Metadata, by: Option<By>, now: Timestamp) -> Option<Move> {
        if metadata == self.version.metadata {
            return None;
        }
        let mut next = self.moved_to(self.version.state.clone(), Amounts::Stay, now);
        next.to.version.metadata = metadata;
        Some(next.made_by(by))
    }

    fn processing(&self, pending: Pending, now: Timestamp) -> Option<Move> {
        let state = State::Processing(pending);
        (self.version.state != state).then(|| self.moved_to(state, Amounts::Stay, now))
    }

    fn succeeded(
        &self,
        reference: Text<255>,
        bank_reference: Option<BankReference>,
        amounts: Amounts,
        now: Timestamp,
    ) -> Move {
        let mut next = self.moved_to(State::Succeeded, amounts, now);
        next.to.version.processor_reference = Some(reference);
        next.to.version.bank_reference = bank_reference;
        // It is what was asked for, after all.
        next.to.processor_amount = None;
        next.to.flag = next.to.flag.filter(|flag| *flag != Flag::AmountDiffers);
        if next.to.recovery.is_empty() {
            next.to.recovery = next.to.parts_to_take();
        }
        next.asking_for_parts(now)
    }

    pub(super) fn moved_to(&self, state: State, amounts: Amounts, now: Timestamp) -> Move {
        let at = now.max(self.version.updated_at);
        let mut to = self.clone();
        // An end ends the questions. What changes without a change of state leaves them alone.
        to.wait = self.wait.filter(|_| state.holds_money() || state == self.version.state);
        // What did not move in the end exceeds nothing.
        to.flag = self.flag.filter(|flag| *flag != Flag::ExceedsRefundable || state.failure().is_none());
        to.history.push(Change { at, state: Some(state.clone()), by: Some(By::recoup()) });
        let forgotten = to.history.len().saturating_sub(Self::CHANGES_KEPT);
        to.history.drain(..forgotten);
        let sequence = self.version.sequence.saturating_add(1);
        to.version = Version { sequence, state, updated_at: at, ..to.version };
        Move { from: Box::new(self.clone()), to: Box::new(to), amounts }
    }
}
