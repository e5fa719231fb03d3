//! Pages of refunds: as much as an answer holds, and what cannot be read harms nothing else.

use std::collections::BTreeSet;

use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_domain::text::Metadata;
use recoup_domain::wanted::Wanted;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::gateway::{Event, Reply};
use crate::{GET_REFUND, World, reading, reading_payment};

/// What Lambda answers at most, and what a page of ours may have of it.
const PAGE_BYTES_MAX: usize = 5_000_000;

pub(crate) fn listing(query: &Value) -> Event {
    let pairs = query.as_object().unwrap().iter();
    let raw = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect::<Vec<_>>();
    Event::of_fixtures_tenant(GET_REFUND)
        .route("GET /v1/refunds")
        .with("/pathParameters", json!({}))
        .with("/requestContext/http/path", "/v1/refunds")
        .with("/rawPath", "/v1/refunds")
        .with("/rawQueryString", raw.join("&"))
        .with("/queryStringParameters", query.clone())
}

/// Walks a list to its end: the ids that are shown, those that cannot be read, and the pages.
pub(crate) async fn walked(world: &World, mut query: Value) -> (Vec<String>, Vec<String>, Vec<Reply>) {
    let (mut seen, mut unreadable, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let page = world.get(&listing(&query)).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let ids = page.body["data"].as_array().unwrap().iter();
        seen.extend(ids.map(|refund| refund["id"].as_str().unwrap().to_owned()));
        let ids = page.body["unreadable"].as_array().cloned().unwrap_or_default();
        unreadable.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
        let next = page.body["next_cursor"].clone();
        assert_eq!(page.body["has_more"], json!(next.is_string()));
        pages.push(page);
        assert!(pages.len() < 50, "the walk ends");
        if next.is_null() {
            return (seen, unreadable, pages);
        }
        query["cursor"] = next;
    }
}

async fn set(world: &World, pk_end: &str, attribute: &str, value: &str) {
    let items = world.table.items().await;
    let item = items.iter().find(|item| item["pk"].as_s().unwrap().ends_with(pk_end)).unwrap();
    world.table.set_text(item, attribute, value).await;
}

async fn refunds(world: &World, count: usize, metadata: &Metadata) -> Vec<Refund> {
    let mut made = Vec::new();
    for number in 0..count {
        let mut wanted: Wanted = fixtures::wanted(&world.payment, Some(1));
        wanted.metadata = metadata.clone();
        made.push(world.refund(&format!("key-{number}"), &wanted).await);
    }
    made
}

fn plain() -> Payment {
    fixtures::payment("pay_1", 5000)
}

#[tokio::test]
async fn a_refund_that_cannot_be_read_is_named_and_harms_no_other() {
    let world = World::with(plain()).await;
    let made = refunds(&world, 5, &Metadata::default()).await;
    let (bad, good) = made.split_first().unwrap();
    set(&world, bad.id.as_str(), "kind", "gift").await;
    let good: BTreeSet<String> = good.iter().map(|refund| refund.id.to_string()).collect();
    for of in [json!({}), json!({"payment_id": "pay_1"})] {
        for limit in ["1", "2", "4", "5", "100"] {
            let mut query = of.clone();
            query["limit"] = json!(limit);
            let (seen, unreadable, _) = walked(&world, query).await;
            assert_eq!((seen.len(), seen.into_iter().collect()), (4, good.clone()), "{of} by {limit}");
            assert_eq!(unreadable, [bad.id.as_str()], "{of} by {limit}");
        }
        let page = world.get(&listing(&of)).await;
        assert_eq!(page.body["data"].as_array().unwrap().len(), 4);
    }
    // Alone it is a fault; so is its payment, whose money cannot be told without it.
    assert_eq!(world.get(&reading(bad)).await.problem(), (500, "internal_error"));
    assert_eq!(world.get(&reading_payment(&world.payment)).await.problem(), (500, "internal_error"));
    assert_eq!(world.get(&reading(&made[1])).await.status, 200);
}

