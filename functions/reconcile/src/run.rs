//! One account's books, day by day, newest first.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{EventId, PaymentId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::report::{Checked, Mismatch, Report};
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::events::Recorded;
use recoup_ports::lists::Window;
use recoup_ports::processor::{Listed, Listing, Processor};
use recoup_ports::rows::Rows;
use recoup_ports::seal_keys::SealKeys;

use crate::checks::{self, Discrepancy, KEEPS_A_LIST};
use crate::findings::Findings;
use crate::reader::{Feed, PAGE, Reader};
use crate::seals::{self, Seals};
use crate::{Context, ReconcileError, Scope, Store};
use crate::{disputes, parts};

/// How often a payment whose books do not add up is read anew while they keep moving.
pub(crate) const READS_MAX: usize = 5;
const DAY: Duration = Duration::from_hours(24);

/// A run over one account.
pub(crate) struct Run<'a, S, P, K> {
    pub(crate) reader: Reader<'a, S, P, K>,
    pub(crate) findings: Findings<'a, S>,
    pub(crate) seals: &'a Seals<'a, K>,
    pub(crate) scope: &'a Scope,
    /// How long payments are audited beyond those of refunds.
    pub(crate) audit_time: Duration,
    endpoints: Rows<Endpoint>,
    pub(crate) checked: Checked,
    /// The payments whose books were compared.
    pub(crate) compared: HashSet<PaymentId>,
    /// Whether terms were to be checked and there was no key.
    pub(crate) lacks_key: bool,
    /// Whether the processor that tells of charges gives no clear answer.
    pub(crate) charges_are_silent: bool,
    /// The refunds that have ended at the processor that keeps a list, to be looked for in it.
    to_look_for: Vec<Refund>,
}

impl<'a, S: Store, P: Processor + Sync, K: SealKeys + Sync> Run<'a, S, P, K> {
    pub(crate) async fn new(
        context: &'a Context<S, P, K>,
        scope: &'a Scope,
        tenant: &'a Tenant,
        seals: &'a Seals<'a, K>,
        audit_time: Duration,
    ) -> Result<Self, ReadError> {
        let endpoints = context.store.endpoints(tenant).await?;
        let mut findings = Findings::new(&context.store, context.now);
        findings.add(endpoints.unreadable.iter().map(checks::unreadable_endpoint)).await;
        Ok(Self {
            reader: Reader::new(context, tenant, scope.started),
            findings,
            seals,
            scope,
            audit_time,
            endpoints,
            checked: Checked::default(),
            compared: HashSet::new(),
            lacks_key: false,
            charges_are_silent: false,
            to_look_for: Vec::new(),
        })
    }

    /// Everything, and the report of it; with the error that ended it early, if one did. What was found and put right
    /// until then is in the report all the same, for the next run does not find it again.
    pub(crate) async fn over_all_days(mut self) -> (Report, Option<ReconcileError>) {
        let (complete, error) = match self.all().await {
            Ok(complete) => (complete, None),
            Err(error) => (false, Some(error)),
        };
        self.findings.add(self.lacks_key.then(seals::unchecked)).await;
        let report = Report {
            tenant: self.reader.tenant.clone(),
            started_at: self.scope.started,
            ended_at: (self.reader.context.now)(),
            from: self.scope.from,
            complete,
            checked: Checked { asked: self.reader.asked, ..self.checked },
            drift: u64::try_from(self.findings.found.len()).unwrap_or(u64::MAX),
            findings: self.findings.found,
        };
        (report, error)
    }

    async fn all(&mut self) -> Result<bool, ReconcileError> {
        let complete = self.all_days().await?;
        if complete {
            self.audit_payments().await?;
        }
        Ok(complete)
    }

    async fn all_days(&mut self) -> Result<bool, ReadError> {
        let mut end = self.scope.started;
        while end > self.scope.from {
            let begin = end.minus(DAY).max(self.scope.from);
            if !self.day(begin, end).await? {
                return Ok(false);
            }
            end = begin;
        }
        self.compare_with_list().await
    }

    /// The refunds made in one window of time; `false` if the function's own time was over before its end.
    async fn day(&mut self, begin: Timestamp, end: Timestamp) -> Result<bool, ReadError> {
        let mut window = Window { from: Some(begin), to: Some(end), behind: None };
        let mut feed = None;
        loop {
            let places = self.reader.context.store.places(self.reader.tenant, &window, PAGE).await?;
            let Some(last) = places.last().cloned() else { return Ok(true) };
            let feed = match &mut feed {
                Some(feed) => feed,
                // Most of what happens to a refund happens within a day.
                none => {
                    let feed = none.insert(self.reader.feed(begin, end.plus(DAY)).await?);
                    self.findings.add(feed.unreadable.iter().map(checks::unreadable_event)).await;
                    let old_enough = |one: &&Recorded| one.event.at() <= self.scope.until;
                    let of_endpoints = feed.of_endpoints.iter().filter(old_enough);
                    self.findings.add(of_endpoints.map(checks::endpoint_event)).await;
                    feed
                }
            };
            let ids: Vec<RefundId> = places.into_iter().map(|place| place.id).collect();
            for refund in self.refunds(&ids).await? {
                if self.reader.is_over() {
                    return Ok(false);
                }
                self.refund(&refund, feed).await?;
            }
            window.behind = Some(last);
        }
    }

    /// These refunds, newest first. One that cannot be read is a finding and stands in nobody's way.
    async fn refunds(&mut self, ids: &[RefundId]) -> Result<Vec<Refund>, ReadError> {
        let Rows { read, unreadable } = self.reader.refunds(ids).await?;
        self.findings.add(unreadable.iter().map(checks::unreadable_refund)).await;
        Ok(read)
    }

