//! Every problem of payments, refunds and credentials, provoked once.
//!
//! Two of the contract's codes cannot be provoked here, because the local AWS never collides or throttles:
//! 409 `idempotency_key_in_use` and 503 `unavailable` are tested at the handler (`create-refund/tests`).
//! What comes of asking too often (429 `rate_limited`, 409 `too_many_changes` and `too_many_redeliveries`) is, too.
//! Any other 429 is the gateway's own answer, and so is a missing credential; a wrong one, a wrong method and an unknown path are
//! in `credentials.rs`.

use recoup_deployed_tests::{Account, Answer, Stack};
use serde_json::{Value, json};

/// What is sent, and the problem that has to come back.
struct Case {
    status: u16,
    code: &'static str,
    param: Option<&'static str>,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<String>,
}

/// A refusal of `POST /v1/refunds`.
fn refund(status: u16, code: &'static str, param: Option<&'static str>, body: &Value) -> Case {
    let (method, path, body) = ("POST", "/v1/refunds".to_owned(), Some(body.to_string()));
    Case { status, code, param, method, path, headers: Vec::new(), body }
}

impl Case {
    fn keyed(self, key: &'static str) -> Self {
        self.with("idempotency-key", key)
    }

    fn with(mut self, header: &'static str, value: &'static str) -> Self {
        self.headers.push((header, value));
        self
    }

    fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn at(mut self, method: &'static str, path: impl Into<String>) -> Self {
        (self.method, self.path) = (method, path.into());
        self
    }

    fn assert_told(&self, answer: &Answer) {
        let (code, body) = (self.code, &answer.body);
        assert_eq!((answer.status, answer.text("code")), (self.status, code), "{body:?}");
        assert_eq!(body.get("param").and_then(Value::as_str), self.param, "{body:?}");
        assert_eq!(body["status"], self.status, "{code}");
        assert_eq!(body["retryable"], false, "{code}");
        assert_eq!(answer.header("retry-after"), "", "{code}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{code}");
        assert_eq!(answer.text("type"), format!("urn:recoup:problem:{code}"));
        let path = self.path.split('?').next().unwrap_or_default();
        assert!(answer.text("instance").ends_with(path), "{body:?}");
        assert!(!answer.text("title").is_empty(), "{code}");
        assert!(answer.text("detail").ends_with('.'), "{body:?}");
        let request_id = answer.text("request_id");
        assert!(!request_id.is_empty() && request_id == answer.header("request-id"), "{code}");
    }
}

/// The payments that the cases are about, one for each state that refuses something.
async fn register_payments(account: &Account) {
    account.register_example("pay_routed", "sandbox_succeed").await;
    account.register_plain("pay_plain", 1_000, "sandbox_succeed").await;
    let lines = json!([{ "id": "line_1", "amount": 600 }, { "id": "line_2", "amount": 400 }]);
    for (id, change) in [
        ("pay_started", json!({ "status": "started" })),
        ("pay_disputed", json!({ "disputed": true })),
        ("pay_late", json!({ "refundable_until": "2020-01-01T00:00:00.000Z" })),
        ("pay_whole", json!({ "partial_refunds": "full_only" })),
        ("pay_waiting", json!({ "partial_refunds": "after_payout", "payout": "not_started" })),
        ("pay_lines", json!({ "invoice_details": lines })),
        ("pay_done", json!({})),
    ] {
        let mut payment = json!({ "amount": 1000, "currency": "EUR" });
        let Value::Object(change) = change else { panic!("an object") };
        payment.as_object_mut().unwrap().extend(change);
        let answer = account.register(id, payment).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
    }
    let line = json!({ "payment_id": "pay_lines", "invoice_detail_ids": ["line_1"] });
    assert_eq!(account.refund(None, line).await.status, 201);
    let keyed = json!({ "payment_id": "pay_plain", "amount": 100 });
    assert_eq!(account.refund(Some("used"), keyed).await.status, 201);
}