#[tokio::test]
async fn a_payment_is_not_shown_without_one_of_its_refunds() {
    let world = World::with(plain()).await;
    let made = refunds(&world, 2, &Metadata::default()).await;
    let listed = walked(&world, json!({"expand": "payment"})).await;
    assert_eq!((listed.0.len(), listed.1.len()), (2, 0));
    // Whatever became of its cent, it would be shown as held.
    set(&world, made[0].id.as_str(), "kind", "gift").await;
    let (seen, unreadable, _) = walked(&world, json!({"expand": "payment"})).await;
    assert_eq!((seen.len(), unreadable.len()), (0, 2), "{seen:?} {unreadable:?}");
}

#[tokio::test]
async fn a_list_in_which_all_can_be_read_names_nothing() {
    let world = World::with(plain()).await;
    refunds(&world, 1, &Metadata::default()).await;
    assert_eq!(world.get(&listing(&json!({}))).await.body.get("unreadable"), None);
}

#[tokio::test]
async fn what_is_stored_in_a_withdrawn_currency_is_still_shown() {
    for (code, amount) in [("ANG", "0.01"), ("BGN", "0.01"), ("HRK", "0.01"), ("ITL", "1")] {
        let world = World::with(plain()).await;
        let refund = refunds(&world, 1, &Metadata::default()).await.remove(0);
        set(&world, refund.id.as_str(), "currency", code).await;
        set(&world, "pay_1", "currency", code).await;
        let shown = world.get(&reading(&refund)).await;
        assert_eq!((&shown.body["currency"], &shown.body["amount_decimal"]), (&json!(code), &json!(amount)));
        let payment = world.get(&reading_payment(&world.payment)).await;
        assert_eq!((&payment.body["currency"], &payment.body["held_amount"]), (&json!(code), &json!(1)));
        assert_eq!(walked(&world, json!({})).await.0, [refund.id.as_str()]);
    }
}

// The limit on an answer is one of wall time, and a busy machine is no fault.
#[tokio::test(start_paused = true)]
async fn a_page_ends_before_it_is_larger_than_an_answer_and_the_next_goes_on() {
    let world = World::with(plain()).await;
    // 63 KB each: more than is taken today, and stored when it was.
    let pairs = (0..50).map(|number| (format!("{number:040}"), "€".repeat(410))).collect();
    let made = refunds(&world, 100, &Metadata::stored(pairs)).await;
    let made: BTreeSet<String> = made.iter().map(|refund| refund.id.to_string()).collect();
    for of in [json!({"limit": "100"}), json!({"limit": "100", "payment_id": "pay_1"})] {
        let (seen, _, pages) = walked(&world, of).await;
        assert_eq!((seen.len(), seen.into_iter().collect()), (100, made.clone()));
        assert_eq!(pages.len(), 2);
        for page in pages {
            let answered = serde_json::to_string(&page.text).unwrap().len();
            assert!(answered < PAGE_BYTES_MAX + 1_000, "{answered} B");
        }
    }
}

#[tokio::test]
async fn a_refund_is_found_by_its_reference_behind_hundreds_of_others() {
    let world = World::with(plain()).await;
    let with = |reference: Option<&str>| {
        let mut wanted: Wanted = fixtures::wanted(&world.payment, Some(1));
        wanted.notes.reference = reference.map(fixtures::text);
        wanted
    };
    let sought = world.refund("first", &with(Some("ORDER-7"))).await;
    for number in 0..150 {
        let reference = (number % 2 == 0).then_some("ORDER-70");
        world.refund(&format!("key-{number}"), &with(reference)).await;
    }
    for of in [json!({}), json!({ "payment_id": "pay_1" })] {
        let mut query = of.clone();
        query["reference"] = json!("ORDER-7");
        query["limit"] = json!("1");
        let page = world.get(&listing(&query)).await;
        assert_eq!(page.body["data"][0]["id"], sought.id.as_str(), "{}", page.text);
        query["reference"] = json!("ORDER-8");
        assert_eq!(world.get(&listing(&query)).await.body["data"], json!([]));
    }
    assert_eq!(world.get(&listing(&json!({ "reference": "" }))).await.status, 400);
}
