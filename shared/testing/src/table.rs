//! The table, as `template.yaml` describes it, on an endpoint inside the process.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use dynoxide::Database;
use recoup_storage::{CredentialsTable, LimitsTable, Table};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

use crate::calls::Calls;
use crate::faults::Fault;
use crate::wire::{CountingClient, Wire, ask_for_capacity};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

const NAME: &str = "recoup";
const CREDENTIALS: &str = "recoup-credentials";
const LIMITS: &str = "recoup-limits";
/// Every operation of the table that a function uses.
const OPERATIONS: [&str; 6] =
    ["BatchGetItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"];

/// A table of its own for one test.
pub struct TestTable {
    database: Database,
    endpoint: String,
    wire: Arc<Wire>,
    counted: Client,
    plain: Client,
    server: JoinHandle<()>,
}

impl Drop for TestTable {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Default for TestTable {
    fn default() -> Self {
        Self::new()
    }
}

/// One runtime for every endpoint of the process: with a clock of its own, whatever a test does to its clock.
fn server() -> &'static Handle {
    static SERVER: OnceLock<Runtime> = OnceLock::new();
    SERVER.get_or_init(|| Runtime::new().expect("a runtime for the endpoint")).handle()
}

/// Dynoxide's requests are read from the JSON that AWS documents.
fn request<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).expect("dynoxide knows the request")
}

fn key(hash: &str, range: &str) -> Value {
    json!([{ "AttributeName": hash, "KeyType": "HASH" }, { "AttributeName": range, "KeyType": "RANGE" }])
}

fn attributes(names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "AttributeName": name, "AttributeType": "S" })).collect()
}

fn index(name: &str, hash: &str, range: &str, projection: &str) -> Value {
    let projection = json!({ "ProjectionType": projection });
    json!({ "IndexName": name, "KeySchema": key(hash, range), "Projection": projection })
}

/// `CreateTable` for what the template says; `tests/harness.rs` compares the two.
fn description() -> Value {
    let indexes = [
        index("by_time", "list_pk", "list_sk", "KEYS_ONLY"),
        index("by_due", "due_pk", "due_sk", "KEYS_ONLY"),
    ];
    json!({
        "TableName": NAME,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes(&["pk", "sk", "list_pk", "list_sk", "due_pk", "due_sk"]),
        "KeySchema": key("pk", "sk"),
        "GlobalSecondaryIndexes": indexes,
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    })
}

/// The same of the table of credentials.
fn description_of_credentials() -> Value {
    json!({
        "TableName": CREDENTIALS,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes(&["pk", "sk", "list_pk", "list_sk"]),
        "KeySchema": key("pk", "sk"),
        "GlobalSecondaryIndexes": [index("by_time", "list_pk", "list_sk", "ALL")],
    })
}

/// The same of the table of limits.
fn description_of_limits() -> Value {
    json!({
        "TableName": LIMITS,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes(&["pk", "sk"]),
        "KeySchema": key("pk", "sk"),
    })
}

/// As the functions' own client (`recoup_config::Aws`): three tries of two seconds.
fn config(endpoint: &str) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2));
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(timeouts.build())
        .endpoint_url(endpoint)
}

fn value_holds(value: &AttributeValue, bytes: &[u8]) -> bool {
    let within = |all: &[u8]| all.windows(bytes.len()).any(|some| some == bytes);
    match value {
        AttributeValue::S(text) => within(text.as_bytes()),
        AttributeValue::B(blob) => within(blob.as_ref()),
        AttributeValue::L(values) => values.iter().any(|value| value_holds(value, bytes)),
        AttributeValue::M(values) => values.values().any(|value| value_holds(value, bytes)),
        _ => false,
    }
}

impl TestTable {
    /// Starts an endpoint and creates the tables on it.
    pub fn new() -> Self {
        let database = Database::memory().expect("a database in memory");
        for table in [description(), description_of_credentials(), description_of_limits()] {
            database.create_table(request(table)).expect("the table is created");
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let endpoint = format!("http://{}", listener.local_addr().expect("the port's address"));
        listener.set_nonblocking(true).expect("a listener that does not block");
        let serve = {
            let database = database.clone();
            async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for Tokio");
                dynoxide::server::serve_on(listener, database).await;
            }
        };
        let wire = Arc::new(Wire::default());
        let client = |wire: &Arc<Wire>| CountingClient::new(Arc::clone(wire), server().clone());
        let counted = config(&endpoint).http_client(client(&wire)).interceptor(ask_for_capacity());
        let plain = config(&endpoint).http_client(client(&Arc::default()));
        Self {
            database,
            endpoint,
            counted: Client::from_conf(counted.build()),
            plain: Client::from_conf(plain.build()),
            wire,
            server: server().spawn(serve),
        }
    }

    /// The production store on this table. All its requests are counted.
    pub fn store(&self) -> Table {
        Table::new(self.counted.clone(), NAME.to_owned())
    }

    /// The store of somebody else: its requests are neither counted nor faulty.
    pub fn others(&self) -> Table {
        Table::new(self.plain.clone(), NAME.to_owned())
    }

    /// The production store of credentials. All its requests are counted.
    pub fn credentials(&self) -> CredentialsTable {
        CredentialsTable::new(self.store().beside(CREDENTIALS.to_owned()), self.store())
    }

    /// The same table as the functions have it that speak to processors.
    pub fn sealed_keys(&self) -> Table {
        self.store().beside(CREDENTIALS.to_owned())
    }

    /// The production store of limits. All its requests are counted.
    pub fn limits(&self) -> LimitsTable {
        LimitsTable::beside(&self.store(), LIMITS.to_owned())
    }

