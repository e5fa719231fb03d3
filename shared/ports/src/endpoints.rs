//! The receivers of an account's events.

use recoup_domain::endpoint::{DisabledReason, Endpoint};
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::time::Timestamp;

use crate::rows::Rows;
use crate::{ReadError, WriteError};

/// Reads endpoints, always as last written.
pub trait Endpoints {
    /// All endpoints of this tenant, oldest first; at most [`Endpoint::COUNT_MAX`]. One that cannot be read is named.
    fn endpoints(&self, tenant: &Tenant) -> impl Future<Output = Result<Rows<Endpoint>, ReadError>> + Send;

    /// One endpoint of this tenant.
    fn endpoint(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<Endpoint>, ReadError>> + Send;
}

/// What became of a new endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there.
    Yes,
    /// The account has [`Endpoint::COUNT_MAX`] of them.
    TooMany,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is written.
    Yes,
    /// Somebody else changed the endpoint meanwhile; nothing was written.
    Overtaken,
    /// There is no such endpoint.
    Missing,
}

/// Keeps endpoints, for their owners.
pub trait KeepEndpoints: Endpoints {
    /// Writes a new endpoint, if there is room for it.
    fn create_endpoint(
        &self,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Created, WriteError>> + Send;

    /// Puts a changed endpoint in the place of the one that was read, secrets included.
    fn change_endpoint(
        &self,
        from: &Endpoint,
        to: &Endpoint,
    ) -> impl Future<Output = Result<Changed, WriteError>> + Send;

    /// Takes an endpoint away; [`Changed::Missing`] if it is not there.
    fn delete_endpoint(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Changed, WriteError>> + Send;
}

/// Notes how deliveries to an endpoint go. What is noted already costs nothing.
pub trait EndpointHealth {
    /// It fails, from now on if it did not before.
    fn note_failing(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// It took a delivery.
    fn note_recovered(&self, endpoint: &Endpoint) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Switches it off, unless its owner changed it since it was read.
    fn switch_off(
        &self,
        endpoint: &Endpoint,
        reason: DisabledReason,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}
