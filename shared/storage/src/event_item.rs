//! An event as it lies in the table: alone if nobody was told, else once for each delivery, whose item tells the
//! event, too. So a delivery that succeeds at once is one write, and an event needs no item of its own beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use recoup_domain::delivery::{Attempt, Delivery, GivenUp, Heard, Standing, Target};
use recoup_domain::endpoint::DisabledReason;
use recoup_domain::event::{Event, EventType, Moment, Subject};
use recoup_domain::ids::{EndpointId, EventId, RefundId};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{Key, event_and_target, found_in_index, owner_of_events};
use crate::refund_item::{failure, pending_reason, state};

pub(crate) const REFUND_ID: &str = "refund_id";

/// How long an item outlives the try it waits for.
const KEPT_AFTER_TRY: Duration = Duration::from_hours(4 * 24);

#[derive(Debug, Serialize, Deserialize)]
struct AttemptItem {
    at: String,
    took_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The attributes. The time of the event is in its id, and its id and tenant are in the key.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EventItem {
    pk: String,
    sk: String,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processor_reference: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<AttemptItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rests: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    woken_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_pk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_sk: Option<String>,
    expires_at: u64,
}

/// What an item tells.
pub(crate) enum Told {
    /// An event of which nobody was told.
    Event(Event),
    /// An event on its way to one receiver.
    Delivery(Delivery),
}

impl From<&Event> for EventItem {
    fn from(event: &Event) -> Self {
        let key = Key::event(&event.tenant, &event.id);
        let kept_until = event.at().plus(Duration::from_hours(Event::DAYS_KEPT.saturating_mul(24)));
        let mut item = Self {
            pk: key.pk,
            sk: key.sk,
            r#type: event.r#type.as_str().to_owned(),
            expires_at: seconds(kept_until),
            ..Self::default()
        };
        match &event.subject {
            Subject::Refund { id, moment } => {
                item.refund_id = Some(id.to_string());
                item.sequence = Some(moment.sequence);
                item.status = Some(moment.state.as_str().to_owned());
                item.pending_reason = pending_reason(&moment.state).map(str::to_owned);
                let failure = failure(&moment.state);
                item.failure_code = failure.map(|failure| failure.code.as_str().to_owned());
                item.failure_message = failure.map(|failure| failure.message.as_str().to_owned());
                item.processor_reference =
                    moment.processor_reference.as_ref().map(|text| text.as_str().to_owned());
                item.metadata = moment.metadata.pairs().clone();
            }
            Subject::Endpoint { id, reason, .. } => {
                item.endpoint_id = Some(id.to_string());
                item.disabled_reason = Some(reason.as_str().to_owned());
            }
        }
        item
    }
}

impl From<&Delivery> for EventItem {
    fn from(delivery: &Delivery) -> Self {
        let event = &delivery.event;
        let mut item = Self::from(event);
        let key = Key::delivery(&event.tenant, &event.id, &delivery.target);
        item.delivery = Some(delivery.standing.as_str().to_owned());
        item.turn = Some(delivery.turn);
        item.tries = Some(delivery.tries);
        item.attempts = delivery.attempts.iter().map(AttemptItem::from).collect();
        item.rests = delivery.rests.then_some(true);
        item.woken_at = delivery.woken_at.map(Timestamp::rfc3339);
        if let Some(found_at) = delivery.found_at() {
            let (shard, place) = found_in_index(found_at, &key);
            (item.due_pk, item.due_sk) = (Some(shard), Some(place));
        }
        item.sk = key.sk;
        match delivery.standing {
            Standing::Scheduled(at) => {
                item.next_try_at = Some(at.rfc3339());
                item.expires_at = item.expires_at.max(seconds(at.plus(KEPT_AFTER_TRY)));
            }
            Standing::DeadLettered(why) => item.given_up = Some(why.as_str().to_owned()),
            Standing::Delivered => {}
        }
        item
    }
}

/// As `expires_at` wants it.
pub(crate) fn seconds(at: Timestamp) -> u64 {
    at.unix_millis().div_ceil(1_000)
}

impl From<&Attempt> for AttemptItem {
    fn from(attempt: &Attempt) -> Self {
        let (status, head, error) = match &attempt.heard {
            Heard::Status { status, head } => (Some(*status), Some(head.clone()), None),
            Heard::Nothing(why) => (None, None, Some(why.clone())),
        };
        Self {
            at: attempt.at.rfc3339(),
            took_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            status,
            head: head.filter(|head| !head.is_empty()),
            error,
        }
    }
}

impl AttemptItem {
    fn read(self) -> Option<Attempt> {
        let heard = match self.status {
            Some(status) => Heard::Status { status, head: self.head.unwrap_or_default() },
            None => Heard::Nothing(self.error?),
        };
        Some(Attempt { at: Timestamp::parse(&self.at)?, took: Duration::from_millis(self.took_ms), heard })
    }
}

impl EventItem {
    fn subject(&mut self, at: Timestamp) -> Result<Subject, &'static str> {
        if let Some(id) = &self.endpoint_id {
            let reason = self.disabled_reason.as_deref().and_then(DisabledReason::parse);
            return Ok(Subject::Endpoint {
                id: EndpointId::try_from(id.as_str()).map_err(|_| "endpoint_id is invalid")?,
                reason: reason.ok_or("disabled_reason is missing or unknown")?,
                disabled_at: at,
            });
        }
        let id = self.refund_id.as_deref().ok_or("it is about nothing")?;
        let failure = self.failure_code.as_deref().zip(self.failure_message.as_deref());
        let reference = self.processor_reference.take().map(Text::new).transpose();
        let moment = Moment {
            sequence: self.sequence.ok_or("sequence is missing")?,
            state: state(
                self.status.as_deref().unwrap_or_default(),
                self.pending_reason.as_deref(),
                failure,
            )?,
            processor_reference: reference.map_err(|_| "processor_reference is empty or too long")?,
            metadata: Metadata::stored(std::mem::take(&mut self.metadata)),
            updated_at: at,
        };
        Ok(Subject::Refund { id: RefundId::try_from(id).map_err(|_| "refund_id is invalid")?, moment })
    }

