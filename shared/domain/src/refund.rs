//! A refund: what never changes about it, what can (`version`), and how that changes (`steps`).

mod origin;
mod question;
mod said;
mod steps;
mod verdict;
mod version;

use crate::by::By;
use crate::ids::{LineId, PaymentId, RefundId, Tenant};
use crate::money::Money;
use crate::payment::{Processor, fact};
use crate::recovery::Part;
use crate::split::Split;
use crate::text::{Metadata, TargetUrl, Text};
use crate::time::Timestamp;
use crate::waiting::Wait;

pub use origin::{External, Origin, OriginName};
pub use question::Question;
pub use said::{BankReference, BankReferenceKind, Said};
pub use steps::{Amounts, Move, Outcome, Withdrawn};
pub use verdict::{Judged, Ruling, Verdict};
pub use version::{Change, Failure, State, Status, Version};

fact!(
    /// What giving back means for this payment.
    Kind {
        /// The money had been settled.
        Refund = "refund",
        /// The money had not been settled yet.
        Reversal = "reversal"
    }
);
fact!(
    /// Why a refund that is being processed is not done yet.
    Pending {
        /// The processor has it and will say.
        Processor = "processor_pending",
        /// The processor has it, and waits for money in the balance there.
        InsufficientFunds = "insufficient_funds",
        /// Nobody knows whether the processor has it; the amount stays held.
        OutcomeUnknown = "processor_outcome_unknown",
        /// The processor takes nothing now, or was not asked yet. It is asked again soon.
        Busy = "processor_busy",
        /// The account has no key that the processor accepts. It is asked once there is one.
        NotConfigured = "processor_not_configured"
    }
);
fact!(
    /// Why money could not be given back.
    FailureCode {
        /// The customer's bank refused.
        Declined = "declined",
        /// The balance at the processor did not suffice.
        InsufficientFunds = "insufficient_funds",
        /// The card or account is gone.
        ExpiredOrClosedAccount = "expired_or_closed_account",
        /// The processor refused the request.
        ProcessorRejected = "processor_rejected",
        /// The processor failed at it.
        ProcessorError = "processor_error",
        /// The processor did not say.
        Unknown = "unknown"
    }
);
fact!(
    /// The merchant's reason, as far as it is one of the usual three.
    ReasonCode {
        /// The customer asked.
        CustomerRequest = "customer_request",
        /// Paid twice.
        Duplicate = "duplicate",
        /// Believed fraudulent.
        Fraud = "fraud",
        /// Any other text.
        Other = "other"
    }
);

fact!(
    /// Why a person has to look at a refund.
    Flag {
        /// The processor says that the money went back after all, but its payment no longer has it.
        SucceededAfterFailure = "succeeded_after_failure",
        /// It was made at the processor without us, and its payment no longer had as much.
        ExceedsRefundable = "exceeds_refundable",
        /// The processor has refunded another amount than it was asked for.
        AmountDiffers = "amount_differs"
    }
);

impl Pending {
    /// Whether the processor has said that it has the refund. It is not sent again then, whatever it says later.
    pub fn is_received(self) -> bool {
        match self {
            Self::Processor | Self::InsufficientFunds => true,
            Self::OutcomeUnknown | Self::Busy | Self::NotConfigured => false,
        }
    }
}

impl ReasonCode {
    /// The code of a reason's text.
    pub fn of(reason: &Text<255>) -> Self {
        Self::parse(reason.as_str()).unwrap_or(Self::Other)
    }
}

/// What the refund's caller asked for, beside the amount: kept as given, and never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Why, at most 255 characters.
    pub reason: Option<Text<255>>,
    /// More about it, at most 1000 characters.
    pub information: Option<Text<1000>>,
    /// For the customer's statement, where the processor can show it; at most 255 characters.
    pub description: Option<Text<255>>,
    /// The merchant's own reference, at most 128 characters.
    pub reference: Option<Text<128>>,
    /// Who is told about this refund, besides the account's endpoints.
    pub webhook_url: Option<TargetUrl>,
}

/// SHA-256 of what a request asked for; tells a retry from another request under the same key.
pub type Fingerprint = [u8; 32];

/// What a refund takes of one line of its payment's invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePart {
    /// The line.
    pub id: LineId,
    /// Its position among the payment's lines, and how much; none in a refund of version 0.1, which covers all of it.
    pub taken: Option<(usize, Money)>,
}

/// A refund as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its id.
    pub id: RefundId,
    /// The payment it gives back.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// Refund or reversal.
    pub kind: Kind,
    /// Which actor gives how much, with the payment's merchants in the payment's order; there if and only
    /// if the payment was routed.
    pub split: Option<Split>,
    /// The invoice lines it takes from, each once.
    pub lines: Vec<LinePart>,
    /// What its caller said about it.
    pub notes: Notes,
    /// Who asked for it, or made it.
    pub origin: Origin,
    /// Who moves the money.
    pub processor: Processor,
    /// What was asked for, to recognise a retry.
    pub fingerprint: Fingerprint,
    /// What can change about it, as it stands.
    pub version: Version,
    /// Where it stood at first; what did not come from us may begin where others end.
    pub first: State,
    /// Each change but the first, oldest first; the last [`Refund::CHANGES_KEPT`].
    pub history: Vec<Change>,
    /// When it was first handed to the processor; from then on nobody may cancel it.
    pub handed_over_at: Option<Timestamp>,
    /// The number of the question to the processor that is due, from 0: a job about another one is stale.
    pub turn: u32,
    /// How many of those were put off without a word on the refund: they spend no step of the waits.
    pub postponed: u32,
    /// When the processor is asked again, while it has not said how this ends.
    pub wait: Option<Wait>,
    /// The actors' parts that are taken by requests of their own, from its first success on.
    pub recovery: Vec<Part>,
    /// Why a person has to look at it, if one has.
    pub flag: Option<Flag>,
    /// What the processor has refunded, where that is another amount than it was asked for.
    pub processor_amount: Option<Money>,
    /// What a person last said of its end, if one did.
    pub verdict: Option<Verdict>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it; unknown where an earlier version wrote it.
    pub created_by: Option<By>,
}

impl Refund {
    /// Most changes that are kept.
    pub const CHANGES_KEPT: usize = 100;
    /// Most changes of a refund, its beginning included, after which its metadata may change once more: each is an event
    /// to every receiver.
    const METADATA_CHANGES_UNTIL: u32 = 100;

    /// Whether its metadata may still change.
    pub fn takes_metadata(&self) -> bool {
        self.version.sequence <= Self::METADATA_CHANGES_UNTIL
    }

    /// The refund without its texts and its history, for whoever only sums up.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        (self.notes, self.history) = (Notes::default(), Vec::new());
        self.version.metadata = Metadata::default();
        self
    }

    /// What it takes of its payment: all of it, but for what was no longer there when the processor moved it.
    pub fn taken(&self) -> Money {
        self.origin.excess().and_then(|excess| self.amount.minus(excess)).unwrap_or(self.amount)
    }

    /// The positions among the payment's actors (the platform is 0) of those who give, with what each gives.
    pub fn takes(&self) -> impl Iterator<Item = (usize, Money)> {
        let parts = self.split.iter().flat_map(Split::parts).enumerate();
        parts.map(|(position, (_, part))| (position, part)).filter(|(_, part)| !part.is_zero())
    }
}
