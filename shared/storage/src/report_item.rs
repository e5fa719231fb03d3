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
    mismatch: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    detail: String,
    remedy: String,
    found_at: String,
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
    started_at: String,
    ended_at: String,
    from: String,
    complete: bool,
    checked: CheckedItem,
    drift: u64,
    findings: Vec<FindingItem>,
    expires_at: u64,
}

impl From<&Finding> for FindingItem {
    fn from(finding: &Finding) -> Self {
        let Finding { mismatch, refund, payment, detail, remedy, found_at } = finding;
        Self {
            mismatch: mismatch.as_str().to_owned(),
            refund_id: refund.as_ref().map(ToString::to_string),
            payment_id: payment.as_ref().map(ToString::to_string),
            detail: detail.as_str().to_owned(),
            remedy: remedy.as_str().to_owned(),
            found_at: found_at.rfc3339(),
        }
    }
}

impl FindingItem {
    fn bytes(&self) -> usize {
        let payment = self.payment_id.as_ref().map_or(0, String::len);
        FINDING_BYTES.saturating_add(payment).saturating_add(self.detail.len())
    }

    fn read(self) -> Result<Finding, &'static str> {
        let refund = self.refund_id.map(|id| RefundId::try_from(id.as_str())).transpose();
        let payment = self.payment_id.map(|id| PaymentId::try_from(id.as_str())).transpose();
        Ok(Finding {
            mismatch: Mismatch::parse(&self.mismatch).ok_or("a mismatch is unknown")?,
            refund: refund.map_err(|_| "a refund_id is invalid")?,
            payment: payment.map_err(|_| "a payment_id is invalid")?,
            detail: Text::new(self.detail).map_err(|_| "a detail is empty or too long")?,
            remedy: Remedy::parse(&self.remedy).ok_or("a remedy is unknown")?,
            found_at: Timestamp::parse(&self.found_at).ok_or("a found_at is not a time")?,
        })
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
            started_at: started_at.rfc3339(),
            ended_at: ended_at.rfc3339(),
            from: from.rfc3339(),
            complete: *complete,
            checked: CheckedItem { refunds, payments, events, asked, waiting },
            drift: *drift,
            findings: kept(findings),
            expires_at: seconds(started_at.plus(Report::KEPT)),
        }
    }
}

impl ReportItem {
    /// Reads the attributes back; the error names the one that is wrong.
    pub(crate) fn into_report(self, tenant: &Tenant) -> Result<Report, &'static str> {
        let CheckedItem { refunds, payments, events, asked, waiting } = self.checked;
        let findings = self.findings.into_iter().map(FindingItem::read);
        Ok(Report {
            tenant: tenant.clone(),
            started_at: Timestamp::parse(&self.started_at).ok_or("started_at is not a time")?,
            ended_at: Timestamp::parse(&self.ended_at).ok_or("ended_at is not a time")?,
            from: Timestamp::parse(&self.from).ok_or("from is not a time")?,
            complete: self.complete,
            checked: Checked { refunds, payments, events, asked, waiting },
            drift: self.drift,
            findings: findings.collect::<Result<_, _>>()?,
        })
    }
}
