//! Every route behind the authorizer under every pair of scopes: an answer shows what its caller may read.

use recoup_domain::api_key::Scope::{
    self, PaymentsRead, PaymentsWrite, RefundsRead, RefundsWrite, WebhooksManage,
};
use recoup_domain::delivery::Target;
use recoup_domain::ids::AccountId;
use recoup_domain::report::{Finding, Mismatch, Remedy};
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::KeepEndpoints;
use recoup_ports::events::RecordEvents;
use recoup_ports::refunds::Refunds;
use recoup_ports::reports::KeepReports;
use recoup_testing::{TestTable, fixtures, reports};
use serde_json::{Value, json};

use crate::door::{CREATE, routes, serve};
use crate::gateway::{Event, Reply};

/// A text that only the payment holds, and one that only its refunds hold.
const OF_PAYMENT: &str = "told-of-the-payment";
const OF_REFUND: &str = "told-of-the-refund";
const PAYMENT: &str = "pay_scopes";

/// A request, and what its answer may show to whom.
pub(crate) struct Case {
    pub(crate) key: &'static str,
    path: String,
    query: String,
    body: Value,
    /// Without all of these it is refused.
    door: &'static [Scope],
    /// Whether a refund is shown to whoever may read refunds.
    refund: bool,
    /// Whether the payment is shown to whoever may read payments.
    payment: bool,
}

impl Case {
    fn new(key: &'static str, path: &str, door: &'static [Scope]) -> Self {
        let (path, query, body) = (path.to_owned(), String::new(), Value::Null);
        Self { key, path, query, body, door, refund: false, payment: false }
    }

    fn asking(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    fn saying(self, body: Value) -> Self {
        Self { body, ..self }
    }

    fn refund(self) -> Self {
        Self { refund: true, ..self }
    }

    fn payment(self) -> Self {
        Self { payment: true, ..self }
    }

    /// The name of the caller's key.
    fn who(&self) -> &'static str {
        if self.key.contains("/refunds") { OF_REFUND } else { OF_PAYMENT }
    }

    /// The request of a caller with these scopes.
    pub(crate) fn event(&self, scopes: &[Scope]) -> Event {
        let scopes: Vec<&str> = scopes.iter().copied().map(Scope::as_str).collect();
        let wanted: Vec<&str> = self.key.split(' ').next_back().unwrap().split('/').collect();
        let named = wanted.iter().zip(self.path.split('/'));
        let named =
            named.filter_map(|(name, value)| Some((name.strip_prefix('{')?.strip_suffix('}')?, value)));
        let event = Event::of_fixtures_tenant(CREATE)
            .route(self.key)
            .with("/rawPath", self.path.as_str())
            .with("/requestContext/http/path", self.path.as_str())
            .with(
                "/pathParameters",
                named.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Value>(),
            )
            .with("/rawQueryString", self.query.as_str())
            .with("/requestContext/authorizer/lambda/scopes", scopes.join(" "))
            // Who did something is no less told of it than what was done.
            .with("/requestContext/authorizer/lambda/key_name", self.who())
            .with("/headers/idempotency-key", self.path.replace('/', "-"));
        if self.key == IMPORT {
            event.json(&self.body).header("content-type", "application/x-ndjson")
        } else if self.body.is_null() {
            event.without("/body").without("/headers/content-length")
        } else {
            event.json(&self.body)
        }
    }
}

const IMPORT: &str = "POST /v1/payments/import";

fn registration() -> Value {
    json!({ "amount": 3_100, "currency": "EUR", "metadata": { "note": OF_PAYMENT } })
}

fn creation() -> Value {
    json!({ "payment_id": PAYMENT, "amount": 100, "reason": OF_REFUND, "metadata": { "note": OF_REFUND } })
}

