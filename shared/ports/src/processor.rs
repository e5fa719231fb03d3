//! Whoever moves the money.

use std::time::Duration;

use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::money::Money;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Pending, Refund, State};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;

/// What a processor knows of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedUp {
    /// It has the refund, and this is how it stands there; [`Outcome::Unknown`] is no answer, or none that is
    /// clear: ask again later, and change nothing until then.
    Stands(Outcome),
    /// It says that nothing under this id ever reached it: no money has moved, and the refund may be sent
    /// again under the same id.
    NeverReceived,
}

/// A processor. Neither question fails: whatever leaves open whether money moved is [`Outcome::Unknown`], and
/// only a refusal that is certain is [`Outcome::Failed`]. Each answers within [`ANSWER_SECONDS_MAX`] seconds.
///
/// Both are safe to ask any number of times and at once, since the processor is told the refund's own id. But
/// processors forget ids (Stripe after a day), so a refund whose outcome is unknown is looked up, and only
/// [`LookedUp::NeverReceived`] allows it to be sent again:
///
/// ```text
/// initiated ──────────────────────► refund ─► Succeeded | Failed | Pending | Unknown
/// processing (outcome unknown) ───► look_up ─► Stands(outcome)
///                                          └─► NeverReceived ─► refund
/// processing (pending), succeeded ► look_up ─► Stands(outcome)
/// ```
///
/// A processor that has said `Pending` or `Succeeded` and then does not know the refund contradicts itself:
/// that is `Stands(Unknown)`, never `NeverReceived` (see [`LookedUp::not_found`]).
pub trait Processor {
    /// Asks for the money to be moved.
    fn refund(&self, refund: &Refund) -> impl Future<Output = Outcome> + Send;

    /// Asks what became of it. Moves nothing.
    fn look_up(&self, refund: &Refund) -> impl Future<Output = LookedUp> + Send;

    /// How long after a success it is asked once more whether the success still stands. Only a rehearsal of one that
    /// is taken back says so; of all others a later word comes by itself.
    fn asked_once_more_after(&self, _refund: &Refund) -> Option<Duration> {
        None
    }

    /// Asks for its own list of what it refunded for a tenant since a moment, where it keeps one. Moves nothing.
    fn list(
        &self,
        _tenant: &Tenant,
        _name: ProcessorName,
        _from: Timestamp,
    ) -> impl Future<Output = Listing> + Send {
        async { Listing::NotKept }
    }
}

/// A processor's own list of refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It keeps none: look refunds up one by one.
    NotKept,
    /// It did not answer, or not clearly.
    Unclear,
    /// Every refund of ours that it made since then. Those that somebody made there without us are not in it.
    Whole(Vec<Listed>),
}

/// One refund in a processor's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Our id for it.
    pub refund: RefundId,
    /// The processor's name for it.
    pub reference: Text<255>,
    /// How it stands there.
    pub outcome: Outcome,
    /// How much, if that can be told exactly in our currency's minor units.
    pub amount: Option<Money>,
}

/// The longest that one question takes, connecting included. A job may ask twice (look up, then send), and
/// `process-refund` works on a batch of ten jobs five at a time: four questions one after the other stay
/// within its 30 s.
pub const ANSWER_SECONDS_MAX: u64 = 6;

impl LookedUp {
    /// What it means that the processor's books do not have a refund: that it never came, unless we already
    /// heard that it had.
    pub fn not_found(refund: &Refund) -> Self {
        match refund.version.state {
            State::Initiated | State::Cancelled | State::Processing(Pending::OutcomeUnknown) => {
                Self::NeverReceived
            }
            State::Processing(Pending::Processor) | State::Succeeded | State::Failed(_) => {
                Self::Stands(Outcome::Unknown)
            }
        }
    }
}
