//! The secrets with which processors are spoken to: each account has its own, in each environment.

use recoup_domain::ids::Tenant;
use recoup_domain::signing::Secrets;
use thiserror::Error;

use crate::BoxError;

pub use recoup_domain::processor_keys::{BaseUrl, StripeKey, StripeSigningSecret};

/// Knows each tenant's access to its processors. `None` where the tenant has none.
pub trait ProcessorKeys {
    /// Its access to Stripe.
    fn stripe(&self, tenant: &Tenant)
    -> impl Future<Output = Result<Option<StripeAccess>, KeysError>> + Send;

    /// Its access to the team's own adapter.
    fn adapter(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<AdapterAccess>, KeysError>> + Send;
}

/// The secret store did not answer or refused, or what it holds is no key: both pass once somebody has put it right.
#[derive(Debug, Error)]
#[error("the processor's keys cannot be read")]
pub struct KeysError(#[source] pub BoxError);

/// One account's access to Stripe.
#[derive(Clone, Debug)]
pub struct StripeAccess {
    /// The key that our requests carry.
    pub key: StripeKey,
    /// The secrets of the event destinations: one, and during a rotation more.
    pub signing: Vec<StripeSigningSecret>,
}

/// One account's access to the team's own adapter.
#[derive(Clone, Debug)]
pub struct AdapterAccess {
    /// Where it listens.
    pub base: BaseUrl,
    /// What both sides sign with.
    pub secrets: Secrets,
}
