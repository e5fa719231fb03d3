//! The events of the last 30 days, and their deliveries.

use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::{EndpointId, EventId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::sealed::StoredSecrets;
use recoup_domain::text::TargetUrl;

use crate::jobs::WebhookJob;
use crate::{ReadError, WriteError};

/// An event with its receivers and deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// The receivers, in order: those chosen when the event happened, and those that it was sent to since.
    pub receivers: Vec<Target>,
    /// The deliveries, in the order of their receivers: one for each that had an attempt or a redelivery.
    pub deliveries: Vec<Delivery>,
}

impl Recorded {
    /// The receivers without a delivery: the first attempt is on its way, or its message was lost.
    pub fn untried(&self) -> impl Iterator<Item = &Target> {
        let is_tried = |target: &Target| self.deliveries.iter().any(|delivery| delivery.target == *target);
        self.receivers.iter().filter(move |target| !is_tried(target))
    }
}

/// An event in the list of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InFeed {
    /// The event can be read.
    Recorded(Box<Recorded>),
    /// One of the event's items cannot be read.
    Unreadable(EventId),
}

impl InFeed {
    /// The event's id.
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
    /// Only events with this id or a later one.
    pub from: EventId,
    /// Only events with an earlier id.
    pub before: Option<EventId>,
}

/// Reads events. Each is recorded before it is sent to its receivers.
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
    /// Writes an event with its receivers, unless it is already written, and returns the receivers that the stored
    /// event names.
    fn record_event(
        &self,
        event: &Event,
        receivers: &[Target],
    ) -> impl Future<Output = Result<Vec<Target>, WriteError>> + Send;
}

/// The outcome of writing a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryRecorded {
    /// The delivery is written, now or by an earlier call whose answer was lost.
    Yes,
    /// Another writer was first, so nothing was written. This delivery is stored.
    Overtaken(Box<Delivery>),
}

/// Writes deliveries.
pub trait RecordDeliveries {
    /// Writes a delivery if the stored one is still `from`, or if there is still none.
    fn record_delivery(
        &self,
        from: Option<&Delivery>,
        to: &Delivery,
    ) -> impl Future<Output = Result<DeliveryRecorded, WriteError>> + Send;
}

/// A receiver as it is configured now.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// An endpoint.
    Endpoint(Box<Endpoint>),
    /// The refund's own URL, with the account's secrets.
    RefundUrl(TargetUrl, StoredSecrets),
    /// The endpoint was deleted, or the refund has no URL.
    Missing,
}

/// All that one attempt needs.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The event, if it is still kept.
    pub event: Option<Event>,
    /// The refund that the event is about, if it is about one, as it is now.
    pub refund: Option<Refund>,
    /// The receiver.
    pub receiver: Receiver,
    /// The delivery, if an attempt or a redelivery was recorded.
    pub delivery: Option<Delivery>,
}

/// Reads what attempts need.
pub trait PrepareAttempts {
    /// Everything one attempt needs, as last written, in one call.
    fn prepare(&self, job: &WebhookJob) -> impl Future<Output = Result<Prepared, ReadError>> + Send;

    /// The endpoint that a sample is sent to, as last written.
    fn receiver_of_sample(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<Endpoint>, ReadError>> + Send;
}
