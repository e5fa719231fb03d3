//! `manage-webhooks`, driven with the gateway's events over a real table.
#![cfg(test)]

mod apart;
mod budgets;
mod endpoint_bodies;
mod endpoints;
mod events;
mod faults;
#[path = "../../../../tests/events/gateway.rs"]
mod gateway;
mod listing_events;
mod redelivering;
mod samples;
mod secrets;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use gateway::{Event as GatewayEvent, Reply};
use manage_webhooks::{Context, handle};
use recoup_domain::decide::{Identity, decide};
use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, Target};
use recoup_domain::event::Event;
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::refund::{Move, Outcome, Refund};
use recoup_domain::text::TargetUrl;
use recoup_domain::time::Timestamp;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::Endpoints;
use recoup_ports::events::{DeliveryRecorded, RecordDeliveries, RecordEvents};
use recoup_ports::payments::{Payments, Register};
use recoup_ports::refunds::{Reserve, Reserved};
use recoup_ports::samples::{SampleError, SampleJob, Sampled, SendSamples};
use recoup_ports::settlement::{Settle, Settled};
use recoup_ports::webhooks::Reach;
use recoup_storage::Table;
use recoup_testing::seals::TestKey;
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};

const RECORDED: &str = include_str!("../../../../tests/events/manage-webhooks.json");
const PAYMENT: &str = "pay_1";

thread_local! {
    // Each test has its thread, so each has its clock and its luck.
    static CLOCK: Cell<u64> = const { Cell::new(60_000) };
    static DRAWN: Cell<u128> = const { Cell::new(1) };
}

/// So many milliseconds after the fixtures' moment.
fn set_clock(millis: u64) {
    CLOCK.set(millis);
}

fn now() -> Timestamp {
    fixtures::later(CLOCK.get())
}

fn random() -> u128 {
    DRAWN.set(DRAWN.get().wrapping_add(1));
    DRAWN.get()
}

/// The sender of samples: says what a test has it say, or does not answer. It knows which endpoints there are.
struct Samples {
    store: Table,
    says: Mutex<Option<Sampled>>,
    asked: Mutex<Vec<SampleJob>>,
}

impl SendSamples for Samples {
    async fn send_sample(&self, job: &SampleJob) -> Result<Sampled, SampleError> {
        self.asked.lock().unwrap().push(job.clone());
        let says = self.says.lock().unwrap().clone().ok_or_else(|| SampleError("it is throttled".into()))?;
        let endpoint = self.store.endpoint(&job.tenant, &job.endpoint).await.unwrap();
        Ok(endpoint.map_or(Sampled::NoSuchEndpoint, |_| says))
    }
}

/// The function over a table that knows the account of the fixtures and a payment of it.
struct World {
    table: TestTable,
    key: TestKey,
    context: Context<Table, Samples, TestKey>,
}

impl World {
    async fn new() -> Self {
        Self::with(Reach::Anywhere).await
    }

    async fn with(reach: Reach) -> Self {
        let table = TestTable::new();
        let account = NewAccount {
            id: fixtures::tenant().account,
            name: "Test".to_owned(),
            sandbox_secret: fixtures::plain_secret(100),
            live_secret: fixtures::plain_secret(101),
            created_at: fixtures::now(),
        };
        table.store().create_account(&account).await.unwrap();
        table.store().register(&fixtures::payment(PAYMENT, 1_000_000)).await.unwrap();
        table.take_calls();
        let sent = Sampled::Sent { status: Some(204), said: String::new(), duration_ms: 12 };
        let (store, says) = (table.others(), Mutex::new(Some(sent)));
        let (samples, key) = (Samples { store, says, asked: Mutex::default() }, TestKey::default());
        let public_url = PublicUrl::new("https://api.example.com");
        let (store, seal) = (table.store(), key.clone());
        let context = Context { store, samples, seal, public_url, reach, now, random };
        Self { table, key, context }
    }

