//! What a reconciliation found in one account, and what was done about it.

use std::time::Duration;

use crate::ids::{PaymentId, RefundId, Tenant};
use crate::payment::fact;
use crate::text::Text;
use crate::time::Timestamp;

fact!(
    /// What is not as it should be.
    Mismatch {
        /// A refund was never handed over, or what came of that was lost: no job is on its way.
        JobMissing = "job_missing",
        /// The next question about a refund is overdue: its job was lost or dead-lettered.
        JobOverdue = "job_overdue",
        /// A refund has been on its way for two weeks: its processor does not say how it ends.
        Unsettled = "unsettled",
        /// A change of a refund was never announced.
        EventMissing = "event_missing",
        /// A payment's amount is not what is refundable, held and refunded of it.
        AmountAstray = "amount_astray",
        /// A payment names a refund that does not exist, or a refund a payment that does not know it.
        RefundAstray = "refund_astray",
        /// A line is marked as refunded and no refund covers it, or the other way round.
        LineAstray = "line_astray",
        /// An item cannot be read.
        Unreadable = "unreadable",
        /// The processor says otherwise about how a refund ended.
        OutcomeDiffers = "outcome_differs",
        /// The processor does not know a refund that it said had succeeded.
        MissingAtProcessor = "missing_at_processor",
        /// The processor knows a refund of ours that we do not have.
        UnknownHere = "unknown_here",
        /// The processor has moved the money of one refund more than once.
        TwiceAtProcessor = "twice_at_processor",
        /// A refund succeeded after it had failed, and its money is not there any more.
        SucceededAfterFailure = "succeeded_after_failure"
    }
);
fact!(
    /// What was done about a mismatch.
    Remedy {
        /// Nothing: a person has to look.
        None = "none",
        /// A new job was sent for.
        SentFor = "sent_for",
        /// The change was announced.
        Announced = "announced",
        /// The refund went to what the processor says, and its amounts with it.
        Settled = "settled",
        /// It was tried and could not be written; the next run tries again.
        Failed = "failed"
    }
);

/// One mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub mismatch: Mismatch,
    /// With which refund, if it is about one.
    pub refund: Option<RefundId>,
    /// With which payment, if it is about one.
    pub payment: Option<PaymentId>,
    /// A sentence with the figures; nothing personal.
    pub detail: Text<255>,
    /// What was done.
    pub remedy: Remedy,
    /// When it was found, the last time.
    pub found_at: Timestamp,
}

impl Finding {
    /// Whether both are the same mismatch, found twice.
    fn is_again(&self, other: &Self) -> bool {
        (self.mismatch, &self.refund, &self.payment, &self.detail)
            == (other.mismatch, &other.refund, &other.payment, &other.detail)
    }
}

/// How much one run looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Refunds.
    pub refunds: u64,
    /// Payments, with all their refunds.
    pub payments: u64,
    /// Announced changes.
    pub events: u64,
    /// Refunds whose processor was asked.
    pub asked: u64,
    /// Refunds that are on their way, as they may be.
    pub waiting: u64,
}

/// The report of one account and one day, as its last run left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose.
    pub tenant: Tenant,
    /// When the last run of this day began; its date is the report's.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The last run looked at refunds made from this moment on.
    pub from: Timestamp,
    /// Whether it looked at all of them, or its time was over before.
    pub complete: bool,
    /// How much it looked at.
    pub checked: Checked,
    /// How many mismatches it found.
    pub drift: u64,
    /// What was found that day, oldest first; at most [`Report::FINDINGS_MAX`].
    pub findings: Vec<Finding>,
}

impl Report {
    /// Most findings that are kept of a day: the last ones. The last run's `drift` counts all of its.
    pub const FINDINGS_MAX: usize = 500;
    /// How long a report is kept, in days.
    pub const DAYS_KEPT: u64 = 400;
    /// The same as a time.
    pub const KEPT: Duration = Duration::from_hours(Self::DAYS_KEPT * 24);

    /// The day it is of, `2026-11-22`, in UTC.
    pub fn date(&self) -> String {
        self.started_at.date()
    }

    /// This run's report with what earlier runs of the same day had found.
    #[must_use]
    pub fn after(mut self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier.filter(|earlier| earlier.date() == self.date()) else { return self };
        let mut findings = earlier.findings;
        findings.retain(|old| !self.findings.iter().any(|new| new.is_again(old)));
        findings.append(&mut self.findings);
        Self { findings, ..self }.bounded()
    }

    /// The report with no more findings than are kept.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let forgotten = self.findings.len().saturating_sub(Self::FINDINGS_MAX);
        self.findings.drain(..forgotten);
        self
    }
}
