//! Requests through the limits in front of every function: what they cost, and what becomes of one too many.
#![allow(clippy::arithmetic_side_effects, reason = "a test's answer to the unforeseen is to fail")]

use std::cell::Cell;
use std::time::Duration;

use lambda_http::{Body, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::ids::KeyId;
use recoup_domain::limit::Limits;
use recoup_domain::time::Timestamp;
use recoup_http::limits::Limiter;
use recoup_ports::payments::Register;
use recoup_storage::LimitsTable;
use recoup_testing::planted::Log;
use recoup_testing::{Fault, TestTable, fixtures};
use serde_json::{Value, json};

use crate::door::{asking, routes, serve};
use crate::gateway::{Event, Reply};

thread_local! {
    /// Milliseconds since the fixtures' moment. A test runs on one thread.
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn now() -> Timestamp {
    fixtures::later(CLOCK.get())
}

pub(crate) fn pass(millis: u64) {
    CLOCK.set(CLOCK.get() + millis);
}

/// As the template has them.
fn limits() -> Limits {
    Limits::parse("100/200 50/100").unwrap()
}

fn process(table: &TestTable, limits: Limits) -> Limiter<LimitsTable> {
    Limiter::new(table.limits(), limits, now)
}

/// What the authorizer tells of a key of the fixtures' tenant.
fn told(key: u128) -> Value {
    json!({
        "account_id": fixtures::tenant().account.as_str(), "environment": "sandbox",
        "key_id": KeyId::from_bits(key).as_str(), "scopes": Scope::ALL.map(Scope::as_str).join(" "),
    })
}

async fn ask(limiter: &Limiter<LimitsTable>, table: &TestTable, key: &str, event: &Event) -> Reply {
    let response = limiter.guard(event.request(), |_| serve(table, key, event)).await.unwrap();
    Reply::read(event, response)
}

/// The status alone of a request that another key makes and that costs nothing but its token.
async fn status(limiter: &Limiter<LimitsTable>, told: Value) -> u16 {
    let event = asking("GET /v1/refunds/{refund_id}", &told);
    let answer = |_| std::future::ready(Response::new(Body::Empty));
    limiter.guard(event.request(), answer).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_caller_in_no_hurry_costs_no_call_and_one_in_a_hurry_few() {
    let table = TestTable::new();
    table.store().register(&fixtures::payment("pay_1", 5_000)).await.unwrap();
    let limiter = process(&table, limits());
    let create = |number: u32| {
        let event = asking("POST /v1/refunds", &told(1)).header("idempotency-key", &format!("k{number}"));
        event.json(&json!({ "payment_id": "pay_1", "amount": 1 }))
    };
    table.take_calls();
    // Five at once, and one every ten seconds for ever.
    for number in 0..12 {
        let reply = ask(&limiter, &table, "POST /v1/refunds", &create(number)).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        let calls = table.take_calls();
        assert_eq!(calls.operations(), ["BatchGetItem", "TransactWriteItems"]);
        assert!(calls.read_units() <= 2.0 && calls.write_units() <= 5.0, "{calls}");
        assert_eq!(reply.header("ratelimit-policy"), Some("\"key\";q=100;w=2, \"account\";q=200;w=2"));
        assert_eq!(reply.header("ratelimit"), Some("\"key\";r=100;t=0, \"account\";r=200;t=0"));
        pass(if number < 4 { 0 } else { 10_000 });
    }
    // Replays count as what they repeat.
    let mut leases = 0;
    for _ in 0..60 {
        let reply = ask(&limiter, &table, "POST /v1/refunds", &create(0)).await;
        assert_eq!((reply.status, reply.header("idempotent-replayed")), (201, Some("true")));
        let calls = table.take_calls();
        let writes = calls.operations().iter().filter(|name| **name == "UpdateItem").count();
        assert!(calls.write_units() <= 2.0 && writes <= 2 && calls.count() == 1 + writes, "{calls}");
        leases += writes;
    }
    assert!(leases <= 30, "{leases} leases");
}

#[tokio::test]
async fn one_too_many_is_refused_by_every_route_and_costs_nothing_more() {
    let table = TestTable::new();
    let limiter = process(&table, Limits::parse("100/200 1/1").unwrap());
    while status(&limiter, told(1)).await == 200 {}
    table.take_calls();
    for key in routes().into_iter().filter(|key| *key != "$default") {
        let reply = ask(&limiter, &table, key, &asking(key, &told(1))).await;
        assert_eq!(
            (reply.problem(), reply.header("retry-after")),
            ((429, "rate_limited"), Some("1")),
            "{key}"
        );
        assert!(reply.body["detail"].as_str().unwrap().starts_with("Each key may ask 1 times a second"));
        assert!(reply.header("ratelimit").unwrap().starts_with("\"key\";r=0;t=1, "), "{reply:?}");
        assert_eq!(table.take_calls().count(), 0, "{key}");
    }
    // Another key goes on, and so does this one after the time that it was told.
    assert_eq!(status(&limiter, told(2)).await, 200);
    pass(1_000);
    assert_eq!(status(&limiter, told(1)).await, 200);
}

#[tokio::test]
async fn an_account_is_limited_over_all_its_keys_in_each_environment() {
    let table = TestTable::new();
    let limiter = process(&table, Limits::parse("1/5 0/1").unwrap());
    let mut granted = 0;
    for key in 0..20 {
        granted += u32::from(status(&limiter, told(key)).await == 200);
    }
    // The allowance of the process, and the burst.
    assert_eq!(granted, 6);
    let mut live = told(1);
    live["environment"] = json!("live");
    assert_eq!(status(&limiter, live).await, 200);
    // An authorizer of an earlier version does not tell the key.
    let mut keyless = told(1);
    keyless.as_object_mut().unwrap().remove("key_id");
    assert_eq!(status(&limiter, keyless).await, 429);
}

#[tokio::test]
async fn under_attack_the_limit_holds_and_writes_are_few() {
    const SECONDS: u32 = 5;
    let table = TestTable::new();
    let processes: Vec<_> = (0..8).map(|_| process(&table, limits())).collect();
    let (mut granted, mut refused) = (0, 0);
    for request in 0..SECONDS * 1_000 {
        match status(&processes[usize::try_from(request).unwrap() % processes.len()], told(1)).await {
            200 => granted += 1,
            _ => refused += 1,
        }
        pass(1);
    }
    let writes = table.take_calls().count();
    println!("{granted} granted, {refused} refused, {writes} writes");
    // 100 at once, 50 a second, and eight times an allowance of five that fills up by a tenth a second.
    assert!(granted <= 100 + 50 * SECONDS + 8 * 5 + 8 * SECONDS / 10, "{granted}");
    assert!(granted >= 50 * SECONDS, "{granted}");
    assert!(writes <= 400, "{writes} writes for {} requests", granted + refused);
}

#[tokio::test(start_paused = true)]
async fn a_table_of_limits_that_is_away_refuses_nobody_and_is_told() {
    let log = Log::listen();
    let table = TestTable::new();
    let limiter = process(&table, limits());
    for fault in [Fault::LoseRequest, Fault::AnswerTooLate, Fault::throttled()] {
        table.fail_always("UpdateItem", fault);
        let started = tokio::time::Instant::now();
        for _ in 0..100 {
            assert_eq!(status(&limiter, told(1)).await, 200);
        }
        // Asked once for what a lease would bring, of the key and of the account.
        let waited = started.elapsed();
        assert!(waited <= Duration::from_millis(250 * (100 / 5 + 100 / 10)), "{waited:?}");
        table.heal();
    }
    assert!(log.text().contains("a limit was not counted"));
    assert_eq!(table.limit_items().await.len(), 2, "an answer that came too late was written");
}

#[tokio::test]
async fn without_limits_and_for_nobody_nothing_is_counted_or_told() {
    let table = TestTable::new();
    let off = process(&table, Limits::parse("0/1 0/1").unwrap());
    let on = process(&table, Limits::parse("1/1 1/1").unwrap());
    let key = "GET /v1/refunds";
    for (limiter, told, expected) in [(&off, told(1), 200), (&on, json!({ "refused": "unknown" }), 403)] {
        for _ in 0..10 {
            let reply = ask(limiter, &table, key, &asking(key, &told)).await;
            assert_eq!((reply.status, reply.header("ratelimit")), (expected, None));
        }
    }
    assert!(table.limit_items().await.is_empty());
}

#[test]
fn a_process_begins_with_what_its_settings_say_or_not_at_all() {
    let table = TestTable::new();
    let begins = |limits: Option<&str>, name: Option<&str>| {
        let setting =
            |it: &str| Ok::<_, String>(if it == "LIMITS" { limits } else { name }.map(str::to_owned));
        Limiter::named(setting, |name| LimitsTable::beside(&table.store(), name), now).is_ok()
    };
    assert!(begins(Some("100/200 50/100"), Some("t")));
    assert!(begins(None, None) && begins(Some("0/1 0/1"), None));
    assert!(!begins(Some("1/1 0/1"), None));
    for wrong in ["", "100/200", "100/0 50/100", "-1/5 0/1", "20000/1 0/1", "1/1 1/1 1/1"] {
        assert!(!begins(Some(wrong), Some("t")), "{wrong}");
    }
}
