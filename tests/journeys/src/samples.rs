//! A sample from the request to the receiver: `manage-webhooks` seals the secret and asks, `dispatch-webhook` opens it and
//! signs.

use std::sync::Mutex;

use recoup_domain::signing::{Secret, Signed, verifies};
use recoup_domain::text::TargetUrl;
use recoup_ports::samples::{SampleError, SampleJob, SampleRequest, Sampled, SendSamples};
use recoup_ports::webhooks::{Deliver, Reach, Reply, SendError};
use recoup_storage::Table;
use recoup_testing::seals::TestKey;
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};

use crate::gateway::{Event, Reply as Answered};

const RECORDED: &str = include_str!("../../events/manage-webhooks.json");

/// Where there is no endpoint.
pub(crate) struct NoEndpoints;

impl SendSamples for NoEndpoints {
    async fn send_sample(&self, _: &SampleJob) -> Result<Sampled, SampleError> {
        Ok(Sampled::NoSuchEndpoint)
    }
}

/// A receiver that keeps what it was sent.
#[derive(Default)]
struct Receiver(Mutex<Vec<Signed>>);

impl Deliver for Receiver {
    async fn deliver(&self, _: &TargetUrl, message: &Signed) -> Result<Reply, SendError> {
        self.0.lock().unwrap().push(message.clone());
        Ok(Reply { status: 202, retry_after: None, head: "thanks".to_owned() })
    }
}

/// `dispatch-webhook`, invoked as Lambda invokes it: with a text, for a text.
struct Invoked(dispatch_webhook::Context<Table, Receiver, TestKey>);

impl SendSamples for Invoked {
    async fn send_sample(&self, job: &SampleJob) -> Result<Sampled, SampleError> {
        let asked = serde_json::to_string(&SampleRequest { sample: job.clone() }).unwrap();
        let event: Value = serde_json::from_str(&asked).unwrap();
        // A function of its own has a process of its own.
        let answer = std::thread::scope(|scope| {
            let invoked = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(dispatch_webhook::handle(&self.0, &event))
            });
            invoked.join().unwrap()
        });
        let answer = answer.map_err(SampleError)?;
        Ok(serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap())
    }
}

type Managing = manage_webhooks::Context<Table, Invoked, TestKey>;

async fn post(context: &Managing, template: &str, id: &str, body: Value) -> Answered {
    let path = template.replace("{endpoint_id}", id);
    let event = Event::as_recorded(RECORDED)
        .with("/requestContext/authorizer/lambda/account_id", fixtures::tenant().account.as_str())
        .route(&format!("POST {template}"))
        .with("/requestContext/http/path", path.as_str())
        .with("/rawPath", path.as_str())
        .with("/pathParameters", json!({ "endpoint_id": id }))
        .json(&body);
    Answered::read(&event, manage_webhooks::handle(context, event.request()).await)
}

#[tokio::test]
async fn a_sample_is_signed_with_the_secrets_that_were_shown() {
    let (table, key) = (TestTable::new(), TestKey::default());
    let account = recoup_ports::credentials::NewAccount {
        id: fixtures::tenant().account,
        name: "n".to_owned(),
        sandbox_secret: fixtures::plain_secret(100),
        live_secret: fixtures::plain_secret(101),
        created_at: fixtures::now(),
    };
    recoup_ports::credentials::Accounts::create_account(&table.store(), &account).await.unwrap();
    let public_url = PublicUrl::new("https://api.example.com");
    let dispatch = dispatch_webhook::Context {
        store: table.store(),
        receivers: Receiver::default(),
        open: key.clone(),
        public_url: public_url.clone(),
        now: fixtures::now,
        jitter_permille: || 1_000,
    };
    let (store, samples, reach) = (table.store(), Invoked(dispatch), Reach::Public);
    let random = || 7;
    let context =
        Managing { store, samples, seal: key.clone(), public_url, reach, now: fixtures::now, random };
    let endpoints = "/v1/webhook-endpoints";
    let made = post(&context, endpoints, "", json!({ "url": "https://shop.example.com/" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = |answer: &Answered, field: &str| answer.body[field].as_str().unwrap().to_owned();
    let (id, first) = (text(&made, "id"), text(&made, "secret"));
    let rotated = post(&context, "/v1/webhook-endpoints/{endpoint_id}/rotate-secret", &id, json!({})).await;
    let second = text(&rotated, "secret");

    table.take_calls();
    let told = post(&context, "/v1/webhook-endpoints/{endpoint_id}/test", &id, json!({})).await;
    let expected = json!({
        "object": "webhook_test", "event_id": told.body["event_id"], "delivered": true, "status": 202,
        "answer": "thanks", "error": null, "duration_ms": 0,
    });
    assert_eq!((told.status, &told.body), (200, &expected));
    assert_eq!(table.take_calls().operations(), ["UpdateItem", "BatchGetItem"]);
    let sent = context.samples.0.receivers.0.lock().unwrap().pop().unwrap();
    assert_eq!(sent.id, text(&told, "event_id"));
    for secret in [first, second] {
        let secret = Secret::parse(&secret).unwrap();
        assert!(verifies(&secret, &sent.id, &sent.timestamp, &sent.body, &sent.signature));
    }

    key.set_away(true);
    let refused = post(&context, "/v1/webhook-endpoints/{endpoint_id}/test", &id, json!({})).await;
    assert_eq!(refused.problem(), (503, "unavailable"));
}
