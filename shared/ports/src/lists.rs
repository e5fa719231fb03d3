//! Listing an account's refunds or payments, newest first.

use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;

use crate::ReadError;

/// The place of a refund, or of a payment, in its list: its creation time, then its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place<I = RefundId> {
    /// When it was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: I,
}

impl Place {
    /// The place of a refund.
    pub fn of(refund: &Refund) -> Self {
        Self { created_at: refund.created_at, id: refund.id.clone() }
    }
}

/// A window of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window<I = RefundId> {
    /// Only what was created at this moment or later.
    pub from: Option<Timestamp>,
    /// Only what was created before this moment.
    pub to: Option<Timestamp>,
    /// Only what follows this place in the list.
    pub behind: Option<Place<I>>,
}

impl<I> Window<I> {
    /// Whether something created at this moment may lie in the window.
    pub fn spans(&self, created_at: Timestamp) -> bool {
        self.from.is_none_or(|from| created_at >= from) && self.to.is_none_or(|to| created_at < to)
    }
}

/// Reads the list of refunds.
pub trait RefundList {
    /// The next places of a window, newest first, at most `limit`.
    ///
    /// It reads an index that follows the table within moments; a refund that was just created may be missing.
    fn places(
        &self,
        tenant: &Tenant,
        window: &Window,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Place>, ReadError>> + Send;
}

/// Reads the list of payments.
pub trait PaymentList {
    /// The same as [`RefundList::places`], of payments.
    fn payment_places(
        &self,
        tenant: &Tenant,
        window: &Window<PaymentId>,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Place<PaymentId>>, ReadError>> + Send;
}
