//! Fetches what the checks compare: from the table, and from processors until one gives no clear answer any more.

use std::collections::HashMap;

use recoup_domain::ids::{EventId, PaymentId, RefundId, Tenant};
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::refund::{Outcome, Refund, Status};
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::events::{EventWindow, InFeed, Recorded};
use recoup_ports::lists::Place;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::rows::Rows;

use crate::{BUDGET, Context, Store};

/// Rows that are read at once.
pub(crate) const PAGE: u16 = 100;
/// A processor that gave no clear answer so often in a row is not asked again in this run.
const UNCLEAR_MAX: u32 = 3;

/// Fetches one account's data until the function's time is over.
pub(crate) struct Reader<'a, S, P, K> {
    pub(crate) context: &'a Context<S, P, K>,
    pub(crate) tenant: &'a Tenant,
    started: Timestamp,
    /// How often processors were asked about a refund.
    pub(crate) asked: u64,
    /// How often in a row a processor gave no clear answer.
    unclear: HashMap<ProcessorName, u32>,
}

/// What the table says of an event.
pub(crate) enum Record {
    /// There was an attempt for each of its receivers; or it cannot be read, which is named with its part of the feed.
    NothingToDo,
    /// It is there.
    Found(Box<Recorded>),
    /// It is not.
    Missing,
}

/// The events of a window of time, by id: their content would not fit into memory.
pub(crate) struct Feed {
    from: Timestamp,
    to: Timestamp,
    known: HashMap<EventId, Known>,
    of_refunds: HashMap<RefundId, Vec<EventId>>,
    pub(crate) unreadable: Vec<EventId>,
    /// Events about endpoints that have receivers without an attempt: no refund leads to them.
    pub(crate) of_endpoints: Vec<Recorded>,
}

/// What is kept of an event.
struct Known {
    /// Whether there may be receivers without an attempt.
    is_open: bool,
    /// The status that it tells of a refund.
    announced: Option<Status>,
}

impl Feed {
    fn add(&mut self, event: InFeed) {
        let (id, known) = match event {
            InFeed::Unreadable(id) => {
                self.unreadable.push(id.clone());
                (id, Known { is_open: false, announced: None })
            }
            InFeed::Recorded(recorded) => {
                let is_open = recorded.untried().next().is_some();
                let id = recorded.event.id.clone();
                let announced = recorded.event.refund_status();
                let announced = announced.filter(|status| recorded.event.r#type.fits(*status));
                match recorded.event.refund() {
                    Some(refund) => {
                        self.of_refunds.entry(refund.clone()).or_default().push(id.clone());
                    }
                    None if is_open => self.of_endpoints.push(*recorded),
                    None => {}
                }
                (id, Known { is_open, announced })
            }
        };
        self.known.insert(id, known);
    }

    /// The events that say of this refund what its history does not: of a change that never was, or of another state.
    pub(crate) fn astray(&self, refund: &Refund) -> Vec<EventId> {
        let ids: Vec<EventId> = refund.event_ids().collect();
        let keeps_all = ids.len() == usize::try_from(refund.version.sequence).unwrap_or(usize::MAX);
        let is_astray = |id: &&EventId| match refund.event(id) {
            Some(event) => self.known.get(*id).and_then(|known| known.announced) != event.refund_status(),
            // Either it is no change of this refund, or its state was not kept.
            None => keeps_all && !ids.contains(id),
        };
        let of_refund = self.of_refunds.get(&refund.id);
        of_refund.into_iter().flatten().filter(is_astray).cloned().collect()
    }
}

impl<'a, S: Store, P: Processor, K> Reader<'a, S, P, K> {
    pub(crate) fn new(context: &'a Context<S, P, K>, tenant: &'a Tenant, started: Timestamp) -> Self {
        Self { context, tenant, started, asked: 0, unclear: HashMap::new() }
    }

