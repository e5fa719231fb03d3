//! Whether the processors agree with how refunds ended. They know best: a refund goes to where they say it is.

use std::collections::HashMap;

use recoup_domain::ids::RefundId;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Refund, State};
use recoup_domain::report::{Mismatch, Remedy};
use recoup_ports::ReadError;
use recoup_ports::causes;
use recoup_ports::processor::{Listed, Listing, LookedUp, Processor};
use recoup_ports::settlement::Settled;

use crate::Store;
use crate::findings::About;
use crate::run::{PAGE, Run};

/// A processor that gave no clear answer so often in a row is not asked again in this run.
const SILENCES_MAX: u32 = 3;
/// Who keeps a list that tells in one answer what else takes a hundred questions.
const KEEPS_A_LIST: ProcessorName = ProcessorName::Stripe;

impl<S: Store, P: Processor + Sync> Run<'_, S, P> {
    /// Asks about a refund that has ended, if it ended long enough ago and not too long.
    pub(crate) async fn outcome(&mut self, refund: &Refund) {
        let is_asked =
            refund.processor.name == ProcessorName::Sandbox || refund.version.updated_at >= self.ask_from;
        let has_ended = matches!(refund.version.state, State::Succeeded | State::Failed(_));
        if !has_ended || !is_asked || refund.version.updated_at > self.until {
            return;
        }
        if refund.processor.name == KEEPS_A_LIST {
            self.listed_elsewhere.push(refund.clone());
        } else {
            self.ask(refund).await;
        }
    }

    /// Asks the processor about one refund, and goes by its answer.
    async fn ask(&mut self, refund: &Refund) {
        let silences = self.silences.get(&refund.processor.name).copied().unwrap_or(0);
        if silences >= SILENCES_MAX {
            return;
        }
        self.checked.asked = self.checked.asked.saturating_add(1);
        let answer = self.context.processor.look_up(refund).await;
        let is_clear = answer != LookedUp::Stands(Outcome::Unknown);
        let silences = if is_clear { 0 } else { silences.saturating_add(1) };
        self.silences.insert(refund.processor.name, silences);
        if silences == SILENCES_MAX {
            let processor = refund.processor.name.as_str();
            tracing::warn!(processor.name = processor, account.id = %refund.tenant.account, "it does not answer clearly, and is not asked again in this run");
        }
        if let LookedUp::Stands(outcome) = answer {
            self.go_by(refund, outcome).await;
        }
    }

    /// Compares with the processor's own list; `false` if the time was over before. Without a list, or a clear one, what
    /// ended is looked up one by one.
    pub(crate) async fn compare_with_list(&mut self) -> Result<bool, ReadError> {
        let ours = std::mem::take(&mut self.listed_elsewhere);
        // An account that has nothing there is not asked for its keys.
        let Some(oldest) = ours.iter().map(|refund| refund.created_at).min() else { return Ok(true) };
        let theirs = match self.context.processor.list(self.tenant, KEEPS_A_LIST, oldest).await {
            Listing::Whole(theirs) => theirs,
            Listing::NotKept | Listing::Unclear => {
                for refund in &ours {
                    if self.is_over() {
                        return Ok(false);
                    }
                    self.ask(refund).await;
                }
                return Ok(true);
            }
        };
        let mut by_id: HashMap<RefundId, Vec<Listed>> = HashMap::new();
        for listed in theirs {
            by_id.entry(listed.refund.clone()).or_default().push(listed);
        }
        let succeeded = ours.iter().filter(|refund| refund.version.state == State::Succeeded);
        for refund in succeeded.filter(|refund| !by_id.contains_key(&refund.id)) {
            let detail =
                format!("{} does not list it, though it said that it had succeeded", KEEPS_A_LIST.as_str());
            self.findings.add(Mismatch::MissingAtProcessor, About::refund(refund), Remedy::None, &detail);
        }
        self.compare(by_id).await
    }

    async fn compare(&mut self, theirs: HashMap<RefundId, Vec<Listed>>) -> Result<bool, ReadError> {
        let ids: Vec<RefundId> = theirs.keys().cloned().collect();
        for some in ids.chunks(usize::from(PAGE)) {
            let refunds = self.refunds(some).await?;
            let mut refunds: HashMap<RefundId, Refund> =
                refunds.into_iter().map(|refund| (refund.id.clone(), refund)).collect();
            for id in some {
                if self.is_over() {
                    return Ok(false);
                }
                let Some(listed) = theirs.get(id) else { continue };
                if let Some(refund) = refunds.remove(id) {
                    self.compare_one(&refund, listed).await;
                } else if matches!(self.context.store.refund(self.tenant, id).await, Ok(None)) {
                    let detail =
                        format!("{} has made a refund of ours that we do not have", KEEPS_A_LIST.as_str());
                    let about = About::refund_id(id, None);
                    self.findings.add(Mismatch::UnknownHere, about, Remedy::None, &detail);
                }
            }
        }
        Ok(true)
    }

    async fn compare_one(&mut self, refund: &Refund, listed: &[Listed]) {
        let (about, name) = (About::refund(refund), KEEPS_A_LIST.as_str());
        let moved = listed.iter().filter(|one| !matches!(one.outcome, Outcome::Failed(_)));
        if moved.clone().count() > 1 {
            let detail = format!("{name} lists {} refunds under its id", moved.count());
            self.findings.add(Mismatch::TwiceAtProcessor, about, Remedy::None, &detail);
            return;
        }
        let Some(one) = moved.clone().next().or(listed.first()) else { return };
        if let Some(amount) = one.amount.filter(|amount| *amount != refund.amount) {
            let detail = format!("{name} refunded {}, not {}", amount.decimal(), refund.amount.decimal());
            self.findings.add(Mismatch::OutcomeDiffers, about, Remedy::None, &detail);
            return;
        }
        // The list is minutes old: it only says about whom to ask now. What is on its way has its own questions.
        if refund.version.updated_at <= self.until && refund.contradicts(&one.outcome) {
            self.ask(refund).await;
        }
    }

    /// Takes a refund to where its processor says it is, if that is another end than ours.
    async fn go_by(&mut self, refund: &Refund, outcome: Outcome) {
        if !refund.contradicts(&outcome) {
            return;
        }
        let Some(change) = refund.step(outcome, (self.context.now)()) else { return };
        let theirs = change.to().version.state.as_str();
        let detail = format!("here it has {}, at its processor {theirs}", refund.version.state.as_str());
        let (mismatch, remedy) = match self.context.store.carry_out(&change).await {
            Ok(Settled::Applied) => (Mismatch::OutcomeDiffers, Remedy::Settled),
            Ok(Settled::Overtaken) => return,
            // Reported with its mark.
            Ok(Settled::NothingLeft) if refund.flag.is_some() => return,
            Ok(Settled::NothingLeft) => (Mismatch::SucceededAfterFailure, Remedy::None),
            Err(error) => {
                tracing::error!(error = causes(&error), refund.id = %refund.id, "the outcome was not written");
                (Mismatch::OutcomeDiffers, Remedy::Failed)
            }
        };
        self.findings.add(mismatch, About::refund(refund), remedy, &detail);
    }
}
