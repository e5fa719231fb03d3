//! Whatever the table or a receiver answers, and whatever a row holds: no function tells it to the log, and no refusal
//! tells it to its caller.

use std::collections::HashSet;
use std::fmt::Debug;

use lambda_http::{Body, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::refund::Refund;
use recoup_domain::signing::{Secrets, Signed, sign};
use recoup_domain::text::TargetUrl;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::jobs::{Job, Jobs, Pace, RefundJob, SendJobError, WebhookJob};
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use recoup_ports::webhooks::{Deliver, Reply, SendError};
use recoup_storage::TableImages;
use recoup_testing::planted::{self, Log};
use recoup_testing::{Item, TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};

use crate::door::serve;
use crate::gateway::Event;
use crate::scopes::{Case, cases, world};
use crate::seal_keys::KeyStore;

const NOTIFY: &str = include_str!("../../events/settle-refund.json");

/// A queue that takes everything.
struct Taking;

impl Jobs for Taking {
    async fn send(&self, _: &[Job]) -> Vec<(usize, SendJobError)> {
        Vec::new()
    }

    async fn dead_letter(&self, _: &str) -> Result<(), SendJobError> {
        Ok(())
    }
}

impl Pace for Taking {
    async fn again_in(&self, _: &str, _: u32) -> Result<(), SendJobError> {
        Ok(())
    }
}

/// A receiver that says what it should not.
struct Talking;

impl Deliver for Talking {
    async fn deliver(&self, _: &TargetUrl, _: &Signed) -> Result<Reply, SendError> {
        Ok(Reply { status: 500, retry_after: None, head: planted::text() })
    }
}

fn adapter_secrets() -> Secrets {
    Secrets::first(fixtures::secret(9))
}

/// The keys of the account's own adapter.
struct OwnKeys;

impl ProcessorKeys for OwnKeys {
    async fn access<A: Access>(&self, _: &recoup_domain::ids::Tenant) -> Result<Option<A>, KeysError> {
        let secret = adapter_secrets().current.reveal();
        let keys = json!({ "base_url": "https://adapter.example", "secrets": [secret] });
        Ok(Some(A::parse(&keys.to_string()).unwrap()))
    }
}

/// An adapter's genuine notice that a refund has succeeded.
fn notice(refund: &Refund) -> Event {
    let told = json!({
        "environment": "sandbox", "account_id": refund.tenant.account.as_str(), "refund_id": refund.id.as_str(),
        "status": "succeeded", "reference": "bank-7",
    });
    let signed = sign("msg_1", fixtures::now(), told.to_string(), &adapter_secrets());
    let path = "/v1/processors/http/notifications";
    Event::as_recorded(NOTIFY)
        .with("/pathParameters/name", "http")
        .with("/requestContext/http/path", path)
        .with("/rawPath", path)
        .text(&told.to_string())
        .header("webhook-id", &signed.id)
        .header("webhook-timestamp", &signed.timestamp)
        .header("webhook-signature", &signed.signature)
}

fn text(response: &Response<Body>) -> &str {
    match response.body() {
        Body::Text(text) => text,
        _ => "",
    }
}

fn queued(job: &Value) -> Value {
    json!({ "Records": [{
        "messageId": "m", "receiptHandle": "r", "body": job.to_string(),
        "attributes": { "ApproximateReceiveCount": "1" },
    }] })
}

struct World {
    table: TestTable,
    cases: Vec<Case>,
    refund: Refund,
}

impl World {
    async fn new() -> Self {
        let (table, refund, event) = world().await;
        let id = refund.as_str().try_into().unwrap();
        let stored = recoup_ports::refunds::Refunds::refund(&table.store(), &fixtures::tenant(), &id).await;
        Self { cases: cases(&refund, &event), refund: stored.unwrap().unwrap(), table }
    }

    /// Every route under every scope: a refusal tells nothing.
    async fn ask(&self, when: &impl Debug) {
        for case in &self.cases {
            let event = case.event(&Scope::ALL);
            let response = Box::pin(serve(&self.table, case.key, &event)).await;
            if response.status().as_u16() >= 400 {
                planted::assert_untold(text(&response), when);
            }
        }
        let (store, now) = (self.table.store(), fixtures::now);
        let keys = settle_refund::KeysOfAccounts::new(store.clone(), OwnKeys);
        let context = settle_refund::Context { store, keys, processor: Sandbox, now };
        let response = settle_refund::handle(&context, notice(&self.refund).request()).await;
        planted::assert_untold(text(&response), when);
    }

    /// Every function behind a queue, the stream or a schedule. What it returns, Lambda logs.
    async fn work(&self, records: &[Value], when: &impl Debug) {
        let (now, jitter_permille) = (fixtures::now, || 1_000);
        let store = || self.table.store();
        let mut told = Vec::new();
        let relay = relay_events::Context { images: TableImages, store: store(), jobs: Taking, now };
        let relayed = relay_events::handle(&relay, json!({ "Records": records })).await;
        told.extend(relayed.err().map(|error| error.to_string()));

        let public_url = PublicUrl::new("https://api.example.com");
        let dispatch = dispatch_webhook::Context {
            open: recoup_testing::seals::TestKey::default(),
            store: store(),
            receivers: Talking,
            public_url,
            now,
            jitter_permille,
        };
        let target = recoup_domain::delivery::Target::Endpoint(fixtures::endpoint(1).id);
        let job = WebhookJob::first(&fixtures::beginning(&self.refund), target);
        let dispatched = dispatch_webhook::handle(&dispatch, &queued(&json!(job))).await;
        told.extend(dispatched.err().map(|error| error.to_string()));

        let restraints = process_refund::Restraints::default();
        let process = process_refund::Context {
            store: store(),
            processor: Sandbox,
            pace: Taking,
            seal_keys: KeyStore::default(),
            restraints,
            now,
            jitter_permille,
        };
        let (tenant, refund) = (self.refund.tenant.clone(), self.refund.id.clone());
        let job = RefundJob { tenant, refund, turn: Some(self.refund.turn) };
        let processed = process_refund::handle(&process, queued(&json!(job))).await;
        told.extend(processed.err().map(|error| error.to_string()));

        let released = release_due::handle(&release_due::Context { due: store(), now }).await;
        told.extend(released.err().map(|error| error.to_string()));

        let later = || fixtures::later(2 * 3_600_000);
        let reconcile = reconcile::Context {
            store: store(),
            processor: Sandbox,
            seal_keys: KeyStore::default(),
            now: later,
        };
        match reconcile::handle(&reconcile, json!({ "days": 2 })).await {
            Ok(summary) => told.push(json!(summary).to_string()),
            Err(error) => told.push(error.to_string()),
        }
        planted::assert_untold(&told.join("\n"), when);
    }
}

#[tokio::test(start_paused = true)]
async fn no_function_tells_what_a_broken_table_answers() {
    let world = World::new().await;
    let records = world.table.stream_records(None);
    for broken in planted::answers() {
        world.table.fail_everything(&broken);
        let log = Log::listen();
        world.ask(&broken).await;
        world.work(&records, &broken).await;
        assert!(log.text().contains("ERROR"), "something was logged after {broken:?}");
        log.assert_tells_nothing(&broken);
        world.table.heal();
    }
}

/// The sequence number of the last of these records.
fn last(records: &[Value]) -> Option<String> {
    Some(records.last()?["dynamodb"]["SequenceNumber"].as_str()?.to_owned())
}

/// The attributes of an item that are no part of a key.
fn attributes(item: &Item) -> Vec<String> {
    let keys = ["pk", "sk", "list_pk", "list_sk", "due_pk", "due_sk"];
    item.keys().filter(|name| !keys.contains(&name.as_str())).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn no_function_tells_what_a_row_holds_that_cannot_be_read() {
    let world = World::new().await;
    let (mut count, mut seen) = (0, last(&world.table.stream_records(None)));
    let mut kinds = HashSet::new();
    for item in world.table.items().await {
        if !kinds.insert(item["sk"].as_s().unwrap().clone()) {
            continue;
        }
        for attribute in attributes(&item) {
            let when = format!("{attribute} of {:?}", item["pk"]);
            world.table.copy(&item, &[(attribute.as_str(), &planted::text())]).await;
            let records = world.table.stream_records(seen.as_deref());
            seen = last(&records);
            let log = Log::listen();
            world.work(&records, &when).await;
            world.ask(&when).await;
            log.assert_tells_nothing(&when);
            world.table.copy(&item, &[]).await;
            count += 1;
        }
    }
    assert!(count > 50, "{count} attributes");
}
