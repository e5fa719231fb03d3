//! An event as stored: what happened, and the receivers chosen when it happened.

use std::time::Duration;

use recoup_domain::by::By;
use recoup_domain::delivery::Target;
use recoup_domain::endpoint::DisabledReason;
use recoup_domain::event::{Event, EventType, Subject};
use recoup_domain::ids::{EndpointId, EventId, RefundId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::by_item::ByItem;
use crate::expression::text;
use crate::keys::{Key, event_and_target, owner_of_events};
use crate::table::Item;
use crate::version_item::{UPDATED_AT, from_attributes, take_attributes, to_attributes};

pub(crate) const TYPE: &str = "type";
pub(crate) const REFUND_ID: &str = "refund_id";

/// How long an item is kept beyond the days for which its event is shown: long enough for a last redelivery's attempts.
const KEPT_FOR_TRIES: Duration = Duration::from_hours(14 * 24);

/// An event's attributes besides those of the refund's version. The event's id and tenant are in the key, its time
/// is in the id.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct EventItem {
    pk: String,
    sk: String,
    r#type: EventType,
    refund_id: Option<RefundId>,
    endpoint_id: Option<EndpointId>,
    disabled_reason: Option<DisabledReason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    receivers: Vec<Target>,
    by: Option<ByItem>,
    expires_at: u64,
}

/// An event's receivers, which can be read whatever else the item holds.
#[derive(Deserialize)]
struct Receivers {
    #[serde(default)]
    receivers: Vec<Target>,
}

/// A time in whole seconds since 1970, as `expires_at` has it.
pub(crate) fn seconds(at: Timestamp) -> u64 {
    at.unix_millis().div_ceil(1_000)
}

/// When an event is no longer shown.
pub(crate) fn shown_until(event: &EventId) -> Timestamp {
    event.time().plus(Duration::from_hours(Event::DAYS_KEPT.saturating_mul(24)))
}

/// The item of an event.
pub(crate) fn to_item(event: &Event, receivers: &[Target]) -> Result<Item, BoxError> {
    let key = Key::event(&event.tenant, &event.id);
    let mut item = EventItem {
        pk: key.pk,
        sk: key.sk,
        r#type: event.r#type,
        refund_id: None,
        endpoint_id: None,
        disabled_reason: None,
        receivers: receivers.to_vec(),
        by: event.by.clone().map(ByItem::from),
        expires_at: seconds(shown_until(&event.id).plus(KEPT_FOR_TRIES)),
    };
    let mut version = Item::new();
    match &event.subject {
        Subject::Refund { id, version: of_event } => {
            item.refund_id = Some(id.clone());
            version = to_attributes(of_event)?;
        }
        Subject::Endpoint { id, reason, disabled_at: _ } => {
            item.endpoint_id = Some(id.clone());
            item.disabled_reason = Some(*reason);
        }
    }
    let mut item: Item = serde_dynamo::to_item(item)?;
    item.extend(version);
    Ok(item)
}

/// The receivers that an item names.
pub(crate) fn receivers(item: Item) -> Result<Vec<Target>, String> {
    let item: Receivers = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
    Ok(item.receivers)
}

/// An event's tenant and id, and the receiver if the item is a delivery.
pub(crate) fn named(pk: &str, sk: &str) -> Result<(Tenant, EventId, Option<Target>), &'static str> {
    let tenant = owner_of_events(pk).ok_or("pk is not that of events")?;
    let (id, target) = event_and_target(sk).ok_or("sk is not that of an event")?;
    let id = EventId::try_from(id).map_err(|_| "sk has no event id")?;
    let target = target.map(|name| Target::parse(name).ok_or("sk has no target")).transpose()?;
    Ok((tenant, id, target))
}

/// Reads an event and its receivers; the error says what is wrong. Version 0.1 stored the event in the item of each
/// of its deliveries.
pub(crate) fn from_item(mut item: Item) -> Result<(Event, Vec<Target>), String> {
    let mut version = take_attributes(&mut item);
    let head: EventItem = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
    let (tenant, id, target) = named(&head.pk, &head.sk)?;
    let subject = match (head.refund_id, head.endpoint_id) {
        (Some(refund), None) => {
            version.entry(UPDATED_AT.to_owned()).or_insert_with(|| text(id.time().rfc3339()));
            Subject::Refund { id: refund, version: from_attributes(version)? }
        }
        (None, Some(endpoint)) => {
            let reason = head.disabled_reason.ok_or("disabled_reason is missing")?;
            Subject::Endpoint { id: endpoint, reason, disabled_at: id.time() }
        }
        _ => return Err("it is about neither a refund nor an endpoint".to_owned()),
    };
    let receivers = target.map_or(head.receivers, |target| vec![target]);
    Ok((Event { tenant, id, r#type: head.r#type, subject, by: head.by.map(By::from) }, receivers))
}
