//! Each reason to refuse: its code, its status, what helps, and that nothing is written.

use recoup_domain::ids::RefundId;
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{
    CaptureStatus, Facts, PartialRefunds, Payment, Payout, Processor, ProcessorName, Terms,
};
use recoup_testing::fixtures::{self, SELLER, SUPPLIER, eur, later};
use serde_json::{Value, json};

use crate::{PAYMENT, World, asking, plain, recorded, routed};

fn facts(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = fixtures::facts();
    change(&mut facts);
    facts
}

fn plain_with(change: impl FnOnce(&mut Facts)) -> Payment {
    Payment { facts: facts(change), ..plain() }
}

fn with_lines() -> Payment {
    let lines = vec![(fixtures::line_id("l1"), eur(4000)), (fixtures::line_id("l2"), eur(1000))];
    fixtures::registered(PAYMENT, Terms { lines, ..fixtures::terms(5000) })
}

/// Asks for a refund of this payment with these fields; it must be refused so, in one call that wrote
/// nothing. The problem's body.
async fn refused(payment: &Payment, fields: Value, status: u16, code: &str) -> Value {
    let world = World::with(payment).await;
    let mut body = fields;
    body["payment_id"] = PAYMENT.into();
    let reply = world.post(&asking(&body)).await;
    assert_eq!(reply.problem(), (status, code), "{body}: {}", reply.text);
    let calls = world.table.take_calls();
    assert_eq!(calls.count(), 1, "{calls}");
    assert!(calls.read_units() <= 2.0 || payment.refunds.len() > 1, "{calls}");
    world.assert_untouched(payment).await;
    reply.body
}

#[tokio::test]
async fn a_payment_that_is_not_completed() {
    for status in [CaptureStatus::Created, CaptureStatus::Started, CaptureStatus::Processing] {
        let payment = plain_with(|facts| facts.status = status);
        let problem = refused(&payment, json!({}), 422, "payment_not_refundable").await;
        assert!(problem["detail"].as_str().unwrap().contains(status.as_str()), "{problem}");
    }
}

#[tokio::test]
async fn a_disputed_payment() {
    refused(&plain_with(|facts| facts.disputed = true), json!({}), 422, "payment_disputed").await;
}

#[tokio::test]
async fn a_payment_whose_time_is_over() {
    let until =
        recoup_domain::time::Timestamp::from_unix_millis(fixtures::now().unix_millis().saturating_sub(1));
    let payment = plain_with(|facts| facts.refundable_until = until);
    let problem = refused(&payment, json!({}), 422, "refund_window_expired").await;
    assert!(problem["detail"].as_str().unwrap().contains("2026-11-22T09:29:59.999Z"), "{problem}");
    assert!(until < Some(later(0)));
}

#[tokio::test]
async fn a_part_of_a_payment_that_is_refunded_in_full_only() {
    let payment = plain_with(|facts| facts.partial_refunds = PartialRefunds::FullOnly);
    refused(&payment, json!({"amount": 4999}), 422, "partial_refund_not_allowed").await;
    let world = World::with(&payment).await;
    assert_eq!(world.post(&asking(&json!({"payment_id": PAYMENT, "amount": 5000}))).await.status, 201);
}

#[tokio::test]
async fn a_part_before_the_payout_where_parts_wait_for_it() {
    let payment = |payout| {
        plain_with(|facts| (facts.partial_refunds, facts.payout) = (PartialRefunds::AfterPayout, payout))
    };
    let part = json!({"payment_id": PAYMENT, "amount": 1});
    refused(&payment(Payout::NotStarted), part.clone(), 422, "partial_refund_before_payout").await;
    let world = World::with(&payment(Payout::Started)).await;
    assert_eq!(world.post(&asking(&part)).await.status, 201);
}

#[tokio::test]
async fn a_part_of_a_routed_payment_without_routing() {
    let problem = refused(&routed(), json!({"amount": 1000}), 422, "routing_required").await;
    assert_eq!(problem["param"], "routing");
    refused(&routed(), json!({"invoice_detail_ids": ["iid_2"]}), 422, "routing_required").await;
}