    async fn ask(&self, event: GatewayEvent) -> Reply {
        Reply::read(&event, handle(&self.context, event.request()).await)
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let event = asking(method, path);
        self.ask(body.map_or(event.clone(), |body| event.json(&body))).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    /// A new endpoint's id and secret.
    async fn endpoint(&self, body: Value) -> (String, String) {
        let made = self.send("POST", "/v1/webhook-endpoints", Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        self.table.take_calls();
        let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    /// A refund of the payment, made so many milliseconds after the fixtures' moment.
    async fn refund(&self, key: &str, millis: u64, url: Option<&str>) -> Refund {
        let store = self.table.store();
        let payment = store.payment(&fixtures::tenant(), &fixtures::payment_id(PAYMENT)).await;
        let payment = payment.unwrap().unwrap();
        let mut wanted = fixtures::wanted(&payment, Some(1));
        wanted.metadata = fixtures::metadata("first");
        wanted.notes.webhook_url = url.map(|url| TargetUrl::unchecked(url.to_owned()));
        let identity = Identity { now: fixtures::later(millis), ..fixtures::identity(key) };
        let reservation = decide(&payment, &wanted, identity).unwrap();
        assert!(matches!(store.reserve(&reservation).await, Ok(Reserved::New)));
        self.record(&fixtures::beginning(&reservation.refund)).await;
        reservation.refund
    }

    async fn moved(&self, change: Move) -> Refund {
        assert!(matches!(self.table.store().carry_out(&change).await, Ok(Settled::Applied)));
        self.table.take_calls();
        change.into_refund()
    }

    /// The refund once the processor has said so.
    async fn stepped(&self, refund: &Refund, outcome: Outcome, millis: u64) -> Refund {
        self.moved(refund.step(outcome, fixtures::later(millis)).unwrap()).await
    }

    async fn with_metadata(&self, refund: &Refund, value: &str, millis: u64) -> Refund {
        self.moved(fixtures::renamed(refund, value, fixtures::later(millis))).await
    }

    /// Records an event of which nobody is to be told.
    async fn record(&self, event: &Event) {
        self.table.store().record_event(event, &[]).await.unwrap();
        self.table.take_calls();
    }

    async fn note(&self, event: &Event, delivery: &Delivery) {
        self.record(event).await;
        assert_eq!(self.table.store().record_delivery(None, delivery).await.unwrap(), DeliveryRecorded::Yes);
        self.table.take_calls();
    }
}

/// A delivery after one try at a moment, which was answered with this status.
fn tried(event: &Event, target: &Target, millis: u64, status: u16) -> Delivery {
    let attempt = Attempt {
        at: fixtures::later(millis),
        took: Duration::from_millis(12),
        outcome: AttemptOutcome::Status { status, head: "hm".to_owned() },
    };
    Delivery::first(event, target.clone(), fixtures::later(millis)).after(attempt, None, 1_000)
}

fn target(endpoint: &str) -> Target {
    Target::Endpoint(EndpointId::try_from(endpoint).unwrap())
}

/// A request of the fixtures' tenant, as the gateway tells it.
fn asking(method: &str, path: &str) -> GatewayEvent {
    asking_as(&fixtures::tenant(), method, path)
}

fn asking_as(tenant: &Tenant, method: &str, path: &str) -> GatewayEvent {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts = path.trim_start_matches("/v1/").split('/');
    let (parameters, template) = match (parts.next(), parts.next()) {
        (Some("webhook-endpoints"), Some(id)) => {
            (json!({ "endpoint_id": id }), path.replace(id, "{endpoint_id}"))
        }
        (Some("events"), Some(id)) => (json!({ "event_id": id }), path.replace(id, "{event_id}")),
        _ => (json!({}), path.to_owned()),
    };
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query_parameters: BTreeMap<&str, &str> = pairs.collect();
    GatewayEvent::as_recorded(RECORDED)
        .with("/requestContext/authorizer/lambda/account_id", tenant.account.as_str())
        .with("/requestContext/authorizer/lambda/environment", tenant.environment.as_str())
        .route(&format!("{method} {template}"))
        .with("/requestContext/http/path", path)
        .with("/rawPath", path)
        .with("/pathParameters", parameters)
        .with("/rawQueryString", query)
        .with("/queryStringParameters", json!(query_parameters))
}

/// The entries of a list.
fn data(reply: &Reply) -> &Vec<Value> {
    assert_eq!((reply.status, &reply.body["object"]), (200, &json!("list")), "{}", reply.text);
    assert_eq!(reply.body["has_more"], json!(!reply.body["next_cursor"].is_null()), "{}", reply.text);
    reply.body["data"].as_array().unwrap()
}
