//! The reports of reconciliations, and the accounts they are made for.

use recoup_domain::ids::Tenant;
use recoup_domain::report::Report;

use crate::{ReadError, WriteError};

/// Knows every account, in each of its environments.
pub trait Tenants {
    /// The next ones behind a place, in their order, at most `limit`; an index answers, not a scan.
    fn tenants(
        &self,
        behind: Option<&Tenant>,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<Tenant>, ReadError>> + Send;
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
