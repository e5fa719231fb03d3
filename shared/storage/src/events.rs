//! An account's events: one partition, sorted by event id and therefore by time.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::{EndpointId, EventId, Tenant};
use recoup_ports::events::{
    DeliveryRecorded, EventWindow, Events, InFeed, PrepareAttempts, Prepared, Receiver, RecordDeliveries,
    RecordEvents, Recorded,
};
use recoup_ports::jobs::WebhookJob;
use recoup_ports::{BoxError, ReadError, WriteError};

use crate::credentials::read_secrets;
use crate::endpoints::read_endpoint;
use crate::event_item::TYPE;
use crate::expression::{number, text};
use crate::keys::{AFTER_ALL_EVENTS, Key, PK, SK, TURN, event_and_target, events_of};
use crate::table::{Item, Table, cause, key_text, read_refund, unavailable, unreadable};
use crate::{delivery_item, event_item};

/// Items to read for each event: its own, and one for each delivery.
const ITEMS_PER_EVENT: i32 = 2;

fn key_of(item: &Item) -> String {
    format!("{} {}", key_text(item, PK), key_text(item, SK))
}

fn read_event(item: Item) -> Result<(Event, Vec<Target>), ReadError> {
    let key = key_of(&item);
    event_item::from_item(item).map_err(|why| unreadable(&key, why))
}

fn read_delivery(item: Item) -> Result<Delivery, ReadError> {
    let key = key_of(&item);
    delivery_item::from_item(item).map_err(|why| unreadable(&key, why))
}

fn is_delivery(item: &Item) -> bool {
    event_and_target(key_text(item, SK)).is_some_and(|(_, target)| target.is_some())
}

/// One event, from its own item and those of its deliveries; `None` without items.
fn read_recorded(items: Vec<Item>) -> Result<Option<Recorded>, ReadError> {
    let (deliveries, mut events): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_delivery);
    // Version 0.1 stored the event in each of its deliveries, and nowhere else.
    let with_event = deliveries.iter().filter(|item| item.contains_key(TYPE));
    events.extend(with_event.cloned());
    let Some(key) = events.iter().chain(&deliveries).map(key_of).next() else { return Ok(None) };
    let mut recorded: Option<Recorded> = None;
    for item in events {
        let (event, receivers) = read_event(item)?;
        let recorded =
            recorded.get_or_insert_with(|| Recorded { event, receivers: Vec::new(), deliveries: Vec::new() });
        recorded.receivers.extend(receivers);
    }
    let mut recorded = recorded.ok_or_else(|| unreadable(&key, "a delivery has no event"))?;
    for item in deliveries {
        recorded.deliveries.push(read_delivery(item)?);
    }
    recorded.deliveries.sort_by(|one, other| one.target.cmp(&other.target));
    recorded.receivers.extend(recorded.deliveries.iter().map(|delivery| delivery.target.clone()));
    recorded.receivers.sort();
    recorded.receivers.dedup();
    Ok(Some(recorded))
}

