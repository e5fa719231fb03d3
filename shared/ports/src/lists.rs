//! Listing an account's refunds, newest first.

use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;

use crate::ReadError;

/// A refund's place in the list: its creation time, then its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the refund was created.
    pub created_at: Timestamp,
    /// The refund.
    pub id: RefundId,
}

impl Place {
    /// The place of a refund.
    pub fn of(refund: &Refund) -> Self {
        Self { created_at: refund.created_at, id: refund.id.clone() }
    }
}

/// A window of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Only refunds created at this moment or later.
    pub from: Option<Timestamp>,
    /// Only refunds created before this moment.
    pub to: Option<Timestamp>,
    /// Only refunds that follow this place in the list.
    pub behind: Option<Place>,
}

impl Window {
    /// Whether a refund created at this moment may lie in the window.
    pub fn spans(&self, created_at: Timestamp) -> bool {
        self.from.is_none_or(|from| created_at >= from) && self.to.is_none_or(|to| created_at < to)
    }
}

/// Reads the list.
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