    /// Where another process finds it.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The table's name.
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// A client whose requests are neither counted nor faulty: to prepare and to look.
    pub fn plain(&self) -> &Client {
        &self.plain
    }

    /// Every request since the last take.
    pub fn take_calls(&self) -> Calls {
        self.wire.take_calls()
    }

    /// Lets the next `times` requests of an operation (`UpdateItem`) go wrong, after those planned before.
    pub fn fail(&self, operation: &'static str, times: u32, fault: Fault) {
        self.wire.faults.add(operation, times, fault);
    }

    /// Lets every further request of an operation go wrong, until [`TestTable::heal`].
    pub fn fail_always(&self, operation: &'static str, fault: Fault) {
        self.fail(operation, u32::MAX, fault);
    }

    /// Lets every further request go wrong, until [`TestTable::heal`].
    pub fn fail_everything(&self, fault: &Fault) {
        for operation in OPERATIONS {
            self.fail_always(operation, fault.clone());
        }
    }

    /// Forgets all planned faults.
    pub fn heal(&self) {
        self.wire.faults.clear();
    }

    /// Whether these bytes lie in any attribute of any item, as text or as bytes.
    pub async fn holds(&self, bytes: &[u8]) -> bool {
        let (items, credentials) = (self.items().await, self.credential_items().await);
        items.iter().chain(&credentials).flat_map(HashMap::values).any(|value| value_holds(value, bytes))
    }

    /// Every item, in no order.
    pub async fn items(&self) -> Vec<Item> {
        self.items_of(NAME).await
    }

    /// Every item of the table of credentials, in no order.
    pub async fn credential_items(&self) -> Vec<Item> {
        self.items_of(CREDENTIALS).await
    }

    /// Every item of the table of limits, in no order.
    pub async fn limit_items(&self) -> Vec<Item> {
        self.items_of(LIMITS).await
    }

    async fn items_of(&self, table: &str) -> Vec<Item> {
        let mut pages =
            self.plain.scan().table_name(table).consistent_read(true).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.expect("the table is read"));
        }
        items
    }

    /// The only item of this sort key: `refund`, `payment`, `account`, `key`.
    pub async fn item(&self, kind: &str) -> Item {
        let is_kind = |item: &Item| item.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk == kind);
        let mut found = self.items().await.into_iter().filter(is_kind);
        let item = found.next().expect("there is an item of that kind");
        assert!(found.next().is_none(), "there is more than one {kind}");
        item
    }

    /// Writes behind every rule: puts an item into the table of credentials, in place of any other.
    pub async fn put_credential(&self, item: Item) {
        self.put_into(CREDENTIALS, item).await;
    }

    /// Writes behind every rule: puts an item into the table, in place of any other.
    pub async fn put(&self, item: Item) {
        self.put_into(NAME, item).await;
    }

    /// Writes behind every rule: puts an item into the table of limits, in place of any other.
    pub async fn put_limit(&self, item: Item) {
        self.put_into(LIMITS, item).await;
    }

    async fn put_into(&self, table: &str, item: Item) {
        let put = self.plain.put_item().table_name(table).set_item(Some(item));
        put.send().await.expect("the item is written");
    }

    /// Writes behind every rule: this attribute of an item becomes a text.
    pub async fn set_text(&self, item: &Item, attribute: &str, text: &str) {
        let update = self.plain.update_item().table_name(NAME).update_expression("SET #it = :it");
        let update = update.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
        let update = update.expression_attribute_names("#it", attribute);
        let update = update.expression_attribute_values(":it", AttributeValue::S(text.to_owned()));
        update.send().await.expect("the item is written");
    }

    /// Writes behind every rule: a copy of an item in which these attributes are other texts.
    pub async fn copy(&self, item: &Item, texts: &[(&str, &str)]) {
        let mut copy = item.clone();
        let texts =
            texts.iter().map(|(name, text)| ((*name).to_owned(), AttributeValue::S((*text).to_owned())));
        copy.extend(texts);
        let put = self.plain.put_item().table_name(NAME).set_item(Some(copy));
        put.send().await.expect("the item is written");
    }

    /// Every change so far, as Lambda hands it over: `{"Records": [{"eventName", "dynamodb": {…}}, …]}`.
    pub fn stream_event(&self) -> Value {
        json!({ "Records": self.stream_records(None) })
    }

    /// The changes behind the record of that sequence number, or all of them.
    pub fn stream_records(&self, after: Option<&str>) -> Vec<Value> {
        let streams = self.database.list_streams(request(json!({ "TableName": NAME })));
        let streams = streams.expect("streams are listed").streams;
        let arn = &streams.first().expect("the table has a stream").stream_arn;
        let stream = self.database.describe_stream(request(json!({ "StreamArn": arn })));
        let mut records = Vec::new();
        for shard in stream.expect("the stream is described").stream_description.shards {
            let mut start = json!({ "StreamArn": arn, "ShardId": shard.shard_id });
            match after {
                None => start["ShardIteratorType"] = json!("TRIM_HORIZON"),
                Some(number) => {
                    start["ShardIteratorType"] = json!("AFTER_SEQUENCE_NUMBER");
                    start["SequenceNumber"] = json!(number);
                }
            }
            let start = self.database.get_shard_iterator(request(start));
            let mut next = start.expect("the shard is read").shard_iterator;
            while let Some(iterator) = next.take() {
                let page = self.database.get_records(request(json!({ "ShardIterator": iterator })));
                let page = page.expect("records are read");
                if !page.records.is_empty() {
                    next = page.next_shard_iterator;
                }
                records.extend(page.records.iter().map(|record| json!(record)));
            }
        }
        records
    }
}
