//! The events of the last 30 days, and their deliveries.

use recoup_domain::delivery::Delivery;
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
    /// To whom, as far as a try was made or a redelivery asked for.
    pub deliveries: Vec<Delivery>,
}

/// An event of the feed, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InFeed {
    /// It can.
    Recorded(Recorded),
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

/// Reads events. An event is recorded when it was first tried, or when nobody was to be told.
pub trait Events {
    /// One event of this tenant, as last written.
    fn event(
        &self,
        tenant: &Tenant,
        id: &EventId,
    ) -> impl Future<Output = Result<Option<Recorded>, ReadError>> + Send;

    /// The next recorded events of a window, newest first, at most `limit`.
    ///
    /// Absent are the beginnings of refunds of which nobody was told: the list of refunds has them.
    fn recorded_events(
        &self,
        tenant: &Tenant,
        window: &EventWindow,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<InFeed>, ReadError>> + Send;
}

/// Records events of which nobody is told.
pub trait RecordEvents {
    /// Writes the event, or finds it written.
    fn record_event(&self, event: &Event) -> impl Future<Output = Result<(), WriteError>> + Send;
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
