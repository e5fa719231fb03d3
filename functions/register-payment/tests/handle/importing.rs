//! Many registrations in one call: each line on its own, safe to repeat, and asked about behind the answer.

use std::sync::atomic::{AtomicU64, Ordering};

use recoup_domain::seal::Sealed;
use recoup_ports::payments::Payments;
use recoup_testing::{Fault, fixtures};
use serde_json::{Value, json};

use crate::gateway::{Event, Reply};
use crate::{PAYMENT, World, recorded};

/// An import of these lines, as they stand.
pub(crate) fn importing(body: &str) -> Event {
    let mut event = recorded()
        .without("/pathParameters")
        .route("POST /v1/payments/import")
        .header("content-type", "application/x-ndjson")
        .with("/rawPath", "/v1/payments/import")
        .with("/requestContext/http/path", "/v1/payments/import")
        .with("/body", body);
    event.0["headers"].as_object_mut().unwrap().remove("content-length");
    event
}

pub(crate) fn import_of(lines: &[Value]) -> Event {
    importing(&lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"))
}

/// Nothing but a charge at Stripe.
pub(crate) fn adopting(id: &str, reference: &str) -> Value {
    json!({"id": id, "processor": {"name": "stripe", "reference": reference}})
}

/// 50.00 EUR at Stripe.
pub(crate) fn said(id: &str, reference: &str) -> Value {
    let mut line = adopting(id, reference);
    line.as_object_mut().unwrap().extend([("amount".into(), json!(5000)), ("currency".into(), json!("EUR"))]);
    line
}

/// 50.00 EUR in the sandbox.
pub(crate) fn plain(id: &str) -> Value {
    json!({"id": id, "amount": 5000, "currency": "EUR"})
}

/// What came of each line.
pub(crate) fn outcomes(reply: &Reply) -> Vec<(&str, &str)> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let lines = reply.body["lines"].as_array().unwrap().iter();
    lines
        .map(|line| {
            let code = line["problem"]["code"].as_str().unwrap_or("-");
            (line["outcome"].as_str().unwrap(), code)
        })
        .collect()
}

impl World {
    pub(crate) async fn imported(&self, id: &str) -> Option<recoup_domain::payment::Payment> {
        self.table.store().payment(&fixtures::tenant(), &fixtures::payment_id(id)).await.unwrap()
    }
}

#[tokio::test]
async fn each_line_is_a_registration_of_its_own_and_a_repeat_changes_nothing() {
    let world = World::new();
    let lines = [
        plain("a"),
        json!({"id": "b", "amount": "31.00", "currency": "EUR", "metadata": {"order": "1"},
               "routing": {"platform": {"amount": 100}, "merchants": [{"account_id": "s", "amount": 3000}]}}),
        json!({"id": "c", "amount": 100, "currency": "EUR", "processor": {"name": "http", "reference": "1"}}),
    ];
    let first = world.put(&import_of(&lines)).await;
    assert_eq!(outcomes(&first), [("created", "-"); 3]);
    assert_eq!((&first.body["created"], &first.body["refused"]), (&json!(3), &json!(0)));
    let item = world.table.items().await;
    let again = world.put(&import_of(&lines)).await;
    assert_eq!(outcomes(&again), [("unchanged", "-"); 3]);
    assert_eq!(world.table.items().await.len(), item.len());
    // It is what a PUT of the same would have made.
    for (id, body) in [("a", plain("a")), ("b", lines[1].clone())] {
        let mut body = body;
        body.as_object_mut().unwrap().remove("id");
        let put = world.put(&recorded().json(&body).of_payment(id)).await;
        assert_eq!((put.status, world.imported(id).await.unwrap().revision), (200, 1), "{}", put.text);
    }
    let paid = json!({"id": "a", "amount": 5000, "currency": "EUR", "disputed": true});
    assert_eq!(outcomes(&world.put(&import_of(&[paid])).await), [("updated", "-")]);
    assert!(world.imported("a").await.unwrap().facts.disputed);
}

