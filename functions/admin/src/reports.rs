//! The newest reports of all accounts in one answer, and the list of accounts that get reports.

use futures_util::future::join_all;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::report::Report;
use recoup_http::report::ReportFacts;
use recoup_ports::ReadError;
use recoup_ports::reports::{ListTenants, Listed, Reports, Tenants};
use serde_json::{Value, json};

use crate::AdminError;

/// Tenants whose reports are read at once; a report may have 300 KB.
const TENANTS_AT_ONCE: u16 = 10;
/// Most reports in one answer.
const REPORTS_MAX: usize = 50;
/// Most bytes of reports in one answer: Lambda allows 6 MB, in which each quote of this JSON may take two.
const REPORTS_BYTES_MAX: usize = 3_000_000;
/// Most accounts in one command.
const ACCOUNTS_MAX: usize = 100;

/// What has been gathered so far.
#[derive(Default)]
struct Gathered {
    accounts: u64,
    without_report: u64,
    incomplete: u64,
    with_drift: u64,
    reports: Vec<Value>,
    bytes: usize,
    more: bool,
    /// The accounts whose newest report cannot be read.
    unreadable: Vec<String>,
}

impl Gathered {
    fn name_unreadable(&mut self, tenant: &Tenant) {
        self.accounts = self.accounts.saturating_add(1);
        self.unreadable.push(format!("{}/{}", tenant.environment.as_str(), tenant.account));
    }

    fn add(&mut self, report: Option<&Report>) -> Result<(), AdminError> {
        self.accounts = self.accounts.saturating_add(1);
        let Some(report) = report else {
            self.without_report = self.without_report.saturating_add(1);
            return Ok(());
        };
        self.incomplete = self.incomplete.saturating_add(u64::from(!report.complete));
        self.with_drift = self.with_drift.saturating_add(u64::from(report.drift > 0));
        if report.drift == 0 && report.findings.is_empty() {
            return Ok(());
        }
        let shown = serde_json::to_value(ReportFacts::from(report)).map_err(|error| unwritable(&error))?;
        let bytes = self.bytes.saturating_add(shown.to_string().len());
        if self.reports.len() >= REPORTS_MAX || bytes > REPORTS_BYTES_MAX {
            self.more = true;
        } else {
            self.bytes = bytes;
            self.reports.push(shown);
        }
        Ok(())
    }
}

/// The error of a report that cannot be written as JSON. No report should be.
fn unwritable(error: &serde_json::Error) -> AdminError {
    AdminError::Read(ReadError::Unreadable { key: "report".to_owned(), why: error.to_string() })
}

/// The newest reports with findings, over all accounts and environments.
pub(crate) async fn latest(store: &(impl Tenants + Reports + Sync)) -> Result<Value, AdminError> {
    let mut gathered = Gathered::default();
    let mut behind: Option<Tenant> = None;
    loop {
        let tenants = store.tenants(behind.as_ref(), TENANTS_AT_ONCE).await?;
        let reports = join_all(tenants.iter().map(|tenant| store.latest_report(tenant))).await;
        for (tenant, report) in tenants.iter().zip(reports) {
            match report {
                Ok(report) => gathered.add(report.as_ref())?,
                // An unreadable report affects only its own account.
                Err(ReadError::Unreadable { .. }) => gathered.name_unreadable(tenant),
                Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
            }
        }
        match tenants.into_iter().last() {
            Some(last) => behind = Some(last),
            None => break,
        }
    }
    let Gathered { accounts, without_report, incomplete, with_drift, reports, more, unreadable, .. } =
        gathered;
    tracing::info!(accounts, with_drift, "reports read");
    let mut answer = json!({
        "accounts": accounts,
        "without_report": without_report,
        "incomplete": incomplete,
        "with_drift": with_drift,
        "reports": reports,
        "more": more,
    });
    if let Some(answer) = answer.as_object_mut().filter(|_| !unreadable.is_empty()) {
        answer.insert("unreadable".to_owned(), unreadable.into());
    }
    Ok(answer)
}

/// Lists both tenants of accounts that were created before there was a list.
pub(crate) async fn index(store: &impl ListTenants, account_ids: &[String]) -> Result<Value, AdminError> {
    if account_ids.is_empty() || account_ids.len() > ACCOUNTS_MAX {
        return Err(AdminError::AccountIds);
    }
    let ids = account_ids.iter().map(|id| AccountId::try_from(id.as_str()));
    // Every id is checked before the first write.
    let ids: Vec<_> = ids.collect::<Result<_, _>>().map_err(|why| AdminError::Id("account_ids", why))?;
    let (mut indexed, mut unknown) = (Vec::new(), Vec::new());
    for account in ids {
        let mut found = true;
        for environment in [Environment::Sandbox, Environment::Live] {
            let tenant = Tenant { environment, account: account.clone() };
            found &= store.list_tenant(&tenant).await? == Listed::Yes;
        }
        let list = if found { &mut indexed } else { &mut unknown };
        list.push(account.to_string());
    }
    tracing::info!(indexed = indexed.len(), unknown = unknown.len(), "accounts indexed");
    Ok(json!({ "indexed": indexed, "unknown": unknown }))
}
