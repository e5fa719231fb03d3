//! One account's books, day by day, newest first.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::Refund;
use recoup_domain::report::{Checked, Mismatch, Remedy, Report};
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::lists::{Place, Window};
use recoup_ports::processor::Processor;
use recoup_ports::rows::Rows;

use crate::announced::Feed;
use crate::findings::{About, Findings};
use crate::{BUDGET, Context, Scope, Store};

/// Refunds that are read at once.
pub(crate) const PAGE: u16 = 100;
const DAY: Duration = Duration::from_hours(24);

/// A run over one account.
pub(crate) struct Run<'a, S, P> {
    pub(crate) context: &'a Context<S, P>,
    pub(crate) tenant: &'a Tenant,
    /// When the function began.
    pub(crate) started: Timestamp,
    /// Refunds made before this are not looked at.
    pub(crate) from: Timestamp,
    /// What happened after this is not judged yet.
    pub(crate) until: Timestamp,
    /// Refunds that ended before this are not asked about.
    pub(crate) ask_from: Timestamp,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) findings: Findings,
    pub(crate) checked: Checked,
    /// The payments whose books were compared.
    pub(crate) compared: HashSet<PaymentId>,
    /// The refunds that have ended at the processor that keeps a list, to be looked for in it.
    pub(crate) listed_elsewhere: Vec<Refund>,
    /// How often a processor was asked in a row without a clear answer.
    pub(crate) silences: HashMap<ProcessorName, u32>,
}

impl<'a, S: Store, P: Processor + Sync> Run<'a, S, P> {
    pub(crate) async fn new(
        context: &'a Context<S, P>,
        scope: &Scope,
        tenant: &'a Tenant,
        started: Timestamp,
    ) -> Result<Self, ReadError> {
        let mut findings = Findings::new(context.now);
        let Rows { read: endpoints, unreadable } = context.store.endpoints(tenant).await?;
        for row in unreadable {
            let about = About::nothing_that_can_be_named();
            let detail = format!(
                "the item of endpoint {} cannot be read, so it is not expected to be told: {}",
                row.id, row.why
            );
            findings.add(Mismatch::Unreadable, about, Remedy::None, &detail);
        }
        Ok(Self {
            context,
            tenant,
            started,
            from: started.minus(scope.back),
            until: started.minus(scope.older_than),
            ask_from: started.minus(scope.ask_back),
            endpoints,
            findings,
            checked: Checked::default(),
            compared: HashSet::new(),
            listed_elsewhere: Vec::new(),
            silences: HashMap::new(),
        })
    }

    /// Everything, and the report of it; with the error that ended it early, if one did. What was found and put right
    /// until then is in the report all the same, for the next run does not find it again.
    pub(crate) async fn over_all_days(mut self) -> (Report, Option<ReadError>) {
        let (complete, error) = match self.all_days().await {
            Ok(complete) => (complete, None),
            Err(error) => (false, Some(error)),
        };
        let report = Report {
            tenant: self.tenant.clone(),
            started_at: self.started,
            ended_at: (self.context.now)(),
            from: self.from,
            complete,
            checked: self.checked,
            drift: self.findings.count(),
            findings: self.findings.into_inner(),
        };
        (report, error)
    }

    async fn all_days(&mut self) -> Result<bool, ReadError> {
        let mut end = self.started;
        while end > self.from {
            let begin = end.minus(DAY).max(self.from);
            if !self.day(begin, end).await? {
                return Ok(false);
            }
            end = begin;
        }
        self.compare_with_list().await
    }

    /// Whether the function's time is over: nothing new is begun.
    pub(crate) fn is_over(&self) -> bool {
        (self.context.now)().since(self.started) > BUDGET
    }

    /// The refunds made in one window of time; `false` if the function's own time was over before its end.
    async fn day(&mut self, begin: Timestamp, end: Timestamp) -> Result<bool, ReadError> {
        let mut window = Window { from: Some(begin), to: Some(end), behind: None };
        let mut feed = None;
        loop {
            let places = self.context.store.places(self.tenant, &window, PAGE).await?;
            let Some(last) = places.last().cloned() else { return Ok(true) };
            let feed = match &mut feed {
                Some(feed) => feed,
                // Most of what happens to a refund happens within a day.
                none => none.insert(Feed::read(self, begin, end.plus(DAY)).await?),
            };
            let ids: Vec<RefundId> = places.into_iter().map(|place| place.id).collect();
            for refund in self.refunds(&ids).await? {
                if self.is_over() {
                    return Ok(false);
                }
                self.look_at(&refund, feed).await?;
            }
            window.behind = Some(last);
        }
    }

    async fn look_at(&mut self, refund: &Refund, feed: &Feed) -> Result<(), ReadError> {
        self.checked.refunds = self.checked.refunds.saturating_add(1);
        self.job(refund).await;
        self.announcements(refund, feed).await?;
        self.outcome(refund).await;
        if self.compared.insert(refund.payment_id.clone()) {
            self.books(&refund.payment_id).await?;
        }
        Ok(())
    }

    /// These refunds, newest first. One that cannot be read is a finding and stands in nobody's way.
    pub(crate) async fn refunds(&mut self, ids: &[RefundId]) -> Result<Vec<Refund>, ReadError> {
        let Rows { read: mut refunds, unreadable } = self.context.store.refunds(self.tenant, ids).await?;
        for row in unreadable {
            let id = RefundId::try_from(row.id.as_str()).ok();
            let about = match &id {
                Some(id) => About::refund_id(id, None),
                None => About::nothing_that_can_be_named(),
            };
            let detail = format!("the refund's item cannot be read: {}", row.why);
            self.findings.add(Mismatch::Unreadable, about, Remedy::None, &detail);
        }
        refunds.sort_by_cached_key(|refund| std::cmp::Reverse(Place::of(refund)));
        Ok(refunds)
    }
}
