//! The first registration, its repeats, and what is fixed by it.

use recoup_domain::ids::{AccountId, Environment};
use recoup_ports::refunds::Reserve;
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::{Fault, fixtures};
use serde_json::json;

use crate::gateway::Event;
use crate::{PAYMENT, REGISTER, World, recorded, saying};

#[tokio::test]
async fn the_recorded_event_registers_the_getpaid_payment_once() {
    let world = World::new();
    let event = Event::as_recorded(REGISTER);
    let new = world.put(&event).await;
    assert_eq!(new.status, 201);
    insta::assert_json_snapshot!(new.body);
    let item = world.table.item("payment").await;
    let again = world.put(&event).await;
    assert_eq!((again.status, &again.body), (200, &new.body));
    assert_eq!(world.table.item("payment").await, item);
}

#[tokio::test]
async fn an_amount_and_a_currency_are_enough() {
    let world = World::new();
    let reply = world.put(&saying(&json!({}))).await;
    assert_eq!(reply.status, 201);
    insta::assert_json_snapshot!(reply.body);
}

#[tokio::test]
async fn everything_that_is_said_is_kept() {
    let world = World::new();
    let event = recorded().json(&json!({
        "amount": "31.00", "currency": "EUR", "status": "processing", "settlement": "unsettled",
        "payout": "not_started", "disputed": true, "partial_refunds": "after_payout",
        "refundable_until": "2027-11-22T01:00:00.0009+01:00",
        "routing": {"platform": {"amount": 100},
                    "merchants": [{"account_id": "a", "amount": "25.00"}, {"account_id": "b", "amount": 500}]},
        "invoice_details": [{"id": "iid_1", "amount": 2000}, {"id": "iid_2", "amount": "11.00"}],
        "processor": {"name": "sandbox", "reference": "sandbox_fail"}, "metadata": {"order": "ORD-1"},
    }));
    let reply = world.put(&event).await;
    assert_eq!(reply.status, 201);
    insta::assert_json_snapshot!(reply.body);
}

#[tokio::test]
async fn a_registration_costs_two_calls_and_its_repeat_one() {
    let world = World::new();
    assert_eq!(world.put(&recorded()).await.status, 201);
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["GetItem", "PutItem"]);
    // One for the payment, one for its place in the index.
    assert_eq!((calls.write_units(), calls.index_units()), (2.0, 1.0), "{calls}");
    assert_eq!(world.put(&recorded()).await.status, 200);
    assert_eq!(world.table.take_calls().operations(), ["GetItem"]);
}

#[tokio::test]
async fn what_is_fixed_cannot_be_registered_otherwise() {
    let routing = |platform: u64, seller: u64| json!({"platform": {"amount": platform}, "merchants": [{"account_id": "a", "amount": seller}]});
    let first = json!({
        "routing": routing(1000, 4000), "invoice_details": [{"id": "l1", "amount": 5000}],
        "processor": {"name": "sandbox", "reference": "sandbox_fail"},
    });
    let world = World::saying(&first).await;
    let before = world.table.item("payment").await;
    for (fields, param) in [
        (json!({"amount": 4999}), "amount"),
        (json!({"currency": "USD"}), "currency"),
        (json!({"routing": routing(0, 5000)}), "routing"),
        (json!({"invoice_details": [{"id": "l2", "amount": 5000}]}), "invoice_details"),
        (json!({"invoice_details": []}), "invoice_details"),
        (json!({"processor": {"name": "sandbox", "reference": "sandbox_succeed"}}), "processor"),
    ] {
        let reply = world.put(&saying(&fields)).await;
        assert_eq!(reply.problem(), (409, "payment_conflict"), "{fields}");
        assert_eq!(reply.body["param"], param);
    }
    // What is said again, or not said, agrees.
    for fields in [first, json!({"routing": routing(1000, 4000)}), json!({})] {
        assert_eq!(world.put(&saying(&fields)).await.status, 200, "{fields}");
    }
    assert_eq!(world.table.item("payment").await, before);
}

#[tokio::test]
async fn a_registration_never_touches_what_was_refunded() {
    let world = World::new();
    world.put(&recorded()).await;
    let store = world.table.store();
    let payment = world.payment().await;
    let merchants = [(fixtures::SELLER, 1000), (fixtures::SUPPLIER, 500)];
    let reservation = fixtures::decided(&payment, &fixtures::wanted_of(&payment, 0, &merchants), "key-1");
    store.reserve(&reservation).await.unwrap();
    let money = |body: &serde_json::Value| {
        ["refundable_amount", "held_amount", "refunded_amount"].map(|field| body[field].as_u64().unwrap())
    };
    assert_eq!(money(&world.put(&recorded()).await.body), [1600, 1500, 0]);
    let change = fixtures::moved(&reservation.refund, fixtures::succeeded());
    assert!(matches!(store.carry_out(&change).await, Ok(Settled::Applied)));
    let body = serde_json::from_str(recorded().0["body"].as_str().unwrap()).unwrap();
    let mut body: serde_json::Value = body;
    body["disputed"] = true.into();
    let reply = world.put(&recorded().json(&body)).await;
    assert_eq!((reply.status, money(&reply.body)), (200, [1600, 0, 1500]));
    assert_eq!(reply.body["refund_status"], "partial");
    assert_eq!(world.payment().await.refundable.minor(), 1600);
}