/// A table with one of everything, the refund that `POST /v1/refunds` made, and its event.
pub(crate) async fn world() -> (TestTable, String, String) {
    let table = TestTable::new();
    let store = table.store();
    let (sandbox_secret, live_secret) = (fixtures::plain_secret(100), fixtures::plain_secret(101));
    let (id, created_at) = (AccountId::from_bits(1), fixtures::now());
    let account = NewAccount { id, name: "n".to_owned(), sandbox_secret, live_secret, created_at };
    store.create_account(&account).await.unwrap();
    store.create_endpoint(&fixtures::endpoint(1)).await.unwrap();
    let register = Case::new("PUT /v1/payments/{payment_id}", &format!("/v1/payments/{PAYMENT}"), &[]);
    assert_eq!(answer(&table, &register.saying(registration()), &[PaymentsWrite]).await.status, 201);
    let of_path =
        Case::new("POST /v1/payments/{payment_id}/refunds", &format!("/v1/payments/{PAYMENT}/refunds"), &[]);
    for case in [Case::new("POST /v1/refunds", "/v1/refunds", &[]), of_path] {
        let made = answer(&table, &case.saying(creation()), &[RefundsWrite]).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert!(made.text.contains(OF_REFUND), "the caller's own words: {}", made.text);
    }
    let id = answer(
        &table,
        &Case::new("POST /v1/refunds", "/v1/refunds", &[]).saying(creation()),
        &[RefundsWrite],
    )
    .await;
    let id = id.body["id"].as_str().unwrap().to_owned();
    let refund = store.refund(&fixtures::tenant(), &id.as_str().try_into().unwrap()).await.unwrap().unwrap();
    let receivers = [Target::Endpoint(fixtures::endpoint(1).id)];
    store.record_event(&fixtures::beginning(&refund), &receivers).await.unwrap();
    let of_refund = reports::finding(Mismatch::Unsettled, Remedy::None, OF_REFUND, 1);
    let of_payment = reports::finding(Mismatch::AmountAstray, Remedy::None, OF_PAYMENT, 2);
    let findings = vec![of_refund, Finding { refund: None, ..of_payment }];
    store.keep_report(&reports::report_with(fixtures::tenant(), findings)).await.unwrap();
    let event = fixtures::beginning(&refund).id.to_string();
    (table, id, event)
}

async fn answer(table: &TestTable, case: &Case, scopes: &[Scope]) -> Reply {
    let event = case.event(scopes);
    Reply::read(&event, Box::pin(serve(table, case.key, &event)).await)
}

fn payments_and_refunds(refund: &str) -> Vec<Case> {
    let (payment, refunds) = (format!("/v1/payments/{PAYMENT}"), format!("/v1/payments/{PAYMENT}/refunds"));
    let (refund, cancel) = (format!("/v1/refunds/{refund}"), format!("/v1/refunds/{refund}/cancel"));
    let expand = "expand=payment";
    vec![
        Case::new("PUT /v1/payments/{payment_id}", &payment, &[PaymentsWrite])
            .saying(registration())
            .payment(),
        Case::new(IMPORT, "/v1/payments/import", &[PaymentsWrite])
            .saying(json!({ "id": PAYMENT, "amount": 1 })),
        Case::new("GET /v1/payments/{payment_id}", &payment, &[PaymentsRead]).payment(),
        Case::new("GET /v1/payments", "/v1/payments", &[PaymentsRead]).payment(),
        Case::new("GET /v1/payments/{payment_id}/refunds", &refunds, &[RefundsRead]).refund(),
        Case::new("GET /v1/payments/{payment_id}/refunds", &refunds, &[RefundsRead, PaymentsRead])
            .asking(expand)
            .refund()
            .payment(),
        Case::new("POST /v1/payments/{payment_id}/refunds", &refunds, &[RefundsWrite])
            .saying(creation())
            .refund(),
        Case::new("POST /v1/refunds", "/v1/refunds", &[RefundsWrite]).saying(creation()).refund(),
        Case::new("POST /v1/refunds/quote", "/v1/refunds/quote", &[RefundsWrite]).saying(creation()),
        Case::new("GET /v1/refunds", "/v1/refunds", &[RefundsRead]).refund(),
        Case::new("GET /v1/refunds", "/v1/refunds", &[RefundsRead, PaymentsRead])
            .asking(expand)
            .refund()
            .payment(),
        Case::new("GET /v1/refunds/{refund_id}", &refund, &[RefundsRead]).refund(),
        Case::new("GET /v1/refunds/{refund_id}", &refund, &[RefundsRead, PaymentsRead])
            .asking(expand)
            .refund()
            .payment(),
        Case::new("PATCH /v1/refunds/{refund_id}", &refund, &[RefundsWrite])
            .saying(json!({ "metadata": {} }))
            .refund(),
        Case::new("POST /v1/refunds/{refund_id}/cancel", &cancel, &[RefundsWrite]).refund(),
        Case::new(
            "GET /v1/reports/reconciliation/{date}",
            "/v1/reports/reconciliation/2026-11-22",
            &[RefundsRead],
        )
        .refund()
        .payment(),
        Case::new(
            "GET /v1/reports/reconciliation/latest",
            "/v1/reports/reconciliation/latest",
            &[RefundsRead],
        )
        .refund()
        .payment(),
        Case::new("$default", "/v1/nothing", &[]),
    ]
}

