//! Disputes as Stripe tells of them: once in the books, whatever comes first, and nothing below zero.

use recoup_ports::refunds::{Reserve, Reserved};
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::World;

/// Stripe's event about a dispute of the payment's charge, created so many seconds after the fixtures' moment.
fn event(kind: &str, status: &str, amount: u64, second: u64) -> Value {
    json!({
        "id": "evt_1", "object": "event", "created": fixtures::later(second.saturating_mul(1_000)).unix_seconds(), "livemode": false,
        "type": format!("charge.dispute.{kind}"),
        "data": { "object": {
            "id": "dp_1", "object": "dispute", "amount": amount, "currency": "eur", "status": status,
            "charge": "ch_1", "payment_intent": "pi_unknown", "reason": "fraudulent",
            "is_charge_refundable": false, "balance_transactions": [], "livemode": false,
        } },
    })
}

impl World {
    /// What is left, what was charged back, and whether it is disputed.
    async fn disputed(&self) -> (u64, u64, bool) {
        self.check_books().await;
        let payment = self.payment().await;
        (payment.refundable.minor(), payment.charged_back().unwrap().minor(), payment.is_disputed())
    }
}

#[tokio::test]
async fn a_dispute_is_opened_lost_and_won_after_all_and_each_is_told_twice() {
    let world = World::at_stripe().await;
    for (told, expected) in [
        (event("created", "needs_response", 3_100, 1), (3_100, 0, true)),
        (event("funds_withdrawn", "needs_response", 3_100, 1), (3_100, 0, true)),
        (event("updated", "under_review", 3_100, 2), (3_100, 0, true)),
        (event("closed", "lost", 3_100, 3), (0, 3_100, false)),
        (event("funds_reinstated", "won", 3_100, 4), (3_100, 0, false)),
    ] {
        let first = world.hear(&told).await;
        assert_eq!(world.disputed().await, expected, "{told}");
        assert_eq!(first["payment_id"], world.payment.id.as_str());
        assert_eq!(world.hear(&told).await["outcome"], "unchanged");
        assert_eq!(world.disputed().await, expected, "{told}");
    }
    assert_eq!(world.payment().await.disputes.list.len(), 1);
}

#[tokio::test]
async fn whatever_order_its_events_come_in_the_last_word_stands() {
    let events = [
        event("created", "warning_needs_response", 1_000, 1),
        event("funds_withdrawn", "needs_response", 1_000, 2),
        event("closed", "lost", 1_000, 3),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let world = World::at_stripe().await;
        for index in order {
            world.hear(&events[index]).await;
        }
        assert_eq!(world.disputed().await, (2_100, 1_000, false), "{order:?}");
    }
}

#[tokio::test]
async fn told_twice_at_the_same_moment_a_lost_dispute_takes_once() {
    let world = World::at_stripe().await;
    let told = event("closed", "lost", 1_000, 1);
    tokio::join!(world.hear(&told), world.hear(&told));
    assert_eq!(world.disputed().await, (2_100, 1_000, false));
}

#[tokio::test]
async fn an_inquiry_that_can_be_refunded_blocks_nothing_and_ends_as_nothing() {
    let world = World::at_stripe().await;
    let mut told = event("created", "warning_needs_response", 3_100, 1);
    told["data"]["object"]["is_charge_refundable"] = json!(true);
    assert_eq!(world.hear(&told).await["outcome"], "applied");
    assert_eq!(world.disputed().await, (3_100, 0, false));
    world.hear(&event("closed", "warning_closed", 3_100, 2)).await;
    assert_eq!(world.disputed().await, (3_100, 0, false));
}

/// As refunds of ours are reserved and fail while Stripe tells that a dispute is lost.
#[tokio::test]
async fn a_lost_dispute_races_refunds_and_no_cent_is_lost() {
    let world = World::at_stripe().await;
    let ours = world.decided(4);
    let store = world.table.store();
    let reserved = futures_util::future::join_all(ours.iter().map(|ours| store.reserve(ours)));
    let told = event("closed", "lost", 3_100, 1);
    let (reserved, status) = tokio::join!(reserved, world.tell_of(&told));
    // One that lost too many races is sent again by Stripe.
    if status == 503 {
        world.hear(&told).await;
    }
    let held: u64 = ours
        .iter()
        .zip(&reserved)
        .filter(|(_, reserved)| matches!(reserved, Ok(Reserved::New)))
        .map(|(ours, _)| ours.refund.amount.minor())
        .sum();
    let rest = 3_100_u64.checked_sub(held).unwrap();
    assert_eq!(world.disputed().await, (0, rest, false));
    for (ours, reserved) in ours.iter().zip(reserved) {
        if matches!(reserved, Ok(Reserved::New)) {
            let change = fixtures::moved(&ours.refund, fixtures::failed());
            assert_eq!(store.carry_out(&change).await.unwrap(), Settled::Applied);
        }
    }
    // What came back was taken by the dispute: the next word takes it, and until then nobody else may.
    assert_eq!(world.disputed().await, (held, rest, held > 0));
    world.hear(&told).await;
    assert_eq!(world.disputed().await, (0, 3_100, false));
}

#[tokio::test]
async fn what_cannot_be_believed_or_is_of_nobody_changes_nothing() {
    let world = World::at_stripe().await;
    let before = world.everything().await;
    let with = |field: &str, value: Value| {
        let mut told = event("closed", "lost", 1_000, 1);
        told["data"]["object"][field] = value;
        told
    };
    for ignored in [
        with("charge", json!("ch_2")),
        with("status", json!("someday")),
        with("currency", json!("usd")),
        with("currency", json!("zzz")),
        event("someday", "lost", 1_000, 1),
    ] {
        assert_eq!(world.hear(&ignored).await["outcome"], "ignored", "{ignored}");
    }
    let mut live = event("closed", "lost", 1_000, 1);
    live["livemode"] = json!(true);
    let mut timeless = event("closed", "lost", 1_000, 1);
    timeless["created"] = Value::Null;
    for unreadable in [live, timeless, with("object", json!("charge"))] {
        assert_eq!(world.tell_of(&unreadable).await, 400, "{unreadable}");
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_dispute_that_cannot_be_written_is_sent_again_and_then_entered_once() {
    let world = World::at_stripe().await;
    let told = event("closed", "lost", 1_000, 1);
    world.table.fail("UpdateItem", 20, recoup_testing::Fault::throttled());
    assert_eq!(world.tell_of(&told).await, 503);
    world.table.heal();
    assert_eq!(world.disputed().await, (3_100, 0, false));
    world.table.fail("UpdateItem", 1, recoup_testing::Fault::LoseAnswer);
    world.tell_of(&told).await;
    world.hear(&told).await;
    assert_eq!(world.disputed().await, (2_100, 1_000, false));
}
