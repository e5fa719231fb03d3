//! Whether everybody who was to hear of a refund's changes was told; who was not is told now.
//!
//! An event's item names its receivers, so a lost message is a receiver of whom no try is known. A change without an
//! item was lost before anybody was chosen: it is told from what the refund kept of it.

use std::collections::HashMap;

use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::event::{Event, EventType};
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

/// What the table says of an event.
#[derive(Clone)]
enum Announced {
    /// It is recorded; these are the receivers of whom no try is known.
    Except(Vec<Target>),
    /// Something, and nobody can read it.
    Unreadable,
    /// Nothing.
    NotAtAll,
}

impl Announced {
    fn of(recorded: &Recorded) -> Self {
        Self::Except(recorded.untried().cloned().collect())
    }
}

/// The events of a window of time, as ids and untried receivers alone: their content would not fit into memory.
pub(crate) struct Feed {
    from: Timestamp,
    to: Timestamp,
    events: HashMap<EventId, Announced>,
}

impl Feed {
    pub(crate) async fn read<S: Store, P: Processor + Sync>(
        run: &mut Run<'_, S, P>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Self, ReadError> {
        let mut events = HashMap::new();
        let mut window =
            EventWindow { from: EventId::earliest_at(from), before: Some(EventId::earliest_at(to)) };
        loop {
            if run.is_over() {
                // What is further back is looked up one by one, if the time suffices for that.
                let from = window.before.as_ref().map_or(to, EventId::time);
                return Ok(Self { from, to, events });
            }
            let page = run.context.store.recorded_events(run.tenant, &window, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Self { from, to, events }) };
            window.before = Some(last.id().clone());
            for event in &page {
                let announced = match event {
                    InFeed::Recorded(recorded) => Announced::of(recorded),
                    InFeed::Unreadable(id) => {
                        let about = About::nothing_that_can_be_named();
                        let detail = format!("an item of event {id} cannot be read, so it is not compared");
                        run.findings.add(Mismatch::Unreadable, about, Remedy::None, &detail);
                        Announced::Unreadable
                    }
                };
                events.insert(event.id().clone(), announced);
            }
        }
    }
}

impl<S: Store, P: Processor + Sync> Run<'_, S, P> {
    pub(crate) async fn announcements(&mut self, refund: &Refund, feed: &Feed) -> Result<(), ReadError> {
        for id in refund.event_ids() {
            if id.time() > self.until || id.time() < self.from {
                continue;
            }
            self.checked.events = self.checked.events.saturating_add(1);
            match self.announced(feed, &id).await? {
                Announced::Unreadable => {}
                Announced::Except(untried) if untried.is_empty() => {}
                Announced::Except(untried) => self.tell_again(refund, &id, &untried).await?,
                Announced::NotAtAll => self.tell_what_was_kept(refund, &id).await,
            }
        }
        Ok(())
    }

    /// Tells a recorded event to those of its receivers whose message was lost.
    async fn tell_again(
        &mut self,
        refund: &Refund,
        id: &EventId,
        untried: &[Target],
    ) -> Result<(), ReadError> {
        let event = match self.context.store.event(self.tenant, id).await {
            Ok(recorded) => recorded.map(|recorded| recorded.event),
            // Reported when its part of the feed is read.
            Err(ReadError::Unreadable { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(event) = event {
            let remedy = self.announce(refund, &event, untried).await;
            let what = format!("{}, was not announced to {} receivers", event.r#type.as_str(), untried.len());
            self.missing(refund, id, &what, remedy);
        }
        Ok(())
    }

    /// Records an event that was lost before anybody was chosen, and tells it to those who listened.
    async fn tell_what_was_kept(&mut self, refund: &Refund, id: &EventId) {
        let Some(event) = refund.event(id) else {
            let what = "a change whose state was not kept, was not announced at all";
            self.missing(refund, id, what, Remedy::None);
            return;
        };
        let receivers = self.listened(refund, &event);
        let remedy = self.announce(refund, &event, &receivers).await;
        // Version 0.1 did not record the beginning of a refund of which nobody was told.
        if remedy == Remedy::Announced && event.r#type == EventType::Initiated && receivers.is_empty() {
            tracing::info!(event.id = %id, refund.id = %refund.id, "an event that nobody was to hear is recorded");
            return;
        }
        let what = format!("{}, was not announced at all", event.r#type.as_str());
        self.missing(refund, id, &what, remedy);
    }

    fn missing(&mut self, refund: &Refund, id: &EventId, what: &str, remedy: Remedy) {
        let detail = format!("{id} of {}, {what}", id.time().rfc3339());
        self.findings.add(Mismatch::EventMissing, About::refund(refund), remedy, &detail);
    }

    async fn announced(&self, feed: &Feed, id: &EventId) -> Result<Announced, ReadError> {
        if (feed.from..feed.to).contains(&id.time()) {
            return Ok(feed.events.get(id).cloned().unwrap_or(Announced::NotAtAll));
        }
        match self.context.store.event(self.tenant, id).await {
            Ok(recorded) => Ok(recorded.as_ref().map_or(Announced::NotAtAll, Announced::of)),
            // Reported when its part of the feed is read.
            Err(ReadError::Unreadable { .. }) => Ok(Announced::Unreadable),
            Err(error) => Err(error),
        }
    }

    /// Who hears such events and was there when this one happened.
    fn listened(&self, refund: &Refund, event: &Event) -> Vec<Target> {
        let listening = self.endpoints.iter();
        let listening =
            listening.filter(|endpoint| endpoint.hears(event.r#type) && endpoint.created_at <= event.at());
        let targets = listening.map(|endpoint| Target::Endpoint(endpoint.id.clone()));
        let own = refund.notes.webhook_url.as_ref().map(|_| Target::RefundUrl);
        targets.chain(own).collect()
    }

    /// Writes the event, if it is not there, and the deliveries that should be. The stream sends what is written.
    async fn announce(&self, refund: &Refund, event: &Event, receivers: &[Target]) -> Remedy {
        let written = async {
            self.context.store.record_event(event, receivers).await?;
            for target in receivers {
                let delivery = Delivery::first(event, target.clone(), (self.context.now)());
                // One that is there by now is as good.
                self.context.store.note_delivery(None, &delivery).await?;
            }
            Ok::<(), WriteError>(())
        };
        match written.await {
            Ok(()) => Remedy::Announced,
            Err(error) => {
                tracing::error!(error = causes(&error), refund.id = %refund.id, "an event could not be announced");
                Remedy::Failed
            }
        }
    }
}
