//! Whether a refund that has no end yet has a job on its way; if not, one is sent for.

use recoup_domain::refund::{Flag, Refund};
use recoup_domain::report::{Mismatch, Remedy};
use recoup_domain::time::Timestamp;
use recoup_ports::processor::Processor;
use recoup_ports::settlement::Settled;

use crate::Store;
use crate::findings::About;
use crate::run::Run;

/// What is wrong with a refund's job, and since when.
fn stuck(refund: &Refund, until: Timestamp) -> Option<(Mismatch, Timestamp)> {
    let (mismatch, since) = match refund.wait {
        None => {
            let touched = refund.handed_over_at.unwrap_or(refund.created_at);
            (Mismatch::JobMissing, touched.max(refund.updated_at))
        }
        Some(wait) => (Mismatch::JobOverdue, wait.woken_at.unwrap_or(wait.at).max(wait.at)),
    };
    (since <= until).then_some((mismatch, since))
}

impl<S: Store, P: Processor + Sync> Run<'_, S, P> {
    pub(crate) async fn job(&mut self, refund: &Refund) {
        if let Some(Flag::SucceededAfterFailure) = refund.flag {
            let detail = "the processor says that it succeeded after it had failed, and its money is not there any more";
            self.findings.add(Mismatch::SucceededAfterFailure, About::refund(refund), Remedy::None, detail);
        }
        if !refund.state.holds_money() {
            return;
        }
        let Some((mismatch, since)) = stuck(refund, self.until) else {
            self.checked.waiting = self.checked.waiting.saturating_add(1);
            return;
        };
        let next = refund.sent_for((self.context.now)());
        let remedy = match self.context.store.schedule(refund, &next).await {
            Ok(Settled::Applied) => Remedy::SentFor,
            // It moved while we looked: a job was there.
            Ok(Settled::Overtaken | Settled::NothingLeft) => return,
            Err(error) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), refund.id = %refund.id, "no job could be sent for");
                Remedy::Failed
            }
        };
        let what = match mismatch {
            Mismatch::JobOverdue => "its next question was due at",
            _ => "no job has come to anything since",
        };
        let detail = format!("{}: {what} {}", refund.state.as_str(), since.rfc3339());
        self.findings.add(mismatch, About::refund(refund), remedy, &detail);
    }
}
