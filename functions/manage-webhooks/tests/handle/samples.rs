//! Samples: asked of their sender, which alone can sign, and shown as it tells them.

use recoup_ports::samples::Sampled;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::World;

impl World {
    /// A sample to an endpoint; its sender says this, or nothing.
    async fn sample(&self, says: Option<Sampled>) -> crate::Reply {
        let (id, _) = self.endpoint(json!({ "url": "https://shop.example.com/" })).await;
        self.key.take_seals();
        *self.context.samples.says.lock().unwrap() = says;
        self.send("POST", &format!("/v1/webhook-endpoints/{id}/test"), None).await
    }
}

#[tokio::test]
async fn a_sample_is_asked_for_once_and_costs_one_write() {
    let world = World::new().await;
    let sent = Sampled::Sent { status: Some(204), said: String::new(), duration_ms: 12 };
    let told = world.sample(Some(sent)).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let asked = world.context.samples.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].tenant, fixtures::tenant());
    assert_eq!(world.table.take_calls().operations(), ["UpdateItem"]);
    let list = world.get("/v1/webhook-endpoints").await;
    assert_eq!(asked[0].endpoint.as_str(), list.body["data"][0]["id"]);
    let expected = json!({
        "object": "webhook_test", "event_id": asked[0].event.as_str(), "delivered": true, "status": 204,
        "answer": null, "error": null, "duration_ms": 12,
    });
    assert_eq!(told.body, expected);
    assert_eq!(world.key.take_seals(), 0);
}

#[tokio::test]
async fn what_was_heard_is_told_whatever_it_is() {
    let world = World::new().await;
    let sent = |status, said: &str| Sampled::Sent { status, said: said.to_owned(), duration_ms: 1 };
    for (said, expected) in [
        (sent(Some(500), "help"), json!([false, 500, "help", null])),
        (sent(Some(302), ""), json!([false, 302, null, null])),
        (sent(None, "no answer"), json!([false, null, null, "no answer"])),
    ] {
        let told = world.sample(Some(said)).await;
        let body = &told.body;
        let shown = json!([body["delivered"], body["status"], body["answer"], body["error"]]);
        assert_eq!((told.status, shown), (200, expected));
    }
}

#[tokio::test]
async fn no_endpoint_is_404_and_a_row_that_cannot_be_read_is_500() {
    let world = World::new().await;
    assert_eq!(world.sample(Some(Sampled::NoSuchEndpoint)).await.problem(), (404, "endpoint_not_found"));
    assert_eq!(world.sample(Some(Sampled::Unreadable)).await.problem(), (500, "internal_error"));
}

/// Lambda throttles the sender, or the table or the key did not answer it.
#[tokio::test]
async fn a_sender_that_does_not_answer_is_503_and_may_be_asked_again() {
    let world = World::new().await;
    let told = world.sample(None).await;
    assert_eq!(told.problem(), (503, "unavailable"));
    assert_eq!((told.header("retry-after"), &told.body["retryable"]), (Some("1"), &Value::Bool(true)));
}
