//! The feed of events and their deliveries.

use std::time::Duration;

use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, GivenUp, Standing, Target};
use recoup_domain::endpoint::DisabledReason;
use recoup_domain::event::Event;
use recoup_domain::ids::{Environment, EventId};
use recoup_domain::refund::{Outcome, Version};
use recoup_domain::time::Timestamp;
use recoup_ports::endpoints::KeepEndpoints;
use recoup_ports::events::{
    DeliveryRecorded, EventWindow, Events, InFeed, PrepareAttempts, Receiver, RecordDeliveries, RecordEvents,
    Recorded,
};
use recoup_ports::images::{Images, Shown};
use recoup_ports::jobs::WebhookJob;
use recoup_ports::payments::Register;
use recoup_ports::refunds::Reserve;
use recoup_storage::{Table, TableImages};
use recoup_testing::fixtures::{self, later, tenant, tenant_of};
use recoup_testing::{Fault, TestTable, item_bytes};

use crate::bench::assert_operations;
use crate::endpoints::with_account;

/// The events of a refund that goes through every state.
fn life() -> Vec<Event> {
    let made = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
    let pending = fixtures::stepped(&made, Outcome::Pending);
    let succeeded = fixtures::stepped(&pending, fixtures::succeeded());
    let failed = fixtures::stepped(&succeeded, fixtures::failed());
    let all = [made, pending, succeeded, failed];
    let before = std::iter::once(None).chain(all.iter().map(Some));
    all.iter().zip(before).map(|(refund, before)| Event::of_change(before, refund)).collect()
}

fn disabled() -> Event {
    let endpoint = fixtures::endpoint(3);
    Event::of_disabled(&tenant(), &endpoint.id, DisabledReason::Failing, later(9_999))
}

fn target(number: u8) -> Target {
    Target::Endpoint(fixtures::endpoint(number).id)
}

fn attempt(at: Timestamp, status: u16) -> Attempt {
    let head = "thank you".to_owned();
    Attempt { at, took: Duration::from_millis(7), outcome: AttemptOutcome::Status { status, head } }
}

fn first(event: &Event, number: u8) -> Delivery {
    Delivery::first(event, target(number), fixtures::now())
}

fn everything() -> EventWindow {
    EventWindow { from: EventId::earliest_at(Timestamp::from_unix_millis(0).unwrap()), before: None }
}

async fn noted(store: &Table, from: Option<&Delivery>, to: &Delivery) {
    assert_eq!(store.record_delivery(from, to).await.unwrap(), DeliveryRecorded::Yes);
}

#[tokio::test]
async fn every_delivery_is_read_back_as_it_was_written_and_so_is_its_image() {
    let table = TestTable::new();
    let store = table.store();
    for (number, event) in life().into_iter().chain([disabled()]).enumerate() {
        let scheduled = first(&event, 1).after(attempt(later(1), 500), None, 1_000);
        let timed_out = Attempt {
            outcome: AttemptOutcome::Nothing("no answer within the time allowed".to_owned()),
            ..attempt(later(2), 0)
        };
        let resting = (0..2).fold(first(&event, 2), |one, _| one.after(attempt(later(1), 500), None, 1_000));
        let resting = resting.after(timed_out, None, 1_000);
        let delivered = first(&event, 3).after(attempt(later(1), 204), None, 1_000);
        let given_up = first(&event, 4).given_up(GivenUp::EndpointDeleted);
        let own = Delivery { target: Target::RefundUrl, ..delivered.clone() };
        let mut deliveries = vec![scheduled, resting, delivered, given_up, own];
        assert!(deliveries[1].rests);
        for delivery in &deliveries {
            noted(&store, None, delivery).await;
            let image =
                table.stream_event()["Records"].as_array().unwrap().last().unwrap()["dynamodb"].clone();
            let shown = TableImages.shown(image["NewImage"].as_object().unwrap()).unwrap();
            assert_eq!(shown, Shown::Delivery(Box::new(delivery.clone())));
        }
        deliveries.sort_by(|one, other| one.target.cmp(&other.target));
        // One more was chosen, of whom no try is known.
        assert_eq!(store.record_event(&event, &[target(9)]).await.unwrap(), [target(9)]);
        let recorded = store.event(&tenant(), &event.id).await.unwrap().unwrap();
        assert_eq!((&recorded.event, &recorded.deliveries), (&event, &deliveries), "{number}");
        assert_eq!(recorded.receivers.len(), 6, "{number}");
        assert_eq!(recorded.untried().collect::<Vec<_>>(), [&target(9)], "{number}");
    }
}

