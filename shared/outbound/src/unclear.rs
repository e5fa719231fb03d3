//! The log's word on a processor that said nothing clear: without it nobody would know why a refund waits.

use recoup_domain::refund::Refund;
use recoup_ports::processor::LookedUp;

use crate::calls::CallError;

/// Which processor, and about which refund. What is logged besides is of our own making, or checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unclear<'refund> {
    processor: &'static str,
    refund: &'refund Refund,
}

impl<'refund> Unclear<'refund> {
    pub(crate) fn of(processor: &'static str, refund: &'refund Refund) -> Self {
        Self { processor, refund }
    }

    /// It was not asked.
    pub(crate) fn for_want_of<T>(self, why: &'static str) -> Option<T> {
        tracing::error!(
            refund.id = %self.refund.id,
            account.id = %self.refund.tenant.account,
            environment = self.refund.tenant.environment.as_str(),
            processor.name = self.processor,
            why,
            "the processor was not asked"
        );
        None
    }

    /// It did not answer.
    pub(crate) fn broken(self, error: &CallError) {
        let CallError { why, cause } = error;
        tracing::warn!(refund.id = %self.refund.id, processor.name = self.processor, why, cause, "the processor did not answer");
    }

    /// It did not answer in time.
    pub(crate) fn late(self) {
        tracing::warn!(refund.id = %self.refund.id, processor.name = self.processor, why = "too late", "the processor did not answer");
    }

    /// Its books do not have the refund.
    pub(crate) fn not_found(self) -> LookedUp {
        let looked_up = LookedUp::not_found(self.refund);
        if looked_up != LookedUp::NeverReceived {
            let why = "it had the refund, and no longer knows it";
            tracing::error!(refund.id = %self.refund.id, processor.name = self.processor, why, "the processor contradicts itself");
        }
        looked_up
    }

    /// Its books have something else under our id, or something that says nothing.
    pub(crate) fn other(self) {
        let why = "its refund has another id, amount or currency than ours, or no known status";
        tracing::error!(refund.id = %self.refund.id, processor.name = self.processor, why, "the processor contradicts us");
    }

    /// Its books are longer than we read.
    pub(crate) fn endless(self) {
        let why = "the payment has more refunds than are read";
        tracing::error!(refund.id = %self.refund.id, processor.name = self.processor, why, "the refund was not found");
    }

    /// It answered, and that decides nothing.
    pub(crate) fn answered(self, why: &str, status: u16, request_id: Option<&str>) {
        tracing::warn!(
            refund.id = %self.refund.id,
            processor.name = self.processor,
            http.status = status,
            processor.request_id = request_id,
            why,
            "the processor's answer decides nothing"
        );
    }
}
