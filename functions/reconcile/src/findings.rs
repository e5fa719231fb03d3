//! Collects what a run finds, and says it in the log.

use recoup_domain::ids::{PaymentId, RefundId};
use recoup_domain::refund::Refund;
use recoup_domain::report::{Finding, Mismatch, Remedy};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;

/// What a mismatch is about.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    refund: Option<&'a RefundId>,
    payment: Option<&'a PaymentId>,
}

impl<'a> About<'a> {
    pub(crate) fn refund(refund: &'a Refund) -> Self {
        Self { refund: Some(&refund.id), payment: Some(&refund.payment_id) }
    }

    pub(crate) fn refund_id(id: &'a RefundId, payment: Option<&'a PaymentId>) -> Self {
        Self { refund: Some(id), payment }
    }

    pub(crate) fn payment(id: &'a PaymentId) -> Self {
        Self { refund: None, payment: Some(id) }
    }

    pub(crate) fn nothing_that_can_be_named() -> Self {
        Self { refund: None, payment: None }
    }
}

/// The findings of a run.
pub(crate) struct Findings {
    now: fn() -> Timestamp,
    found: Vec<Finding>,
}

impl Findings {
    pub(crate) fn new(now: fn() -> Timestamp) -> Self {
        Self { now, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, mismatch: Mismatch, about: About<'_>, remedy: Remedy, detail: &str) {
        let (refund, payment) = (about.refund.cloned(), about.payment.cloned());
        tracing::error!(
            mismatch = mismatch.as_str(),
            remedy = remedy.as_str(),
            refund.id = refund.as_ref().map(RefundId::as_str),
            payment.id = payment.as_ref().map(PaymentId::as_str),
            "astray: {detail}"
        );
        let detail = Text::cut(detail);
        self.found.push(Finding { mismatch, refund, payment, detail, remedy, found_at: (self.now)() });
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.found.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn into_inner(self) -> Vec<Finding> {
        self.found
    }
}
