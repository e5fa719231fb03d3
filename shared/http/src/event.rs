//! An event with its deliveries, as its account sees it, and the event that a path names.

use lambda_http::Request;
use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, Standing, Target};
use recoup_domain::event::Subject;
use recoup_domain::ids::EventId;
use recoup_domain::refund::Refund;
use recoup_domain::time::{Timestamp, whole_millis};
use recoup_ports::events::Recorded;
use serde::Serialize;

use crate::problem::{Code, Problem};
use crate::request::routed_parameter;
use recoup_views::webhook::EventData;
use recoup_views::{ByView, PublicUrl, SelfLink};

/// The id in the path. A text that is not an event id is a 404.
pub fn named(request: &Request) -> Result<EventId, Problem> {
    let id = routed_parameter(request, "event_id")?;
    EventId::try_from(id.as_str()).map_err(|_| not_found())
}

/// The problem of an event that this tenant does not have, or no longer has.
pub fn not_found() -> Problem {
    let detail = "There is no such event in this account and environment; events are kept for 30 days.";
    Problem::new(Code::EventNotFound, detail)
}

/// The receiver of a delivery.
#[derive(Clone, Debug, Serialize)]
struct TargetView {
    endpoint_id: Option<String>,
    to: &'static str,
}

impl From<&Target> for TargetView {
    fn from(target: &Target) -> Self {
        match target {
            Target::Endpoint(id) => Self { endpoint_id: Some(id.to_string()), to: "endpoint" },
            Target::RefundUrl => Self { endpoint_id: None, to: "refund_url" },
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct DeliveryView {
    #[serde(flatten)]
    target: TargetView,
    status: &'static str,
    reason: Option<&'static str>,
    tries: u32,
    next_try_at: Option<String>,
}

impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> Self {
        let (reason, next_try_at) = match delivery.standing {
            Standing::Scheduled(at) => (None, Some(at.rfc3339())),
            Standing::Delivered => (None, None),
            Standing::DeadLettered(why) => (Some(why.as_str()), None),
        };
        Self {
            target: (&delivery.target).into(),
            status: delivery.standing.as_str(),
            reason,
            tries: delivery.tries,
            next_try_at,
        }
    }
}

/// A receiver's answer, or why there was none.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptOutcomeView {
    status: Option<u16>,
    answer: Option<String>,
    error: Option<String>,
}

impl From<&AttemptOutcome> for AttemptOutcomeView {
    fn from(outcome: &AttemptOutcome) -> Self {
        match outcome {
            AttemptOutcome::Status { status, head } => {
                let answer = Some(head.clone()).filter(|head| !head.is_empty());
                Self { status: Some(*status), answer, error: None }
            }
            AttemptOutcome::Nothing(why) => Self { status: None, answer: None, error: Some(why.clone()) },
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct AttemptView {
    #[serde(flatten)]
    target: TargetView,
    at: String,
    #[serde(flatten)]
    outcome: AttemptOutcomeView,
    duration_ms: u64,
}

impl AttemptView {
    fn of(target: &Target, attempt: &Attempt) -> Self {
        Self {
            target: target.into(),
            at: attempt.at.rfc3339(),
            outcome: (&attempt.outcome).into(),
            duration_ms: whole_millis(attempt.took),
        }
    }
}

/// An event.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    id: String,
    object: &'static str,
    r#type: &'static str,
    refund_id: Option<String>,
    endpoint_id: Option<String>,
    sequence: Option<u32>,
    created_at: String,
    by: Option<ByView>,
    data: Option<EventData>,
    deliveries: Vec<DeliveryView>,
    attempts: Vec<AttemptView>,
    _links: SelfLink,
}

impl EventView {
    /// Shows an event; `refund` is the one it is about, read at any later time. `None` if that refund is missing.
    pub fn of(recorded: &Recorded, refund: Option<&Refund>, public_url: &PublicUrl) -> Option<Self> {
        let data = EventData::of(&recorded.event, refund, public_url)?;
        Some(Self::with(Some(data), recorded, public_url))
    }

    /// Shows an event to a caller that may not read refunds.
    pub fn without_refund(recorded: &Recorded, public_url: &PublicUrl) -> Self {
        let data = match &recorded.event.subject {
            Subject::Refund { .. } => None,
            Subject::Endpoint { .. } => EventData::of(&recorded.event, None, public_url),
        };
        Self::with(data, recorded, public_url)
    }

    fn with(data: Option<EventData>, recorded: &Recorded, public_url: &PublicUrl) -> Self {
        let event = &recorded.event;
        let (refund_id, endpoint_id, sequence) = match &event.subject {
            Subject::Refund { id, version } => (Some(id.to_string()), None, Some(version.sequence)),
            Subject::Endpoint { id, .. } => (None, Some(id.to_string()), None),
        };
        Self {
            id: event.id.to_string(),
            object: "event",
            r#type: event.r#type.as_str(),
            refund_id,
            endpoint_id,
            sequence,
            created_at: event.at().rfc3339(),
            // Whoever may not read a refund does not learn who changed it.
            by: event.by.as_ref().filter(|_| data.is_some()).map(ByView::from),
            data,
            deliveries: deliveries(recorded),
            attempts: attempts(&recorded.deliveries),
            _links: SelfLink { this: public_url.link("events", event.id.as_str()) },
        }
    }
}

/// The delivery to each receiver, in order; one without an attempt yet is due since the event happened.
fn deliveries(recorded: &Recorded) -> Vec<DeliveryView> {
    let event = &recorded.event;
    let due = recorded.untried().map(|target| Delivery::first(event, target.clone(), event.at()));
    let mut all: Vec<Delivery> = recorded.deliveries.iter().cloned().chain(due).collect();
    all.sort_by(|one, other| one.target.cmp(&other.target));
    all.iter().map(DeliveryView::from).collect()
}

/// The attempts of all deliveries, oldest first.
fn attempts(deliveries: &[Delivery]) -> Vec<AttemptView> {
    let of = |delivery: &Delivery| -> Vec<(Timestamp, AttemptView)> {
        let views = delivery.attempts.iter();
        views.map(|attempt| (attempt.at, AttemptView::of(&delivery.target, attempt))).collect()
    };
    let mut all: Vec<_> = deliveries.iter().flat_map(of).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, view)| view).collect()
}
