//! What the released functions cost, counted: `make performance`. The limits are those of docs/performance.md.
//!
//! Each binary runs as Lambda runs it, against a runtime API and a table inside this process. Instructions are those of
//! callgrind, which knows no SHA instructions: about a quarter more than a processor with them needs. They vary by a few
//! thousandths from run to run. Without valgrind only sizes and memory are measured.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

mod lambda;

use std::path::PathBuf;

use lambda::{Run, Tool};
use recoup_domain::ids::PaymentId;
use recoup_ports::payments::{Register, Registered};
use recoup_testing::{TestTable, fixtures};
use serde_json::{Value, json};

/// Warm calls over which a mean is taken: as many as a process admits without asking the table of limits.
const CALLS: usize = 8;

/// The released binary of a function.
fn binary(function: &str) -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release");
    let path = PathBuf::from(std::env::var("RECOUP_RELEASE").unwrap_or(built.to_owned())).join(function);
    assert!(path.is_file(), "{} is not built: make performance", path.display());
    path
}

/// A table with the example payment under so many ids.
async fn table_with_payments(count: usize) -> TestTable {
    let table = TestTable::new();
    for n in 0..count {
        let id = PaymentId::try_from(format!("pay_{n}").as_str()).unwrap();
        let payment = recoup_domain::payment::Payment { id, ..fixtures::getpaid_payment() };
        assert!(matches!(table.others().register(&payment).await, Ok(Registered::New)));
    }
    table
}

/// A create of two parts, as the gateway hands it over.
fn create(payment: &str, key: &str) -> String {
    let mut event: Value = serde_json::from_str(include_str!("../../events/create-refund.json")).unwrap();
    let tenant = fixtures::tenant();
    event["requestContext"]["authorizer"]["lambda"]["account_id"] = json!(tenant.account.as_str());
    event["headers"]["idempotency-key"] = json!(key);
    let body = event["body"].as_str().unwrap();
    event["body"] = json!(body.replace("pay_926ap9a2ioesd1p0qsfjuk1bvv", payment));
    event.to_string()
}

async fn run(tool: Tool, function: &str, table: &TestTable, events: Vec<String>, status: u16) -> Run {
    let run = lambda::run(tool, &binary(function), table.endpoint(), events).await;
    for answer in &run.answers {
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(answer["statusCode"], status, "{answer}");
    }
    run
}

/// The instructions of one warm call: what the calls add to a run with one call, by their number.
async fn warm(function: &str, table: &TestTable, events: Vec<String>, status: u16) -> u64 {
    let mut events = events.into_iter();
    let first = run(Tool::Callgrind, function, table, events.by_ref().take(1).collect(), status).await;
    let all = events.collect::<Vec<_>>();
    let calls = u64::try_from(all.len()).unwrap();
    let more = run(Tool::Callgrind, function, table, all, status).await;
    (more.instructions - first.instructions) / (calls - 1)
}

#[track_caller]
fn within(what: &str, measured: u64, most: u64) {
    println!("{what}: {measured} of {most}");
    assert!(measured <= most, "{what}: {measured}, and {most} is the most");
}

#[test]
fn what_is_deployed_is_small() {
    for (function, most) in
        [("create-refund", 2_810_000), ("relay-events", 2_530_000), ("process-refund", 3_100_000)]
    {
        let mut zip = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut zip, &std::fs::read(binary(function)).unwrap()).unwrap();
        let bytes = zip.finish().unwrap().len();
        within(&format!("bytes of {function}, zipped"), u64::try_from(bytes).unwrap(), most);
    }
}

#[tokio::test]
async fn a_process_is_soon_ready() {
    if !lambda::has_callgrind() {
        return println!("valgrind is not here: no instruction was counted");
    }
    let table = TestTable::new();
    for (function, most) in
        [("create-refund", 1_090_000), ("relay-events", 1_570_000), ("process-refund", 1_630_000)]
    {
        let run = run(Tool::Callgrind, function, &table, Vec::new(), 0).await;
        within(&format!("instructions of {function} before its first call"), run.instructions, most);
    }
}

#[tokio::test]
async fn a_create_takes_few_instructions() {
    if !lambda::has_callgrind() {
        return println!("valgrind is not here: no instruction was counted");
    }
    let table = table_with_payments(CALLS + 1).await;
    let creates =
        |from: usize| (from..=CALLS).map(|n| create(&format!("pay_{n}"), &format!("key-{n}"))).collect();
    within("instructions of a create", warm("create-refund", &table, creates(0), 201).await, 1_780_000);
    within("instructions of a replay", warm("create-refund", &table, creates(0), 201).await, 1_210_000);
}

#[tokio::test]
async fn memory_is_little_and_does_not_grow() {
    let table = table_with_payments(1).await;
    let events = |count| (0..count).map(|_| create("pay_0", "key")).collect();
    let few = run(Tool::Plain, "create-refund", &table, events(100), 201).await.peak_bytes;
    let many = run(Tool::Plain, "create-refund", &table, events(3_000), 201).await.peak_bytes;
    within("bytes at most, 100 calls", few, 7_700_000);
    within("bytes more, 3,000 calls", many.saturating_sub(few), 900_000);
}