#[tokio::test]
async fn a_routing_that_does_not_fit() {
    let seller = |amount: u64| json!({"merchants": [{"account_id": SELLER, "amount": amount}]});
    let stranger = json!({"merchants": [{"account_id": "acc_stranger", "amount": 1000}]});
    for (payment, fields, detail) in [
        (plain(), json!({"routing": seller(1000)}), "has no routing"),
        (routed(), json!({"routing": stranger}), "acc_stranger"),
        (
            routed(),
            json!({"amount": 1000, "routing": seller(999)}),
            "adds up to 9.99 and the amount is 10.00",
        ),
        (routed(), json!({"invoice_detail_ids": ["iid_2"], "routing": seller(1000)}), "adds up to 10.00"),
        (routed(), json!({"amount": 3100, "routing": seller(2500)}), "adds up to 25.00"),
    ] {
        let problem = refused(&payment, fields, 422, "routing_mismatch").await;
        assert_eq!(problem["param"], "routing");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
}

#[tokio::test]
async fn another_currency() {
    let problem = refused(&plain(), json!({"currency": "USD"}), 422, "currency_mismatch").await;
    assert_eq!(problem["param"], "currency");
}

#[tokio::test]
async fn a_line_the_payment_does_not_have() {
    let fields = json!({"invoice_detail_ids": ["l2", "l3"]});
    let problem = refused(&with_lines(), fields, 422, "invoice_detail_unknown").await;
    assert!(problem["detail"].as_str().unwrap().contains("l3"), "{problem}");
}

#[tokio::test]
async fn a_line_that_is_refunded_already() {
    let world = World::with(&with_lines()).await;
    let ask = |lines: &[&str], key: &str| {
        asking(&json!({"payment_id": PAYMENT, "invoice_detail_ids": lines})).header("idempotency-key", key)
    };
    assert_eq!(world.post(&ask(&["l2"], "one")).await.status, 201);
    let reply = world.post(&ask(&["l1", "l2"], "two")).await;
    assert_eq!(reply.problem(), (422, "invoice_detail_already_refunded"));
    assert!(reply.body["detail"].as_str().unwrap().contains("l2"), "{}", reply.text);
    assert_eq!(world.post(&ask(&["l1"], "two")).await.status, 201);
}

#[tokio::test]
async fn more_of_a_line_than_it_has_left() {
    let world = World::with(&with_lines()).await;
    let ask = |id: &str, amount: u64, key: &str| {
        let lines = json!([{ "id": id, "amount": amount }]);
        asking(&json!({ "payment_id": PAYMENT, "lines": lines })).header("idempotency-key", key)
    };
    let first = world.post(&ask("l1", 500, "one")).await;
    assert_eq!((first.status, &first.body["invoice_detail_ids"]), (201, &json!(["l1"])), "{}", first.text);
    let part = json!([{ "id": "l1", "amount": 500, "amount_decimal": "5.00" }]);
    assert_eq!((&first.body["lines"], &first.body["amount"]), (&part, &json!(500)));
    let more = world.post(&ask("l1", 3_501, "two")).await;
    assert_eq!(more.problem(), (422, "line_amount_exceeds_refundable"));
    assert_eq!((&more.body["param"], &more.body["refundable_amount"]), (&json!("lines"), &json!(3_500)));
    let unknown = world.post(&ask("l3", 1, "two")).await;
    assert_eq!(unknown.problem(), (422, "invoice_detail_unknown"));
    assert_eq!(unknown.body["param"], "lines");
    // The same key and another part is another request.
    assert_eq!(world.post(&ask("l1", 501, "one")).await.problem(), (422, "idempotency_key_reused"));
    assert_eq!(world.post(&ask("l1", 3_500, "two")).await.status, 201);
    let all = json!({ "payment_id": PAYMENT, "invoice_detail_ids": ["l1"] });
    let all = world.post(&asking(&all).header("idempotency-key", "three")).await;
    assert_eq!(all.problem(), (422, "invoice_detail_already_refunded"));
}

#[tokio::test]
async fn an_expected_amount_that_is_not_what_is_left() {
    let fields = json!({"amount": 100, "expected_refundable_amount": "49.99"});
    let problem = refused(&plain(), fields, 409, "refundable_amount_changed").await;
    assert_eq!(problem["param"], "expected_refundable_amount");
    assert_eq!((&problem["refundable_amount"], &problem["currency"]), (&json!(5000), &json!("EUR")));
    assert_eq!(problem["refundable_amount_decimal"], "50.00");
}

#[tokio::test]
async fn more_than_is_left_in_total() {
    let problem = refused(&plain(), json!({"amount": "50.01"}), 422, "amount_exceeds_refundable").await;
    assert_eq!(problem["refundable_amount"], 5000);
    // More than the lines that are named, too.
    let fields = json!({"amount": 1001, "invoice_detail_ids": ["l2"]});
    let problem = refused(&with_lines(), fields, 422, "amount_exceeds_refundable").await;
    assert_eq!(problem["refundable_amount"], 1000);
}

#[tokio::test]
async fn more_than_actors_have_left() {
    let world = World::with(&routed()).await;
    assert_eq!(world.post(&recorded()).await.status, 201);
    let merchants = json!([{"id": SELLER, "amount": 100}, {"id": SUPPLIER, "amount": 1}]);
    let routing = json!({"platform": {"amount": 101}, "merchants": merchants});
    let event = asking(&json!({"payment_id": PAYMENT, "routing": routing})).header("idempotency-key", "two");
    let reply = world.post(&event).await;
    assert_eq!(reply.problem(), (422, "actor_amount_exceeds_refundable"));
    let actors = json!([
        {"actor": "platform", "amount": 101, "amount_decimal": "1.01",
         "refundable_amount": 100, "refundable_amount_decimal": "1.00"},
        {"actor": "merchant", "account_id": SUPPLIER, "amount": 1, "amount_decimal": "0.01",
         "refundable_amount": 0, "refundable_amount_decimal": "0.00"},
    ]);
    assert_eq!(reply.body["actors"], actors);
    world.assert_one_refund_of(1500).await;
}

#[tokio::test]
async fn a_payment_of_which_nothing_is_left_be_it_only_on_its_way() {
    let world = World::with(&plain()).await;
    assert_eq!(world.post(&asking(&json!({"payment_id": PAYMENT}))).await.status, 201);
    for fields in [json!({"payment_id": PAYMENT}), json!({"payment_id": PAYMENT, "amount": 1})] {
        let reply = world.post(&asking(&fields).header("idempotency-key", "two")).await;
        assert_eq!(reply.problem(), (422, "payment_already_refunded"));
        assert_eq!(reply.body["refundable_amount"], 0);
    }
}

#[tokio::test]
async fn a_payment_that_is_full_of_refunds() {
    let refunds: Vec<_> = (0..5000).map(RefundId::from_bits).collect();
    assert_eq!(refunds.len(), Payment::REFUNDS_MAX);
    let payment = Payment { refunds, ..plain() };
    refused(&payment, json!({"amount": 1}), 422, "payment_not_refundable").await;
}

#[tokio::test]
async fn an_amount_that_the_currency_cannot_have() {
    let routing = |platform: Value, seller: Value| {
        json!({"routing": {"platform": {"amount": platform},
                           "merchants": [{"account_id": SELLER, "amount": seller}]}})
    };
    let (one, precise) = (json!(1), json!("0.001"));
    for (payment, fields, param) in [
        (plain(), json!({"amount": 0}), "amount"),
        (plain(), json!({"amount": "0.00"}), "amount"),
        (plain(), json!({"amount": "10.000"}), "amount"),
        (plain(), json!({"amount": "10,00"}), "amount"),
        (plain(), json!({"amount": " 10"}), "amount"),
        (plain(), json!({"amount": "1e2"}), "amount"),
        (plain(), json!({"amount": ""}), "amount"),
        (plain(), json!({"amount": "-1"}), "amount"),
        (plain(), json!({"amount": 1_000_000_000_000_001_u64}), "amount"),
        (plain(), json!({"amount": "99999999999999999999999999999999"}), "amount"),
        (plain(), json!({"amount": 1, "expected_refundable_amount": "0.001"}), "expected_refundable_amount"),
        (plain(), json!({"amount": 1, "expected_refundable_amount": 0}), "expected_refundable_amount"),
        (routed(), routing(precise.clone(), one.clone()), "routing.platform.amount"),
        (routed(), routing(one, precise), "routing.merchants[0].amount"),
        (routed(), routing(json!(0), json!(0)), "routing"),
    ] {
        let problem = refused(&payment, fields.clone(), 400, "invalid_parameter").await;
        assert_eq!(problem["param"], param, "{fields}");
    }
}

#[tokio::test]
async fn a_payment_that_does_not_exist() {
    let world = World::with(&plain()).await;
    let reply = world.post(&asking(&json!({"payment_id": "pay_other"}))).await;
    assert_eq!(reply.problem(), (404, "payment_not_found"));
    assert_eq!(world.table.take_calls().count(), 1);
    world.assert_untouched(&plain()).await;
}

#[tokio::test]
async fn a_payment_that_was_bent_past_the_conditions() {
    let more = Payment { refundable: eur(7000), ..plain() };
    let mut parts = routed();
    let routing = parts.routing.as_mut().unwrap();
    routing.refundable = fixtures::split(0, &[(SELLER, 0), (SUPPLIER, 0)]);
    for payment in [more, parts] {
        for fields in [json!({}), json!({"amount": 1})] {
            refused(&payment, fields, 500, "internal_error").await;
        }
    }
}

/// A payment in this currency at this processor.
fn at(name: ProcessorName, minor: u64, currency: &str) -> Payment {
    let amount = Money::of_minor(minor, Currency::parse(currency).unwrap()).unwrap();
    let processor = Processor::of(name, fixtures::text("ch_1"));
    fixtures::registered(PAYMENT, Terms { amount, processor, ..fixtures::terms(1) })
}

#[tokio::test]
async fn what_the_processor_cannot_do_by_the_quote_and_the_create() {
    for (minor, currency, fields, detail) in [
        (500, "LYD", json!({}), "LYD"),
        (5_120, "KWD", json!({ "amount": "5.114" }), "multiples of 0.010"),
        // Registered before this was looked at.
        (5_124, "KWD", json!({}), "multiples of 0.010"),
        (600, "MGA", json!({ "amount": 520 }), "multiples of 1.00"),
    ] {
        let payment = at(ProcessorName::Stripe, minor, currency);
        let problem = refused(&payment, fields.clone(), 422, "processor_cannot").await;
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        let quote = asking(&with_payment(fields.clone())).route("POST /v1/refunds/quote");
        let reply = World::with(&payment).await.post(&quote.with("/rawPath", "/v1/refunds/quote")).await;
        assert_eq!(reply.problem(), (422, "processor_cannot"), "{}", reply.text);
        // An adapter is the team's own.
        let world = World::with(&at(ProcessorName::Http, minor, currency)).await;
        assert_eq!(world.post(&asking(&with_payment(fields))).await.status, 201);
    }
}

fn with_payment(mut fields: Value) -> Value {
    fields["payment_id"] = PAYMENT.into();
    fields
}

#[tokio::test]
async fn a_replay_is_answered_though_its_processor_cannot_make_it() {
    let world = World::with(&at(ProcessorName::Stripe, 5_124, "KWD")).await;
    let body = with_payment(json!({}));
    // As an earlier version took it.
    let earlier = World::with(&at(ProcessorName::Http, 5_124, "KWD")).await;
    assert_eq!(earlier.post(&asking(&body)).await.status, 201);
    let items = earlier.table.items().await;
    let refund = items.into_iter().find(|item| item["sk"].as_s().unwrap() == "refund").unwrap();
    let put = world.table.plain().put_item().table_name(world.table.name());
    put.set_item(Some(refund)).send().await.unwrap();
    assert_eq!(world.post(&asking(&body)).await.status, 201);
}
