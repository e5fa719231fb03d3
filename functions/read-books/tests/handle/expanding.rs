//! Lists of refunds, with their payments where these are asked for.

use recoup_domain::ids::RefundId;
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_ports::payments::{Register, Registered};
use recoup_ports::refunds::{Reserve, Reserved};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::gateway::{Event, Reply};
use crate::{GET_PAYMENT, World, reading};

fn listing(query: &str) -> Event {
    let event = Event::of_fixtures_tenant(GET_PAYMENT).route("GET /v1/refunds").without("/pathParameters");
    event.with("/rawPath", "/v1/refunds").with("/rawQueryString", query)
}

fn listing_of(payment: &str, query: &str) -> Event {
    let event = Event::of_fixtures_tenant(GET_PAYMENT).of_payment(payment);
    let path = format!("/v1/payments/{payment}/refunds");
    event.route("GET /v1/payments/{payment_id}/refunds").with("/rawPath", path).with("/rawQueryString", query)
}

async fn register(world: &World, payment: &Payment) {
    assert!(matches!(world.table.store().register(payment).await, Ok(Registered::New)));
}

/// A refund of a cent of another payment than the world's.
async fn refund_of(world: &World, payment: &Payment, key: &str) -> Refund {
    let reservation = fixtures::decided(payment, &fixtures::wanted(payment, Some(1)), key);
    assert!(matches!(world.table.store().reserve(&reservation).await, Ok(Reserved::New)));
    world.table.take_calls();
    reservation.refund
}

