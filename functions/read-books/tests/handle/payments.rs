//! `GET /v1/payments/{payment_id}`: where its money is.

use std::sync::atomic::{AtomicBool, Ordering};

use recoup_domain::balance::Posting;
use recoup_domain::ids::{AccountId, PaymentId, RefundId, Tenant};
use recoup_domain::payment::{Facts, Payment, Settlement};
use recoup_domain::refund::Refund;
use recoup_domain::report::Report;
use recoup_ports::ReadError;
use recoup_ports::lists::{Place, RefundList, Window};
use recoup_ports::payments::Payments;
use recoup_ports::refunds::Refunds;
use recoup_ports::reports::Reports;
use recoup_ports::rows::Rows;
use recoup_testing::fixtures::{self, SELLER};
use serde_json::{Value, json};

use crate::gateway::{Event, Reply};
use crate::{GET_PAYMENT, World, context, handle, reading_payment};

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
    let wanted = recoup_domain::wanted::Wanted { lines: vec![fixtures::line_id("iid_2")], ..parts };
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

/// The real table; between the first read of the payment and that of its refunds, one refund fails and
/// another one takes all its money and succeeds.
struct Moving<'test> {
    world: &'test World,
    failing: Refund,
    moved: AtomicBool,
}

impl Payments for Moving<'_> {
    async fn payment(&self, tenant: &Tenant, id: &PaymentId) -> Result<Option<Payment>, ReadError> {
        self.world.context.store.payment(tenant, id).await
    }

    async fn payments(&self, tenant: &Tenant, ids: &[PaymentId]) -> Result<Rows<Payment>, ReadError> {
        self.world.context.store.payments(tenant, ids).await
    }
}

impl Refunds for Moving<'_> {
    async fn refund(&self, tenant: &Tenant, id: &RefundId) -> Result<Option<Refund>, ReadError> {
        self.world.context.store.refund(tenant, id).await
    }

    async fn refunds(&self, tenant: &Tenant, ids: &[RefundId]) -> Result<Rows<Refund>, ReadError> {
        self.world.context.store.refunds(tenant, ids).await
    }

    async fn postings(&self, tenant: &Tenant, ids: &[RefundId]) -> Result<Rows<Posting>, ReadError> {
        if !self.moved.swap(true, Ordering::Relaxed) {
            self.world.settle(&self.failing, fixtures::failed()).await;
            let again = self.world.refund("again", &fixtures::wanted(&self.world.payment, None)).await;
            self.world.settle(&again, fixtures::succeeded()).await;
        }
        self.world.context.store.postings(tenant, ids).await
    }
}

impl RefundList for Moving<'_> {
    async fn places(&self, tenant: &Tenant, window: &Window, limit: u16) -> Result<Vec<Place>, ReadError> {
        self.world.context.store.places(tenant, window, limit).await
    }
}

impl Reports for Moving<'_> {
    async fn report(&self, tenant: &Tenant, date: &str) -> Result<Option<Report>, ReadError> {
        self.world.context.store.report(tenant, date).await
    }

    async fn latest_report(&self, tenant: &Tenant) -> Result<Option<Report>, ReadError> {
        self.world.context.store.latest_report(tenant).await
    }
}

#[tokio::test]
async fn a_payment_that_changes_while_it_is_read_still_adds_up() {
    let world = World::with(fixtures::payment("pay_1", 5000)).await;
    let one = world.refund("one", &fixtures::wanted(&world.payment, Some(2000))).await;
    let event = reading_payment(&world.payment);
    let store = Moving { world: &world, failing: one, moved: AtomicBool::new(false) };
    let reply = Reply::read(&event, Box::pin(handle(&context(store), event.request())).await);
    assert_eq!(reply.status, 200, "{}", reply.text);
    // As it was before the change, or after it; the sum holds in either.
    let before_or_after = [vec![[3000, 2000, 0]], vec![[0, 0, 5000]]];
    assert!(before_or_after.contains(&money(&reply.body)), "{}", reply.text);
    assert_eq!(money(&shown(&world).await), [[0, 0, 5000]]);
}
