//! A stand-in for Stripe, made from its documentation: idempotency keys that replay the first answer, lists
//! that page, refusals with error objects.

use recoup_domain::refund::Refund;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::books::{Books, Inner};
use crate::server::{Reply, Request, Server};

/// The only payment it knows, and what is left of it: 5.00.
pub(crate) const CHARGE: &str = "ch_3MmlLrLkdIwHu7ix0uke3Ezy";
pub(crate) const PAYMENT_INTENT: &str = "pi_3MmlLrLkdIwHu7ix0snN0B15";
const CHARGED: u64 = 500;

pub(crate) struct FakeStripe {
    pub(crate) server: Server,
    pub(crate) books: Books,
}

impl FakeStripe {
    pub(crate) async fn new() -> Self {
        let books = Books::default();
        Self { server: books.served(answer).await, books }
    }

    /// How often money moved for this refund.
    pub(crate) fn moved(&self, refund: &Refund) -> usize {
        let books = self.books.open();
        let of_it = |found: &&Value| found["metadata"]["recoup_refund_id"] == refund.id.as_str();
        books.refunds.iter().filter(of_it).filter(|found| found["status"] == "succeeded").count()
    }
}

/// A refund object with every field that Stripe documents.
pub(crate) fn object(number: usize, amount: u64, status: &str, metadata: &Value) -> Value {
    json!({
        "id": format!("re_{number:024}"), "object": "refund", "amount": amount,
        "balance_transaction": "txn_3MmlLrLkdIwHu7ix0uke3Ezy", "charge": CHARGE, "created": 1_795_000_000 + number,
        "currency": "eur", "destination_details": { "card": { "type": "refund" }, "type": "card" },
        "metadata": metadata, "payment_intent": PAYMENT_INTENT, "reason": null, "receipt_number": null,
        "source_transfer_reversal": null, "status": status, "transfer_reversal": null,
    })
}

pub(crate) fn error(kind: &str, code: &str) -> Value {
    json!({ "error": { "type": kind, "code": code, "message": "A sentence.", "doc_url": "https://stripe.com/docs",
                       "request_log_url": "https://dashboard.stripe.com/logs/req_1" } })
}

fn answer(books: &Books, request: &Request) -> Reply {
    let mut books = books.open();
    let bearer = request.header("authorization").unwrap_or_default();
    if !bearer.starts_with("Bearer sk_test_") && !bearer.starts_with("Bearer rk_live_") {
        return Reply::json(401, &error("invalid_request_error", ""));
    }
    if request.header("stripe-version") != Some("2025-04-30.basil") {
        return Reply::json(400, &error("invalid_request_error", "no_version"));
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    if let Some(name) =
        path.strip_prefix("/base/v1/charges/").or(path.strip_prefix("/base/v1/payment_intents/"))
    {
        let (status, body) = books.refusal.clone().unwrap_or_else(|| charge(&books, name, query));
        return Reply::json(status, &body);
    }
    let (status, body) = match (request.method.as_str(), path.strip_prefix("/base/v1/refunds")) {
        ("POST", Some("")) => post(&mut books, request),
        ("GET", Some("")) => list(&books, &pairs(query)),
        ("GET", Some(id)) => one(&books, id.trim_start_matches('/')),
        _ => (404, error("invalid_request_error", "")),
    };
    Reply::json(status, &body)
}

/// The charge, by its own name or within its payment intent.
fn charge(books: &Inner, name: &str, query: &str) -> (u16, Value) {
    let given: u64 = books.refunds.iter().map(|refund| refund["amount"].as_u64().unwrap()).sum();
    let charge = json!({
        "id": CHARGE, "object": "charge", "amount": CHARGED, "amount_captured": CHARGED, "amount_refunded": given,
        "application_fee": null, "captured": true, "currency": "eur", "on_behalf_of": null,
        "payment_intent": PAYMENT_INTENT, "status": "succeeded", "transfer_data": null,
    });
    let is_expanded = value(&pairs(query), "expand[]") == Some("latest_charge");
    let latest = if is_expanded { charge.clone() } else { json!(CHARGE) };
    match name {
        CHARGE => (200, charge),
        PAYMENT_INTENT => {
            let intent = json!({
                "id": PAYMENT_INTENT, "object": "payment_intent", "amount": CHARGED, "amount_received": CHARGED,
                "currency": "eur", "latest_charge": latest,
            });
            (200, intent)
        }
        _ => (404, error("invalid_request_error", "resource_missing")),
    }
}

fn pairs(form: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

fn value<'form>(form: &'form [(String, String)], key: &str) -> Option<&'form str> {
    form.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
}

fn knows(form: &[(String, String)]) -> bool {
    value(form, "charge") == Some(CHARGE) || value(form, "payment_intent") == Some(PAYMENT_INTENT)
}

fn post(books: &mut Inner, request: &Request) -> (u16, Value) {
    let key = request.header("idempotency-key").unwrap().to_owned();
    if let Some((asked, status, body)) = books.answers.get(&key) {
        let same = *asked == request.body;
        return if same { (*status, body.clone()) } else { (400, error("idempotency_error", "")) };
    }
    let (status, body) = books.refusal.clone().unwrap_or_else(|| create(books, &pairs(&request.body)));
    books.answers.insert(key, (request.body.clone(), status, body.clone()));
    (status, body)
}

fn create(books: &mut Inner, form: &[(String, String)]) -> (u16, Value) {
    if !knows(form) {
        return (404, error("invalid_request_error", "resource_missing"));
    }
    let amount: u64 = value(form, "amount").unwrap().parse().unwrap();
    let given: u64 = books.refunds.iter().map(|refund| refund["amount"].as_u64().unwrap()).sum();
    if given + amount > CHARGED {
        return (400, error("invalid_request_error", "charge_already_refunded"));
    }
    let metadata = form.iter().filter_map(|(key, value)| {
        let key = key.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((key.to_owned(), json!(value)))
    });
    let status = books.status.unwrap_or("succeeded");
    let made = object(books.refunds.len(), amount, status, &Value::Object(metadata.collect()));
    books.refunds.push(made.clone());
    (200, made)
}

fn list(books: &Inner, query: &[(String, String)]) -> (u16, Value) {
    let since = value(query, "created[gte]").map(|seconds| seconds.parse::<u64>().unwrap());
    let of_payment = value(query, "charge").or(value(query, "payment_intent")).is_some();
    if of_payment && !knows(query) {
        return (404, error("invalid_request_error", "resource_missing"));
    }
    let limit: usize = value(query, "limit").unwrap().parse().unwrap();
    assert!((1..=100).contains(&limit));
    let after = value(query, "starting_after");
    let is_since = |refund: &&Value| since.is_none_or(|since| refund["created"].as_u64().unwrap() >= since);
    let newest_first = books.refunds.iter().rev().filter(is_since);
    let rest: Vec<&Value> = match after {
        None => newest_first.collect(),
        Some(after) => newest_first.skip_while(|refund| refund["id"] != after).skip(1).collect(),
    };
    let page = &rest[..limit.min(rest.len())];
    let has_more = rest.len() > limit;
    (200, json!({ "object": "list", "url": "/v1/refunds", "has_more": has_more, "data": page }))
}

fn one(books: &Inner, id: &str) -> (u16, Value) {
    match books.refunds.iter().find(|refund| refund["id"] == id) {
        Some(refund) => (200, refund.clone()),
        None => (404, error("invalid_request_error", "resource_missing")),
    }
}
