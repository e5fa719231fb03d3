//! The log's word on a processor that said nothing clear: without it nobody would know why a refund waits.

use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::refund::{Refund, Said};
use recoup_domain::text::Text;
use recoup_ports::processor::LookedUp;

use crate::calls::CallError;

/// Which processor, and about which refund of whose, or about whose list. What is logged besides is of our own
/// making, or checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unclear<'about> {
    processor: &'static str,
    tenant: &'about Tenant,
    refund: Option<&'about RefundId>,
}

/// A line in the log, with whom and what it is about.
macro_rules! tell {
    ($level:ident, $unclear:expr, $($said:tt)+) => {
        tracing::$level!(
            refund.id = $unclear.refund.map(tracing::field::display),
            account.id = %$unclear.tenant.account,
            environment = $unclear.tenant.environment.as_str(),
            processor.name = $unclear.processor,
            $($said)+
        )
    };
}

impl<'about> Unclear<'about> {
    pub(crate) fn of(processor: &'static str, refund: &'about Refund) -> Self {
        Self { processor, tenant: &refund.tenant, refund: Some(&refund.id) }
    }

    /// About a tenant's list.
    pub(crate) fn list(processor: &'static str, tenant: &'about Tenant) -> Self {
        Self { processor, tenant, refund: None }
    }

    /// Whose it is.
    pub(crate) fn tenant(self) -> &'about Tenant {
        self.tenant
    }

    /// About one refund in the list.
    pub(crate) fn about(self, refund: &'about RefundId) -> Self {
        Self { refund: Some(refund), ..self }
    }

    /// It was not asked.
    pub(crate) fn not_asked(self, why: &'static str) {
        tell!(error, self, why, "the processor was not asked");
    }

    /// It refused, in its own words, which are kept with the refund.
    pub(crate) fn refused(self, said: &Said) {
        let (code, request_id) =
            (said.code.as_ref().map(Text::as_str), said.request_id.as_ref().map(Text::as_str));
        tell!(info, self, processor.code = code, processor.request_id = request_id, "the processor refused");
    }

    /// It did not answer.
    pub(crate) fn broken(self, error: &CallError) {
        let CallError { why, cause, refused: _ } = error;
        tell!(warn, self, why, cause, "the processor did not answer");
    }

    /// It did not answer in time.
    pub(crate) fn late(self) {
        tell!(warn, self, why = "too late", "the processor did not answer");
    }

    /// Its books do not have the refund that this is about.
    pub(crate) fn not_found(self, refund: &Refund) -> LookedUp {
        let looked_up = LookedUp::not_found(refund);
        if looked_up != LookedUp::NeverReceived {
            let why = "it had the refund, and no longer knows it";
            tell!(error, self, why, "the processor contradicts itself");
        }
        looked_up
    }

    /// Its books have something else under our id, or something that says nothing.
    pub(crate) fn other(self) {
        let why = "its refund has another id, amount or currency than ours, or no known status";
        tell!(error, self, why, "the processor contradicts us");
    }

    /// Its books were not read to the end.
    pub(crate) fn unread(self, why: &'static str) {
        tell!(error, self, why, "the processor's refunds were not all read");
    }

    /// It answered, and that decides nothing.
    pub(crate) fn answered(self, why: &str, status: u16, request_id: Option<&str>) {
        tell!(
            warn,
            self,
            http.status = status,
            processor.request_id = request_id,
            why,
            "the processor's answer decides nothing"
        );
    }
}
