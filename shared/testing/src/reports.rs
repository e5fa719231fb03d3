//! Reports of reconciliations to start a test from.

use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::report::{Checked, Finding, Mismatch, Remedy, Report};
use recoup_domain::time::Timestamp;

use crate::fixtures::{later, now, payment_id, text};

/// A report of [`now`]'s day that found nothing.
pub fn clean_report(tenant: Tenant) -> Report {
    Report {
        tenant,
        started_at: now(),
        ended_at: later(2_000),
        from: Timestamp::parse("2026-11-19T09:30:00.000Z").expect("the time is valid"),
        complete: true,
        checked: Checked { refunds: 1_204, payments: 890, events: 2_611, asked: 37, waiting: 12 },
        drift: 0,
        findings: Vec::new(),
    }
}

/// A finding, found so many milliseconds after [`now`].
pub fn finding(mismatch: Mismatch, remedy: Remedy, detail: &str, millis: u64) -> Finding {
    Finding {
        mismatch,
        refund: Some(RefundId::from_bits(u128::from(millis))),
        payment: Some(payment_id("pay_926ap9a2ioesd1p0qsfjuk1bvv")),
        detail: text(detail),
        remedy,
        found_at: later(millis),
    }
}

/// The same report with these findings, all of them of its last run.
pub fn report_with(tenant: Tenant, findings: Vec<Finding>) -> Report {
    let drift = u64::try_from(findings.len()).expect("few findings");
    Report { drift, findings, ..clean_report(tenant) }
}