/// The events that these items make, in their order. Each is read alone, so that an unreadable one harms no other.
fn gather(items: Vec<Item>) -> Result<Vec<InFeed>, ReadError> {
    let mut events: Vec<(EventId, Vec<Item>)> = Vec::new();
    for item in items {
        let sk = key_text(&item, SK);
        let id = event_and_target(sk).and_then(|(id, _)| EventId::try_from(id).ok());
        let Some(id) = id else {
            // Without an id the answer cannot name it, so only the log does.
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
        match read_recorded(items) {
            Ok(recorded) => gathered.extend(recorded.map(Box::new).map(InFeed::Recorded)),
            Err(ReadError::Unreadable { .. }) => gathered.push(InFeed::Unreadable(id)),
            Err(error @ ReadError::Unavailable(_)) => return Err(error),
        }
    }
    Ok(gathered)
}

/// How many events these items make; the items of one event are adjacent.
fn count(items: &[Item]) -> usize {
    let ids = items.iter().map(|item| event_and_target(key_text(item, SK)).map(|(id, _)| id));
    let mut ids: Vec<_> = ids.collect();
    ids.dedup();
    ids.len()
}

impl Table {
    /// The query for a range of an account's events, newest first.
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
        // One page, unless the metadata are large or there are many receivers.
        loop {
            let page = query.clone().set_exclusive_start_key(start).send().await.map_err(unavailable)?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return read_recorded(items);
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
        // One event beyond the limit: only then is the last one certainly complete.
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
    async fn record_event(&self, event: &Event, receivers: &[Target]) -> Result<Vec<Target>, WriteError> {
        let item = event_item::to_item(event, receivers).map_err(failed)?;
        match self.put_if(item, |put| put.condition_expression(format!("attribute_not_exists({PK})"))).await?
        {
            None => Ok(receivers.to_vec()),
            Some(stored) => {
                let key = key_of(&stored);
                event_item::receivers(stored).map_err(|why| unreadable(&key, why).into())
            }
        }
    }
}

impl RecordDeliveries for Table {
    async fn record_delivery(
        &self,
        from: Option<&Delivery>,
        to: &Delivery,
    ) -> Result<DeliveryRecorded, WriteError> {
        let item = delivery_item::to_item(to).map_err(failed)?;
        let seen = from.map(|from| number(from.turn));
        let condition = match from {
            None => format!("attribute_not_exists({PK})"),
            Some(_) => format!("{TURN} = :seen AND attribute_not_exists(#type)"),
        };
        let refused = self.put_if(item.clone(), |put| {
            let names = seen.as_ref().map(|_| ("#type".to_owned(), TYPE.to_owned()));
            put.condition_expression(condition)
                .set_expression_attribute_names(names.map(|name| [name].into()))
                .set_expression_attribute_values(seen.clone().map(|seen| [(":seen".to_owned(), seen)].into()))
        });
        let Some(mut stored) = refused.await? else { return Ok(DeliveryRecorded::Yes) };
        if let Some(from) = from.filter(|_| stored.contains_key(TYPE)) {
            // Version 0.1 stored the event in its delivery: the event gets its own item before that is overwritten.
            let (event, receivers) = read_event(stored.clone())?;
            self.record_event(&event, &receivers).await?;
            let refused = self.put_if(item, |put| {
                put.condition_expression(format!("{TURN} = :seen"))
                    .expression_attribute_values(":seen", number(from.turn))
            });
            let Some(again) = refused.await? else { return Ok(DeliveryRecorded::Yes) };
            stored = again;
        }
        let stored = read_delivery(stored)?;
        Ok(if stored == *to { DeliveryRecorded::Yes } else { DeliveryRecorded::Overtaken(Box::new(stored)) })
    }
}

impl Table {
    /// Puts an item under a condition, and returns the stored item if the condition does not hold.
    async fn put_if(
        &self,
        item: Item,
        condition: impl FnOnce(PutItemFluentBuilder) -> PutItemFluentBuilder,
    ) -> Result<Option<Item>, WriteError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = condition(put).send().await else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Some(refused.item.clone().ok_or_else(|| failed("the item is gone"))?))
            }
            _ => Err(failed(cause(&error))),
        }
    }
}

impl PrepareAttempts for Table {
    async fn prepare(&self, job: &WebhookJob) -> Result<Prepared, ReadError> {
        let tenant = &job.tenant;
        let event = Key::event(tenant, &job.event);
        let delivery = Key::delivery(tenant, &job.event, &job.target);
        let receiver = match &job.target {
            Target::Endpoint(id) => Key::endpoint(tenant, id),
            Target::RefundUrl => Key::account(tenant),
        };
        let refund = job.refund.as_ref().map(|id| Key::refund(tenant, id));
        let mut keys = vec![event.clone(), delivery.clone(), receiver.clone()];
        keys.extend(refund.clone());
        let mut found = self.items(&keys).await?;
        let mut take = |key: &Key| {
            let position = found.iter().position(|item| key.is_of(item))?;
            Some(found.swap_remove(position))
        };
        let refund = refund.and_then(|key| take(&key)).map(read_refund).transpose()?;
        let receiver = take(&receiver);
        let delivery = take(&delivery);
        // Version 0.1 stored the event in each of its deliveries, and nowhere else.
        let event = take(&event).or_else(|| delivery.clone().filter(|item| item.contains_key(TYPE)));
        let event = event.map(read_event).transpose()?.map(|(event, _)| event);
        // A job of version 0.1 does not name its refund.
        let unnamed = event.as_ref().and_then(Event::refund).filter(|_| job.refund.is_none());
        let refund = match unnamed {
            // In a batch of one, because the role of `dispatch-webhook` allows no other read.
            Some(id) => {
                let found = self.items(&[Key::refund(tenant, id)]).await?;
                found.into_iter().next().map(read_refund).transpose()?
            }
            None => refund,
        };
        let receiver = match (receiver, &job.target) {
            (Some(item), Target::Endpoint(_)) => Receiver::Endpoint(Box::new(read_endpoint(item)?)),
            (Some(item), Target::RefundUrl) => {
                let url = refund.as_ref().and_then(|refund| refund.notes.webhook_url.clone());
                let secrets = read_secrets(item)?;
                url.map_or(Receiver::Missing, |url| Receiver::RefundUrl(url, secrets))
            }
            (None, _) => Receiver::Missing,
        };
        let delivery = delivery.map(read_delivery).transpose()?;
        Ok(Prepared { event, refund, receiver, delivery })
    }

    async fn receiver_of_sample(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
    ) -> Result<Option<Endpoint>, ReadError> {
        // In a batch of one, as above.
        let found = self.items(&[Key::endpoint(tenant, id)]).await?;
        found.into_iter().next().map(read_endpoint).transpose()
    }
}
