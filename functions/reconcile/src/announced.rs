//! Whether every change of a refund was announced to everybody who is told; if not, it is announced now.

use std::collections::{HashMap, HashSet};

use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::event::{Event, EventType, Moment, Subject};
use recoup_domain::ids::EventId;
use recoup_domain::refund::Refund;
use recoup_domain::report::{Mismatch, Remedy};
use recoup_domain::time::Timestamp;
use recoup_ports::events::{EventWindow, InFeed, Recorded};
use recoup_ports::processor::Processor;
use recoup_ports::{ReadError, WriteError, causes};

use crate::Store;
use crate::findings::About;
use crate::run::{PAGE, Run};

/// Who was told of an event, and of what kind it was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    r#type: EventType,
    targets: HashSet<Target>,
}

impl Told {
    fn of(recorded: &Recorded) -> Self {
        let targets = recorded.deliveries.iter().map(|delivery| delivery.target.clone()).collect();
        Self { r#type: recorded.event.r#type, targets }
    }
}

/// What the feed says of an event.
enum Announced {
    To(Told),
    /// Something, and nobody can read it.
    Unreadable,
}

/// The events of a window of time, as keys and receivers alone: their content would not fit into memory.
pub(crate) struct Feed {
    from: Timestamp,
    to: Timestamp,
    told: HashMap<EventId, Announced>,
}

impl Feed {
    pub(crate) async fn read<S: Store, P: Processor + Sync>(
        run: &mut Run<'_, S, P>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Self, ReadError> {
        let mut told = HashMap::new();
        let mut window =
            EventWindow { from: EventId::earliest_at(from), before: Some(EventId::earliest_at(to)) };
        loop {
            if run.is_over() {
                // What is further back is looked up one by one, if the time suffices for that.
                let from = window.before.as_ref().map_or(to, EventId::time);
                return Ok(Self { from, to, told });
            }
            let page = run.context.store.recorded_events(run.tenant, &window, PAGE).await;
            let page = page?;
            let Some(last) = page.last() else { return Ok(Self { from, to, told }) };
            window.before = Some(last.id().clone());
            for one in &page {
                match one {
                    InFeed::Recorded(recorded) => {
                        told.insert(recorded.event.id.clone(), Announced::To(Told::of(recorded)));
                    }
                    InFeed::Unreadable(id) => {
                        let about = About::nothing_that_can_be_named();
                        let detail = format!("an item of event {id} cannot be read, so it is not compared");
                        run.findings.add(Mismatch::Unreadable, about, Remedy::None, &detail);
                        told.insert(id.clone(), Announced::Unreadable);
                    }
                }
            }
        }
    }
}

impl<S: Store, P: Processor + Sync> Run<'_, S, P> {
    pub(crate) async fn announcements(&mut self, refund: &Refund, feed: &Feed) -> Result<(), ReadError> {
        let ids: Vec<EventId> = refund.event_ids().collect();
        let Some(beginning) = ids.last() else { return Ok(()) };
        for id in &ids {
            if id.time() > self.until || id.time() < self.from {
                continue;
            }
            self.checked.events = self.checked.events.saturating_add(1);
            let told = if (feed.from..feed.to).contains(&id.time()) {
                match feed.told.get(id) {
                    Some(Announced::To(told)) => Some(told.clone()),
                    Some(Announced::Unreadable) => continue,
                    None => None,
                }
            } else {
                match self.context.store.event(self.tenant, id).await {
                    Ok(recorded) => recorded.as_ref().map(Told::of),
                    // Reported when its part of the feed is read.
                    Err(ReadError::Unreadable { .. }) => continue,
                    Err(error) => return Err(error),
                }
            };
            match told {
                Some(told) => {
                    let mut missing = self.expected(refund, told.r#type, id.time());
                    missing.retain(|target| !told.targets.contains(target));
                    if !missing.is_empty() {
                        self.tell(refund, id, &missing).await?;
                    }
                }
                // That a refund began is told by the list of refunds, where nobody is to be told.
                None if id == beginning => {
                    let missing = self.expected(refund, EventType::Initiated, id.time());
                    if !missing.is_empty() {
                        self.tell(refund, id, &missing).await?;
                    }
                }
                None => self.tell(refund, id, &[]).await?,
            }
        }
        Ok(())
    }

    /// Who must have been told of an event of that time: those who heard such events then as they do now.
    fn expected(&self, refund: &Refund, r#type: EventType, at: Timestamp) -> Vec<Target> {
        let listening = self.endpoints.iter();
        let listening = listening.filter(|endpoint| endpoint.hears(r#type) && endpoint.updated_at < at);
        let targets = listening.map(|endpoint| Target::Endpoint(endpoint.id.clone()));
        let own = refund.notes.webhook_url.as_ref().map(|_| Target::RefundUrl);
        targets.chain(own).collect()
    }

    /// Announces a change to those who were not told; to all who hear such events if it is not known at all.
    async fn tell(&mut self, refund: &Refund, id: &EventId, missing: &[Target]) -> Result<(), ReadError> {
        let event = self.event(refund, id).await?;
        let (remedy, what) = match &event {
            Some(event) => match self.announce(refund, event, missing).await {
                Ok(()) => (Remedy::Announced, event.r#type.as_str()),
                Err(error) => {
                    tracing::error!(error = causes(&error), refund.id = %refund.id, "it could not be announced");
                    (Remedy::Failed, event.r#type.as_str())
                }
            },
            // What it was like then is known by nobody any more, and a later change was announced.
            None => (Remedy::None, "a change before later ones"),
        };
        let to =
            if missing.is_empty() { "at all".to_owned() } else { format!("to {} receivers", missing.len()) };
        let detail = format!("{id} of {}, {what}, was not announced {to}", id.time().rfc3339());
        self.findings.add(Mismatch::EventMissing, About::refund(refund), remedy, &detail);
        Ok(())
    }

    /// The event of that id, as far as it can still be told.
    async fn event(&self, refund: &Refund, id: &EventId) -> Result<Option<Event>, ReadError> {
        let recorded = match self.context.store.event(self.tenant, id).await {
            Err(ReadError::Unreadable { .. }) => None,
            recorded => recorded?,
        };
        if let Some(recorded) = recorded {
            return Ok(Some(recorded.event));
        }
        let mut ids = refund.event_ids();
        if ids.next().as_ref() == Some(id) {
            // The change before it says whether the status changed.
            let before = match ids.next() {
                Some(before) => self.moment(refund, &before).await?.map(|moment| refund.at(&moment)),
                None => None,
            };
            return Ok(Some(Event::of_change(before.as_ref(), refund)));
        }
        let beginning = Event::of_beginning(refund);
        Ok((beginning.id == *id).then_some(beginning))
    }

    async fn moment(&self, refund: &Refund, id: &EventId) -> Result<Option<Moment>, ReadError> {
        if refund.event_ids().last().as_ref() == Some(id) {
            return Ok(Some(refund.first_moment()));
        }
        let recorded = match self.context.store.event(self.tenant, id).await {
            Err(ReadError::Unreadable { .. }) => None,
            recorded => recorded?,
        };
        Ok(recorded.and_then(|recorded| match recorded.event.subject {
            Subject::Refund { moment, .. } => Some(moment),
            Subject::Endpoint { .. } => None,
        }))
    }

    /// Writes the deliveries that should be there, or the event that nobody hears. The stream sends what is written.
    async fn announce(&self, refund: &Refund, event: &Event, missing: &[Target]) -> Result<(), WriteError> {
        let now = (self.context.now)();
        let all =
            if missing.is_empty() { self.expected(refund, event.r#type, now) } else { missing.to_vec() };
        if all.is_empty() && !event.is_beginning() {
            return self.context.store.record_event(event).await;
        }
        for target in all {
            let delivery = Delivery::first(event.clone(), target, now);
            // One that is there by now is as good.
            self.context.store.note_delivery(None, &delivery).await?;
        }
        Ok(())
    }
}
