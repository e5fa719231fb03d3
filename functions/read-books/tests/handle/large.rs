//! Many large refunds, as version 0.1 stored them: neither a payment nor a list reads more than it can hold.

use recoup_domain::ids::RefundId;
use recoup_domain::payment::Payment;
use recoup_domain::text::Metadata;
use recoup_testing::fixtures;
use serde_json::json;

use crate::lists::{listing, walked};
use crate::{World, reading_payment};

const COUNT: u64 = 300;

/// A payment with so many refunds of 1 cent and 60 KB: one that was made, and its copies.
async fn world() -> World {
    let ids: Vec<RefundId> = (1..COUNT).map(|number| RefundId::from_bits(number.into())).collect();
    let payment = fixtures::payment("pay_1", 5_000);
    let left = fixtures::eur(5_001 - COUNT);
    let world = World::with(Payment { refunds: ids.clone(), refundable: left, ..payment }).await;
    let mut wanted = fixtures::wanted(&world.payment, Some(1));
    let pairs = (0..50).map(|number| (format!("{number:040}"), "€".repeat(395))).collect();
    wanted.metadata = Metadata::stored(pairs);
    let made = world.refund("key", &wanted).await;
    let item = world.table.item("refund").await;
    let text = |name: &str| item[name].as_s().unwrap().clone();
    for (id, number) in ids.iter().zip(1..) {
        let of_copy = |text: String| text.replace(made.id.as_str(), id.as_str());
        let (pk, place) = (of_copy(text("pk")), of_copy(text("list_sk")));
        let at = fixtures::later(number).rfc3339();
        let place = place.replace(&made.created_at.rfc3339(), &at);
        world.table.copy(&item, &[("pk", &pk), ("list_sk", &place), ("created_at", &at)]).await;
    }
    world.table.take_calls();
    world
}

#[tokio::test(start_paused = true)]
async fn a_payment_with_many_large_refunds_is_read_without_their_texts() {
    let world = world().await;
    let shown = world.get(&reading_payment(&world.payment)).await;
    assert_eq!((shown.status, &shown.body["held_amount"]), (200, &json!(COUNT)), "{}", shown.text);
    let calls = world.table.take_calls();
    assert_eq!(calls.count(), 4, "the payment, and its refunds by the hundred");
    assert!(calls.answered_bytes() < 200_000, "{} B of 18 MB", calls.answered_bytes());
    let listed = world.get(&listing(&json!({"limit": "1", "expand": "payment"}))).await;
    assert_eq!(listed.body["data"][0]["payment"]["held_amount"], json!(COUNT));
    assert!(world.table.take_calls().answered_bytes() < 300_000);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_finds_nothing_among_large_refunds_ends_early_and_goes_on() {
    let world = world().await;
    for of in [
        json!({"limit": "100", "status": "failed"}),
        json!({"status": "failed", "payment_id": "pay_1", "limit": "100"}),
    ] {
        let (seen, _, pages) = walked(&world, of).await;
        assert_eq!((seen.len(), pages.len()), (0, 3));
        world.table.take_calls();
    }
    let page = world.get(&listing(&json!({"status": "failed", "limit": "100"}))).await;
    assert_eq!(page.body["has_more"], json!(true));
    let calls = world.table.take_calls();
    assert!(calls.answered_bytes() < 8_000_000, "{} B", calls.answered_bytes());
}