    /// Whether the function's time is over: nothing new is begun.
    pub(crate) fn is_over(&self) -> bool {
        (self.context.now)().since(self.started) > BUDGET
    }

    /// These refunds, newest first, and those that cannot be read.
    pub(crate) async fn refunds(&self, ids: &[RefundId]) -> Result<Rows<Refund>, ReadError> {
        let mut rows = self.context.store.refunds(self.tenant, ids).await?;
        rows.read.sort_by_cached_key(|refund| std::cmp::Reverse(Place::of(refund)));
        Ok(rows)
    }

    /// The events of a window of time, newest first, until the function's time is over.
    pub(crate) async fn feed(&self, from: Timestamp, to: Timestamp) -> Result<Feed, ReadError> {
        let mut feed = Feed {
            from,
            to,
            known: HashMap::new(),
            of_refunds: HashMap::new(),
            unreadable: Vec::new(),
            of_endpoints: Vec::new(),
        };
        let mut window =
            EventWindow { from: EventId::earliest_at(from), before: Some(EventId::earliest_at(to)) };
        loop {
            if self.is_over() {
                // What is further back is looked up one by one, if the time suffices for that.
                feed.from = window.before.as_ref().map_or(to, EventId::time);
                return Ok(feed);
            }
            let page = self.context.store.recorded_events(self.tenant, &window, PAGE).await?;
            let Some(last) = page.last() else { return Ok(feed) };
            window.before = Some(last.id().clone());
            for event in page {
                feed.add(event);
            }
        }
    }

    /// What the table says of an event: from the feed if that is enough.
    pub(crate) async fn event(&self, feed: &Feed, id: &EventId) -> Result<Record, ReadError> {
        match feed.known.get(id).map(|known| known.is_open) {
            Some(false) => return Ok(Record::NothingToDo),
            None if (feed.from..feed.to).contains(&id.time()) => return Ok(Record::Missing),
            Some(true) | None => {}
        }
        match self.context.store.event(self.tenant, id).await {
            Ok(recorded) => {
                Ok(recorded.map_or(Record::Missing, |recorded| Record::Found(Box::new(recorded))))
            }
            Err(ReadError::Unreadable { .. }) => Ok(Record::NothingToDo),
            Err(error @ ReadError::Unavailable(_)) => Err(error),
        }
    }

    /// A payment and all its refunds; they are two reads.
    pub(crate) async fn books(&self, id: &PaymentId) -> Result<Option<(Payment, Vec<Refund>)>, ReadError> {
        let Some(payment) = self.context.store.payment(self.tenant, id).await? else { return Ok(None) };
        let mut refunds = Vec::with_capacity(payment.refunds.len());
        // Only what is summed up is kept of each: a payment may have thousands of large ones.
        for some in payment.refunds.chunks(usize::from(PAGE)) {
            let read = self.context.store.refunds(self.tenant, some).await?.whole()?;
            refunds.extend(read.into_iter().map(Refund::without_texts));
        }
        refunds.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Some((payment, refunds)))
    }

    /// How the refund stands at its processor; `None` if it is not asked any more, or does not know the refund.
    pub(crate) async fn ask(&mut self, refund: &Refund) -> Option<Outcome> {
        let unclear = self.unclear.entry(refund.processor.name).or_default();
        if *unclear >= UNCLEAR_MAX {
            return None;
        }
        self.asked = self.asked.saturating_add(1);
        let answer = self.context.processor.look_up(refund).await;
        let is_clear = !matches!(&answer, LookedUp::Stands(outcome) if outcome.silence().is_some());
        *unclear = if is_clear { 0 } else { unclear.saturating_add(1) };
        if *unclear == UNCLEAR_MAX {
            let processor = refund.processor.name.as_str();
            tracing::warn!(processor.name = processor, account.id = %refund.tenant.account, "the processor gives no clear answer, and is not asked again in this run");
        }
        match answer {
            LookedUp::Stands(outcome) => Some(outcome),
            LookedUp::NeverReceived => None,
        }
    }
}
