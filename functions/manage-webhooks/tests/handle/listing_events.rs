//! The list of events: two sources, merged in order, and walked under every page size.

use recoup_domain::event::Event;
use recoup_domain::ids::{EndpointId, EventId};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::{World, data, target, tried};

/// Walks a list to its end; the ids in the order in which they came, and how many pages there were.
async fn walked(world: &World, query: &str, limit: usize) -> (Vec<String>, usize) {
    let (mut seen, mut pages, mut cursor) = (Vec::new(), 0_usize, String::new());
    loop {
        let page = world.get(&format!("/v1/events?limit={limit}{query}{cursor}")).await;
        pages = pages.saturating_add(1);
        assert!(data(&page).len() <= limit);
        seen.extend(data(&page).iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next_cursor"].as_str() else { return (seen, pages) };
        cursor = format!("&cursor={next}");
        assert!(pages < 200, "the walk ends");
    }
}

fn newest_first(events: &[Event]) -> Vec<String> {
    let mut ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
    ids.sort_by(|one, other| other.cmp(one));
    ids
}

/// Refunds many of which were made in the same millisecond; of some beginnings somebody was told, some succeeded.
async fn mixed(world: &World) -> Vec<Event> {
    let endpoint = target(EndpointId::from_bits(1).as_str());
    let mut events = Vec::new();
    for (number, millis) in [3, 3, 3, 3, 3, 1, 1, 2, 9, 9, 5, 3].into_iter().enumerate() {
        let refund = world.refund(&format!("key-{number}"), millis, None).await;
        let beginning = fixtures::beginning(&refund);
        if number % 3 == 0 {
            world.note(&beginning, &tried(&beginning, &endpoint, 100, 204)).await;
        }
        if number % 2 == 0 {
            let ended = world.stepped(&refund, fixtures::succeeded(), 3).await;
            let change = Event::of_change(Some(&refund), &ended);
            world.record(&change).await;
            events.push(change);
        }
        events.push(beginning);
    }
    events
}

#[tokio::test]
async fn a_walk_yields_each_event_once_newest_first_under_every_page_size() {
    let world = World::new().await;
    let events = mixed(&world).await;
    let expected = newest_first(&events);
    for limit in [1, 2, 3, 4, 5, 7, 17, 18, 19, 100] {
        let (seen, pages) = walked(&world, "", limit).await;
        assert_eq!(seen, expected, "by {limit}");
        // A page goes no further than both sources were read, so it may be short; but not for long.
        assert!(pages <= 2 * expected.len().div_ceil(limit) + 1, "{pages} pages by {limit}");
    }
}

#[tokio::test]
async fn filters_hold_on_every_page() {
    let world = World::new().await;
    let events = mixed(&world).await;
    let at = |millis| fixtures::later(millis).rfc3339();
    for kind in ["refund.initiated", "refund.succeeded", "refund.failed"] {
        let of_kind: Vec<Event> =
            events.iter().filter(|event| event.r#type.as_str() == kind).cloned().collect();
        for limit in [1, 3, 100] {
            let (seen, _) = walked(&world, &format!("&type={kind}"), limit).await;
            assert_eq!(seen, newest_first(&of_kind), "{kind} by {limit}");
        }
    }
    // From is inclusive, to is exclusive.
    for (from, to) in [(1, 3), (3, 4), (3, 3), (9, 100), (4, 2), (0, 1)] {
        let between =
            |event: &&Event| event.at() >= fixtures::later(from) && event.at() < fixtures::later(to);
        let between: Vec<Event> = events.iter().filter(between).cloned().collect();
        for limit in [1, 4, 100] {
            let query = format!("&created_from={}&created_to={}", at(from), at(to));
            assert_eq!(
                walked(&world, &query, limit).await.0,
                newest_first(&between),
                "{from} to {to} by {limit}"
            );
        }
    }
}

#[tokio::test]
async fn new_events_come_before_a_cursor_and_do_not_move_it() {
    let world = World::new().await;
    let events = mixed(&world).await;
    let first = world.get("/v1/events?limit=5").await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    world.refund("newer", 50, None).await;
    let rest = world.get(&format!("/v1/events?limit=100&cursor={cursor}")).await;
    let expected = newest_first(&events);
    let rest: Vec<&str> = data(&rest).iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(rest, &expected[data(&first).len()..]);
}

#[tokio::test]
async fn a_page_that_has_looked_far_enough_says_so() {
    let world = World::new().await;
    let mut refund = world.refund("key-1", 0, None).await;
    let oldest = fixtures::beginning(&refund).id;
    for number in 1..=99 {
        let next = world.with_metadata(&refund, &number.to_string(), number).await;
        world.record(&Event::of_change(Some(&refund), &next)).await;
        refund = next;
    }
    let (seen, _) = walked(&world, "&type=refund.initiated", 1).await;
    assert_eq!(seen, [oldest.to_string()]);
    let (seen, pages) = walked(&world, "&type=refund.succeeded", 100).await;
    assert_eq!((seen.len(), pages), (0, 1));
    // All hundred lie in one page of the filter's own size.
    world.table.take_calls();
    world.get("/v1/events?type=refund.failed&limit=1").await;
    assert!(world.table.take_calls().count() <= 3);
    let of_refund = format!("&refund_id={}", refund.id);
    for limit in [7, 100] {
        let (seen, pages) = walked(&world, &of_refund, limit).await;
        assert_eq!((seen.len(), pages), (100, 100_usize.div_ceil(limit)));
        assert!(seen.is_sorted_by(|one, other| one > other));
    }
    let (seen, _) = walked(&world, &format!("{of_refund}&type=refund.initiated"), 5).await;
    assert_eq!(seen, [oldest.to_string()]);
}

#[tokio::test]
async fn a_refund_tells_its_own_events_and_an_unknown_one_tells_none() {
    let world = World::new().await;
    mixed(&world).await;
    let refund = world.refund("mine", 3, None).await;
    let changed = world.with_metadata(&refund, "second", 3).await;
    let ended = world.stepped(&changed, fixtures::succeeded(), 3).await;
    let events = [
        fixtures::beginning(&refund),
        Event::of_change(Some(&refund), &changed),
        Event::of_change(Some(&changed), &ended),
    ];
    world.record(&events[2]).await;
    let query = format!("&refund_id={}", refund.id);
    // The second is not recorded: no try of it was made yet.
    let known = newest_first(&[events[0].clone(), events[2].clone()]);
    for limit in [1, 2, 3] {
        assert_eq!(walked(&world, &query, limit).await.0, known, "by {limit}");
    }
    world.record(&events[1]).await;
    for limit in [1, 2, 3, 4] {
        assert_eq!(walked(&world, &query, limit).await.0, newest_first(&events), "by {limit}");
    }
    let cut = format!("{query}&created_to={}", fixtures::later(3).rfc3339());
    assert_eq!(walked(&world, &cut, 5).await.0, Vec::<String>::new());
    let nobodys = fixtures::refund_id("nobodys");
    let none = world.get(&format!("/v1/events?refund_id={nobodys}")).await;
    assert_eq!((none.status, data(&none)), (200, &Vec::<Value>::new()));
}

#[tokio::test]
async fn a_cursor_before_all_events_ends_the_list() {
    let world = World::new().await;
    mixed(&world).await;
    let page = world.get("/v1/events?limit=1").await;
    let made = page.body["next_cursor"].as_str().unwrap().len();
    assert!(made > 20, "a cursor is no number");
    let (events, _) = walked(&world, "", 100).await;
    let last = EventId::try_from(events.last().unwrap().as_str()).unwrap();
    let to = format!("/v1/events?created_to={}", last.time().rfc3339());
    let none = world.get(&to).await;
    assert_eq!((data(&none).len(), &none.body["has_more"]), (0, &json!(false)));
}

// The limit on an answer is one of wall time, and a busy machine is no fault.
#[tokio::test(start_paused = true)]
async fn a_page_fits_into_an_answer_and_the_next_one_goes_on_behind_it() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for number in 0..100_u64 {
        let refund = world.refund(&format!("key-{number}"), number, None).await;
        let pairs = (0..50).map(|key| (key.to_string(), "é".repeat(500))).collect();
        let large = recoup_domain::text::Metadata::stored(pairs);
        let change = refund.with_metadata(large, None, fixtures::later(1_000_u64.saturating_add(number)));
        let changed = world.moved(change.unwrap()).await;
        let event = Event::of_change(Some(&refund), &changed);
        world.record(&event).await;
        expected.push(event);
    }
    let page = world.get("/v1/events?limit=100&type=refund.updated").await;
    let answered = serde_json::to_string(&page.text).unwrap().len();
    assert!(answered < 5_001_000, "{answered} B");
    assert!(page.body["has_more"].as_bool().unwrap());
    let (seen, pages) = walked(&world, "&type=refund.updated", 100).await;
    assert_eq!((seen, pages), (newest_first(&expected), 2));
}

async fn set(world: &World, is_it: impl Fn(&recoup_testing::Item) -> bool, attribute: &str) {
    let items = world.table.items().await;
    let item = items.iter().find(|item| is_it(item)).unwrap();
    world.table.set_text(item, attribute, "nonsense").await;
}

fn text<'item>(item: &'item recoup_testing::Item, name: &str) -> &'item str {
    item[name].as_s().unwrap()
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named_and_harms_no_other() {
    let world = World::new().await;
    let all = newest_first(&mixed(&world).await);
    // One that was recorded.
    let bad =
        world.table.items().await.into_iter().find(|item| text(item, "sk").starts_with("evt_")).unwrap();
    let bad = text(&bad, "sk").split('#').next().unwrap().to_owned();
    set(&world, |item| text(item, "sk").starts_with(&bad), "type").await;
    let good: Vec<String> = all.into_iter().filter(|id| *id != bad).collect();
    for limit in [1, 2, 3, 7, 100] {
        assert_eq!(walked(&world, "", limit).await.0, good, "by {limit}");
    }
    let page = world.get("/v1/events?limit=100").await;
    assert_eq!(page.body["unreadable"], json!([bad]));
    assert_eq!(world.get(&format!("/v1/events/{bad}")).await.problem(), (500, "internal_error"));
}