#[tokio::test]
async fn a_broken_line_harms_none_of_its_neighbours() {
    let world = World::new();
    let long = format!("{{\"id\": \"long\", \"metadata\": {{\"a\": \"{}\"}}}}", "x".repeat(65_536));
    let body = [
        &plain("first").to_string(),
        "{\"id\": ",
        "",
        "[]",
        r#"{"amount": 1, "currency": "EUR"}"#,
        r#"{"id": "..", "amount": 1, "currency": "EUR"}"#,
        r#"{"id": "m", "amuont": 1, "currency": "EUR"}"#,
        r#"{"id": "n", "amount": 1.5, "currency": "EUR"}"#,
        r#"{"id": "o", "id": "p"}"#,
        &long,
        &format!("  {}\r", plain("last")),
    ];
    let reply = world.put(&importing(&body.join("\n"))).await;
    let expected = [
        ("created", "-"),
        ("refused", "invalid_json"),
        ("refused", "invalid_json"),
        ("refused", "missing_parameter"),
        ("refused", "invalid_parameter"),
        ("refused", "unknown_parameter"),
        ("refused", "invalid_parameter"),
        ("refused", "invalid_json"),
        ("refused", "body_too_large"),
        ("created", "-"),
    ];
    assert_eq!(outcomes(&reply), expected);
    let numbers: Vec<_> = reply.body["lines"].as_array().unwrap().iter().map(|line| &line["line"]).collect();
    assert_eq!(json!(numbers), json!([1, 2, 4, 5, 6, 7, 8, 9, 10, 11]), "blank lines count");
    let named = &reply.body["lines"][6];
    let told = (&named["payment_id"], &named["problem"]["param"], &named["problem"]["status"]);
    assert_eq!(told, (&json!("n"), &json!("amount"), &json!(400)));
    assert_eq!(world.table.items().await.len(), 2);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_lines_is_refused_whole() {
    let world = World::new();
    let many = |count: usize| (0..count).map(|n| plain(&format!("p{n}"))).collect::<Vec<_>>();
    let padded = format!("{}\n{}", plain("a"), " ".repeat(1_048_576));
    for (event, problem) in [
        (import_of(&many(501)), (413, "body_too_large")),
        (importing(&padded), (413, "body_too_large")),
        (importing(" \n\n"), (400, "invalid_json")),
        (import_of(&many(1)).header("content-type", "application/json"), (415, "unsupported_media_type")),
        (import_of(&many(1)).header("content-encoding", "gzip"), (415, "unsupported_media_type")),
        (importing(&format!("\u{feff}{}", plain("a"))), (400, "invalid_json")),
        (
            import_of(&many(1)).with("/requestContext/authorizer/lambda/scopes", "payments:read"),
            (403, "insufficient_scope"),
        ),
    ] {
        assert_eq!(world.put(&event).await.problem(), problem);
    }
    assert!(world.table.items().await.is_empty());
    let more = format!("{}\n\n{}", many(500).iter().map(Value::to_string).collect::<Vec<_>>().join("\n"), "");
    assert_eq!(world.put(&importing(&more)).await.body["created"], 500);
}

#[tokio::test]
async fn of_lines_about_one_payment_or_charge_the_later_come_second() {
    let world = World::new();
    let mut other = said("a", "pi_1");
    other["amount"] = json!(4000);
    let lines = [
        said("a", "pi_1"),
        said("b", "pi_1"),
        other,
        said("c", "pi_2"),
        json!({"id": "c", "disputed": true, "amount": 5000, "currency": "EUR"}),
        said("d", "pi_1"),
        // In the sandbox a reference is a behaviour, which many have.
        json!({"id": "e", "amount": 1, "currency": "EUR", "processor": {"name": "sandbox", "reference": "sandbox_fail"}}),
        json!({"id": "f", "amount": 1, "currency": "EUR", "processor": {"name": "sandbox", "reference": "sandbox_fail"}}),
    ];
    let reply = world.put(&import_of(&lines)).await;
    let expected = [
        ("created", "-"),
        ("refused", "processor_reference_in_use"),
        // Until Stripe has spoken, terms are corrected.
        ("updated", "-"),
        ("created", "-"),
        ("updated", "-"),
        ("refused", "processor_reference_in_use"),
        ("created", "-"),
        ("created", "-"),
    ];
    assert_eq!(outcomes(&reply), expected);
    assert_eq!(reply.body["lines"][1]["problem"]["payment_id"], "a");
    assert_eq!(world.imported("a").await.unwrap().amount, fixtures::eur(4000));
}

#[tokio::test]
async fn an_import_that_races_a_put_leaves_one_payment() {
    let world = World::new();
    let mut put = said(PAYMENT, "pi_1");
    put.as_object_mut().unwrap().remove("id");
    put["metadata"] = json!({"from": "put"});
    let (put, line) = (recorded().json(&put), said(PAYMENT, "pi_1"));
    let lines = [line, said("other", "pi_1")];
    let import = import_of(&lines);
    let (one, other) = tokio::join!(world.put(&put), world.put(&import));
    assert!([200, 201].contains(&one.status), "{}", one.text);
    assert!(matches!(outcomes(&other)[0], ("created" | "unchanged", "-")), "{}", other.text);
    assert_eq!(outcomes(&other)[1], ("refused", "processor_reference_in_use"));
    let payment = world.payment().await;
    assert_eq!(payment.facts.metadata.pairs()["from"], "put");
    assert_eq!(payment.seal_under(&fixtures::seal_key()), Sealed::Intact);
}

#[tokio::test]
async fn five_hundred_lines_cost_their_writes_and_a_few_calls() {
    let world = World::new();
    let lines: Vec<Value> = (0..500).map(|n| adopting(&format!("pay_{n}"), &format!("pi_{n}"))).collect();
    let event = import_of(&lines);
    assert_eq!(world.put(&event).await.body["created"], 500);
    let calls = world.table.take_calls();
    let count = |name: &str| calls.operations().iter().filter(|operation| **operation == name).count();
    assert_eq!(
        ["BatchGetItem", "UpdateItem", "TransactWriteItems"].map(count),
        // Of the slots, the first try finds none that are ahead.
        [5, 6, 500],
        "{calls}"
    );
    // A payment and its claim, twice each in a transaction; its places in two indexes; the slots.
    assert!(calls.write_units() <= 500.0 * 6.0 + 6.0, "{calls}");
    assert!(calls.read_units() <= 500.0, "{calls}");
    assert_eq!(world.put(&event).await.body["unchanged"], 500);
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["BatchGetItem"; 5]);
    assert!(calls.read_units() <= 500.0, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_refuses_its_line_alone_and_for_now() {
    let world = World::new();
    world.table.fail("TransactWriteItems", 3, Fault::LoseRequest);
    let reply = world.put(&import_of(&[said("a", "pi_1"), plain("b")])).await;
    assert_eq!(outcomes(&reply), [("refused", "unavailable"), ("created", "-")]);
    assert_eq!(reply.body["lines"][0]["problem"]["retryable"], true);
    // The same call again does what is left.
    let again = world.put(&import_of(&[said("a", "pi_1"), plain("b")])).await;
    assert_eq!(outcomes(&again), [("created", "-"), ("unchanged", "-")]);
    // An answer that is lost was no loss.
    world.table.fail("TransactWriteItems", 1, Fault::LoseAnswer);
    let lost = world.put(&import_of(&[said("c", "pi_3")])).await;
    assert!(matches!(outcomes(&lost)[0], ("created" | "unchanged", "-")), "{}", lost.text);
}

#[tokio::test]
async fn lines_for_which_there_is_no_time_are_refused_for_now() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let mut world = World::new();
    // Each look at the clock takes a tenth of a second.
    world.context.now = || fixtures::later(ASKED.fetch_add(100, Ordering::Relaxed));
    let lines: Vec<Value> = (0..120).map(|n| plain(&format!("p{n}"))).collect();
    let reply = world.put(&import_of(&lines)).await;
    let (created, refused) =
        (reply.body["created"].as_u64().unwrap(), reply.body["refused"].as_u64().unwrap());
    assert!(created > 0 && refused > 0 && created + refused == 120, "{created} {refused}");
    let late =
        |line: &&Value| line["problem"]["code"] == "unavailable" && line["problem"]["retryable"] == true;
    let late = reply.body["lines"].as_array().unwrap().iter().filter(late).count();
    assert_eq!(u64::try_from(late).unwrap(), refused);
    ASKED.store(0, Ordering::Relaxed);
    let again = world.put(&import_of(&lines)).await;
    assert_eq!(again.body["unchanged"].as_u64().unwrap(), created);
}

#[tokio::test(start_paused = true)]
async fn the_first_line_of_a_charge_has_it_even_if_it_is_held_up() {
    let world = World::new();
    world.table.fail("TransactWriteItems", 2, Fault::conflict([true, false]));
    let lines = [said("a", "pi_1"), said("b", "pi_1")];
    let reply = world.put(&import_of(&lines)).await;
    assert_eq!(outcomes(&reply), [("created", "-"), ("refused", "processor_reference_in_use")]);
}
