//! What a caller wants refunded, parsed but not yet judged against the payment.

use crate::ids::{ActorId, LineId, PaymentId};
use crate::money::{Currency, WrittenAmount};
use crate::refund::Notes;
use crate::text::Metadata;

/// A part of the wanted refund, by who gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPart {
    /// The merchant.
    pub account: ActorId,
    /// Its part; zero is allowed.
    pub amount: WrittenAmount,
}

/// From whom the money is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedRouting {
    /// From these, so much each.
    Parts(WantedParts),
    /// From every actor by what it has left, exact to the minor unit.
    Proportional,
}

/// Named parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedParts {
    /// The platform's part, if named.
    pub platform: Option<WrittenAmount>,
    /// The merchants' parts; each merchant at most once.
    pub merchants: Vec<WantedPart>,
}

/// The whole wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of which payment.
    pub payment_id: PaymentId,
    /// How much; see [`crate::decide::decide`] for what its absence means.
    pub amount: Option<WrittenAmount>,
    /// A cross-check: must be the payment's.
    pub currency: Option<Currency>,
    /// For which invoice lines.
    pub lines: Vec<LineId>,
    /// From whom.
    pub routing: Option<WantedRouting>,
    /// A cross-check: what the caller believes is left.
    pub expected_refundable: Option<WrittenAmount>,
    /// What is kept beside.
    pub notes: Notes,
    /// The caller's own pairs.
    pub metadata: Metadata,
}
