//! The report of reconciliation: what it found in one account, and what it did about it.

use std::time::Duration;

use crate::ids::{PaymentId, RefundId, Tenant};
use crate::payment::fact;
use crate::text::Text;
use crate::time::Timestamp;

fact!(
    /// The kind of a finding.
    Mismatch {
        /// A refund has no job on its way: it was never handed over, or its job was lost.
        JobMissing = "job_missing",
        /// The next look-up of a refund is overdue: its job was lost or dead-lettered.
        JobOverdue = "job_overdue",
        /// A refund has been on its way for two weeks without a final outcome from its processor.
        Unsettled = "unsettled",
        /// A change of a refund was never announced.
        EventMissing = "event_missing",
        /// A payment's amount is not the sum of refundable, held, refunded and charged back.
        AmountAstray = "amount_astray",
        /// A payment names a refund that does not exist, or a refund names a payment that does not list it.
        RefundAstray = "refund_astray",
        /// A line is marked as refunded but no refund covers it, or the other way round.
        LineAstray = "line_astray",
        /// An item cannot be read.
        Unreadable = "unreadable",
        /// The processor reports another outcome than the refund has.
        OutcomeDiffers = "outcome_differs",
        /// The processor has no record of a refund that it reported as succeeded.
        MissingAtProcessor = "missing_at_processor",
        /// The processor has a refund under one of our ids that is not in the table.
        UnknownHere = "unknown_here",
        /// The processor has moved the money of one refund more than once.
        TwiceAtProcessor = "twice_at_processor",
        /// A refund succeeded after it had failed, and its amount is no longer refundable.
        SucceededAfterFailure = "succeeded_after_failure",
        /// A refund made at the processor, or a lost dispute, is more than its payment had left.
        ExceedsRefundable = "exceeds_refundable",
        /// An actor has not given its part of a refund that succeeded.
        NotRecovered = "not_recovered",
        /// An actor has given its part of a refund that failed after all.
        NotReturned = "not_returned",
        /// A payment's terms or facts are not those that were sealed when they were written.
        TermsChanged = "terms_changed",
        /// A payment has no seal.
        TermsUnsealed = "terms_unsealed",
        /// The key that seals payments could not be read, so terms were not checked.
        TermsUnchecked = "terms_unchecked",
        /// A payment's amount, currency or charge is not what its processor says.
        TermsDifferAtProcessor = "terms_differ_at_processor",
        /// The processor has refunded more or less of a payment than the books say.
        TotalDiffersAtProcessor = "total_differs_at_processor",
        /// The processor tells of a dispute what nobody told us.
        DisputeMissing = "dispute_missing",
        /// A recorded event says what its refund's history does not.
        EventAstray = "event_astray"
    }
);
fact!(
    /// What was done about a finding.
    Remedy {
        /// Nothing: a person has to look.
        None = "none",
        /// A new job was scheduled.
        SentFor = "sent_for",
        /// The change was announced.
        Announced = "announced",
        /// The books were changed to what the processor reports.
        Settled = "settled",
        /// The remedy could not be written; the next run tries again.
        Failed = "failed"
    }
);

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind.
    pub mismatch: Mismatch,
    /// The refund, if the finding is about one.
    pub refund: Option<RefundId>,
    /// The payment, if the finding is about one.
    pub payment: Option<PaymentId>,
    /// A sentence with the figures; no personal data.
    pub detail: Text<255>,
    /// What was done.
    pub remedy: Remedy,
    /// When it was last found.
    pub found_at: Timestamp,
}

impl Finding {
    /// Whether it is about a payment alone, so that its figures are those of the payment.
    pub fn tells_of_payment(&self) -> bool {
        self.payment.is_some() && self.refund.is_none()
    }

    /// Whether both findings are the same one, found twice.
    fn is_again(&self, other: &Self) -> bool {
        (self.mismatch, &self.refund, &self.payment, &self.detail)
            == (other.mismatch, &other.refund, &other.payment, &other.detail)
    }
}

/// What one run checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The number of refunds.
    pub refunds: u64,
    /// The number of payments, each with all its refunds.
    pub payments: u64,
    /// The number of events.
    pub events: u64,
    /// The number of refunds looked up at their processor.
    pub asked: u64,
    /// The number of refunds still on their way, with nothing amiss.
    pub waiting: u64,
}

/// The report of one account and one day, as its last run left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The tenant.
    pub tenant: Tenant,
    /// When the last run of this day began; its date is the report's.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The last run checked refunds created from this moment on.
    pub from: Timestamp,
    /// Whether it checked all of them; false if its time ran out first.
    pub complete: bool,
    /// What it checked.
    pub checked: Checked,
    /// The number of its findings.
    pub drift: u64,
    /// What was found that day, oldest first; at most [`Report::FINDINGS_MAX`].
    pub findings: Vec<Finding>,
}

impl Report {
    /// Most findings kept for a day: the last ones. `drift` counts every finding of the last run.
    pub const FINDINGS_MAX: usize = 500;
    /// How long a report is kept, in days.
    pub const DAYS_KEPT: u64 = 400;
    /// [`Report::DAYS_KEPT`] as a duration.
    pub const KEPT: Duration = Duration::from_hours(Self::DAYS_KEPT * 24);

    /// The report without the figures of payments, for whoever may not read those.
    #[must_use]
    pub fn without_payments(mut self) -> Self {
        for finding in self.findings.iter_mut().filter(|finding| finding.tells_of_payment()) {
            finding.detail = Text::cut("its figures are shown to the scope payments:read");
        }
        self
    }

    /// The day that the report covers, `2026-11-22`, in UTC.
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

    /// The report with its last [`Report::FINDINGS_MAX`] findings.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let forgotten = self.findings.len().saturating_sub(Self::FINDINGS_MAX);
        self.findings.drain(..forgotten);
        self
    }
}
