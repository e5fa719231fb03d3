//! The reports of reconciliation, and the accounts they cover.

use recoup_domain::ids::Tenant;
use recoup_domain::report::Report;

use crate::{ReadError, WriteError};

/// Lists every account, in each of its environments.
pub trait Tenants {
    /// The next tenants after `behind`, in order: `limit` of them, fewer only at the end. It reads an index, not a
    /// scan, so an account that was just created may be missing for a moment.
    fn tenants(
        &self,
        behind: Option<&Tenant>,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Tenant>, ReadError>> + Send;
}

/// The outcome of listing a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The tenant is in the list, now or since before.
    Yes,
    /// There is no such account.
    NoSuchAccount,
}

/// Adds tenants to the list: those created by a version that did not list them.
pub trait ListTenants: Tenants {
    /// Lists one tenant; a repeat changes nothing.
    fn list_tenant(&self, tenant: &Tenant) -> impl Future<Output = Result<Listed, WriteError>> + Send;
}

/// Reads reports.
pub trait Reports {
    /// The report of this tenant and date (`2026-11-22`).
    fn report(
        &self,
        tenant: &Tenant,
        date: &str,
    ) -> impl Future<Output = Result<Option<Report>, ReadError>> + Send;

    /// This tenant's newest report.
    fn latest_report(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<Report>, ReadError>> + Send;
}

/// Stores reports.
pub trait KeepReports: Reports {
    /// Stores a report in place of any earlier one of its tenant and date.
    fn keep_report(&self, report: &Report) -> impl Future<Output = Result<(), WriteError>> + Send;
}
