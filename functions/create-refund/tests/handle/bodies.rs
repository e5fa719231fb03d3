//! What is read at the door: strict JSON, known fields, a caller. What is refused there reads no table.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_testing::fixtures::SELLER;
use serde_json::{Value, json};

use crate::gateway::{Event, Reply};
use crate::{CREATE_OF_PAYMENT, PAYMENT, World, asking, plain, recorded, routed};

/// What is answered to an event that must not reach the table.
async fn at_the_door(event: &Event) -> Reply {
    let world = World::with(&plain()).await;
    let reply = world.post(event).await;
    assert_eq!(world.table.take_calls().count(), 0);
    reply
}

#[tokio::test]
async fn a_body_that_is_not_strict_json_is_refused() {
    let deep = |levels: usize| {
        format!(r#"{{"payment_id": "{PAYMENT}", "metadata": {}{}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    for text in [
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\"payment\"".to_owned(),
        format!(r#"{{"payment_id": "{PAYMENT}",}}"#),
        format!(r#"{{"payment_id": "{PAYMENT}"}} {{}}"#),
        format!("{{'payment_id': '{PAYMENT}'}}"),
        format!(r#"{{"payment_id": "{PAYMENT}", "amount": 01}}"#),
        format!(r#"{{"payment_id": "{PAYMENT}", "amount": NaN}}"#),
        format!(r#"{{"payment_id": "{PAYMENT}", "amount": 1, "amount": 2}}"#),
        format!(r#"{{"payment_id": "{PAYMENT}", "amount": 1, "\u0061mount": 2}}"#),
        format!(r#"{{"payment_id": "{PAYMENT}", "metadata": {{"a": "1", "a": "2"}}}}"#),
        format!(r#"{{"payment_id": "{PAYMENT}", "reason": "\ud800"}}"#),
        deep(16),
        deep(20_000),
    ] {
        let reply = at_the_door(&recorded().text(&text)).await;
        assert_eq!(reply.problem(), (400, "invalid_json"), "{text:.200}");
    }
}

#[tokio::test]
async fn a_float_is_never_an_amount() {
    for amount in ["10.0", "1e3", "1000.00", "18446744073709551616", "-1", "true", "[1]", "{}"] {
        let text = format!(r#"{{"payment_id": "{PAYMENT}", "amount": {amount}}}"#);
        let reply = at_the_door(&recorded().text(&text)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{amount}");
        assert_eq!(reply.body["param"], "amount", "{amount}");
    }
}

#[tokio::test]
async fn an_unknown_field_is_named_by_its_path() {
    let merchant = |extra: &str| json!([{"account_id": SELLER, "amount": 1, extra: 1}]);
    for (field, value, path) in [
        ("ammount", json!(1), "ammount"),
        ("Amount", json!(1), "Amount"),
        ("ammount", Value::Null, "ammount"),
        ("urls", json!({"webhok": "https://example.com/"}), "urls.webhok"),
        ("routing", json!({"platform": {"amount": 1, "id": 1}}), "routing.platform.id"),
        ("routing", json!({"merchants": merchant("fee")}), "routing.merchants[0].fee"),
    ] {
        let reply = at_the_door(&asking(&json!({"payment_id": PAYMENT, field: value}))).await;
        assert_eq!(reply.problem(), (400, "unknown_parameter"), "{path}");
        assert_eq!(reply.body["param"], path);
    }
}

#[tokio::test]
async fn an_unknown_field_is_named_before_a_missing_or_an_invalid_one() {
    for (body, path) in [
        (json!({"ammount": 1}), "ammount"),
        (json!({"amount": 1.5, "payment": PAYMENT}), "payment"),
        (
            json!({"routing": {"merchants": [{"amount": 1, "acount_id": SELLER}]}}),
            "routing.merchants[0].acount_id",
        ),
        (json!({"urls": {"webhok": 1}}), "urls.webhok"),
        // Under metadata every name is the caller's own.
        (json!({"metadata": {"amount": "1"}, "x": 1}), "x"),
    ] {
        let reply = at_the_door(&asking(&body)).await;
        assert_eq!(reply.problem(), (400, "unknown_parameter"), "{body}");
        assert_eq!(reply.body["param"], path, "{body}");
    }
}

#[tokio::test]
async fn nul_is_refused_wherever_it_stands() {
    for (field, value, path) in [
        ("reason", json!("a\0"), "reason"),
        ("metadata", json!({"note": "\0"}), "metadata.note"),
        ("metadata", json!({"no\0te": "a"}), "metadata"),
        ("urls", json!({"webhook": "https://example.com/\0"}), "urls.webhook"),
        ("invoice_detail_ids", json!(["l1", "l\0"]), "invoice_detail_ids[1]"),
        ("amount", json!("10\0"), "amount"),
    ] {
        let reply = at_the_door(&asking(&json!({"payment_id": PAYMENT, field: value}))).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{path}");
        assert_eq!(reply.body["param"], path);
        assert!(reply.body["detail"].as_str().unwrap().contains("NUL"), "{}", reply.text);
    }
    let path = Event::of_fixtures_tenant(CREATE_OF_PAYMENT).with("/pathParameters/payment_id", "pay\0");
    let reply = at_the_door(&path).await;
    assert_eq!(reply.problem(), (400, "invalid_parameter"));
    assert_eq!(reply.body["param"], "payment_id");
}

#[tokio::test]
async fn a_compressed_body_and_a_byte_order_mark_are_told() {
    let json = json!({"payment_id": PAYMENT}).to_string();
    for encoding in ["gzip", "br", "deflate", "gzip, identity"] {
        let reply = at_the_door(&recorded().text(&json).header("content-encoding", encoding)).await;
        assert_eq!(reply.problem(), (415, "unsupported_media_type"), "{encoding}");
        assert!(reply.body["detail"].as_str().unwrap().contains("compressed"), "{}", reply.text);
    }
    // Without a header, too: as bytes, and as what is left of them in a text.
    let bytes = b"\x1f\x8b\x08\0\0\0\0\0";
    let encoded = recorded().with("/body", STANDARD.encode(bytes)).with("/isBase64Encoded", true);
    for event in [encoded, recorded().text(&String::from_utf8_lossy(bytes))] {
        let reply = at_the_door(&event).await;
        assert_eq!(reply.problem(), (415, "unsupported_media_type"));
        assert!(reply.body["detail"].as_str().unwrap().contains("compressed"), "{}", reply.text);
    }
    let utf_16: Vec<u8> = std::iter::once('\u{feff}')
        .chain(json.chars())
        .flat_map(|c| u32::from(c).to_le_bytes().into_iter().take(2))
        .collect();
    let utf_16 = recorded().with("/body", STANDARD.encode(utf_16)).with("/isBase64Encoded", true);
    for event in [recorded().text(&format!("\u{feff}{json}")), utf_16] {
        let reply = at_the_door(&event).await;
        assert_eq!(reply.problem(), (400, "invalid_json"));
        assert!(reply.body["detail"].as_str().unwrap().contains("byte-order mark"), "{}", reply.text);
    }
    let world = World::with(&plain()).await;
    assert_eq!(world.post(&recorded().text(&json).header("content-encoding", "identity")).await.status, 201);
}

#[tokio::test]
async fn a_query_string_is_refused_where_the_body_says_all() {
    let quote = asking(&json!({"payment_id": PAYMENT})).route("POST /v1/refunds/quote");
    for event in [recorded(), Event::of_fixtures_tenant(CREATE_OF_PAYMENT), quote] {
        for (query, param) in
            [("expand=payment", "expand"), ("expand[]=payment", "expand"), ("dry_run=true", "dry_run")]
        {
            let reply = at_the_door(&event.clone().with("/rawQueryString", query)).await;
            assert_eq!(reply.problem(), (400, "unknown_parameter"), "{query}");
            assert_eq!(reply.body["param"], param);
            let says_where = reply.body["detail"].as_str().unwrap().contains("GET /v1/refunds/{refund_id}");
            assert_eq!(says_where, param == "expand", "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn a_currency_in_lower_case_is_told_its_upper_case() {
    for (code, told) in [("eur", "must be upper case: EUR"), ("xyz", "ISO 4217"), ("EURO", "ISO 4217")] {
        let reply = at_the_door(&asking(&json!({"payment_id": PAYMENT, "currency": code}))).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{code}");
        assert!(reply.body["detail"].as_str().unwrap().contains(told), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_or_size_is_named_by_its_path() {
    let many: Vec<String> = (0..101).map(|n| format!("l{n}")).collect();
    let keys: serde_json::Map<String, Value> = (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
    let twice = json!([{"account_id": SELLER, "amount": 1}, {"id": SELLER, "amount": 1}]);
    let both = json!([{"account_id": SELLER, "id": SELLER, "amount": 1}]);
    for (field, value, path) in [
        ("payment_id", json!(7), "payment_id"),
        ("payment_id", json!("no spaces"), "payment_id"),
        ("payment_id", json!("p".repeat(65)), "payment_id"),
        ("transaction_id", json!("pay_other"), "transaction_id"),
        ("currency", json!("eur"), "currency"),
        ("currency", json!("XYZ"), "currency"),
        ("currency", json!(978), "currency"),
        ("reason", json!(""), "reason"),
        ("reason", json!("r".repeat(256)), "reason"),
        ("information", json!("i".repeat(1001)), "information"),
        ("description", json!("d".repeat(256)), "description"),
        ("reference", json!("r".repeat(129)), "reference"),
        ("metadata", json!("no object"), "metadata"),
        ("metadata", json!({"a": 1}), "metadata.a"),
        ("metadata", json!({"k".repeat(41): "v"}), "metadata"),
        ("metadata", json!({"k": "v".repeat(501)}), "metadata"),
        ("metadata", Value::Object(keys), "metadata"),
        ("invoice_detail_ids", json!("l1"), "invoice_detail_ids"),
        ("invoice_detail_ids", json!([]), "invoice_detail_ids"),
        ("invoice_detail_ids", json!(["l1", 2]), "invoice_detail_ids[1]"),
        ("invoice_detail_ids", json!(["l1", "l1"]), "invoice_detail_ids"),
        ("invoice_detail_ids", json!(many), "invoice_detail_ids"),
        ("lines", json!([]), "lines"),
        ("lines", json!(["l1"]), "lines[0]"),
        ("lines", json!([{ "id": "l1", "amount": 1.5 }]), "lines[0].amount"),
        ("lines", json!([{ "id": "l1", "amount": 1 }, { "id": "l1", "amount": 2 }]), "lines"),
        ("urls", json!("https://example.com/"), "urls"),
        ("urls", json!({"webhook": "http://example.com/"}), "urls.webhook"),
        ("urls", json!({"webhook": "https://user:secret@example.com/"}), "urls.webhook"),
        ("routing", json!([]), "routing"),
        ("routing", json!({"merchants": {}}), "routing.merchants"),
        ("routing", json!({"merchants": [[]]}), "routing.merchants[0]"),
        ("routing", json!({"merchants": twice}), "routing.merchants[1]"),
        ("routing", json!({"merchants": both}), "routing.merchants[0].id"),
        (
            "routing",
            json!({"merchants": [{"account_id": SELLER, "amount": -1}]}),
            "routing.merchants[0].amount",
        ),
    ] {
        let mut body = json!({"payment_id": PAYMENT});
        body[field] = value;
        let reply = at_the_door(&asking(&body)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{body}");
        assert_eq!(reply.body["param"], path, "{body}");
        assert!(!reply.text.contains("secret"), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_null_where_money_is_decided_is_refused_and_never_means_all_of_it() {
    for field in
        ["amount", "currency", "routing", "invoice_detail_ids", "lines", "expected_refundable_amount"]
    {
        let reply = at_the_door(&asking(&json!({"payment_id": PAYMENT, field: null}))).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{field}");
        assert_eq!(reply.body["param"], field);
    }
}

#[tokio::test]
async fn a_missing_field_is_named_by_its_path() {
    for (body, path) in [
        (json!({}), "payment_id"),
        (json!({"payment_id": null, "amount": 1}), "payment_id"),
        (json!({"payment_id": PAYMENT, "routing": {"platform": {}}}), "routing.platform.amount"),
        (
            json!({"payment_id": PAYMENT, "routing": {"merchants": [{"amount": 1}]}}),
            "routing.merchants[0].account_id",
        ),
        (
            json!({"payment_id": PAYMENT, "routing": {"merchants": [{"id": SELLER}]}}),
            "routing.merchants[0].amount",
        ),
    ] {
        let reply = at_the_door(&asking(&body)).await;
        assert_eq!(reply.problem(), (400, "missing_parameter"), "{body}");
        assert_eq!(reply.body["param"], path, "{body}");
    }
}

#[tokio::test]
async fn a_payment_in_the_path_and_another_in_the_body_do_not_agree() {
    let event = Event::of_fixtures_tenant(CREATE_OF_PAYMENT);
    let reply = at_the_door(&event.clone().json(&json!({"payment_id": "pay_other"}))).await;
    assert_eq!(reply.problem(), (400, "invalid_parameter"));
    assert_eq!(reply.body["param"], "payment_id");
    // What cannot be a payment's id names no payment.
    let reply = at_the_door(&event.of_payment("no%20payment")).await;
    assert_eq!(reply.problem(), (404, "payment_not_found"));
}

#[tokio::test]
async fn a_body_over_64_kib_is_too_large() {
    let body = |bytes: usize| {
        let empty = format!(r#"{{"payment_id": "{PAYMENT}"}}"#);
        format!("{empty}{}", " ".repeat(bytes.checked_sub(empty.len()).unwrap()))
    };
    let reply = at_the_door(&recorded().text(&body(65_537))).await;
    assert_eq!(reply.problem(), (413, "body_too_large"));
    // By what it announces, too.
    let reply = at_the_door(&recorded().header("content-length", "65537")).await;
    assert_eq!(reply.problem(), (413, "body_too_large"));
    let world = World::with(&plain()).await;
    assert_eq!(world.post(&recorded().text(&body(65_536))).await.status, 201);
}

#[tokio::test]
async fn a_body_that_does_not_say_it_is_json_is_refused() {
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let reply = at_the_door(&recorded().header("content-type", media_type)).await;
        assert_eq!(reply.problem(), (415, "unsupported_media_type"), "{media_type}");
    }
    let reply = at_the_door(&recorded().without("/headers/content-type")).await;
    assert_eq!(reply.problem(), (415, "unsupported_media_type"));
    let world = World::with(&routed()).await;
    let event = recorded().header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(world.post(&event).await.status, 201);
}

#[tokio::test]
async fn a_body_that_the_gateway_has_encoded_is_read_all_the_same() {
    let world = World::with(&plain()).await;
    let text = json!({"payment_id": PAYMENT, "reason": "ä"}).to_string();
    let event = recorded().text(&text);
    let encoded = event.clone().with("/body", STANDARD.encode(&text)).with("/isBase64Encoded", true);
    let (encoded, bare) = (world.post(&encoded).await, world.post(&event).await);
    assert_eq!((encoded.status, &encoded.body["reason"]), (201, &json!("ä")));
    assert_eq!(bare.header("idempotent-replayed"), Some("true"));
    assert_eq!(bare.body, encoded.body);
}

#[tokio::test]
async fn a_request_past_the_authorizer_is_our_fault_and_the_answer_says_nothing() {
    let authorizer = "/requestContext/authorizer";
    for event in [
        recorded().without(authorizer),
        recorded().without(&format!("{authorizer}/lambda")),
        recorded().without(&format!("{authorizer}/lambda/scopes")),
        recorded().with(&format!("{authorizer}/lambda/environment"), "test"),
        recorded().with(&format!("{authorizer}/lambda/account_id"), "acct_forged"),
    ] {
        let reply = at_the_door(&event).await;
        assert_eq!(reply.problem(), (500, "internal_error"));
        assert_eq!(reply.body["detail"], "The request could not be attributed to an account.");
        assert_eq!(reply.header("request-id"), Some("Bxq7RhE1liAEPXw="));
        for leak in ["acct_", "sk_sandbox", PAYMENT] {
            assert!(!reply.text.contains(leak), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn a_credential_without_the_scope_may_not_refund() {
    let scopes = "/requestContext/authorizer/lambda/scopes";
    for granted in ["", "payments:read payments:write refunds:read webhooks:manage", "refunds:writer"] {
        let reply = at_the_door(&recorded().with(scopes, granted)).await;
        assert_eq!(reply.problem(), (403, "insufficient_scope"), "{granted}");
        assert!(reply.body["detail"].as_str().unwrap().contains("refunds:write"));
    }
    let world = World::with(&routed()).await;
    assert_eq!(world.post(&recorded().with(scopes, "refunds:write")).await.status, 201);
}
