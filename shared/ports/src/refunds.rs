//! Reading refunds, and reserving a new one.

use recoup_domain::balance::Posting;
use recoup_domain::decide::Reservation;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use thiserror::Error;

use crate::rows::Rows;
use crate::{BoxError, ReadError};

/// Reads refunds, always as last written.
pub trait Refunds {
    /// One refund of this tenant.
    fn refund(
        &self,
        tenant: &Tenant,
        id: &RefundId,
    ) -> impl Future<Output = Result<Option<Refund>, ReadError>> + Send;

    /// Those of these refunds that exist, in any order; one that cannot be read is named in the answer.
    fn refunds(
        &self,
        tenant: &Tenant,
        ids: &[RefundId],
    ) -> impl Future<Output = Result<Rows<Refund>, ReadError>> + Send;

    /// The same refunds, but only what balances need of each, however large they are.
    fn postings(
        &self,
        tenant: &Tenant,
        ids: &[RefundId],
    ) -> impl Future<Output = Result<Rows<Posting>, ReadError>> + Send;
}

/// What a decision is based on.
#[derive(Clone, Debug)]
pub struct Found {
    /// The payment, if this tenant has it.
    pub payment: Option<Payment>,
    /// The refund of the same idempotency key, if there is one.
    pub refund: Option<Refund>,
}

/// The outcome of a reservation.
#[derive(Clone, Debug)]
pub enum Reserved {
    /// The refund is created and its amount held.
    New,
    /// A refund of that id exists already, and nothing was written: a replay or a reused key.
    Existing(Box<Refund>),
    /// The payment has changed since the decision; nothing was written.
    PaymentChanged(Box<Payment>),
}

/// Why a reservation failed.
#[derive(Debug, Error)]
pub enum ReserveError {
    /// Another request is writing the refund of the same key.
    #[error("another request with this idempotency key is being written")]
    KeyInUse,
    /// Other writes to the payment kept conflicting; nothing was written.
    #[error("too many concurrent writes to the payment")]
    Contended,
    /// The table did not answer in time. The refund may be written or not; a retry with the same key finds out.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
    /// What is stored is not what Recoup writes.
    #[error("the item {key} cannot be read: {why}")]
    Unreadable {
        /// The item's partition key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Creates refunds.
pub trait Reserve {
    /// The payment and, where a key names one, the refund of that key: one call.
    fn payment_and_refund(
        &self,
        tenant: &Tenant,
        payment: &PaymentId,
        refund: Option<&RefundId>,
    ) -> impl Future<Output = Result<Found, ReadError>> + Send;

    /// Writes the refund and takes its amounts from the payment, both or neither, if the refund is absent and the
    /// payment still allows it.
    fn reserve(
        &self,
        reservation: &Reservation,
    ) -> impl Future<Output = Result<Reserved, ReserveError>> + Send;
}
