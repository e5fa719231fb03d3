//! The body of a webhook.

use recoup_domain::event::{Event, EventType, Subject};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;
use serde::Serialize;

use crate::{PublicUrl, RefundView};

#[derive(Serialize)]
struct Body<T> {
    r#type: &'static str,
    timestamp: String,
    data: T,
}

/// An endpoint that was switched off, as the account's other endpoints see it.
#[derive(Clone, Debug, Serialize)]
pub struct DisabledView {
    id: String,
    object: &'static str,
    enabled: bool,
    disabled_reason: &'static str,
    disabled_at: String,
}

/// What an event is about, as its receivers see it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum EventData {
    /// The refund, as it was when the event happened.
    Refund(Box<RefundView>),
    /// The endpoint that was switched off.
    Endpoint(DisabledView),
}

impl EventData {
    /// The data of an event; `refund` is the one it is about, read at any later time. `None` if that refund is missing.
    pub fn of(event: &Event, refund: Option<&Refund>, public_url: &PublicUrl) -> Option<Self> {
        match &event.subject {
            Subject::Refund { version, .. } => {
                let then = RefundView::of(&refund?.at(version), public_url);
                Some(Self::Refund(Box::new(then.without_operator())))
            }
            Subject::Endpoint { id, reason, disabled_at } => Some(Self::Endpoint(DisabledView {
                id: id.to_string(),
                object: "webhook_endpoint",
                enabled: false,
                disabled_reason: reason.as_str(),
                disabled_at: disabled_at.rfc3339(),
            })),
        }
    }
}

/// The body of a webhook.
pub fn body(r#type: EventType, at: Timestamp, data: &EventData) -> serde_json::Result<String> {
    serde_json::to_string(&Body { r#type: r#type.as_str(), timestamp: at.rfc3339(), data })
}
