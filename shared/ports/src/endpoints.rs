//! The webhook endpoints of an account.

use recoup_domain::delivery::Target;
use recoup_domain::endpoint::{DisabledReason, Endpoint};
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::time::Timestamp;

use crate::rows::Rows;
use crate::{ReadError, WriteError};

/// Reads endpoints, always as last written.
pub trait Endpoints {
    /// All endpoints of this tenant, oldest first, at most [`Endpoint::COUNT_MAX`]; an unreadable one is named.
    fn endpoints(&self, tenant: &Tenant) -> impl Future<Output = Result<Rows<Endpoint>, ReadError>> + Send;

    /// One endpoint of this tenant.
    fn endpoint(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<Endpoint>, ReadError>> + Send;
}

impl Rows<Endpoint> {
    /// The receivers of an event of this account: the endpoints that listen, and the refund's own URL if it has one. An
    /// unreadable endpoint may listen, too, so it counts: its attempts fail until it can be read again.
    pub fn receivers(&self, listens: impl Fn(&Endpoint) -> bool, has_url: bool) -> Vec<Target> {
        let listening =
            self.read.iter().filter(|endpoint| listens(endpoint)).map(|endpoint| endpoint.id.clone());
        // A row whose id is not one of ours was logged when it was read, and names no receiver.
        let unreadable = self.unreadable.iter().filter_map(|row| EndpointId::try_from(row.id.as_str()).ok());
        let endpoints = listening.chain(unreadable).map(Target::Endpoint);
        endpoints.chain(has_url.then_some(Target::RefundUrl)).collect()
    }
}

/// The outcome of creating an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The endpoint is created.
    Yes,
    /// The account already has [`Endpoint::COUNT_MAX`] endpoints.
    TooMany,
}

/// The outcome of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The change is written.
    Yes,
    /// The endpoint has changed since it was read; nothing was written.
    Overtaken,
    /// There is no such endpoint.
    Missing,
}

/// The outcome of asking for a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tested {
    /// It counts, and may go.
    Yes,
    /// There were [`Endpoint::TESTS_MAX`] already; the next may go at this moment.
    NotBefore(Timestamp),
    /// There is no such endpoint.
    Missing,
}

/// Bounds how often endpoints are tested: a test waits for its receiver, which may take long.
pub trait TestBudget {
    /// Counts a test of an endpoint, if there may be another now.
    fn count_test(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Tested, WriteError>> + Send;
}

/// Creates, changes and deletes endpoints for their owners.
pub trait KeepEndpoints: Endpoints {
    /// Writes a new endpoint, unless the account has too many.
    fn create_endpoint(
        &self,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Created, WriteError>> + Send;

    /// Writes a changed endpoint, secrets included, if the stored one is still `from`.
    fn change_endpoint(
        &self,
        from: &Endpoint,
        to: &Endpoint,
    ) -> impl Future<Output = Result<Changed, WriteError>> + Send;

    /// Deletes an endpoint; [`Changed::Missing`] if there is none.
    fn delete_endpoint(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Changed, WriteError>> + Send;
}

/// Records how deliveries to an endpoint go. What is already recorded costs no write.
pub trait EndpointHealth {
    /// Records that the endpoint fails, since now unless it failed before.
    fn record_failing(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records that the endpoint accepted a delivery.
    fn record_recovered(&self, endpoint: &Endpoint) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Switches the endpoint off, unless its owner has changed it since it was read.
    fn switch_off(
        &self,
        endpoint: &Endpoint,
        reason: DisabledReason,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}
