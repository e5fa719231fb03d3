//! What a caller wants refunded, parsed but not yet judged against the payment.

use crate::ids::{ActorId, LineId, PaymentId};
use crate::money::{Currency, WrittenAmount};
use crate::refund::{External, Notes};
use crate::text::Metadata;

/// One merchant's part of the wanted refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPart {
    /// The merchant.
    pub account: ActorId,
    /// The merchant's part; zero is allowed.
    pub amount: WrittenAmount,
}

/// Which actors give the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedRouting {
    /// The named actors give the named amounts.
    Parts(WantedParts),
    /// Every actor gives in proportion to what it has left, exact to the minor unit.
    Proportional,
}

/// The parts that the caller names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedParts {
    /// The platform's part, if named.
    pub platform: Option<WrittenAmount>,
    /// The merchants' parts; each merchant at most once.
    pub merchants: Vec<WantedPart>,
}

/// A line of the invoice, of which the caller wants something back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLine {
    /// The line.
    pub id: LineId,
    /// How much of it; none means all that is left of it.
    pub amount: Option<WrittenAmount>,
}

/// The refund that a caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The payment to refund.
    pub payment_id: PaymentId,
    /// The amount; see [`crate::decide::decide`] for what its absence means.
    pub amount: Option<WrittenAmount>,
    /// A cross-check: it must be the payment's currency.
    pub currency: Option<Currency>,
    /// The invoice lines to refund, those without an amount first.
    pub lines: Vec<WantedLine>,
    /// Which actors give the money.
    pub routing: Option<WantedRouting>,
    /// A cross-check: what the caller believes is still refundable.
    pub expected_refundable: Option<WrittenAmount>,
    /// How it was paid already, if no processor is to be asked.
    pub external: Option<External>,
    /// The reason, the reference and the other texts kept with the refund.
    pub notes: Notes,
    /// The caller's own key-value pairs.
    pub metadata: Metadata,
}
