//! How many round trips a batch waits for, one after another.

use std::time::Duration;

use recoup_domain::delivery::Target;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::{AccountId, EndpointId, Tenant};
use recoup_ports::endpoints::Endpoints;
use recoup_ports::events::RecordEvents;
use recoup_ports::jobs::{Job, Jobs, SendJobError};
use recoup_ports::rows::Rows;
use recoup_ports::{ReadError, WriteError};
use recoup_storage::TableImages;
use recoup_testing::fixtures;
use relay_events::{AT_ONCE, Context, handle};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{World, is_let_through, relayed};

/// The least a call lasts, on a clock that only calls move.
const ROUND: Duration = Duration::from_secs(1);

/// A table and queues, one second away.
struct Distant;

impl Endpoints for Distant {
    async fn endpoints(&self, _: &Tenant) -> Result<Rows<Endpoint>, ReadError> {
        tokio::time::sleep(ROUND).await;
        Ok(Rows { read: vec![fixtures::endpoint(1)], unreadable: Vec::new() })
    }

    async fn endpoint(&self, _: &Tenant, _: &EndpointId) -> Result<Option<Endpoint>, ReadError> {
        unreachable!("the relay reads all endpoints of an account")
    }
}

impl RecordEvents for Distant {
    async fn record_event(&self, _: &Event, receivers: &[Target]) -> Result<Vec<Target>, WriteError> {
        tokio::time::sleep(ROUND).await;
        Ok(receivers.to_vec())
    }
}

impl Jobs for Distant {
    async fn send(&self, jobs: &[Job]) -> Vec<(usize, SendJobError)> {
        tokio::time::sleep(ROUND).await;
        assert_eq!(
            jobs.len(),
            3 * AT_ONCE,
            "one for the processor, one for the endpoint, one for the refund's URL"
        );
        Vec::new()
    }

    async fn dead_letter(&self, record: &str) -> Result<(), SendJobError> {
        unreachable!("{record}")
    }
}

/// New refunds, one of each of so many accounts.
async fn new_refunds_of(accounts: u128) -> Vec<Value> {
    let world = World::new().await;
    world.reserve("key", &fixtures::getpaid_wanted()).await;
    let record = world.records().into_iter().find(|record| record["dynamodb"]["Keys"]["sk"]["S"] == "refund");
    let record = record.expect("the refund is new").to_string();
    let of = |account: u128| {
        record.replace(fixtures::tenant().account.as_str(), AccountId::from_bits(account).as_str())
    };
    (1..=accounts).map(|account| serde_json::from_str(&of(account)).unwrap()).collect()
}

#[tokio::test]
async fn a_batch_takes_three_round_trips_however_many_accounts_it_is_of() {
    let records = new_refunds_of(u128::try_from(AT_ONCE).unwrap()).await;
    tokio::time::pause();
    let context = Context { images: TableImages, store: Distant, jobs: Distant, now: fixtures::now };
    let started = Instant::now();
    let answer = handle(&context, json!({ "Records": records })).await.unwrap();
    assert_eq!(answer.failed().count(), 0);
    assert_eq!(started.elapsed().as_secs(), 3);
}

/// What the template says of the relay.
fn template() -> &'static str {
    include_str!("../../../../template.yaml").split("  RelayEventsFunction:").nth(1).unwrap()
}

#[test]
fn the_template_sends_no_more_records_than_are_worked_on_at_once() {
    let size = template().lines().find_map(|line| line.trim().strip_prefix("BatchSize: ")).unwrap();
    assert_eq!(size.parse(), Ok(AT_ONCE));
}

#[tokio::test]
async fn what_the_template_keeps_from_the_relay_needs_nothing_done() {
    let patterns = template().lines().filter_map(|line| line.trim().strip_prefix("- Pattern: ")).take(2);
    let patterns: Vec<Value> =
        patterns.map(|pattern| serde_json::from_str(pattern.trim_matches('\'')).unwrap()).collect();
    let not_a_payment = json!({"dynamodb": {"Keys": {"sk": {"S": [{"anything-but": ["payment"]}]}}}});
    let asked_about = json!({"dynamodb": {"NewImage": {"ask_at": {"S": [{"exists": true}]}}}});
    assert_eq!(patterns, [not_a_payment, asked_about]);
    let world = World::new().await;
    world.reserve("key", &fixtures::getpaid_wanted()).await;
    let mut kept = world.records();
    kept.retain(|record| !is_let_through(record));
    assert_eq!(kept.len(), 2, "it was registered and reserved from");
    let relayed = relayed(&kept).await;
    assert_eq!((relayed.jobs.len(), relayed.dead_lettered.len(), relayed.failed.len()), (0, 0, 0));
}
