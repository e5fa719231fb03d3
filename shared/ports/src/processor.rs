//! The processors, which move the money.

use std::time::Duration;

use recoup_domain::dispute::DisputeWord;
use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::money::Money;
use recoup_domain::payment::ProcessorName;
use recoup_domain::recovery::Taken;
use recoup_domain::refund::{Outcome, Pending, Refund, State};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;

use crate::charges::{ChargeQuestion, ChargeRead, RefundOfCharge};
use crate::direct::KeysChecked;

/// What a processor answers when it is asked about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedUp {
    /// The processor has the refund, with this outcome. [`Outcome::Unknown`] means no answer, or no clear one: ask
    /// again later, and change nothing until then.
    Stands(Outcome),
    /// The processor never received a refund with this id: no money has moved, and the refund may be sent again under
    /// the same id.
    NeverReceived,
}

/// A processor. Neither question returns an error: whatever leaves open whether money moved is [`Outcome::Unknown`],
/// only a certain refusal is [`Outcome::Failed`], and [`Outcome::Busy`] and [`Outcome::NotConfigured`] say that this
/// question did nothing. Each answers within [`ANSWER_SECONDS_MAX`] seconds.
///
/// Both are safe to ask any number of times and concurrently, since each names the refund's own id. But processors
/// forget ids (Stripe after a day), so a refund whose outcome is unknown is looked up, and only
/// [`LookedUp::NeverReceived`] allows it to be sent again:
///
/// ```text
/// initiated ──────────────────────► refund ─► Succeeded | Failed | Pending | Unknown
/// processing, not received ───────► look_up ─► Stands(outcome)
///                                          └─► NeverReceived ─► refund
/// processing (pending), succeeded ► look_up ─► Stands(outcome)
/// ```
///
/// A processor that has reported `Pending` or `Succeeded` and then has no such refund contradicts itself: that is
/// `Stands(Unknown)`, never `NeverReceived` (see [`LookedUp::not_found`]).
pub trait Processor {
    /// Asks the processor to refund.
    fn refund(&self, refund: &Refund) -> impl Future<Output = Outcome> + Send;

    /// Asks for the refund's outcome. Moves no money.
    fn look_up(&self, refund: &Refund) -> impl Future<Output = LookedUp> + Send;

    /// How long after a success the processor is asked whether it still stands. Only the sandbox, which rehearses
    /// refunds that fail after a success, gives a time; all other processors report such a failure themselves.
    fn asked_once_more_after(&self, _refund: &Refund) -> Option<Duration> {
        None
    }

    /// Reads the charge behind a payment's reference, if the processor tells of charges. Moves no money.
    fn read_charge(&self, _question: &ChargeQuestion) -> impl Future<Output = ChargeRead> + Send {
        async { ChargeRead::NotTold }
    }

    /// Lists every refund of a charge, whoever made it; `None` if the processor does not, or gives no clear answer. Moves
    /// no money.
    fn refunds_of_charge(
        &self,
        _question: &ChargeQuestion,
    ) -> impl Future<Output = Option<Vec<RefundOfCharge>>> + Send {
        async { None }
    }

    /// Reads all disputes of a payment's charge, as they stand at this moment; `None` where the processor tells of none, or
    /// gave no clear answer. Moves no money.
    fn disputes(
        &self,
        _question: &ChargeQuestion,
        _told_at: Timestamp,
    ) -> impl Future<Output = Option<Vec<DisputeWord>>> + Send {
        async { None }
    }

    /// Takes each of the refund's open parts, unless that was done before, and says what became of it. Of a refund that
    /// has failed nothing is taken: it only looks what was. Safe to ask any number of times and concurrently, as the
    /// other questions are: a part that was asked for before is looked up first.
    fn recover(&self, _refund: &Refund) -> impl Future<Output = Vec<(usize, Taken)>> + Send {
        async { Vec::new() }
    }

    /// Asks for the processor's own list of a tenant's refunds since a moment, if it keeps one. Moves no money.
    fn list(
        &self,
        _tenant: &Tenant,
        _name: ProcessorName,
        _from: Timestamp,
    ) -> impl Future<Output = Listing> + Send {
        async { Listing::NotKept }
    }

    /// Tries a tenant's key with a question that moves no money. The sandbox has no key, and always works.
    fn check_key(&self, _tenant: &Tenant, _name: ProcessorName) -> impl Future<Output = KeysChecked> + Send {
        async { KeysChecked::Works }
    }
}

/// A processor's own list of refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// The processor keeps no list: look refunds up one by one.
    NotKept,
    /// The processor did not answer, or not clearly.
    Unclear,
    /// Every refund that we had it make since then; refunds made there without us are not in it.
    Whole(Vec<Listed>),
}

/// One refund in a processor's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Our id of the refund.
    pub refund: RefundId,
    /// The processor's reference.
    pub reference: Text<255>,
    /// The outcome at the processor.
    pub outcome: Outcome,
    /// The amount, if it is exact in our minor units of the currency.
    pub amount: Option<Money>,
}

/// The longest that one question takes, connecting included. A job may ask twice (look up, then send), and
/// `process-refund` works on a batch of ten jobs five at a time: four questions in a row stay within its 30 s.
pub const ANSWER_SECONDS_MAX: u64 = 6;

impl LookedUp {
    /// What it means that the processor does not have a refund: it never received it, unless it has already reported
    /// an outcome.
    pub fn not_found(refund: &Refund) -> Self {
        match refund.version.state {
            State::Initiated
            | State::Cancelled
            | State::Processing(Pending::OutcomeUnknown | Pending::Busy | Pending::NotConfigured) => {
                Self::NeverReceived
            }
            State::Processing(Pending::Processor | Pending::InsufficientFunds)
            | State::Succeeded
            | State::Failed(_) => Self::Stands(Outcome::Unknown),
        }
    }
}