#[tokio::test]
async fn an_event_is_recorded_once_with_the_receivers_that_were_chosen_first() {
    let table = TestTable::new();
    let store = table.store();
    for event in life().into_iter().chain([disabled()]) {
        let chosen = vec![target(1), Target::RefundUrl];
        assert_eq!(store.record_event(&event, &chosen).await.unwrap(), chosen);
        assert_eq!(store.record_event(&event, &[target(2)]).await.unwrap(), chosen);
        let recorded = store.event(&tenant(), &event.id).await.unwrap();
        let expected = Recorded { event: event.clone(), receivers: chosen, deliveries: Vec::new() };
        assert_eq!(recorded, Some(expected));
        for other in [tenant_of(Environment::Live, 1), tenant_of(Environment::Sandbox, 2)] {
            assert_eq!(store.event(&other, &event.id).await.unwrap(), None);
        }
        // Redelivered to somebody later.
        noted(&store, None, &first(&event, 1)).await;
        assert_eq!(store.event(&tenant(), &event.id).await.unwrap().unwrap().deliveries.len(), 1);
    }
    assert!(table.items().await.iter().all(|item| item.contains_key("expires_at")));
}

#[tokio::test]
async fn the_feed_is_read_newest_first_page_by_page_and_each_event_is_whole() {
    let store = TestTable::new();
    let (_keep, store) = (&store, store.store());
    let made = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
    let mut events = Vec::new();
    for number in 0..30_u64 {
        // Some at the same millisecond.
        let (sequence, updated_at) = (u32::try_from(number).unwrap(), later(number / 3));
        let version = Version { sequence, updated_at, ..made.version.clone() };
        let event = Event::of_change(None, &made.at(&version));
        for receiver in 0..u8::try_from(number % 5).unwrap() {
            noted(&store, None, &first(&event, receiver)).await;
        }
        store.record_event(&event, &[]).await.unwrap();
        events.push((event.id, usize::try_from(number % 5).unwrap()));
    }
    events.sort();
    events.reverse();
    for limit in [1, 2, 7, 29, 30, 100] {
        let mut window = everything();
        let mut found = Vec::new();
        loop {
            let page = store.recorded_events(&tenant(), &window, limit).await.unwrap();
            assert!(page.len() <= usize::from(limit));
            let Some(last) = page.last() else { break };
            window.before = Some(last.id().clone());
            found.extend(page.into_iter().map(|one| match one {
                InFeed::Recorded(one) => (one.event.id, one.deliveries.len()),
                InFeed::Unreadable(id) => panic!("{id} can be read"),
            }));
        }
        assert_eq!(found, events, "{limit}");
    }
    let from = EventWindow { from: EventId::earliest_at(later(5)), before: None };
    assert_eq!(store.recorded_events(&tenant(), &from, 100).await.unwrap().len(), 15);
}

