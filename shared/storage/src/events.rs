//! The feed of an account's events: one partition, sorted by event id and therefore by time.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::event::{Event, Subject};
use recoup_domain::ids::{EventId, Tenant};
use recoup_ports::events::{
    EventWindow, Events, InFeed, NoteDeliveries, Noted, PrepareTries, Prepared, Receiver, RecordEvents,
    Recorded,
};
use recoup_ports::jobs::WebhookJob;
use recoup_ports::{BoxError, ReadError, WriteError};

use crate::credentials::read_secrets;
use crate::endpoints::read_endpoint;
use crate::event_item::{EventItem, Told};
use crate::expression::{number, text};
use crate::keys::{AFTER_ALL_EVENTS, Key, PK, SK, TURN, event_and_target, events_of};
use crate::table::{Item, Table, cause, key_text, read_refund, unavailable, unreadable};

/// Items read at once beyond those asked for: an event has one for each receiver.
const ITEMS_PER_EVENT: i32 = 2;

fn read_told(item: Item) -> Result<Told, ReadError> {
    let key = format!("{} {}", key_text(&item, PK), key_text(&item, SK));
    let item: EventItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
    item.read().map_err(|why| unreadable(&key, why))
}

/// One event out of its items; none if there are none.
fn read_event(items: Vec<Item>) -> Result<Option<Recorded>, ReadError> {
    let mut gathered: Option<Recorded> = None;
    for item in items {
        let (event, delivery) = match read_told(item)? {
            Told::Event(event) => (event, None),
            Told::Delivery(delivery) => (delivery.event.clone(), Some(delivery)),
        };
        let recorded = gathered.get_or_insert_with(|| Recorded { event, deliveries: Vec::new() });
        recorded.deliveries.extend(delivery);
    }
    if let Some(recorded) = &mut gathered {
        recorded.deliveries.sort_by(|one, other| one.target.cmp(&other.target));
    }
    Ok(gathered)
}

/// The events whose items these are, in the order in which they come: one by one, so that none harms another.
fn gather(items: Vec<Item>) -> Result<Vec<InFeed>, ReadError> {
    let mut events: Vec<(EventId, Vec<Item>)> = Vec::new();
    for item in items {
        let sk = key_text(&item, SK);
        let id = event_and_target(sk).and_then(|(id, _)| EventId::try_from(id).ok());
        let Some(id) = id else {
            // Nobody can name it: it is in the log alone.
            drop(unreadable(&format!("{} {sk}", key_text(&item, PK)), "sk has no event id"));
            continue;
        };
        match events.last_mut().filter(|(last, _)| *last == id) {
            Some((_, items)) => items.push(item),
            None => events.push((id, vec![item])),
        }
    }
    let mut gathered = Vec::with_capacity(events.len());
    for (id, items) in events {
        match read_event(items) {
            Ok(recorded) => gathered.extend(recorded.map(InFeed::Recorded)),
            Err(ReadError::Unreadable { .. }) => gathered.push(InFeed::Unreadable(id)),
            Err(error @ ReadError::Unavailable(_)) => return Err(error),
        }
    }
    Ok(gathered)
}

/// How many events these items are of; they come event by event.
fn count(items: &[Item]) -> usize {
    let ids = items.iter().map(|item| event_and_target(key_text(item, SK)).map(|(id, _)| id));
    let mut ids: Vec<_> = ids.collect();
    ids.dedup();
    ids.len()
}

impl Table {
    /// The items of a range of the feed, newest first.
    fn feed(&self, tenant: &Tenant, from: &str, upper: &str) -> QueryFluentBuilder {
        let values = [(":feed", events_of(tenant)), (":from", from.to_owned()), (":upper", upper.to_owned())];
        let values = values.map(|(name, value)| (name.to_owned(), text(value)));
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression(format!("{PK} = :feed AND {SK} BETWEEN :from AND :upper"))
            .set_expression_attribute_values(Some(HashMap::from(values)))
            .scan_index_forward(false)
    }
}

