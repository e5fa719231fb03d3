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
/// What its charge paid a merchant by, and what the platform kept of it.
pub(crate) const TRANSFER: &str = "tr_1MiN3gLkdIwHu7ixNCZvFdgA";
pub(crate) const FEE: &str = "fee_1B73DOKbnvuxQXGuhY8Aw0TN";

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
    if path == "/base/v1/disputes" {
        let (status, body) = books.refusal.clone().unwrap_or_else(|| disputes(&pairs(query)));
        return Reply::json(status, &body);
    }
    let (status, body) = match (request.method.as_str(), path.strip_prefix("/base/v1/refunds")) {
        ("POST", Some("")) => post(&mut books, request),
        ("GET", Some("")) => list(&books, &pairs(query)),
        ("GET", Some(id)) => one(&books, id.trim_start_matches('/'), query),
        (method, None) => parts(&mut books, method, path, query, request),
        _ => (404, error("invalid_request_error", "")),
    };
    Reply::json(status, &body)
}

/// The one dispute of the charge, by either of its names; of any other none.
fn disputes(query: &[(String, String)]) -> (u16, Value) {
    let names =
        [value(query, "charge") == Some(CHARGE), value(query, "payment_intent") == Some(PAYMENT_INTENT)];
    let dispute = json!({
        "id": "dp_1", "object": "dispute", "amount": CHARGED, "currency": "eur", "status": "lost", "charge": CHARGE,
        "payment_intent": PAYMENT_INTENT, "reason": "fraudulent", "is_charge_refundable": false,
        "balance_transactions": [],
    });
    let data = if names.contains(&true) { vec![dispute] } else { Vec::new() };
    (200, json!({ "object": "list", "data": data, "has_more": false }))
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
    once(books, request, |books| {
        books.refusal.clone().unwrap_or_else(|| create(books, &pairs(&request.body)))
    })
}

/// The first answer under an idempotency key is given again, refusals too.
fn once(books: &mut Inner, request: &Request, make: impl FnOnce(&mut Inner) -> (u16, Value)) -> (u16, Value) {
    let key = request.header("idempotency-key").unwrap().to_owned();
    if let Some((asked, status, body)) = books.answers.get(&key) {
        let same = *asked == request.body;
        return if same { (*status, body.clone()) } else { (400, error("idempotency_error", "")) };
    }
    let (status, body) = make(books);
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
    let status = books.status.unwrap_or("succeeded");
    let made = object(books.refunds.len(), amount, status, &metadata(form));
    books.refunds.push(made.clone());
    (200, made)
}

fn metadata(form: &[(String, String)]) -> Value {
    let pairs = form.iter().filter_map(|(key, value)| {
        let key = key.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((key.to_owned(), json!(value)))
    });
    Value::Object(pairs.collect())
}

/// What is taken back of a transfer or a fee. Neither is the merchant's account's: the platform asks.
fn parts(books: &mut Inner, method: &str, path: &str, query: &str, request: &Request) -> (u16, Value) {
    let path = path.strip_prefix("/base/v1/").unwrap().to_owned();
    let tag = match path.split_once('/').map(|(kind, rest)| (kind, rest.split_once('/'))) {
        Some(("transfers", Some((TRANSFER | "tr_seller" | "tr_supplier", "reversals")))) => {
            "transfer_reversal"
        }
        Some(("application_fees", Some((FEE, "refunds")))) => "fee_refund",
        _ => return (404, error("invalid_request_error", "resource_missing")),
    };
    assert_eq!(request.header("stripe-account"), None);
    if let Some(refusal) = books.part_refusal.clone() {
        return refusal;
    }
    if method == "GET" {
        let made = books.parts.iter().rev().filter(|(of, _)| *of == path).map(|(_, part)| part.clone());
        return page(made.collect(), &pairs(query));
    }
    once(books, request, |books| {
        if books.short {
            return (400, error("invalid_request_error", "balance_insufficient"));
        }
        let form = pairs(&request.body);
        let amount: u64 = value(&form, "amount").unwrap().parse().unwrap();
        let id = format!("trr_{:024}", books.parts.len());
        let made = json!({ "id": id, "object": tag, "amount": amount, "currency": "eur",
                           "metadata": metadata(&form) });
        books.parts.push((path, made.clone()));
        (200, made)
    })
}

fn list(books: &Inner, query: &[(String, String)]) -> (u16, Value) {
    let since = value(query, "created[gte]").map(|seconds| seconds.parse::<u64>().unwrap());
    let of_payment = value(query, "charge").or(value(query, "payment_intent")).is_some();
    if of_payment && !knows(query) {
        return (404, error("invalid_request_error", "resource_missing"));
    }
    let is_since = |refund: &&Value| since.is_none_or(|since| refund["created"].as_u64().unwrap() >= since);
    let is_expanded = value(query, "expand[]") == Some("data.transfer_reversal");
    let shown =
        books.refunds.iter().rev().filter(is_since).map(|refund| match &refund["transfer_reversal"] {
            Value::String(name) if is_expanded => {
                let amount = refund["amount"].as_u64().unwrap() * 9 / 10;
                let reversal =
                    json!({ "id": name, "object": "transfer_reversal", "amount": amount, "currency": "eur" });
                let mut refund = refund.clone();
                refund["transfer_reversal"] = reversal;
                refund
            }
            _ => refund.clone(),
        });
    page(shown.collect(), query)
}

fn page(newest_first: Vec<Value>, query: &[(String, String)]) -> (u16, Value) {
    let limit: usize = value(query, "limit").unwrap().parse().unwrap();
    assert!((1..=100).contains(&limit));
    let rest: Vec<Value> = match value(query, "starting_after") {
        None => newest_first,
        Some(after) => newest_first.into_iter().skip_while(|found| found["id"] != after).skip(1).collect(),
    };
    let page = &rest[..limit.min(rest.len())];
    let has_more = rest.len() > limit;
    (200, json!({ "object": "list", "url": "/v1", "has_more": has_more, "data": page }))
}

fn one(books: &Inner, id: &str, query: &str) -> (u16, Value) {
    let Some(mut refund) = books.refunds.iter().find(|refund| refund["id"] == id).cloned() else {
        return (404, error("invalid_request_error", "resource_missing"));
    };
    if query == "expand%5B%5D=charge" {
        refund["charge"] = json!({ "id": CHARGE, "object": "charge", "transfer": TRANSFER,
                                   "application_fee": FEE });
    }
    (200, refund)
}