/// What is wrong with the request itself.
fn malformed() -> Vec<Case> {
    let plain = || json!({ "payment_id": "pay_plain" });
    let stripe = json!({ "name": "stripe", "reference": "ch_1" });
    vec![
        refund(400, "invalid_json", None, &json!({}))
            .body(r#"{"payment_id": "pay_plain", "payment_id": "a"}"#),
        refund(400, "missing_parameter", Some("payment_id"), &json!({ "amount": 1 })),
        refund(
            400,
            "invalid_parameter",
            Some("amount"),
            &json!({ "payment_id": "pay_plain", "amount": 1.5 }),
        ),
        refund(
            400,
            "unknown_parameter",
            Some("colour"),
            &json!({ "payment_id": "pay_plain", "colour": "red" }),
        ),
        refund(400, "invalid_idempotency_key", None, &plain()).keyed("white space"),
        refund(400, "invalid_idempotency_key", None, &plain()).keyed("a,b"),
        refund(400, "invalid_idempotency_key", None, &plain()).keyed("a").keyed("a"),
        refund(400, "unknown_parameter", Some("expand"), &plain()).at("POST", "/v1/refunds?expand=payment"),
        refund(
            400,
            "invalid_parameter",
            Some("reason"),
            &json!({ "payment_id": "pay_plain", "reason": "\0" }),
        ),
        refund(400, "invalid_json", None, &json!({})).body("\u{feff}{}"),
        refund(415, "unsupported_media_type", None, &plain()).with("content-encoding", "gzip"),
        refund(400, "invalid_idempotency_key", None, &plain()).with("x-idempotency-key", "a"),
        refund(413, "body_too_large", None, &json!({ "information": "x".repeat(65_536) })),
        refund(422, "idempotency_key_reused", None, &plain()).keyed("used"),
        refund(404, "payment_not_found", None, &json!({ "payment_id": "pay_nobody" })),
        refund(404, "payment_not_found", None, &json!({})).at("GET", "/v1/payments/pay_nobody"),
        refund(404, "refund_not_found", None, &json!({}))
            .at("POST", "/v1/refunds/rfd_00000000000000000000000000/cancel"),
        refund(404, "report_not_found", None, &json!({})).at("GET", "/v1/reports/reconciliation/2020-02-29"),
        refund(400, "invalid_parameter", Some("date"), &json!({}))
            .at("GET", "/v1/reports/reconciliation/2026-02-29"),
        refund(409, "payment_conflict", Some("amount"), &json!({ "amount": 999, "currency": "EUR" }))
            .at("PUT", "/v1/payments/pay_plain"),
        refund(
            422,
            "processor_cannot",
            None,
            &json!({ "amount": 500, "currency": "LYD", "processor": stripe }),
        )
        .at("PUT", "/v1/payments/pay_lyd"),
    ]
}

/// What the payment does not allow.
fn refused() -> Vec<Case> {
    let of = |payment: &str, with: Value| {
        let Value::Object(mut body) = with else { panic!("an object") };
        body.insert("payment_id".into(), payment.into());
        Value::Object(body)
    };
    let from_platform = |amount: u64| json!({ "routing": { "platform": { "amount": amount } } });
    let line = |id: &str| json!({ "invoice_detail_ids": [id] });
    let whole = || json!({});
    let one = || json!({ "amount": 1 });
    let mut cases = vec![
        refund(
            409,
            "refundable_amount_changed",
            Some("expected_refundable_amount"),
            &of("pay_plain", json!({ "expected_refundable_amount": 1000 })),
        ),
        refund(422, "amount_exceeds_refundable", None, &of("pay_plain", json!({ "amount": 901 }))),
        refund(
            422,
            "actor_amount_exceeds_refundable",
            Some("routing"),
            &of("pay_routed", from_platform(101)),
        ),
        refund(422, "payment_not_refundable", None, &of("pay_started", whole())),
        refund(422, "payment_already_refunded", None, &of("pay_done", whole())),
        refund(422, "partial_refund_not_allowed", None, &of("pay_whole", one())),
        refund(422, "partial_refund_before_payout", None, &of("pay_waiting", one())),
        refund(422, "routing_required", Some("routing"), &of("pay_routed", one())),
        refund(422, "routing_mismatch", Some("routing"), &of("pay_plain", from_platform(1))),
        refund(422, "currency_mismatch", Some("currency"), &of("pay_plain", json!({ "currency": "USD" }))),
        refund(422, "payment_disputed", None, &of("pay_disputed", whole())),
        refund(422, "refund_window_expired", None, &of("pay_late", whole())),
        refund(422, "invoice_detail_unknown", Some("invoice_detail_ids"), &of("pay_lines", line("line_9"))),
        refund(
            422,
            "invoice_detail_already_refunded",
            Some("invoice_detail_ids"),
            &of("pay_lines", line("line_1")),
        ),
        refund(
            422,
            "line_amount_exceeds_refundable",
            Some("lines"),
            &of("pay_lines", json!({ "lines": [{ "id": "line_2", "amount": 401 }] })),
        ),
    ];
    // A quote gives the very problem that the create would give.
    let quotes: Vec<Case> = cases
        .iter()
        .map(|case| Case {
            path: "/v1/refunds/quote".into(),
            headers: Vec::new(),
            body: case.body.clone(),
            ..*case
        })
        .collect();
    cases.extend(quotes);
    cases
}

#[tokio::test]
async fn every_problem_has_its_status_code_parameter_and_request_id() {
    let account = Stack::running().new_account().await;
    register_payments(&account).await;
    let done = account.refund(None, json!({ "payment_id": "pay_done" })).await;
    account.refund_in(done.text("id"), "succeeded").await;
    let cancel = format!("/v1/refunds/{}/cancel", done.text("id"));
    let too_late = refund(409, "refund_not_cancellable", None, &json!({})).at("POST", cancel);

    let mut codes = Vec::new();
    for case in malformed().into_iter().chain(refused()).chain([too_late]) {
        let answer = account.send(case.method, &case.path, &case.headers, case.body.clone()).await;
        case.assert_told(&answer);
        codes.push(case.code);
    }
    // With those of the next two tests, these are all codes that a caller can provoke.
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 29);
    // Nothing that was refused has taken anything.
    for (id, left) in [("pay_plain", 900), ("pay_routed", 3_100), ("pay_whole", 1_000), ("pay_lines", 400)] {
        assert_eq!(account.payment(id).await["refundable_amount"], left, "{id}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_would_fit() {
    let account = Stack::running().new_account().await;
    register_payments(&account).await;
    let too_much = account.refund(None, json!({ "payment_id": "pay_plain", "amount": "9.01" })).await;
    assert_eq!(too_much.body["refundable_amount"], 900);
    assert_eq!(too_much.text("refundable_amount_decimal"), "9.00");
    // Major units taken for minor ones show in the sentence.
    let major = account.refund(None, json!({ "payment_id": "pay_plain", "amount": "1000" })).await;
    let detail = "The amount is 1000.00 EUR, and at most 9.00 EUR can still be refunded.";
    assert_eq!(major.text("detail"), detail);
    let expected = json!({ "payment_id": "pay_plain", "expected_refundable_amount": 1_000 });
    assert_eq!(account.refund(None, expected).await.body["refundable_amount"], 900);
    let platform = json!({ "payment_id": "pay_routed", "routing": { "platform": { "amount": 101 } } });
    let short = account.refund(None, platform).await;
    let actor = &short.body["actors"][0];
    assert_eq!((&actor["actor"], &actor["amount"]), (&json!("platform"), &json!(101)));
    assert_eq!(actor["refundable_amount"], 100);
}

/// A caller with a new key of the account that may do only this.
async fn caller(stack: &Stack, account_id: &Value, scope: &str) -> (Account, String) {
    let key = json!({
        "command": "create_api_key", "account_id": account_id, "environment": "sandbox", "scopes": [scope],
    });
    let key = stack.admin(key).await.expect("a key");
    let header = format!("Bearer {}", key["secret"].as_str().expect("a secret"));
    (stack.with_authorization(Some(&header)), header)
}

#[tokio::test]
async fn a_credential_without_the_scope_is_told_which_one_it_lacks() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Scopes" })).await.unwrap();
    let refund_path = "/v1/refunds/rfd_00000000000000000000000000";
    let payment = json!({ "amount": 1000, "currency": "EUR" });
    for (scope, lacked, method, path, body) in [
        ("payments:read", "payments:write", "PUT", "/v1/payments/pay_1", payment),
        ("payments:write", "payments:read", "GET", "/v1/payments/pay_1", Value::Null),
        ("refunds:read", "refunds:write", "POST", "/v1/refunds", json!({ "payment_id": "pay_1" })),
        ("refunds:read", "refunds:write", "POST", "/v1/payments/pay_1/refunds", Value::Null),
        ("refunds:read", "refunds:write", "POST", "/v1/refunds/quote", json!({ "payment_id": "pay_1" })),
        ("refunds:write", "refunds:read", "GET", refund_path, Value::Null),
        ("refunds:write", "refunds:read", "GET", "/v1/refunds", Value::Null),
        ("refunds:write", "refunds:read", "GET", "/v1/reports/reconciliation/2026-11-22", Value::Null),
        ("refunds:write", "refunds:read", "GET", "/v1/reports/reconciliation/latest", Value::Null),
        ("refunds:write", "refunds:read", "GET", "/v1/payments/pay_1/refunds", Value::Null),
        ("refunds:read", "refunds:write", "PATCH", refund_path, json!({ "metadata": {} })),
    ] {
        let (caller, _) = caller(&stack, &made["account_id"], scope).await;
        let body = (!body.is_null()).then(|| body.to_string());
        let case = refund(403, "insufficient_scope", None, &Value::Null).at(method, path);
        let answer = caller.send(method, path, &[], body).await;
        case.assert_told(&answer);
        assert!(answer.text("detail").contains(lacked), "{:?}", answer.body);
    }
}

#[tokio::test]
async fn a_body_that_does_not_call_itself_json_is_refused() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Forms" })).await.unwrap();
    let (_, header) = caller(&stack, &made["account_id"], "refunds:write").await;
    let anyone = stack.with_authorization(None);
    let answer = anyone.form("/v1/refunds", &[("authorization", &header)], "payment_id=pay_1").await;
    refund(415, "unsupported_media_type", None, &Value::Null).assert_told(&answer);
}
