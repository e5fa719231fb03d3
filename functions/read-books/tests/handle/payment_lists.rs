//! `GET /v1/payments`: the account's payments, newest first.

use recoup_domain::payment::Payment;
use recoup_ports::payments::{Register, Registered};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::gateway::Event;
use crate::{GET_PAYMENT, World};

fn listing(query: &Value) -> Event {
    let pairs = query.as_object().unwrap().iter();
    let raw = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect::<Vec<_>>();
    Event::of_fixtures_tenant(GET_PAYMENT)
        .route("GET /v1/payments")
        .with("/pathParameters", json!({}))
        .with("/requestContext/http/path", "/v1/payments")
        .with("/rawPath", "/v1/payments")
        .with("/rawQueryString", raw.join("&"))
        .with("/queryStringParameters", query.clone())
}

/// `pay_0` to `pay_4`, a millisecond apart.
async fn five() -> World {
    let made = |number: u64| {
        let created_at = fixtures::later(number);
        Payment { created_at, updated_at: created_at, ..fixtures::payment(&format!("pay_{number}"), 5_000) }
    };
    let world = World::with(made(0)).await;
    for number in 1..5 {
        assert!(matches!(world.table.store().register(&made(number)).await, Ok(Registered::New)));
    }
    world.table.take_calls();
    world
}

async fn ids(world: &World, query: &Value) -> (Vec<String>, Value) {
    let page = world.get(&listing(query)).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let ids = page.body["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    assert_eq!(page.body["has_more"], json!(page.body["next_cursor"].is_string()));
    (ids.collect(), page.body["next_cursor"].clone())
}

#[tokio::test]
async fn payments_are_listed_newest_first_and_page_by_page() {
    let world = five().await;
    for limit in 1..=6 {
        let (mut seen, mut query) = (Vec::new(), json!({ "limit": limit.to_string() }));
        loop {
            let (some, next) = ids(&world, &query).await;
            assert!(some.len() <= limit, "{some:?}");
            seen.extend(some);
            if next.is_null() {
                break;
            }
            query["cursor"] = next;
        }
        assert_eq!(seen, ["pay_4", "pay_3", "pay_2", "pay_1", "pay_0"], "{limit}");
    }
}

#[tokio::test]
async fn a_window_of_payments_begins_with_its_start_and_ends_before_its_end() {
    let world = five().await;
    let at = |millis: u64| fixtures::later(millis).rfc3339();
    let window = json!({ "created_from": at(1), "created_to": at(3) });
    assert_eq!(ids(&world, &window).await.0, ["pay_2", "pay_1"]);
    assert_eq!(ids(&world, &json!({ "created_from": at(5) })).await.0, [""; 0]);
}

#[tokio::test]
async fn a_listed_payment_has_its_balances_and_costs_two_reads() {
    let world = five().await;
    world.refund("key-1", &fixtures::wanted(&world.payment, Some(2_000))).await;
    let page = world.get(&listing(&json!({}))).await;
    assert_eq!(world.table.take_calls().operations(), ["Query", "BatchGetItem", "BatchGetItem"]);
    let of = |number: usize, name: &str| page.body["data"][number][name].as_u64().unwrap();
    assert_eq!((of(4, "refundable_amount"), of(4, "held_amount")), (3_000, 2_000));
    assert_eq!((of(0, "refundable_amount"), of(0, "held_amount")), (5_000, 0));
}

#[tokio::test]
async fn a_payment_that_cannot_be_read_is_named_and_harms_no_other() {
    let world = five().await;
    let items = world.table.items().await;
    let broken = items.iter().find(|item| item["pk"].as_s().unwrap().ends_with("#pay_2")).unwrap();
    world.table.set_text(broken, "settlement", "gone").await;
    let page = world.get(&listing(&json!({ "limit": "3" }))).await;
    assert_eq!(page.body["unreadable"], json!(["pay_2"]));
    let shown: Vec<&str> =
        page.body["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(shown, ["pay_4", "pay_3"]);
}

#[tokio::test]
async fn payments_are_listed_for_their_own_account_and_scope_alone() {
    let world = five().await;
    let other = recoup_domain::ids::AccountId::from_bits(99);
    let event = listing(&json!({})).with("/requestContext/authorizer/lambda/account_id", other.as_str());
    assert_eq!(world.get(&event).await.body["data"], json!([]));
    let event = listing(&json!({})).with("/requestContext/authorizer/lambda/scopes", "refunds:read");
    assert_eq!(world.get(&event).await.problem(), (403, "insufficient_scope"));
    for query in [json!({ "cursor": "x" }), json!({ "limit": "0" }), json!({ "status": "completed" })] {
        assert_eq!(world.get(&listing(&query)).await.status, 400, "{query}");
    }
}
