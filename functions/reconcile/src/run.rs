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
use recoup_ports::lists::{Place, Stretch};
use recoup_ports::processor::Processor;

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
    /// The refunds that their processor said had succeeded, to be looked for in its own list.
    pub(crate) succeeded: HashMap<ProcessorName, Vec<Refund>>,
}

impl<'a, S: Store, P: Processor + Sync> Run<'a, S, P> {
    pub(crate) async fn new(
        context: &'a Context<S, P>,
        scope: &Scope,
        tenant: &'a Tenant,
        started: Timestamp,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            context,
            tenant,
            started,
            from: started.minus(scope.back),
            until: started.minus(scope.older_than),
            ask_from: started.minus(scope.ask_back),
            endpoints: context.store.endpoints(tenant).await?,
            findings: Findings::new(context.now),
            checked: Checked::default(),
            compared: HashSet::new(),
            succeeded: HashMap::new(),
        })
    }

    /// Everything, and the report of it.
    pub(crate) async fn over_all_days(mut self) -> Result<Report, ReadError> {
        let mut complete = true;
        let mut end = self.started;
        while end > self.from {
            let begin = end.minus(DAY).max(self.from);
            complete = self.day(begin, end).await?;
            if !complete {
                break;
            }
            end = begin;
        }
        if complete {
            self.compare_with_lists().await?;
        }
        Ok(Report {
            tenant: self.tenant.clone(),
            started_at: self.started,
            ended_at: (self.context.now)(),
            from: self.from,
            complete,
            checked: self.checked,
            drift: self.findings.count(),
            findings: self.findings.into_inner(),
        })
    }

    /// The refunds made in one stretch of time; `false` if the function's own time was over before its end.
    async fn day(&mut self, begin: Timestamp, end: Timestamp) -> Result<bool, ReadError> {
        let mut stretch = Stretch { from: Some(begin), to: Some(end), behind: None };
        let mut feed = None;
        loop {
            if (self.context.now)().since(self.started) > BUDGET {
                return Ok(false);
            }
            let places = self.context.store.places(self.tenant, &stretch, PAGE).await?;
            let Some(last) = places.last().cloned() else { return Ok(true) };
            let feed = match &mut feed {
                Some(feed) => feed,
                // Most of what happens to a refund happens within a day.
                none => none.insert(Feed::read(self, begin, end.plus(DAY)).await?),
            };
            for refund in self.refunds(&places).await? {
                self.look_at(&refund, feed).await?;
            }
            stretch.behind = Some(last);
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

    /// The refunds at these places, newest first. One that cannot be read is a finding and stands in nobody's way.
    async fn refunds(&mut self, places: &[Place]) -> Result<Vec<Refund>, ReadError> {
        let ids: Vec<RefundId> = places.iter().map(|place| place.id.clone()).collect();
        match self.context.store.refunds(self.tenant, &ids).await {
            Ok(mut refunds) => {
                refunds.sort_by_cached_key(|refund| std::cmp::Reverse(Place::of(refund)));
                Ok(refunds)
            }
            Err(ReadError::Unreadable { .. }) => {
                let mut refunds = Vec::with_capacity(ids.len());
                for id in &ids {
                    match self.context.store.refund(self.tenant, id).await {
                        Ok(refund) => refunds.extend(refund),
                        Err(ReadError::Unreadable { why, .. }) => {
                            let about = About::refund_id(id, None);
                            let detail = format!("the refund's item cannot be read: {why}");
                            self.findings.add(Mismatch::Unreadable, about, Remedy::None, &detail);
                        }
                        Err(error) => return Err(error),
                    }
                }
                Ok(refunds)
            }
            Err(error) => Err(error),
        }
    }
}
