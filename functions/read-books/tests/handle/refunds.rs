//! `GET /v1/refunds/{refund_id}`.

use recoup_domain::ids::{AccountId, RefundId};
use recoup_domain::refund::{BankReference, BankReferenceKind, Failure, Outcome, Said};
use recoup_domain::text::Text;
use recoup_testing::{Fault, fixtures};
use serde_json::json;

use crate::gateway::Event;
use crate::{GET_REFUND, World, reading};

#[tokio::test]
async fn a_refund_is_shown_with_all_its_texts() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    let reply = world.get(&reading(&refund)).await;
    assert_eq!(reply.status, 200);
    insta::assert_json_snapshot!(reply.body);
}

#[tokio::test]
async fn a_refund_shows_where_it_stands() {
    let stands = |status: &str, reason: Option<&str>, failed: bool| json!({"status": status, "pending_reason": reason, "has_failed": failed});
    for (outcome, expected) in [
        (Outcome::Pending, stands("processing", Some("processor_pending"), false)),
        (Outcome::PendingFunds, stands("processing", Some("insufficient_funds"), false)),
        (Outcome::Unknown, stands("processing", Some("processor_outcome_unknown"), false)),
        (Outcome::Busy { retry_after: None }, stands("processing", Some("processor_busy"), false)),
        (Outcome::NotConfigured, stands("processing", Some("processor_not_configured"), false)),
        (fixtures::succeeded(), stands("succeeded", None, false)),
        (fixtures::failed(), stands("failed", None, true)),
    ] {
        let world = World::with(fixtures::getpaid_payment()).await;
        let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
        world.settle(&refund, outcome.clone()).await;
        let body = world.get(&reading(&refund)).await.body;
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&body[field], value, "{field} in {body}");
        }
        let reference = (outcome == fixtures::succeeded()).then_some("re_3MmlLrLkdIwHu7ix0uke3Ezy");
        assert_eq!(body["processor_reference"], json!(reference));
        assert_eq!(body["arrival_estimate"].is_null(), outcome == fixtures::failed());
        let failure = json!({
            "code": "declined", "message": "the customer's bank refused the refund", "processor_code": null,
            "processor_message": null, "processor_request_id": null,
        });
        assert_eq!(body["failure"], if outcome == fixtures::failed() { failure } else { json!(null) });
        assert_eq!(body["created_at"], "2026-11-22T09:30:00.000Z");
        assert_eq!(body["updated_at"], "2026-11-22T09:30:01.000Z");
    }
}

#[tokio::test]
async fn what_the_processor_said_is_shown() {
    let number = |value: Option<&str>| {
        Some(BankReference { kind: BankReferenceKind::Arn, value: value.map(fixtures::text) })
    };
    let paid =
        |value| Outcome::Succeeded { reference: fixtures::text("re_1"), bank_reference: number(value) };
    let said = Said {
        code: Text::cleaned("charge_disputed"),
        message: Text::cleaned("It is disputed."),
        request_id: Text::cleaned("req_1"),
    };
    let Outcome::Failed(failure) = fixtures::failed() else { panic!("it is no failure") };
    let refused = Outcome::Failed(Failure { said, ..failure });
    for (outcome, field, shown) in [
        (paid(None), "/bank_reference", json!({"kind": "arn", "value": null, "status": "pending"})),
        (paid(Some("74")), "/bank_reference", json!({"kind": "arn", "value": "74", "status": "available"})),
        (refused.clone(), "/failure/processor_code", json!("charge_disputed")),
        (refused.clone(), "/failure/processor_message", json!("It is disputed.")),
        (refused, "/failure/processor_request_id", json!("req_1")),
    ] {
        let world = World::with(fixtures::getpaid_payment()).await;
        let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
        world.settle(&refund, outcome).await;
        assert_eq!(world.get(&reading(&refund)).await.body.pointer(field), Some(&shown));
    }
}

#[tokio::test]
async fn a_refund_that_needs_a_person_says_so() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    assert_eq!(world.get(&reading(&refund)).await.body["flag"], json!(null));
    let item = world.table.item("refund").await;
    world.table.set_text(&item, "flag", "succeeded_after_failure").await;
    assert_eq!(world.get(&reading(&refund)).await.body["flag"], "succeeded_after_failure");
}

#[tokio::test]
async fn a_refund_costs_one_call_and_one_unit() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    assert_eq!(world.get(&reading(&refund)).await.status, 200);
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["GetItem"]);
    assert!(calls.read_units() <= 1.0, "{calls}");
}

#[tokio::test]
async fn a_refund_of_nobody_or_of_somebody_else_does_not_exist() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    let lambda = "/requestContext/authorizer/lambda";
    for event in [
        // Each an id that could be, and is not.
        Event::of_fixtures_tenant(GET_REFUND),
        Event::of_fixtures_tenant(GET_REFUND).of_refund(RefundId::from_bits(9).as_str()),
        // No ids at all.
        Event::of_fixtures_tenant(GET_REFUND).of_refund("rfd_"),
        Event::of_fixtures_tenant(GET_REFUND).of_refund(&refund.id.as_str().to_uppercase()),
        Event::of_fixtures_tenant(GET_REFUND).of_refund(&refund.id.as_str().replace("rfd_", "evt_")),
        // Somebody else's.
        reading(&refund).with(&format!("{lambda}/account_id"), AccountId::from_bits(2).as_str()),
        reading(&refund).with(&format!("{lambda}/environment"), "live"),
    ] {
        assert_eq!(world.get(&event).await.problem(), (404, "refund_not_found"), "{}", event.0);
    }
}

#[tokio::test]
async fn a_refund_is_read_with_the_scope_for_it() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    let with = |scopes: &str| reading(&refund).with("/requestContext/authorizer/lambda/scopes", scopes);
    let reply = world.get(&with("payments:read payments:write refunds:write webhooks:manage")).await;
    assert_eq!(reply.problem(), (403, "insufficient_scope"));
    assert_eq!(world.table.take_calls().count(), 0);
    assert_eq!(world.get(&with("refunds:read")).await.status, 200);
    let stranger = reading(&refund).without("/requestContext/authorizer");
    assert_eq!(world.get(&stranger).await.problem(), (500, "internal_error"));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_says_come_back() {
    let world = World::with(fixtures::getpaid_payment()).await;
    let refund = world.refund("key-1", &fixtures::getpaid_wanted()).await;
    for fault in [Fault::throttled(), Fault::server_error(), Fault::LoseAnswer, Fault::AnswerTooLate] {
        world.table.fail("GetItem", 1, fault.clone());
        assert_eq!(world.get(&reading(&refund)).await.status, 200, "{fault:?}");
        world.table.fail_always("GetItem", fault.clone());
        assert_eq!(world.get(&reading(&refund)).await.problem(), (503, "unavailable"), "{fault:?}");
        world.table.heal();
    }
}
