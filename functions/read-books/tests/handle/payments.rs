//! `GET /v1/payments/{payment_id}`: where its money is.

use recoup_domain::ids::AccountId;
use recoup_domain::payment::{Facts, Payment, Settlement};
use recoup_ports::payments::Payments;
use recoup_ports::refunds::{Reserve, Reserved};
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::Fault;
use recoup_testing::fixtures::{self, SELLER};
use serde_json::{Value, json};

use crate::gateway::Event;
use crate::{GET_PAYMENT, World, reading_payment};

/// Refundable, held and refunded: in total, then of each actor. They must add up to the amount.
fn money(body: &Value) -> Vec<[u64; 3]> {
    let routing = &body["routing"];
    let merchants = routing["merchants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |part: &Value| {
        let three = ["refundable", "held", "refunded"].map(|kind| {
            let minor = part[format!("{kind}_amount")].as_u64().unwrap();
            let decimal = part[format!("{kind}_amount_decimal")].as_str().unwrap();
            assert_eq!(decimal.replace('.', "").parse::<u64>().unwrap(), minor);
            minor
        });
        assert_eq!(three.iter().sum::<u64>(), part["amount"].as_u64().unwrap(), "{part}");
        three
    };
    let platform = routing.get("platform").into_iter();
    std::iter::once(body).chain(platform).chain(merchants).map(of).collect()
}

async fn shown(world: &World) -> Value {
    let reply = world.get(&reading_payment(&world.payment)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body
}

#[tokio::test]
async fn a_payment_is_shown_with_everything_that_was_registered() {
    let world = World::with(fixtures::getpaid_payment()).await;
    insta::assert_json_snapshot!(shown(&world).await);
}

#[tokio::test]
async fn money_is_held_while_its_refund_is_on_its_way_and_refunded_at_the_end() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    let body = shown(&world).await;
    assert_eq!(money(&body), [[1600, 1500, 0], [100, 0, 0], [1500, 1000, 0], [0, 500, 0]]);
    assert_eq!((&body["refund_status"], &body["status"]), (&json!("none"), &json!("completed")));

    let refund = world.settle(&refund, recoup_domain::refund::Outcome::Unknown).await;
    let body = shown(&world).await;
    assert_eq!(money(&body)[0], [1600, 1500, 0]);

    world.settle(&refund, fixtures::succeeded()).await;
    let body = shown(&world).await;
    assert_eq!(money(&body), [[1600, 0, 1500], [100, 0, 0], [1500, 0, 1000], [0, 0, 500]]);
    assert_eq!((&body["refund_status"], &body["status"]), (&json!("partial"), &json!("completed")));
    insta::assert_json_snapshot!(body);
}