#[tokio::test(start_paused = true)]
async fn an_overtaken_write_says_what_stands_there_unlike_a_lost_answer() {
    let table = TestTable::new();
    let store = table.store();
    let start = first(&life()[2], 1);
    let failed = start.after(attempt(later(1), 500), None, 1_000);
    table.fail("PutItem", 1, Fault::LoseAnswer);
    noted(&store, None, &failed).await;
    let late = start.after(attempt(later(2), 503), None, 1_000);
    assert_eq!(
        store.record_delivery(None, &late).await.unwrap(),
        DeliveryRecorded::Overtaken(Box::new(failed.clone()))
    );
    let delivered = failed.after(attempt(later(3), 200), None, 1_000);
    noted(&store, Some(&failed), &delivered).await;
    let late = failed.after(attempt(later(4), 500), None, 1_000);
    let overtaken = store.record_delivery(Some(&failed), &late).await.unwrap();
    assert_eq!(overtaken, DeliveryRecorded::Overtaken(Box::new(delivered)));
    table.fail_always("PutItem", Fault::throttled());
    assert!(store.record_delivery(None, &first(&life()[1], 1)).await.is_err());
}

#[tokio::test]
async fn a_delivery_that_succeeds_at_once_is_one_write_of_one_unit() {
    let table = TestTable::new();
    let store = table.store();
    for event in life() {
        let delivered = first(&event, 1).after(attempt(later(1), 200), None, 1_000);
        table.take_calls();
        noted(&store, None, &delivered).await;
        let calls = table.take_calls();
        assert_operations(&calls, &["PutItem"]);
        assert_eq!((calls.write_units(), calls.index_units()), (1.0, 0.0), "{calls}");
    }
    for item in table.items().await {
        assert!(item_bytes(&item) < 1024, "{} B", item_bytes(&item));
    }
}

#[tokio::test]
async fn a_try_reads_all_it_needs_in_one_call() {
    let (table, store) = with_account().await;
    store.create_endpoint(&fixtures::endpoint(1)).await.unwrap();
    store.register(&fixtures::getpaid_payment()).await.unwrap();
    let made = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key");
    store.reserve(&made).await.unwrap();
    let refund = made.refund;
    let event = fixtures::beginning(&refund);
    table.take_calls();
    let job = |target| WebhookJob::first(&event, target);
    assert!(store.prepare(&job(target(1))).await.unwrap().event.is_none());
    store.record_event(&event, &[target(1)]).await.unwrap();
    table.take_calls();

    let prepared = store.prepare(&job(target(1))).await.unwrap();
    let calls = table.take_calls();
    assert_operations(&calls, &["BatchGetItem"]);
    assert!(calls.read_units() > 0.0 && calls.read_units() <= 4.0, "{calls}");
    assert_eq!(prepared.event.as_ref(), Some(&event));
    assert_eq!(prepared.refund.as_ref(), Some(&refund));
    assert!(
        matches!(&prepared.receiver, Receiver::Endpoint(endpoint) if **endpoint == fixtures::endpoint(1))
    );
    assert_eq!(prepared.delivery, None);

    let delivery = first(&event, 1).after(attempt(later(1), 500), None, 1_000);
    noted(&store, None, &delivery).await;
    assert_eq!(store.prepare(&job(target(1))).await.unwrap().delivery, Some(delivery));

    let own = store.prepare(&job(Target::RefundUrl)).await.unwrap().receiver;
    let Receiver::RefundUrl(url, secrets) = own else { panic!("{own:?}") };
    assert_eq!(Some(url), refund.notes.webhook_url);
    assert_eq!(secrets.current, fixtures::plain_secret(100));

    let missing = store.prepare(&job(target(2))).await.unwrap();
    assert!(matches!(missing.receiver, Receiver::Missing));
    // A job of version 0.1 does not name its refund; the role of `dispatch-webhook` reads in batches alone.
    table.take_calls();
    let unnamed = WebhookJob { refund: None, ..job(Target::RefundUrl) };
    let unnamed = store.prepare(&unnamed).await.unwrap();
    assert_operations(&table.take_calls(), &["BatchGetItem"; 2]);
    assert_eq!(unnamed.refund.as_ref(), Some(&refund));
    assert!(matches!(unnamed.receiver, Receiver::RefundUrl(..)));

    let about = WebhookJob::first(&disabled(), target(1));
    let about = store.prepare(&about).await.unwrap();
    assert!(about.refund.is_none() && matches!(about.receiver, Receiver::Endpoint(_)));
}

