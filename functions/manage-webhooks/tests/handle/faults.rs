//! What goes wrong between the function and its table: never a 500, and nothing done twice.

use recoup_ports::endpoints::Endpoints;
use recoup_ports::events::Events;
use recoup_testing::{Fault, fixtures};
use serde_json::json;

use crate::{World, data, tried};

const ENDPOINTS: &str = "/v1/webhook-endpoints";
const URL: &str = "https://shop.example.com/";

fn lost() -> [Fault; 3] {
    [Fault::LoseAnswer, Fault::AnswerTooLate, Fault::LoseRequest]
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_makes_one_endpoint() {
    for fault in lost() {
        let world = World::new().await;
        world.table.fail("TransactWriteItems", 1, fault);
        let made = world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(data(&world.get(ENDPOINTS).await).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_without_an_outcome_is_not_to_be_tried_again_blindly() {
    let world = World::new().await;
    world.table.fail("TransactWriteItems", 3, Fault::LoseAnswer);
    let lost = world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))).await;
    assert_eq!(lost.problem(), (503, "unavailable"));
    assert_eq!((&lost.body["retryable"], lost.header("retry-after")), (&json!(false), None));
    assert_eq!(data(&world.get(ENDPOINTS).await).len(), 1, "as it says, the list tells");
}

#[tokio::test(start_paused = true)]
async fn a_change_a_rotation_or_a_delete_whose_answer_was_lost_is_made_once() {
    for fault in lost() {
        let world = World::new().await;
        let (id, _) = world.endpoint(json!({ "url": URL })).await;
        let path = format!("{ENDPOINTS}/{id}");
        let store = world.table.store();
        let id = recoup_domain::ids::EndpointId::try_from(id.as_str()).unwrap();
        let stored = async || store.endpoint(&fixtures::tenant(), &id).await.unwrap().unwrap();

        world.table.fail("UpdateItem", 1, fault.clone());
        let changed = world.send("PATCH", &path, Some(json!({ "description": "x" }))).await;
        assert_eq!((changed.status, stored().await.revision), (200, 2), "{}", changed.text);
        world.table.fail("UpdateItem", 1, fault.clone());
        let rotated = world.send("POST", &format!("{path}/rotate-secret"), None).await;
        assert_eq!((rotated.status, stored().await.revision), (200, 3), "{}", rotated.text);
        let secrets = stored().await.secrets;
        let purpose = recoup_ports::seals::Purpose::Endpoint(id.clone());
        assert_eq!(
            (
                json!(world.key.secret(&fixtures::tenant(), &purpose, &secrets.current).reveal()),
                secrets.retired.len()
            ),
            (rotated.body["secret"].clone(), 1)
        );
        world.table.fail("TransactWriteItems", 1, fault.clone());
        assert_eq!(world.send("DELETE", &path, None).await.status, 204);
        assert_eq!(data(&world.get(ENDPOINTS).await).len(), 0);
        // The place is free once, not twice.
        for _ in 0..16 {
            world.endpoint(json!({ "url": URL })).await;
        }
        let refused = world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))).await;
        assert_eq!(refused.problem(), (409, "too_many_endpoints"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_whose_answer_was_lost_is_scheduled_once() {
    for fault in lost() {
        let world = World::new().await;
        let (id, _) = world.endpoint(json!({ "url": URL })).await;
        let event = fixtures::beginning(&world.refund("key-1", 0, None).await);
        let path = format!("/v1/events/{}/redeliver", event.id);
        for turn in [1, 2] {
            world.table.fail("PutItem", 1, fault.clone());
            let told = world.send("POST", &path, Some(json!({ "endpoint_id": id }))).await;
            assert_eq!(told.status, 202, "{}", told.text);
            let stored = world.table.store().event(&event.tenant, &event.id).await.unwrap().unwrap();
            assert_eq!(stored.deliveries[0].turn, turn);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_busy_is_a_503_by_every_route() {
    let world = World::new().await;
    // The sender of samples has the same table.
    *world.context.samples.says.lock().unwrap() = None;
    let (id, _) = world.endpoint(json!({ "url": URL })).await;
    let endpoint = format!("{ENDPOINTS}/{id}");
    let refund = world.refund("key-1", 0, None).await;
    let event = fixtures::beginning(&refund);
    world.note(&event, &tried(&event, &crate::target(&id), 10, 500)).await;
    let event = format!("/v1/events/{}", event.id);
    let change = json!({ "description": "x" });
    for (method, path, body, operation) in [
        ("GET", ENDPOINTS, None, "Query"),
        ("GET", &endpoint, None, "GetItem"),
        ("PATCH", &endpoint, Some(change.clone()), "GetItem"),
        ("PATCH", &endpoint, Some(change), "UpdateItem"),
        ("DELETE", &endpoint, None, "TransactWriteItems"),
        ("POST", &format!("{endpoint}/rotate-secret"), None, "UpdateItem"),
        ("POST", &format!("{endpoint}/test"), None, "GetItem"),
        ("GET", "/v1/events", None, "Query"),
        ("GET", "/v1/events", None, "BatchGetItem"),
        ("GET", &format!("/v1/events?refund_id={}", refund.id), None, "GetItem"),
        ("GET", &format!("/v1/events?refund_id={}", refund.id), None, "Query"),
        ("GET", &event, None, "Query"),
        ("GET", &event, None, "GetItem"),
        ("POST", &format!("{event}/redeliver"), None, "PutItem"),
    ] {
        for fault in [Fault::throttled(), Fault::server_error()] {
            world.table.fail_always(operation, fault);
            let busy = world.send(method, path, body.clone()).await;
            assert_eq!(busy.problem(), (503, "unavailable"), "{method} {path} {operation}");
            assert_eq!(busy.body["retryable"], true);
            world.table.heal();
        }
    }
    world.table.fail_always("TransactWriteItems", Fault::throttled());
    let busy = world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))).await;
    assert_eq!((busy.problem(), &busy.body["retryable"]), ((503, "unavailable"), &json!(false)));
}

#[tokio::test(start_paused = true)]
async fn writes_in_conflict_are_tried_again() {
    let world = World::new().await;
    for conflict in [[true, false], [false, true]] {
        world.table.fail("TransactWriteItems", 2, Fault::conflict(conflict));
        let made = world.send("POST", ENDPOINTS, Some(json!({ "url": URL }))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = format!("{ENDPOINTS}/{}", made.body["id"].as_str().unwrap());
        world.table.fail("UpdateItem", 2, Fault::write_conflict());
        assert_eq!(world.send("PATCH", &path, Some(json!({ "enabled": false }))).await.status, 200);
        world.table.fail("TransactWriteItems", 2, Fault::conflict(conflict));
        assert_eq!(world.send("DELETE", &path, None).await.status, 204);
    }
    assert_eq!(data(&world.get(ENDPOINTS).await).len(), 0);
}