impl Events for Table {
    async fn event(&self, tenant: &Tenant, id: &EventId) -> Result<Option<Recorded>, ReadError> {
        let from = id.as_str();
        let query = self.feed(tenant, from, &format!("{from}{AFTER_ALL_EVENTS}"));
        let mut items = Vec::new();
        let mut start = None;
        // One page, unless the metadata are large and the receivers many.
        loop {
            let page = query.clone().set_exclusive_start_key(start).send().await.map_err(unavailable)?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return read_event(items);
            }
        }
    }

    async fn recorded_events(
        &self,
        tenant: &Tenant,
        window: &EventWindow,
        limit: u16,
    ) -> Result<Vec<InFeed>, ReadError> {
        let before = window.before.as_ref().map(EventId::as_str);
        let query = self.feed(tenant, window.from.as_str(), before.unwrap_or(AFTER_ALL_EVENTS));
        let query = query.limit(i32::from(limit).saturating_add(1).saturating_mul(ITEMS_PER_EVENT));
        let mut items: Vec<Item> = Vec::new();
        let mut start = None;
        // One event more than asked for: only then is the last one certainly whole.
        while count(&items) <= usize::from(limit) {
            let page = query.clone().set_exclusive_start_key(start).send().await.map_err(unavailable)?;
            let found = page.items.unwrap_or_default().into_iter();
            items.extend(found.filter(|item| Some(key_text(item, SK)) != before));
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let mut recorded = gather(items)?;
        recorded.truncate(usize::from(limit));
        Ok(recorded)
    }
}

fn failed(error: impl Into<BoxError>) -> WriteError {
    WriteError::Unavailable(error.into())
}

impl RecordEvents for Table {
    async fn record_event(&self, event: &Event) -> Result<(), WriteError> {
        let item = serde_dynamo::to_item(EventItem::from(event)).map_err(failed)?;
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map(|_| ()).map_err(|error| failed(cause(error)))
    }
}

impl NoteDeliveries for Table {
    async fn note_delivery(&self, from: Option<&Delivery>, to: &Delivery) -> Result<Noted, WriteError> {
        let item = serde_dynamo::to_item(EventItem::from(to)).map_err(failed)?;
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match from {
            None => put.condition_expression(format!("attribute_not_exists({PK})")),
            Some(from) => put
                .condition_expression(format!("{TURN} = :seen"))
                .expression_attribute_values(":seen", number(from.turn)),
        };
        let Err(error) = put.send().await else { return Ok(Noted::Yes) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                let stored = refused.item.clone().ok_or_else(|| failed("the delivery is gone"))?;
                match read_told(stored).map_err(failed)? {
                    Told::Delivery(stored) if stored == *to => Ok(Noted::Yes),
                    Told::Delivery(stored) => Ok(Noted::Overtaken(Box::new(stored))),
                    Told::Event(_) => Err(failed("the delivery's item is no delivery")),
                }
            }
            _ => Err(failed(cause(error))),
        }
    }
}

impl PrepareTries for Table {
    async fn prepare(&self, job: &WebhookJob) -> Result<Prepared, ReadError> {
        let tenant = &job.event.tenant;
        let delivery = Key::delivery(tenant, &job.event.id, &job.target);
        let receiver = match &job.target {
            Target::Endpoint(id) => Key::endpoint(tenant, id),
            Target::RefundUrl => Key::account(tenant),
        };
        let refund = match &job.event.subject {
            Subject::Refund { id, .. } => Some(Key::refund(tenant, id)),
            Subject::Endpoint { .. } => None,
        };
        let keys: Vec<Key> =
            [Some(delivery.clone()), Some(receiver.clone()), refund.clone()].into_iter().flatten().collect();
        let mut found = self.items(&keys).await?;
        let mut take = |key: &Key| {
            let position = found.iter().position(|item| key.is_of(item))?;
            Some(found.swap_remove(position))
        };
        let delivery = match take(&delivery).map(read_told).transpose()? {
            Some(Told::Delivery(delivery)) => Some(delivery),
            Some(Told::Event(_)) | None => None,
        };
        let refund = refund.and_then(|key| take(&key)).map(read_refund).transpose()?;
        let receiver = match (take(&receiver), &job.target) {
            (Some(item), Target::Endpoint(_)) => Receiver::Endpoint(Box::new(read_endpoint(item)?)),
            (Some(item), Target::RefundUrl) => {
                let url = refund.as_ref().and_then(|refund| refund.notes.webhook_url.clone());
                let secrets = read_secrets(item)?;
                url.map_or(Receiver::Missing, |url| Receiver::RefundUrl(url, secrets))
            }
            (None, _) => Receiver::Missing,
        };
        Ok(Prepared { refund, receiver, delivery })
    }
}
