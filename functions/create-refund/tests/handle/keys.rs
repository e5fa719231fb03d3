//! One key, one refund.

use recoup_ports::refunds::Refunds;
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::fixtures::{self, SELLER, SUPPLIER};
use serde_json::{Value, json};

use crate::gateway::Event;
use crate::{CREATE_OF_PAYMENT, PAYMENT, World, asking, plain, recorded, routed};

#[tokio::test]
async fn the_same_request_again_is_answered_with_the_same_refund() {
    let world = World::with(&routed()).await;
    let first = world.post(&recorded()).await;
    let again = world.post(&recorded()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    world.assert_one_refund_of(1500).await;
}

#[tokio::test]
async fn a_replay_shows_the_refund_as_it_now_stands() {
    let world = World::with(&routed()).await;
    let first = world.post(&recorded()).await;
    let store = world.table.store();
    let id = first.body["id"].as_str().unwrap().try_into().unwrap();
    let refund = store.refund(&fixtures::tenant(), &id).await.unwrap().unwrap();
    let change = fixtures::moved(&refund, fixtures::failed());
    assert!(matches!(store.carry_out(&change).await, Ok(Settled::Applied)));
    let again = world.post(&recorded()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body["id"], first.body["id"]);
    assert_eq!(again.body["status"], "failed");
    assert_eq!(again.body["has_failed"], true);
    assert_eq!(again.body["failure"]["code"], "declined");
    // A failed refund is not made a second time under its key.
    assert_eq!(world.refunds().await, (1, 1));
    assert_eq!(world.refundable().await, 3100);
}

#[tokio::test]
async fn a_bare_and_a_quoted_key_are_the_same_key() {
    let world = World::with(&routed()).await;
    let first = world.post(&recorded().header("idempotency-key", "REFUND-123456")).await;
    let again = world.post(&recorded().header("idempotency-key", "\"REFUND-123456\"")).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
    world.assert_one_refund_of(1500).await;
}

#[tokio::test]
async fn another_key_is_another_refund() {
    let world = World::with(&plain()).await;
    let ask = |key| asking(&json!({"payment_id": PAYMENT, "amount": 100})).header("idempotency-key", key);
    // Keys are compared as they are: no case is folded.
    for key in ["key", "KEY", "key2", "'key'"] {
        let reply = world.post(&ask(key)).await;
        assert_eq!((reply.status, reply.header("idempotent-replayed")), (201, None), "{key}");
    }
    assert_eq!(world.refunds().await, (4, 4));
}

#[tokio::test]
async fn only_1_to_255_visible_ascii_characters_are_a_key() {
    let world = World::with(&plain()).await;
    let ask = |key: &str| asking(&json!({"payment_id": PAYMENT})).header("idempotency-key", key);
    for key in [
        "",
        "\"\"",
        "\"half",
        "\"a\",\"b\"",
        "a,b",
        "a, a",
        ",",
        "a\",\"b",
        "\"in\"side\"",
        "two words",
        "\"two words\"",
        &"k".repeat(256),
    ] {
        assert_eq!(world.post(&ask(key)).await.problem(), (400, "invalid_idempotency_key"), "{key:?}");
    }
    assert_eq!(world.table.take_calls().count(), 0);
    assert_eq!(world.post(&ask(&"k".repeat(255))).await.status, 201);
}

#[tokio::test]
async fn a_key_that_stands_twice_is_refused_and_one_with_a_comma_is_quoted() {
    let world = World::with(&plain()).await;
    let ask = |key: &str| asking(&json!({"payment_id": PAYMENT, "amount": 1})).header("idempotency-key", key);
    // The gateway joins a header that stands twice with a comma.
    let twice = world.post(&ask("key-1,key-1")).await;
    assert_eq!(twice.problem(), (400, "invalid_idempotency_key"));
    let detail = twice.body["detail"].as_str().unwrap();
    assert!(detail.contains("stands twice") && detail.contains("\"a,b\""), "{detail}");
    assert_eq!(world.table.take_calls().count(), 0);
    assert_eq!(world.post(&ask("\"key-1,key-1\"")).await.status, 201);
}

#[tokio::test]
async fn a_header_that_is_nearly_the_keys_is_told() {
    let world = World::with(&plain()).await;
    let ask = || asking(&json!({"payment_id": PAYMENT, "amount": 1})).without("/headers/idempotency-key");
    for near in [
        "x-idempotency-key",
        "idempotencykey",
        "idempotency_key",
        "x-request-idempotency-key",
        "idempotent-key",
        "idempotency",
    ] {
        let reply = world.post(&ask().header(near, "REFUND-1")).await;
        assert_eq!(reply.problem(), (400, "invalid_idempotency_key"), "{near}");
        let detail = reply.body["detail"].as_str().unwrap();
        assert!(detail.contains(near) && detail.contains("Idempotency-Key"), "{detail}");
        // Beside the header itself it may say the same, and nothing else.
        let both = ask().header(near, "REFUND-1").header("idempotency-key", "REFUND-2");
        assert_eq!(world.post(&both).await.problem(), (400, "invalid_idempotency_key"), "{near}");
    }
    assert_eq!(world.table.take_calls().count(), 0);
    let same = ask().header("x-idempotency-key", "REFUND-1").header("idempotency-key", "REFUND-1");
    assert_eq!(world.post(&same).await.status, 201);
}

#[tokio::test]
async fn a_key_in_the_body_or_the_query_is_told_where_it_belongs() {
    let world = World::with(&plain()).await;
    let body = asking(&json!({"payment_id": PAYMENT, "idempotency_key": "a"}));
    let query = asking(&json!({"payment_id": PAYMENT})).with("/rawQueryString", "idempotency_key=a");
    for event in [body, query] {
        let reply = world.post(&event).await;
        assert_eq!(reply.problem(), (400, "unknown_parameter"));
        assert_eq!(reply.body["param"], "idempotency_key");
        assert!(reply.body["detail"].as_str().unwrap().contains("header Idempotency-Key"), "{}", reply.text);
    }
    assert_eq!(world.table.take_calls().count(), 0);
}

#[tokio::test]
async fn the_fingerprint_holds_method_and_path_as_it_always_did() {
    let world = World::with(&plain()).await;
    let wanted = fixtures::wanted(&plain(), Some(100));
    let body = json!({"payment_id": PAYMENT, "amount": 100});
    let of_payment = Event::of_fixtures_tenant(CREATE_OF_PAYMENT).json(&body).header("idempotency-key", "2");
    let endpoints = ["POST /v1/refunds".to_owned(), format!("POST /v1/payments/{PAYMENT}/refunds")];
    for (event, endpoint) in [asking(&body), of_payment].iter().zip(endpoints) {
        let made = world.post(event).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = made.body["id"].as_str().unwrap().try_into().unwrap();
        let refund = world.table.store().refund(&fixtures::tenant(), &id).await.unwrap().unwrap();
        assert_eq!(
            refund.fingerprint,
            wanted.fingerprint(&endpoint, plain().amount.currency()),
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn another_spelling_of_the_same_values_is_the_same_request() {
    let world = World::with(&routed()).await;
    let spelt = [
        json!({"payment_id": PAYMENT, "amount": 1000, "currency": "EUR",
               "routing": {"merchants": [{"account_id": SELLER, "amount": 1000}]}})
        .to_string(),
        json!({"payment_id": PAYMENT, "amount": "10.00", "currency": "EUR",
               "routing": {"merchants": [{"account_id": SELLER, "amount": "10.00"}]}})
        .to_string(),
        // Another order, white space, synonyms, an escape, nulls for what is not said.
        format!(
            "\n{{ \"routing\": {{\"merchants\":[ {{\"amount\": \"10\", \"id\":\"{SELLER}\"}} ], \"platform\": null}},
               \"currency\": \"\\u0045UR\", \"reason\": null,
               \"amount\" : 1000, \"transaction_id\": \"{PAYMENT}\" }}"
        ),
    ];
    let mut bodies = Vec::new();
    for text in &spelt {
        let reply = world.post(&recorded().text(text)).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        assert_eq!(reply.header("idempotent-replayed").is_some(), !bodies.is_empty());
        bodies.push(reply.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
    world.assert_one_refund_of(1000).await;
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_refused() {
    let world = World::with(&routed()).await;
    let base = json!({
        "payment_id": PAYMENT, "amount": 1500,
        "routing": {"merchants": [{"account_id": SELLER, "amount": 1000}, {"account_id": SUPPLIER, "amount": 500}]},
    });
    assert_eq!(world.post(&asking(&base)).await.status, 201);
    let changed = |pointer: &str, value: Value| {
        let mut body = base.clone();
        match body.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => body[&pointer[1..]] = value,
        }
        body
    };
    let without = |field: &str| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let others = [
        changed("/amount", json!(1499)),
        without("amount"),
        changed("/payment_id", json!("pay_other")),
        without("routing"),
        changed("/routing/merchants/0/amount", json!(999)),
        changed("/routing/merchants/0/account_id", json!("acc_other")),
        changed("/currency", json!("EUR")),
        changed("/reason", json!("fraud")),
        changed("/information", json!("x")),
        changed("/description", json!("x")),
        changed("/reference", json!("x")),
        changed("/metadata", json!({"a": "b"})),
        changed("/invoice_detail_ids", json!(["iid_1"])),
        changed("/expected_refundable_amount", json!(3100)),
        changed("/urls", json!({"webhook": "https://example.com/"})),
    ];
    world.table.take_calls();
    for body in &others {
        let reply = world.post(&asking(body)).await;
        assert_eq!(reply.problem(), (422, "idempotency_key_reused"), "{body}");
        assert_eq!(world.table.take_calls().count(), 1, "{body}");
    }
    assert_eq!(world.post(&asking(&base)).await.header("idempotent-replayed"), Some("true"));
    world.assert_one_refund_of(1500).await;
}

#[tokio::test]
async fn the_other_endpoint_form_is_another_request() {
    let world = World::with(&plain()).await;
    let of_payment = Event::of_fixtures_tenant(CREATE_OF_PAYMENT).header("idempotency-key", "REFUND-123456");
    assert_eq!(world.post(&asking(&json!({"payment_id": PAYMENT}))).await.status, 201);
    assert_eq!(world.post(&of_payment).await.problem(), (422, "idempotency_key_reused"));
    world.assert_one_refund_of(5000).await;
}

#[tokio::test]
async fn a_refused_request_stores_nothing_and_its_key_may_be_used_again() {
    let world = World::with(&plain()).await;
    let refused = world.post(&asking(&json!({"payment_id": PAYMENT, "amount": 5001}))).await;
    assert_eq!(refused.problem(), (422, "amount_exceeds_refundable"));
    world.assert_untouched(&plain()).await;
    let granted = world.post(&asking(&json!({"payment_id": PAYMENT, "amount": 5000}))).await;
    assert_eq!((granted.status, granted.header("idempotent-replayed")), (201, None));
}

#[tokio::test]
async fn twenty_requests_with_one_key_at_once_leave_one_refund() {
    let world = World::with(&routed()).await;
    let event = recorded();
    let replies = futures_util::future::join_all((0..20).map(|_| world.post(&event))).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    assert!(replies.iter().all(|reply| reply.body == replies[0].body));
    let new = replies.iter().filter(|reply| reply.header("idempotent-replayed").is_none());
    assert_eq!(new.count(), 1);
    world.assert_one_refund_of(1500).await;
}

#[tokio::test]
async fn metadata_of_a_new_refund_or_quote_have_a_bound_in_bytes() {
    let world = World::with(&plain()).await;
    let body = |text: &str| {
        let pairs = (0..50).map(|number| (format!("{number:040}"), json!(text.repeat(500))));
        let pairs: serde_json::Map<_, _> = pairs.collect();
        json!({"payment_id": PAYMENT, "amount": 100, "metadata": pairs})
    };
    for path in ["POST /v1/refunds", "POST /v1/refunds/quote"] {
        let refused = world.post(&asking(&body("é")).route(path)).await;
        assert_eq!(
            (refused.problem(), &refused.body["param"]),
            ((400, "invalid_parameter"), &json!("metadata"))
        );
    }
    world.assert_untouched(&plain()).await;
    assert_eq!(world.post(&asking(&body("x"))).await.status, 201);
}

#[tokio::test]
async fn whoever_repeats_a_request_gets_the_refund_of_who_made_it() {
    let world = World::with(&plain()).await;
    let lambda = |name: &str| format!("/requestContext/authorizer/lambda/{name}");
    let ask =
        |key: &str| asking(&json!({ "payment_id": PAYMENT, "amount": 100 })).header("idempotency-key", key);
    let other = |key: &str| {
        let event = ask(key).with(&lambda("key_id"), fixtures::by_key().id.as_str());
        event.with(&lambda("key_use"), "client").without(&lambda("key_name"))
    };
    let first = world.post(&ask("one")).await;
    let by = json!({ "kind": "api_key", "id": "key_01j9x4n0q2s6fy8tm5vgb3wkzd", "name": "shop backend" });
    assert_eq!(first.body["created_by"], by);
    let again = world.post(&other("one")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    let made = world.post(&other("two")).await;
    let client = json!({ "kind": "client", "id": fixtures::by_key().id.as_str(), "name": null });
    assert_eq!(made.body["created_by"], client);
    // The gateway may still keep what an authorizer of an earlier version said.
    let made = world.post(&ask("three").without(&lambda("key_use"))).await;
    assert_eq!((made.status, &made.body["created_by"]), (201, &Value::Null));
}