#[tokio::test]
async fn what_waits_outlives_the_30_days() {
    let table = TestTable::new();
    let store = table.store();
    let event = life()[2].clone();
    let seconds = |at: Timestamp| at.unix_millis() / 1_000;
    let day = 24 * 3_600;
    let expires = async || -> u64 {
        let items = table.items().await;
        items[0]["expires_at"].as_n().unwrap().parse().unwrap()
    };
    let kept_until = seconds(event.at()) + 30 * day;
    let delivered = first(&event, 1).after(attempt(later(1), 200), None, 1_000);
    noted(&store, None, &delivered).await;
    assert_eq!(expires().await, kept_until);
    let again = delivered.again(later(29 * day * 1_000));
    noted(&store, Some(&delivered), &again).await;
    assert_eq!(expires().await, seconds(later(29 * day * 1_000)) + 4 * day);
    assert!(matches!(again.standing, Standing::Scheduled(_)));
    // The event is there for every try of a redelivery on the last of its days.
    let ten_tries = (0..10).fold(again, |delivery, _| delivery.after(attempt(later(1), 500), None, 1_100));
    assert!(matches!(ten_tries.standing, Standing::DeadLettered(GivenUp::Exhausted)));
    let table = TestTable::new();
    table.store().record_event(&event, &[]).await.unwrap();
    let expires: u64 = table.items().await[0]["expires_at"].as_n().unwrap().parse().unwrap();
    assert_eq!(expires, seconds(event.at()) + 44 * day);
}

/// Version 0.1 told an event in each of its deliveries, and had no item of the event itself.
#[tokio::test]
async fn an_event_that_version_0_1_kept_in_its_deliveries_outlives_their_writes() {
    let table = TestTable::new();
    let store = table.store();
    let event = life()[3].clone();
    let waits = first(&event, 1).after(attempt(later(1), 500), None, 1_000);
    let delivered = first(&event, 2).after(attempt(later(1), 200), None, 1_000);
    store.record_event(&event, &[]).await.unwrap();
    let told = table.items().await.pop().unwrap();
    for delivery in [&waits, &delivered] {
        noted(&store, None, delivery).await;
    }
    let plain = table.plain();
    for mut item in table.items().await {
        let key = [("pk".to_owned(), item["pk"].clone()), ("sk".to_owned(), item["sk"].clone())];
        plain.delete_item().table_name(table.name()).set_key(Some(key.into())).send().await.unwrap();
        if item["sk"] == told["sk"] {
            continue;
        }
        let facts =
            told.iter().filter(|(name, _)| !["sk", "receivers", "updated_at"].contains(&name.as_str()));
        item.extend(facts.map(|(name, value)| (name.clone(), value.clone())));
        plain.put_item().table_name(table.name()).set_item(Some(item)).send().await.unwrap();
    }
    let expected = Recorded {
        event: event.clone(),
        receivers: vec![target(1), target(2)],
        deliveries: vec![waits.clone(), delivered.clone()],
    };
    assert_eq!(store.event(&tenant(), &event.id).await.unwrap(), Some(expected.clone()));
    let listed = store.recorded_events(&tenant(), &everything(), 10).await.unwrap();
    assert_eq!(listed, [InFeed::Recorded(Box::new(expected))]);
    let prepared = store.prepare(&WebhookJob::of(waits.clone())).await.unwrap();
    assert_eq!((prepared.event.as_ref(), prepared.delivery.as_ref()), (Some(&event), Some(&waits)));

    // The next try writes the delivery anew: the event has an item of its own by then.
    let tried = waits.after(attempt(later(9), 204), None, 1_000);
    noted(&store, Some(&waits), &tried).await;
    noted(&store, Some(&delivered), &delivered.again(later(10))).await;
    let recorded = store.event(&tenant(), &event.id).await.unwrap().unwrap();
    assert_eq!((&recorded.event, recorded.deliveries.len(), &recorded.deliveries[0]), (&event, 2, &tried));
    assert_eq!(recorded.receivers, [target(1), target(2)]);
}
