//! The events of the last 30 days, and their deliveries.

use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::{EventId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::signing::Secrets;
use recoup_domain::text::TargetUrl;

use crate::jobs::WebhookJob;
use crate::{ReadError, WriteError};

/// An event with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What is told.
    pub event: Event,
    /// To whom: those who were chosen when it happened, and those to whom it was sent since. In order.
    pub receivers: Vec<Target>,
    /// What became of it, for each to whom a try was made or a redelivery asked for. In their order.
    pub deliveries: Vec<Delivery>,
}

impl Recorded {
    /// The receivers of whom no try is known: theirs is on its way, or its message was lost.
    pub fn untried(&self) -> impl Iterator<Item = &Target> {
        let is_tried = |target: &Target| self.deliveries.iter().any(|delivery| delivery.target == *target);
        self.receivers.iter().filter(move |target| !is_tried(target))
    }
}

/// An event of the feed, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InFeed {
    /// It can.
    Recorded(Box<Recorded>),
    /// One of its items cannot.
    Unreadable(EventId),
}

impl InFeed {
    /// Which one.
    pub fn id(&self) -> &EventId {
        match self {
            Self::Recorded(recorded) => &recorded.event.id,
            Self::Unreadable(id) => id,
        }
    }
}

/// A window of the list of events, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWindow {
    /// Events from this id on.
    pub from: EventId,
    /// Events before this id.
    pub before: Option<EventId>,
}

/// Reads events. Each is recorded before its receivers are told of it.
pub trait Events {
    /// One event of this tenant, as last written.
    fn event(
        &self,
        tenant: &Tenant,
        id: &EventId,
    ) -> impl Future<Output = Result<Option<Recorded>, ReadError>> + Send;

    /// The next events of a window, newest first, at most `limit`.
    fn recorded_events(
        &self,
        tenant: &Tenant,
        window: &EventWindow,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<InFeed>, ReadError>> + Send;
}

/// Records events.
pub trait RecordEvents {
    /// Writes an event with those who are to be told of it. One that is written already stays as it is; the answer is
    /// whom it names.
    fn record_event(
        &self,
        event: &Event,
        receivers: &[Target],
    ) -> impl Future<Output = Result<Vec<Target>, WriteError>> + Send;
}

/// What became of a delivery's write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is written, now or by a try whose answer was lost.
    Yes,
    /// Somebody else wrote meanwhile; nothing was written. This is what stands there.
    Overtaken(Box<Delivery>),
}

/// Writes deliveries.
pub trait NoteDeliveries {
    /// Puts a delivery in the place of the one that was read, or of none.
    fn note_delivery(
        &self,
        from: Option<&Delivery>,
        to: &Delivery,
    ) -> impl Future<Output = Result<Noted, WriteError>> + Send;
}

/// Who is to be told, as it is configured now.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// An endpoint.
    Endpoint(Box<Endpoint>),
    /// The refund's own URL, with the account's secrets.
    RefundUrl(TargetUrl, Secrets),
    /// The endpoint was deleted, or the refund has no URL.
    Missing,
}

/// All that one try needs.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is told, as long as it is kept.
    pub event: Option<Event>,
    /// What the event is about, if it is about a refund: as it is now.
    pub refund: Option<Refund>,
    /// Who is told.
    pub receiver: Receiver,
    /// The delivery, if a try or a redelivery was written.
    pub delivery: Option<Delivery>,
}

/// Reads what tries need.
pub trait PrepareTries {
    /// Everything one try needs, as last written, in one call.
    fn prepare(&self, job: &WebhookJob) -> impl Future<Output = Result<Prepared, ReadError>> + Send;
}