#[tokio::test]
async fn the_same_payment_id_of_another_tenant_is_another_payment() {
    let world = World::saying(&json!({})).await;
    let event = saying(&json!({"amount": 7}));
    let other = AccountId::from_bits(2);
    let other = event.clone().with("/requestContext/authorizer/lambda/account_id", other.as_str());
    assert_eq!(world.put(&other).await.status, 201);
    assert_eq!(world.put(&event).await.problem(), (409, "payment_conflict"));
    assert_eq!(world.payment().await.amount.minor(), 5000);
    assert_eq!(fixtures::tenant().environment, Environment::Sandbox);
}

#[tokio::test]
async fn another_payment_of_a_charge_is_refused_and_told_which_has_it() {
    let world = World::new();
    let fields = json!({"processor": {"name": "stripe", "reference": "pi_1"}});
    let first = saying(&fields);
    assert_eq!(world.put(&first).await.status, 201);
    let refused = world.put(&saying(&fields).of_payment("pay_other")).await;
    assert_eq!(refused.problem(), (409, "processor_reference_in_use"));
    assert_eq!(refused.body["param"], "processor.reference");
    assert_eq!(refused.body["payment_id"], PAYMENT);
    assert_eq!(world.put(&first).await.status, 200);
    // The other environment has charges of its own.
    assert_eq!(world.put(&live(saying(&fields)).of_payment("pay_other")).await.status, 201);
}

pub(crate) fn live(event: Event) -> Event {
    event.with("/requestContext/authorizer/lambda/environment", "live")
}

#[tokio::test]
async fn a_payment_names_stripe_or_the_teams_adapter_in_either_environment() {
    for (name, reference) in [
        ("stripe", "ch_3MmlLrLkdIwHu7ix0uke3Ezy"),
        ("stripe", "py_1"),
        ("stripe", "pi_3MmlLrLkdIwHu7ix0uke3Ezy"),
        ("http", "any name / of the bank's"),
    ] {
        let processor = json!({"name": name, "reference": reference});
        let fields = json!({"processor": processor});
        for event in [saying(&fields), live(saying(&fields))] {
            let world = World::new();
            let reply = world.put(&event).await;
            assert_eq!(reply.status, 201, "{}", reply.text);
            assert_eq!(
                (&reply.body["processor"]["name"], &reply.body["processor"]["reference"]),
                (&processor["name"], &processor["reference"])
            );
            // And comes back from the table as it went in.
            assert_eq!(world.put(&event).await.status, 200);
            let other = saying(&json!({"processor": {"name": "sandbox", "reference": reference}}));
            let other = if reply.body["sandbox"] == true { other } else { live(other) };
            assert_eq!(world.put(&other).await.problem(), (409, "payment_conflict"));
        }
    }
}

#[tokio::test]
async fn what_stripe_could_never_refund_is_refused_at_the_door() {
    for reference in ["sandbox_succeed", "re_1", "ch_", "CH_1", "ch_1/refunds", "ch_1&amount=1", "ch 1"] {
        let world = World::new();
        let fields = json!({"processor": {"name": "stripe", "reference": reference}});
        let reply = world.put(&saying(&fields)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{reference}");
        assert_eq!(reply.body["param"], "processor.reference");
        let detail =
            "processor.reference must be a charge (ch_… or py_…) or a payment intent (pi_…) of Stripe's.";
        assert_eq!(reply.body["detail"], detail);
        assert!(world.table.items().await.is_empty());
    }
}

#[tokio::test]
async fn in_live_no_payment_is_registered_at_the_sandboxs_processor() {
    let world = World::new();
    let sandbox = json!({"processor": {"name": "sandbox", "reference": "sandbox_succeed"}});
    for (fields, code) in [(json!({}), "missing_parameter"), (sandbox, "invalid_parameter")] {
        let reply = world.put(&live(saying(&fields))).await;
        assert_eq!(reply.problem(), (400, code));
        assert_eq!(reply.body["param"], "processor.name");
    }
    assert!(world.table.items().await.is_empty());
}

#[tokio::test]
async fn many_first_registrations_at_once_make_one_payment() {
    let world = World::new();
    let event = recorded();
    let (a, b, c, d) =
        tokio::join!(world.put(&event), world.put(&event), world.put(&event), world.put(&event));
    let mut statuses = [&a, &b, &c, &d].map(|reply| reply.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 201]);
    assert!([&b, &c, &d].iter().all(|reply| reply.body == a.body));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_fails_is_tried_again_and_then_says_come_back() {
    for operation in ["GetItem", "PutItem"] {
        for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::throttled(), Fault::server_error()] {
            let world = World::new();
            world.table.fail(operation, 1, fault.clone());
            let reply = world.put(&recorded()).await;
            // Who finds what his own lost try has written cannot tell it from somebody else's.
            let lost = operation == "PutItem" && matches!(fault, Fault::LoseAnswer);
            assert_eq!(reply.status, if lost { 200 } else { 201 }, "{fault:?} at {operation}");
            assert_eq!(world.payment().await.refundable.minor(), 3100);

            let world = World::new();
            world.table.fail_always(operation, fault.clone());
            let reply = world.put(&recorded()).await;
            assert_eq!(reply.problem(), (503, "unavailable"), "{fault:?} at {operation}");
            assert_eq!(reply.header("retry-after"), Some("1"));
            world.table.heal();
            assert!([200, 201].contains(&world.put(&recorded()).await.status));
            assert_eq!(world.payment().await.id.as_str(), PAYMENT);
        }
    }
}