#[tokio::test]
async fn the_events_of_a_refund_that_cannot_be_read_are_named() {
    let world = World::new().await;
    let bad = world.refund("bad", 1, None).await;
    let good = world.refund("good", 2, None).await;
    set(&world, |item| text(item, "pk").ends_with(bad.id.as_str()), "kind").await;
    let page = world.get("/v1/events").await;
    assert_eq!(data(&page).len(), 1);
    assert_eq!(data(&page)[0]["refund_id"], good.id.as_str());
    assert_eq!(page.body["unreadable"], json!([fixtures::beginning(&bad).id.as_str()]));
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_read_is_named_and_harms_no_other() {
    let world = World::new().await;
    let (bad, _) = world.endpoint(json!({"url": "https://one.example.com/"})).await;
    let (good, _) = world.endpoint(json!({"url": "https://two.example.com/"})).await;
    set(&world, |item| text(item, "sk") == bad, "disabled_reason").await;
    set(&world, |item| text(item, "sk") == bad, "created_at").await;
    let page = world.get("/v1/webhook-endpoints").await;
    assert_eq!((data(&page).len(), data(&page)[0]["id"].as_str()), (1, Some(good.as_str())));
    assert_eq!((&page.body["unreadable"], &page.body["has_more"]), (&json!([bad]), &json!(false)));
    assert_eq!(world.get(&format!("/v1/webhook-endpoints/{bad}")).await.problem(), (500, "internal_error"));
}