fn ids(reply: &Reply, pointer: &str) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let data = reply.body["data"].as_array().unwrap().iter();
    data.map(|refund| refund.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn a_payment_that_is_called_like_a_part_of_a_path_is_read_as_any_other() {
    for id in ["refunds", "quote", "latest", "payments"] {
        let world = World::with(fixtures::payment(id, 5000)).await;
        let refund = world.refund("key-1", &fixtures::wanted(&world.payment, Some(100))).await;
        let shown = world.get(&Event::of_fixtures_tenant(GET_PAYMENT).of_payment(id)).await;
        assert_eq!(
            (shown.status, &shown.body["object"], &shown.body["id"]),
            (200, &json!("payment"), &json!(id))
        );
        assert_eq!(ids(&world.get(&listing_of(id, "")).await, "/id"), [refund.id.as_str()]);
    }
}

#[tokio::test]
async fn a_list_shows_each_refund_with_its_payment_where_that_is_asked_for() {
    let world = World::with(fixtures::payment("pay_1", 5000)).await;
    let refund = world.refund("key-1", &fixtures::wanted(&world.payment, Some(100))).await;
    world.settle(&refund, fixtures::succeeded()).await;
    world.refund("key-2", &fixtures::wanted(&world.payment, Some(200))).await;
    for event in [listing("expand=payment"), listing_of("pay_1", "expand=payment")] {
        let reply = world.get(&event).await;
        assert_eq!(ids(&reply, "/payment/id"), ["pay_1", "pay_1"]);
        let payment = &reply.body["data"][0]["payment"];
        let money = ["refundable_amount", "held_amount", "refunded_amount"]
            .map(|name| payment[name].as_u64().unwrap());
        assert_eq!(money, [4700, 200, 100], "{payment}");
    }
    let reply = world.get(&listing("expand=transaction_id")).await;
    assert_eq!(ids(&reply, "/transaction_id/id"), ["pay_1", "pay_1"]);
    assert_eq!(ids(&reply, "/payment/id"), ["-", "-"]);
    assert_eq!(ids(&world.get(&listing("")).await, "/transaction_id"), ["pay_1", "pay_1"]);
}

#[tokio::test]
async fn expand_is_understood_in_each_form_in_which_clients_write_lists() {
    let world = World::with(fixtures::payment("pay_1", 5000)).await;
    let refund = world.refund("key-1", &fixtures::wanted(&world.payment, Some(100))).await;
    for query in [
        "expand=payment,transaction_id",
        "expand=payment&expand=transaction_id",
        "expand[]=payment&expand[]=transaction_id",
        "expand%5B%5D=transaction_id&expand%5B%5D=payment",
    ] {
        let reply = world.get(&reading(&refund).with("/rawQueryString", query)).await;
        assert_eq!(reply.body["payment"]["id"], "pay_1", "{query}: {}", reply.text);
        assert_eq!(reply.body["transaction_id"]["id"], "pay_1", "{query}");
        let reply = world.get(&listing(query)).await;
        assert_eq!(ids(&reply, "/payment/id"), ["pay_1"], "{query}");
    }
    for (query, param) in [
        ("expand=customer", "expand"),
        ("expand[]=", "expand"),
        ("limit[]=1", "limit[]"),
        ("limit=1&limit=2", "limit"),
        ("status=a%00", "status"),
    ] {
        let reply = world.get(&listing(query)).await;
        assert_eq!((reply.status, &reply.body["param"]), (400, &json!(param)), "{query}: {}", reply.text);
    }
}

#[tokio::test]
async fn expanding_a_list_needs_the_scope_that_reads_payments() {
    let world = World::with(fixtures::payment("pay_1", 5000)).await;
    for event in [listing("expand=payment"), listing_of("pay_1", "expand=payment")] {
        let event = event.with("/requestContext/authorizer/lambda/scopes", "refunds:read");
        assert_eq!(world.get(&event).await.problem(), (403, "insufficient_scope"));
    }
    assert_eq!(world.table.take_calls().count(), 0);
}

#[tokio::test]
async fn expanding_a_list_reads_each_payment_once_and_all_of_them_together() {
    let world = World::with(fixtures::payment("pay_0", 5000)).await;
    for number in 0..4 {
        world.refund(&format!("first-{number}"), &fixtures::wanted(&world.payment, Some(1))).await;
    }
    for number in 1..30 {
        let payment = fixtures::payment(&format!("pay_{number}"), 5000);
        register(&world, &payment).await;
        refund_of(&world, &payment, &format!("key-{number}")).await;
    }
    let reply = world.get(&listing("limit=100&expand=payment")).await;
    assert_eq!(ids(&reply, "/payment/id").len(), 33);
    // The page itself costs two: its places, and its refunds.
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["Query", "BatchGetItem", "BatchGetItem", "BatchGetItem"]);
    assert_eq!(world.get(&listing_of("pay_0", "expand=payment")).await.status, 200);
    assert_eq!(world.table.take_calls().operations(), ["GetItem", "BatchGetItem", "BatchGetItem"]);
    // Who does not ask pays nothing.
    assert_eq!(world.get(&listing("limit=100")).await.status, 200);
    assert_eq!(world.table.take_calls().operations(), ["Query", "BatchGetItem"]);
}

#[tokio::test]
async fn a_list_with_payments_ends_early_where_these_have_very_many_refunds() {
    let full = |id: &str, first: u128| {
        let refunds = (first..).take(600).map(RefundId::from_bits).collect();
        Payment { refunds, ..fixtures::payment(id, 5000) }
    };
    let world = World::with(full("pay_1", 1)).await;
    refund_of(&world, &world.payment, "key-1").await;
    let other = full("pay_2", 1_000);
    register(&world, &other).await;
    refund_of(&world, &other, "key-2").await;
    let first = world.get(&listing("expand=payment")).await;
    assert_eq!((ids(&first, "/id").len(), &first.body["has_more"]), (1, &json!(true)));
    // Its one payment's refunds are read by the hundred.
    assert_eq!(world.table.take_calls().count(), 3 + 7);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = world.get(&listing(&format!("expand=payment&cursor={cursor}"))).await;
    assert_eq!((ids(&second, "/id").len(), &second.body["has_more"]), (1, &json!(false)));
    let mut payments = [ids(&first, "/payment/id"), ids(&second, "/payment/id")].concat();
    payments.sort();
    assert_eq!(payments, ["pay_1", "pay_2"]);
}
