//! A reconciliation report, as its account and the administrator see it.

use recoup_domain::report::{Checked, Finding, Report};
use serde::Serialize;

use crate::problem::{Code, Problem};
use recoup_views::{PublicUrl, SelfLink};

/// The problem of a report that this tenant does not have, or no longer has.
pub fn not_found() -> Problem {
    let detail = format!(
        "There is no such report of this account and environment; reports are kept for {} days.",
        Report::DAYS_KEPT
    );
    Problem::new(Code::ReportNotFound, detail)
}

#[derive(Clone, Debug, Serialize)]
struct CheckedView {
    refunds: u64,
    payments: u64,
    events: u64,
    asked: u64,
    waiting: u64,
}

impl From<Checked> for CheckedView {
    fn from(checked: Checked) -> Self {
        let Checked { refunds, payments, events, asked, waiting } = checked;
        Self { refunds, payments, events, asked, waiting }
    }
}

#[derive(Clone, Debug, Serialize)]
struct FindingView {
    mismatch: &'static str,
    refund_id: Option<String>,
    payment_id: Option<String>,
    detail: String,
    remedy: &'static str,
    found_at: String,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            mismatch: finding.mismatch.as_str(),
            refund_id: finding.refund.as_ref().map(ToString::to_string),
            payment_id: finding.payment.as_ref().map(ToString::to_string),
            detail: finding.detail.as_str().to_owned(),
            remedy: finding.remedy.as_str(),
            found_at: finding.found_at.rfc3339(),
        }
    }
}

/// A report without links, for the administrator, who has no API key for the accounts.
#[derive(Clone, Debug, Serialize)]
pub struct ReportFacts {
    object: &'static str,
    date: String,
    environment: &'static str,
    account_id: String,
    started_at: String,
    ended_at: String,
    from: String,
    complete: bool,
    checked: CheckedView,
    drift: u64,
    findings: Vec<FindingView>,
}

impl From<&Report> for ReportFacts {
    fn from(report: &Report) -> Self {
        Self {
            object: "reconciliation_report",
            date: report.date(),
            environment: report.tenant.environment.as_str(),
            account_id: report.tenant.account.to_string(),
            started_at: report.started_at.rfc3339(),
            ended_at: report.ended_at.rfc3339(),
            from: report.from.rfc3339(),
            complete: report.complete,
            checked: report.checked.into(),
            drift: report.drift,
            findings: report.findings.iter().map(FindingView::from).collect(),
        }
    }
}

/// A report, as its account sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ReportView {
    #[serde(flatten)]
    facts: ReportFacts,
    _links: SelfLink,
}

impl ReportView {
    /// Shows a report. Its link names the date, even if the request was for the latest report.
    pub fn of(report: &Report, public_url: &PublicUrl) -> Self {
        let this = public_url.link("reports/reconciliation", &report.date());
        Self { facts: report.into(), _links: SelfLink { this } }
    }
}
