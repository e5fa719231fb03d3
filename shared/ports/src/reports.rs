//! The reports of reconciliations, and the accounts they are made for.

use recoup_domain::ids::Tenant;
use recoup_domain::report::Report;

use crate::{ReadError, WriteError};

/// Knows every account, in each of its environments.
pub trait Tenants {
    /// The next ones behind a place, in their order, at most `limit`; fewer only at the end. An index answers, not a
    /// scan, so an account that was just made may be missing for a moment.
    fn tenants(
        &self,
        behind: Option<&Tenant>,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Tenant>, ReadError>> + Send;
}

/// What became of listing a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It is among the tenants, now or before.
    Yes,
    /// There is no such account.
    NoSuchAccount,
}

/// Puts tenants among those that are known: those of a version that did not do so when it made them.
pub trait ListTenants: Tenants {
    /// Lists one; done twice it changes nothing.
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

/// Keeps reports.
pub trait KeepReports: Reports {
    /// Puts a report in the place of the one of its tenant and date.
    fn keep_report(&self, report: &Report) -> impl Future<Output = Result<(), WriteError>> + Send;
}
