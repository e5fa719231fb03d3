//! What a processor said of a refund beside its outcome: its words on a failure, and the bank's reference.

use std::time::Duration;

use super::{Amounts, Flag, Move, Pending, Refund, State};
use crate::money::Money;
use crate::payment::fact;
use crate::text::Text;
use crate::time::Timestamp;

/// A processor's own words on a failure, as far as they are safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its code.
    pub code: Option<Text<64>>,
    /// Its sentence.
    pub message: Option<Text<500>>,
    /// Its name for the request, for its support.
    pub request_id: Option<Text<64>>,
}

fact!(
    /// Whose number a bank reference is.
    BankReferenceKind {
        /// The acquirer's number, by which the customer's bank finds a card refund.
        Arn = "arn",
        /// The number of a transfer or of a message to the card's network.
        TraceId = "trace_id",
        /// Any other.
        Other = "other"
    }
);

/// The number by which the customer's bank finds the money. It comes days after the success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankReference {
    /// Whose number it is.
    pub kind: BankReferenceKind,
    /// The number, once it is there.
    pub value: Option<Text<255>>,
}

impl BankReference {
    /// `pending` until the number is there.
    pub fn status(&self) -> &'static str {
        if self.value.is_some() { "available" } else { "pending" }
    }
}

const DAY: Duration = Duration::from_hours(24);
/// How long after a success the bank's number is asked for again: on the second, fourth, eighth and fifteenth day. It is
/// `null` from then on, unless the processor tells it by itself.
const NUMBER_ASKED_ON: [Duration; 4] =
    [DAY, DAY.saturating_mul(3), DAY.saturating_mul(7), DAY.saturating_mul(14)];

impl Refund {
    /// How long until the bank's number is asked for again, if the processor has announced one.
    pub fn bank_reference_wait(&self, now: Timestamp) -> Option<Duration> {
        if !self.expects_bank_reference() {
            return None;
        }
        let since = now.since(self.succeeded_at()?);
        NUMBER_ASKED_ON.iter().find(|asked_on| **asked_on > since).map(|next| next.saturating_sub(since))
    }

    /// Whether the processor has announced the bank's number, and not told it yet.
    pub fn expects_bank_reference(&self) -> bool {
        self.version.bank_reference.as_ref().is_some_and(|number| number.value.is_none())
    }

    /// Since when it has been a success, if it is one.
    fn succeeded_at(&self) -> Option<Timestamp> {
        let is_success = |state: &State| *state == State::Succeeded;
        let run = self.history.iter().rev();
        run.take_while(|change| change.state.as_ref().is_some_and(is_success)).last().map(|change| change.at)
    }

    /// Whether this tells more of the bank's number than is known.
    pub(super) fn learns(&self, told: Option<&BankReference>) -> bool {
        let known = self.version.bank_reference.as_ref();
        told.is_some_and(|told| known.is_none() || told.value.is_some()) && told != known
    }

    /// The change to a success whose bank gives no number, in the time in which it is asked for.
    pub fn without_bank_reference(&self, now: Timestamp) -> Move {
        let mut next = self.moved_to(self.version.state.clone(), Amounts::Stay, now);
        next.to.version.bank_reference = None;
        next.to.wait = None;
        next
    }

    /// What becomes of a refund of which another amount moved: its own stays held until a person has looked.
    pub(super) fn differing(&self, reference: Text<255>, amount: Money, now: Timestamp) -> Option<Move> {
        if self.processor_amount == Some(amount) {
            return None;
        }
        let has_it = self.version.state.pending().filter(|pending| pending.is_received());
        let state = State::Processing(has_it.unwrap_or(Pending::OutcomeUnknown));
        let mut next = self.moved_to(state, Amounts::Stay, now);
        next.to.version.processor_reference = Some(reference);
        next.to.processor_amount = Some(amount);
        next.to.flag = Some(Flag::AmountDiffers);
        Some(next)
    }
}
