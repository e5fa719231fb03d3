//! Walking over every payment: those of a tenant from where the last walk ended, and those that have no seal yet.

use recoup_domain::ids::{PaymentId, Tenant};
use recoup_domain::payment::Payment;

use crate::lists::Place;
use crate::payments::Payments;
use crate::rows::Rows;
use crate::{ReadError, WriteError};

/// Lists a tenant's payments, and keeps how far an audit of them has come.
pub trait AuditPayments: Payments {
    /// The next payments behind a place, oldest first: `limit` of them, fewer only at the end. It reads an index that
    /// follows the table within moments.
    fn payments_behind(
        &self,
        tenant: &Tenant,
        behind: Option<&Place<PaymentId>>,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Place<PaymentId>>, ReadError>> + Send;

    /// The last payment of the audit so far; `None` if the next one begins anew.
    fn audited_to(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<Place<PaymentId>>, ReadError>> + Send;

    /// Keeps the last payment of the audit so far, or that the next one begins anew.
    fn keep_audited_to(
        &self,
        tenant: &Tenant,
        place: Option<&Place<PaymentId>>,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// Payments that were registered before there were seals or claims, or are not listed.
#[derive(Clone, Debug, Default)]
pub struct Unsealed {
    /// The payments.
    pub payments: Rows<Payment>,
    /// Where the next page begins; `None` at the end of the table.
    pub next: Option<String>,
}

/// The outcome of an adoption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// The payment has its seal, its place in the list and its claims.
    Yes,
    /// The payment has its seal and its place in the list, and no claim: its charge is this other payment's.
    ChargeTaken(PaymentId),
    /// The payment has changed since it was read; nothing was written.
    Changed,
}

/// Adopts payments that an earlier version registered.
pub trait AdoptPayments {
    /// The payments without a seal, a place in the list or a claim, of all tenants, among the next items of the table. `from` is
    /// the `next` of the page before; `None` if it is no such text.
    fn unsealed(
        &self,
        from: Option<&str>,
    ) -> impl Future<Output = Result<Option<Unsealed>, ReadError>> + Send;

    /// Writes the seal of this payment, its place in the list and, unless another payment has its charge, its claims; if
    /// the payment has not changed since it was read.
    fn adopt(&self, payment: &Payment) -> impl Future<Output = Result<Adopted, WriteError>> + Send;
}
