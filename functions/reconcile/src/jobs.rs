//! Whether a refund that has no end yet has a job on its way; if not, one is sent for.

use std::time::Duration;

use recoup_domain::refund::{Flag, Refund};
use recoup_domain::report::{Mismatch, Remedy};
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use recoup_ports::processor::Processor;
use recoup_ports::settlement::Settled;

use crate::Store;
use crate::findings::About;
use crate::run::Run;

/// What on its way for longer than this is told to a person, though its processor is asked again and again.
const UNSETTLED_AFTER: Duration = Duration::from_hours(14 * 24);

/// What is wrong with a refund's job, and since when. When it was last sent for does not matter here: release-due sends
/// for what is overdue every hour, and whose every job comes to nothing is stuck all the same.
fn stuck(refund: &Refund, until: Timestamp) -> Option<(Mismatch, Timestamp)> {
    let (mismatch, since) = match refund.wait {
        None => {
            let touched = refund.handed_over_at.unwrap_or(refund.created_at);
            (Mismatch::JobMissing, touched.max(refund.version.updated_at))
        }
        Some(wait) => (Mismatch::JobOverdue, wait.at),
    };
    (since <= until).then_some((mismatch, since))
}

impl<S: Store, P: Processor + Sync> Run<'_, S, P> {
    pub(crate) async fn job(&mut self, refund: &Refund) {
        if let Some(Flag::SucceededAfterFailure) = refund.flag {
            let detail = "the processor says that it succeeded after it had failed, and its money is not there any more";
            self.findings.add(Mismatch::SucceededAfterFailure, About::refund(refund), Remedy::None, detail);
        }
        if !refund.version.state.holds_money() {
            return;
        }
        let Some((mismatch, since)) = stuck(refund, self.until) else {
            self.checked.waiting = self.checked.waiting.saturating_add(1);
            if self.started.since(refund.created_at) > UNSETTLED_AFTER {
                let (turn, state) = (refund.turn, refund.version.state.as_str());
                let detail =
                    format!("{state} since {}, asked about {turn} times", refund.created_at.rfc3339());
                self.findings.add(Mismatch::Unsettled, About::refund(refund), Remedy::None, &detail);
            }
            return;
        };
        let Some(remedy) = self.send_for(refund).await else { return };
        let what = match mismatch {
            Mismatch::JobOverdue => "its next question was due at",
            _ => "no job has come to anything since",
        };
        let detail = format!("{}: {what} {}", refund.version.state.as_str(), since.rfc3339());
        self.findings.add(mismatch, About::refund(refund), remedy, &detail);
    }

    /// Sends for the job that is due, unless somebody has within the last hour; `None` if the refund has moved on.
    async fn send_for(&self, refund: &Refund) -> Option<Remedy> {
        let woken_at = refund.wait.and_then(|wait| wait.woken_at);
        if woken_at.is_some_and(|woken_at| woken_at > self.until) {
            return Some(Remedy::SentFor);
        }
        let next = refund.sent_for((self.context.now)());
        match self.context.store.schedule(refund, next).await {
            Ok(Settled::Applied) => Some(Remedy::SentFor),
            // It moved while we looked: a job was there.
            Ok(Settled::Overtaken | Settled::NothingLeft) => None,
            Err(error) => {
                tracing::error!(error = causes(&error), refund.id = %refund.id, "no job could be sent for");
                Some(Remedy::Failed)
            }
        }
    }
}