    fn standing(&self) -> Result<Standing, &'static str> {
        match self.delivery.as_deref() {
            Some("scheduled") => {
                let at = self.next_try_at.as_deref().and_then(Timestamp::parse);
                at.map(Standing::Scheduled).ok_or("next_try_at is missing or no time")
            }
            Some("delivered") => Ok(Standing::Delivered),
            Some("dead_lettered") => {
                let why = self.given_up.as_deref().and_then(GivenUp::parse);
                why.map(Standing::DeadLettered).ok_or("given_up is missing or unknown")
            }
            _ => Err("delivery is missing or unknown"),
        }
    }

    /// Reads the attributes back; the error names the one that is wrong.
    pub(crate) fn read(mut self) -> Result<Told, &'static str> {
        let tenant = owner_of_events(&self.pk).ok_or("pk is not that of events")?;
        let (id, target) = event_and_target(&self.sk).ok_or("sk is not that of an event")?;
        let id = EventId::try_from(id).map_err(|_| "sk has no event id")?;
        let r#type = EventType::parse(&self.r#type).ok_or("type is unknown")?;
        let target = target.map(|name| Target::parse(name).ok_or("sk has no target")).transpose()?;
        let subject = self.subject(id.time())?;
        let event = Event { tenant, id, r#type, subject };
        let Some(target) = target else { return Ok(Told::Event(event)) };
        let standing = self.standing()?;
        let woken_at =
            self.woken_at.as_deref().map(|text| Timestamp::parse(text).ok_or("woken_at is no time"));
        let woken_at = woken_at.transpose()?;
        let attempts = self.attempts.into_iter().map(AttemptItem::read).collect::<Option<_>>();
        Ok(Told::Delivery(Delivery {
            event,
            target,
            standing,
            turn: self.turn.ok_or("turn is missing")?,
            tries: self.tries.ok_or("tries is missing")?,
            rests: self.rests.unwrap_or(false),
            woken_at,
            attempts: attempts.ok_or("an attempt is unreadable")?,
        }))
    }
}
