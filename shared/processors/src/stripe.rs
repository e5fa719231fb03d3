//! Stripe's words: version 2025-04-30 of its API, as its documentation has them.

mod amount;
mod charge;
mod dispute;
mod event;
mod keys;
mod order;
mod part;
mod refund;
mod refusal;
mod signature;

pub use amount::StripeAmount;
pub(crate) use amount::takes;
pub use charge::{charge, charge_path};
pub use dispute::{StripeDisputes, disputes_path};
pub use event::UnverifiedEvent;
pub(crate) use event::notification;
pub use keys::{StripeAccess, StripeKey, StripeSigningSecret};
pub(crate) use order::reference;
pub use order::{Order, is_name, payment_parameter};
pub(crate) use part::shape;
pub use part::{ChargeOfRefund, PartOrder, Source, StripePart, StripeParts, named};
pub use refund::{StripeRefund, StripeRefunds};
pub use refusal::{Beside, Refusal};

/// The version our requests name: what it says does not change under us.
pub const API_VERSION: &str = "2025-04-30.basil";

/// The keys under which a refund at Stripe carries our names for it.
pub(crate) mod metadata {
    /// Our refund's id.
    pub(crate) const REFUND: &str = "recoup_refund_id";
    /// Our account's id.
    pub(crate) const ACCOUNT: &str = "recoup_account_id";
    /// `sandbox` or `live`.
    pub(crate) const ENVIRONMENT: &str = "recoup_environment";
    /// Whose part of the refund it is: a merchant's id, or `platform`.
    pub(crate) const ACTOR: &str = "recoup_actor";
    /// What the merchant wants on the statement; Stripe has no field of its own for a refund's.
    pub(crate) const DESCRIPTION: &str = "recoup_description";
}