    async fn refund(&mut self, refund: &Refund, feed: &Feed) -> Result<(), ReadError> {
        let Self { scope, checked, .. } = self;
        checked.refunds = checked.refunds.saturating_add(1);
        checked.waiting = checked.waiting.saturating_add(u64::from(checks::is_waiting(refund, scope)));
        self.findings.add(checks::flag(refund)).await;
        self.findings.add(checks::job(refund, scope)).await;
        self.findings.add(parts::astray(refund, scope)).await;
        let (from, until) = (self.scope.from, self.scope.until);
        let is_judged = |id: &EventId| (from..=until).contains(&id.time());
        let astray = feed.astray(refund);
        self.findings.add(astray.iter().map(|id| checks::astray_event(refund, id))).await;
        for id in refund.event_ids().filter(|id| is_judged(id) && !astray.contains(id)) {
            self.checked.events = self.checked.events.saturating_add(1);
            let record = self.reader.event(feed, &id).await?;
            self.findings.add(checks::event(refund, &id, record, &self.endpoints)).await;
        }
        if checks::asks_processor(refund, self.scope) {
            // The list is of the account's own refunds that we had made, not of those made in a merchant's account.
            let is_listed = refund.processor.account.is_none() && refund.origin.excess().is_none();
            if refund.processor.name == KEEPS_A_LIST && is_listed {
                self.to_look_for.push(refund.clone());
            } else {
                self.ask(refund).await;
            }
        }
        if self.compared.insert(refund.payment_id.clone()) {
            self.checked.payments = self.checked.payments.saturating_add(1);
            let found = self.books(&refund.payment_id).await?;
            self.findings.add(found).await;
        }
        Ok(())
    }

    /// A payment's terms and its books. Payment and refunds are two reads: what does not add up stands only if both stay
    /// the same.
    pub(crate) async fn books(&mut self, id: &PaymentId) -> Result<Vec<Discrepancy<'a>>, ReadError> {
        let mut before = None;
        for _ in 0..READS_MAX {
            let books = match self.reader.books(id).await {
                Ok(Some(books)) => books,
                Ok(None) => {
                    let detail = "the payment of this refund does not exist";
                    return Ok(vec![Discrepancy::of_payment(Mismatch::RefundAstray, id, detail)]);
                }
                Err(ReadError::Unreadable { why, .. }) => {
                    let detail = format!("the payment or one of its refunds cannot be read: {why}");
                    return Ok(vec![Discrepancy::of_payment(Mismatch::Unreadable, id, detail)]);
                }
                Err(error @ ReadError::Unavailable(_)) => return Err(error),
            };
            let mut found = checks::books(&books.0, &books.1);
            match self.seals.key().await {
                Some(key) => found.extend(seals::terms(&books.0, key)),
                None => self.lacks_key = true,
            }
            if found.is_empty() || before.as_ref() == Some(&books) {
                found.extend(disputes::excess(&books.0, self.scope));
                self.charge_back_again(&books.0).await;
                return Ok(found);
            }
            before = Some(books);
        }
        tracing::info!(payment.id = %id, "its books keep changing and were not compared; the next run compares them");
        Ok(Vec::new())
    }

    /// Asks the processor about one refund, and goes by its answer.
    async fn ask(&mut self, refund: &Refund) {
        let Some(outcome) = self.reader.ask(refund).await else { return };
        self.findings.add(checks::outcome(refund, outcome, (self.reader.context.now)())).await;
    }

    /// Compares with the processor's own list; `false` if the time was over before. Without a list, or a clear one, what
    /// ended is looked up one by one.
    async fn compare_with_list(&mut self) -> Result<bool, ReadError> {
        let ours = std::mem::take(&mut self.to_look_for);
        // An account that has nothing there is not asked for its keys.
        let Some(oldest) = ours.iter().map(|refund| refund.created_at).min() else { return Ok(true) };
        let theirs = match self.reader.context.processor.list(self.reader.tenant, KEEPS_A_LIST, oldest).await
        {
            Listing::Whole(theirs) => theirs,
            Listing::NotKept | Listing::Unclear => {
                for refund in &ours {
                    if self.reader.is_over() {
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
        let not_listed = ours.iter().filter(|refund| !by_id.contains_key(&refund.id));
        self.findings.add(not_listed.filter_map(checks::unlisted)).await;
        self.compare(&by_id.into_iter().collect::<Vec<_>>()).await
    }

    async fn compare(&mut self, theirs: &[(RefundId, Vec<Listed>)]) -> Result<bool, ReadError> {
        for some in theirs.chunks(usize::from(PAGE)) {
            let ids: Vec<RefundId> = some.iter().map(|(id, _)| id.clone()).collect();
            let refunds = self.refunds(&ids).await?;
            for (id, entries) in some {
                if self.reader.is_over() {
                    return Ok(false);
                }
                let Some(refund) = refunds.iter().find(|refund| refund.id == *id) else {
                    let Reader { context, tenant, .. } = &self.reader;
                    if matches!(context.store.refund(tenant, id).await, Ok(None)) {
                        self.findings.add([checks::unknown(id)]).await;
                    }
                    continue;
                };
                if let Some(discrepancy) = checks::listed(refund, entries) {
                    self.findings.add([discrepancy]).await;
                } else if checks::list_contradicts(refund, entries, self.scope) {
                    self.ask(refund).await;
                }
            }
        }
        Ok(true)
    }
}
