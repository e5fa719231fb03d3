//! A report as stored: one item for each tenant and day, which the day's next run replaces.

use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::report::{Checked, Finding, Mismatch, Remedy, Report};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event_item::seconds;
use crate::keys::Key;

/// Most bytes of findings in one item, of the 400 KB that DynamoDB allows. [`Report::FINDINGS_MAX`] findings fit unless
/// their sentences are in a script of several bytes a character; then the oldest are dropped.
const FINDINGS_BYTES_MAX: usize = 300_000;
/// More bytes than a finding takes besides its payment's id and its sentence.
const FINDING_BYTES: usize = 200;

#[derive(Debug, Serialize, Deserialize)]
struct FindingItem {
    mismatch: Mismatch,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<RefundId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<PaymentId>,
    detail: Text<255>,
    remedy: Remedy,
    found_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct CheckedItem {
    refunds: u64,
    payments: u64,
    events: u64,
    asked: u64,
    waiting: u64,
}

/// A report's attributes. The tenant and the date are in the key; the date is also that of `started_at`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReportItem {
    pk: String,
    sk: String,
    started_at: Timestamp,
    ended_at: Timestamp,
    from: Timestamp,
    complete: bool,
    checked: CheckedItem,
    drift: u64,
    findings: Vec<FindingItem>,
    expires_at: u64,
}

impl From<&Finding> for FindingItem {
    fn from(finding: &Finding) -> Self {
        let Finding { mismatch, refund, payment, detail, remedy, found_at } = finding.clone();
        Self { mismatch, refund_id: refund, payment_id: payment, detail, remedy, found_at }
    }
}

impl FindingItem {
    fn bytes(&self) -> usize {
        let payment = self.payment_id.as_ref().map_or(0, |id| id.as_str().len());
        FINDING_BYTES.saturating_add(payment).saturating_add(self.detail.as_str().len())
    }

    fn read(self) -> Finding {
        let Self { mismatch, refund_id, payment_id, detail, remedy, found_at } = self;
        Finding { mismatch, refund: refund_id, payment: payment_id, detail, remedy, found_at }
    }
}

/// The last findings that fit in an item, oldest first.
fn kept(findings: &[Finding]) -> Vec<FindingItem> {
    let mut left = FINDINGS_BYTES_MAX;
    let newest_first = findings.iter().rev().take(Report::FINDINGS_MAX).map(FindingItem::from);
    let fitting = newest_first.map_while(|item| {
        left = left.checked_sub(item.bytes())?;
        Some(item)
    });
    let mut kept: Vec<_> = fitting.collect();
    kept.reverse();
    kept
}

impl From<&Report> for ReportItem {
    fn from(report: &Report) -> Self {
        let Report { tenant, started_at, ended_at, from, complete, checked, drift, findings } = report;
        let Key { pk, sk } = Key::report(tenant, &report.date());
        let Checked { refunds, payments, events, asked, waiting } = *checked;
        Self {
            pk,
            sk,
            started_at: *started_at,
            ended_at: *ended_at,
            from: *from,
            complete: *complete,
            checked: CheckedItem { refunds, payments, events, asked, waiting },
            drift: *drift,
            findings: kept(findings),
            expires_at: seconds(started_at.plus(Report::KEPT)),
        }
    }
}

impl ReportItem {
    pub(crate) fn into_report(self, tenant: &Tenant) -> Report {
        let CheckedItem { refunds, payments, events, asked, waiting } = self.checked;
        Report {
            tenant: tenant.clone(),
            started_at: self.started_at,
            ended_at: self.ended_at,
            from: self.from,
            complete: self.complete,
            checked: Checked { refunds, payments, events, asked, waiting },
            drift: self.drift,
            findings: self.findings.into_iter().map(FindingItem::read).collect(),
        }
    }
}