fn webhooks(refund: &str, event: &str) -> Vec<Case> {
    let endpoint = fixtures::endpoint(1).id;
    let (endpoint, nobody) = (format!("/v1/webhook-endpoints/{endpoint}"), format!("whe_{}", "0".repeat(26)));
    let (nobody, all) = (format!("/v1/webhook-endpoints/{nobody}"), "/v1/webhook-endpoints");
    let (rotate, test) = (format!("{nobody}/rotate-secret"), format!("{nobody}/test"));
    let (event, again) = (format!("/v1/events/{event}"), format!("/v1/events/{event}/redeliver"));
    let url = json!({ "url": "https://shop.example.com/" });
    let managed = |key, path: &str| Case::new(key, path, &[WebhooksManage]);
    vec![
        managed("POST /v1/webhook-endpoints", all).saying(url.clone()),
        managed("GET /v1/webhook-endpoints", all),
        managed("GET /v1/webhook-endpoints/{endpoint_id}", &endpoint),
        managed("PATCH /v1/webhook-endpoints/{endpoint_id}", &endpoint).saying(url),
        managed("DELETE /v1/webhook-endpoints/{endpoint_id}", &nobody),
        managed("POST /v1/webhook-endpoints/{endpoint_id}/rotate-secret", &rotate),
        managed("POST /v1/webhook-endpoints/{endpoint_id}/test", &test),
        managed("GET /v1/events", "/v1/events").refund(),
        managed("GET /v1/events", "/v1/events").asking(&format!("refund_id={refund}")).refund(),
        managed("GET /v1/events/{event_id}", &event).refund(),
        managed("POST /v1/events/{event_id}/redeliver", &again).refund(),
    ]
}

/// Every route, some of them twice.
pub(crate) fn cases(refund: &str, event: &str) -> Vec<Case> {
    let mut cases = payments_and_refunds(refund);
    cases.extend(webhooks(refund, event));
    cases
}

/// No scope, each alone, and each two.
fn sets() -> Vec<Vec<Scope>> {
    let mut sets = vec![Vec::new()];
    for (one, next) in Scope::ALL.into_iter().zip(1..) {
        sets.push(vec![one]);
        sets.extend(Scope::ALL.into_iter().skip(next).map(|other| vec![one, other]));
    }
    sets
}

#[tokio::test]
async fn an_answer_shows_what_its_caller_may_read_on_every_route() {
    let (table, refund, event) = world().await;
    let cases = cases(&refund, &event);
    for key in routes() {
        assert!(cases.iter().any(|case| case.key == key), "{key} has no line: say here what it shows");
    }
    for case in &cases {
        for scopes in sets() {
            let reply = answer(&table, case, &scopes).await;
            let told = format!("{} {} as {scopes:?}: {} {}", case.key, case.query, reply.status, reply.text);
            let enters = case.door.iter().all(|scope| scopes.contains(scope));
            assert_eq!(reply.body["code"] == "insufficient_scope", !enters, "{told}");
            let sees_refund = enters && case.refund && scopes.contains(&RefundsRead);
            assert_eq!(reply.text.contains(OF_REFUND), sees_refund, "{told}");
            let sees_payment = enters && case.payment && scopes.contains(&PaymentsRead);
            assert_eq!(reply.text.contains(OF_PAYMENT), sees_payment, "{told}");
        }
    }
}
