//! Reading and registering payments.

use recoup_domain::ids::{PaymentId, Tenant};
use recoup_domain::payment::{Payment, Processor};

use crate::rows::Rows;
use crate::{ReadError, WriteError};

/// Reads payments, always as last written.
pub trait Payments {
    /// One payment of this tenant.
    fn payment(
        &self,
        tenant: &Tenant,
        id: &PaymentId,
    ) -> impl Future<Output = Result<Option<Payment>, ReadError>> + Send;

    /// Those of these payments that exist, in any order.
    fn payments(
        &self,
        tenant: &Tenant,
        ids: &[PaymentId],
    ) -> impl Future<Output = Result<Rows<Payment>, ReadError>> + Send;
}

/// Finds payments by their names at their processors.
pub trait Charges: Payments {
    /// The payment of this tenant that has this charge.
    fn payment_of_charge(
        &self,
        tenant: &Tenant,
        charge: &Processor,
    ) -> impl Future<Output = Result<Option<PaymentId>, ReadError>> + Send;
}

/// The outcome of a registration.
#[derive(Clone, Debug)]
pub enum Registered {
    /// The payment is new.
    New,
    /// The payment exists already; nothing was written.
    Existing(Box<Payment>),
    /// The charge is this other payment's; nothing was written.
    ChargeTaken(PaymentId),
}

/// The outcome of writing newer facts, or disputes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// They are written.
    Applied,
    /// They have changed since they were read; nothing was written.
    Overtaken,
}

/// Keeps what processors tell of payments' disputes.
pub trait KeepDisputes: Charges {
    /// Writes the disputes of `to` and what they take of the payment or give back, in one write, if the stored disputes
    /// are those of `from` and, where they take something, as much is refundable as of `from`.
    fn keep_disputes(
        &self,
        from: &Payment,
        to: &Payment,
    ) -> impl Future<Output = Result<Moved, WriteError>> + Send;
}

/// The outcome of keeping what a processor said of a payment's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is written, and the claims are taken.
    Yes,
    /// The payment has changed since it was read; nothing was written.
    Overtaken,
    /// The charge is this other payment's; nothing was written.
    ChargeTaken(PaymentId),
}

/// Keeps what processors said of payments' terms.
pub trait KeepVerifications {
    /// Writes a payment's verification, its claims and, if they are newer, its terms: if its facts and what was said of it
    /// are those that were seen.
    fn keep_verification(
        &self,
        payment: &Payment,
        seen: &Payment,
    ) -> impl Future<Output = Result<Kept, WriteError>> + Send;
}

/// Registers payments.
pub trait Register: Payments + KeepVerifications {
    /// Writes a payment and its claims unless one with its id exists, or another has one of its claims.
    fn register(&self, payment: &Payment) -> impl Future<Output = Result<Registered, ReadError>> + Send;

    /// Writes a payment's corrected terms and its facts if the stored facts are still those of the revision before, and
    /// nothing was refunded of it. The payment's verification is written, too: what was said meanwhile was said of the
    /// terms before.
    fn correct(&self, payment: &Payment) -> impl Future<Output = Result<Moved, WriteError>> + Send;

    /// Writes a payment's facts if the stored ones are still those of the revision before; touches no amount.
    fn move_facts(&self, payment: &Payment) -> impl Future<Output = Result<Moved, WriteError>> + Send;
}