#[tokio::test]
async fn a_failed_refunds_money_is_refundable_again() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let before = shown(&world).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    world.settle(&refund, fixtures::failed()).await;
    let after = shown(&world).await;
    assert_eq!(money(&after), [[3100, 0, 0], [100, 0, 0], [2500, 0, 0], [500, 0, 0]]);
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_line_is_marked_while_a_refund_covers_it() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let parts = fixtures::wanted_of(&world.payment, 0, &[(SELLER, 1100)]);
    let wanted = recoup_domain::wanted::Wanted { lines: vec![fixtures::whole_line("iid_2")], ..parts };
    let refund = world.refund("key-1", &wanted).await;
    let marks = |body: &Value| {
        let lines = body["invoice_details"].as_array().unwrap();
        lines.iter().map(|line| line["refunded"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(marks(&shown(&world).await), [false, true]);
    world.settle(&refund, fixtures::failed()).await;
    assert_eq!(marks(&shown(&world).await), [false, false]);
}

#[tokio::test]
async fn a_payment_of_which_all_went_back_is_refunded_or_reversed() {
    for (settlement, status) in [(Settlement::Settled, "refunded"), (Settlement::Unsettled, "reversed")] {
        let facts = Facts { settlement, ..fixtures::facts() };
        let world = World::with(Payment { facts, ..fixtures::payment("pay_1", 5000) }).await;
        let one = world.refund("one", &fixtures::wanted(&world.payment, Some(2000))).await;
        let rest = world.refund("rest", &fixtures::wanted(&world.payment, None)).await;
        world.settle(&one, fixtures::succeeded()).await;
        let body = shown(&world).await;
        assert_eq!(money(&body), [[0, 3000, 2000]]);
        assert_eq!((&body["refund_status"], &body["status"]), (&json!("partial"), &json!("completed")));
        world.settle(&rest, fixtures::succeeded()).await;
        let body = shown(&world).await;
        assert_eq!(money(&body), [[0, 0, 5000]]);
        assert_eq!((&body["refund_status"], &body["status"]), (&json!("full"), &json!(status)));
    }
}

#[tokio::test]
async fn a_payment_costs_one_call_and_with_refunds_one_for_each_hundred() {
    let world = World::with(fixtures::payment("pay_1", 5000)).await;
    shown(&world).await;
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["GetItem"]);
    assert!(calls.read_units() <= 1.0, "{calls}");
    for n in 0..101 {
        world.refund(&format!("k{n}"), &fixtures::wanted(&world.payment, Some(10))).await;
        if n == 99 {
            assert_eq!(money(&shown(&world).await), [[4000, 1000, 0]]);
            assert_eq!(world.table.take_calls().operations(), ["GetItem", "BatchGetItem"]);
        }
    }
    assert_eq!(money(&shown(&world).await), [[3990, 1010, 0]]);
    assert_eq!(world.table.take_calls().operations(), ["GetItem", "BatchGetItem", "BatchGetItem"]);
}

#[tokio::test]
async fn a_payment_of_nobody_or_of_somebody_else_does_not_exist() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let lambda = "/requestContext/authorizer/lambda";
    let ours = || reading_payment(&world.payment);
    for event in [
        Event::of_fixtures_tenant(GET_PAYMENT),
        Event::of_fixtures_tenant(GET_PAYMENT).of_payment("no%20id"),
        Event::of_fixtures_tenant(GET_PAYMENT).of_payment(&"p".repeat(65)),
        ours().with(&format!("{lambda}/account_id"), AccountId::from_bits(2).as_str()),
        ours().with(&format!("{lambda}/environment"), "live"),
    ] {
        assert_eq!(world.get(&event).await.problem(), (404, "payment_not_found"), "{}", event.0);
    }
}

#[tokio::test]
async fn a_payment_is_read_with_the_scope_for_it() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let with = |scopes: &str| {
        reading_payment(&world.payment).with("/requestContext/authorizer/lambda/scopes", scopes)
    };
    let reply = world.get(&with("payments:write refunds:read refunds:write webhooks:manage")).await;
    assert_eq!(reply.problem(), (403, "insufficient_scope"));
    assert_eq!(world.table.take_calls().count(), 0);
    assert_eq!(world.get(&with("payments:read")).await.status, 200);
}

/// Between the read of the payment and that of its refunds, one refund fails, and another takes all its money and succeeds.
#[tokio::test]
async fn a_payment_that_changes_while_it_is_read_still_adds_up() {
    let world = World::with(fixtures::payment("pay_1", 5000)).await;
    let failing = world.refund("one", &fixtures::wanted(&world.payment, Some(2000))).await;
    let (store, payment) = (world.table.others(), world.payment.clone());
    world.table.fail(
        "GetItem",
        1,
        Fault::meanwhile(move || {
            let (store, payment, failing) = (store.clone(), payment.clone(), failing.clone());
            async move {
                let failed = failing.step(fixtures::failed(), fixtures::later(1_000)).unwrap();
                assert_eq!(store.carry_out(&failed).await.unwrap(), Settled::Applied);
                let payment = store.payment(&payment.tenant, &payment.id).await.unwrap().unwrap();
                let again = fixtures::decided(&payment, &fixtures::wanted(&payment, None), "again");
                assert!(matches!(store.reserve(&again).await, Ok(Reserved::New)));
                let done = again.refund.step(fixtures::succeeded(), fixtures::later(1_000)).unwrap();
                assert_eq!(store.carry_out(&done).await.unwrap(), Settled::Applied);
            }
        }),
    );
    let reply = world.get(&reading_payment(&world.payment)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    // As it was before the change, or after it; the sum holds in either.
    let before_or_after = [vec![[3000, 2000, 0]], vec![[0, 0, 5000]]];
    assert!(before_or_after.contains(&money(&reply.body)), "{}", reply.text);
    assert_eq!(money(&shown(&world).await), [[0, 0, 5000]]);
}
