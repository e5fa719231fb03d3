//! Which accounts there are, for functions that strangers can reach.

use recoup_domain::ids::Tenant;

use crate::ReadError;

/// Knows whether a tenant exists, and nothing else of it.
pub trait KnowTenants {
    /// Whether this tenant exists. One that was created a moment ago may be missing.
    fn is_tenant(&self, tenant: &Tenant) -> impl Future<Output = Result<bool, ReadError>> + Send;
}
