//! Whether the processors agree with how refunds ended. They know best: a refund goes to where they say it is.

use std::collections::HashMap;

use recoup_domain::ids::RefundId;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Refund, State};
use recoup_domain::report::{Mismatch, Remedy};
use recoup_ports::ReadError;
use recoup_ports::processor::{Listed, Listing, LookedUp, Processor};
use recoup_ports::settlement::Settled;

use crate::Store;
use crate::findings::About;
use crate::run::Run;

/// The processors that may keep a list.
const ALL: [ProcessorName; 3] = [ProcessorName::Sandbox, ProcessorName::Stripe, ProcessorName::Http];
/// Refunds that are read at once.
const CHUNK: usize = 100;

impl<S: Store, P: Processor + Sync> Run<'_, S, P> {
    /// Asks about a refund that has ended, if it ended long enough ago and not too long.
    pub(crate) async fn outcome(&mut self, refund: &Refund) {
        let is_asked = refund.processor.name == ProcessorName::Sandbox || refund.updated_at >= self.ask_from;
        let has_ended = matches!(refund.state, State::Succeeded | State::Failed(_));
        if !has_ended || !is_asked || refund.updated_at > self.until {
            return;
        }
        if refund.state == State::Succeeded {
            self.succeeded.entry(refund.processor.name).or_default().push(refund.clone());
        }
        // Its list tells it, in a hundredth of the questions.
        if refund.processor.name == ProcessorName::Stripe {
            return;
        }
        self.checked.asked = self.checked.asked.saturating_add(1);
        if let LookedUp::Stands(outcome) = self.context.processor.look_up(refund).await {
            self.go_by(refund, outcome).await;
        }
    }

    /// Compares with the processors' own lists, as far as they keep one.
    pub(crate) async fn compare_with_lists(&mut self) -> Result<(), ReadError> {
        for name in ALL {
            let ours = self.succeeded.remove(&name).unwrap_or_default();
            // An account that has nothing there is not asked for its keys.
            let Some(oldest) = ours.iter().map(|refund| refund.created_at).min() else { continue };
            let theirs = match self.context.processor.list(self.tenant, name, oldest).await {
                Listing::NotKept => continue,
                Listing::Unclear => {
                    tracing::warn!(
                        processor.name = name.as_str(),
                        "its list could not be read; the next run asks again"
                    );
                    continue;
                }
                Listing::Whole(theirs) => theirs,
            };
            let mut by_id: HashMap<RefundId, Vec<Listed>> = HashMap::new();
            for listed in theirs {
                by_id.entry(listed.refund.clone()).or_default().push(listed);
            }
            for refund in ours.iter().filter(|refund| !by_id.contains_key(&refund.id)) {
                let detail =
                    format!("{} does not list it, though it said that it had succeeded", name.as_str());
                self.findings.add(Mismatch::MissingAtProcessor, About::refund(refund), Remedy::None, &detail);
            }
            self.compare(name, by_id).await?;
        }
        Ok(())
    }

    async fn compare(
        &mut self,
        name: ProcessorName,
        theirs: HashMap<RefundId, Vec<Listed>>,
    ) -> Result<(), ReadError> {
        let ids: Vec<RefundId> = theirs.keys().cloned().collect();
        for some in ids.chunks(CHUNK) {
            let refunds = self.context.store.refunds(self.tenant, some).await?;
            let mut refunds: HashMap<RefundId, Refund> =
                refunds.into_iter().map(|refund| (refund.id.clone(), refund)).collect();
            for id in some {
                let Some(listed) = theirs.get(id) else { continue };
                self.checked.asked = self.checked.asked.saturating_add(1);
                if let Some(refund) = refunds.remove(id) {
                    self.compare_one(name, &refund, listed).await;
                } else {
                    let detail = format!("{} has made a refund of ours that we do not have", name.as_str());
                    let about = About::refund_id(id, None);
                    self.findings.add(Mismatch::UnknownHere, about, Remedy::None, &detail);
                }
            }
        }
        Ok(())
    }

    async fn compare_one(&mut self, name: ProcessorName, refund: &Refund, listed: &[Listed]) {
        let about = About::refund(refund);
        let moved = listed.iter().filter(|one| !matches!(one.outcome, Outcome::Failed(_)));
        if moved.clone().count() > 1 {
            let detail = format!("{} lists {} refunds under its id", name.as_str(), moved.count());
            self.findings.add(Mismatch::TwiceAtProcessor, about, Remedy::None, &detail);
            return;
        }
        let Some(one) = moved.clone().next().or(listed.first()) else { return };
        if one.amount.is_some_and(|amount| amount != refund.amount) {
            let amount = one.amount.map_or_else(String::new, recoup_domain::money::Money::decimal);
            let detail = format!("{} refunded {amount}, not {}", name.as_str(), refund.amount.decimal());
            self.findings.add(Mismatch::OutcomeDiffers, about, Remedy::None, &detail);
            return;
        }
        // What is on its way has its own questions.
        if !refund.state.holds_money() {
            self.go_by(refund, one.outcome.clone()).await;
        }
    }

    /// Takes a refund to where its processor says it is, if that is another end than ours.
    async fn go_by(&mut self, refund: &Refund, outcome: Outcome) {
        if !refund.contradicts(&outcome) {
            return;
        }
        let step = refund.step(outcome, (self.context.now)());
        let theirs = step.next().map_or("", |next| next.state.as_str());
        let detail = format!("here it has {}, at its processor {theirs}", refund.state.as_str());
        let (mismatch, remedy) = match self.context.store.carry_out(refund, &step).await {
            Ok(Settled::Applied) => (Mismatch::OutcomeDiffers, Remedy::Settled),
            Ok(Settled::Overtaken) => return,
            // Reported with its mark.
            Ok(Settled::NothingLeft) if refund.flag.is_some() => return,
            Ok(Settled::NothingLeft) => (Mismatch::SucceededAfterFailure, Remedy::None),
            Err(error) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), refund.id = %refund.id, "the outcome was not written");
                (Mismatch::OutcomeDiffers, Remedy::Failed)
            }
        };
        self.findings.add(mismatch, About::refund(refund), remedy, &detail);
    }
}
