//! A stand-in for Stripe, where the stack's functions expect it: the payment's name says what becomes of a refund.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What it has, and what it heard.
#[derive(Default)]
struct Books {
    refunds: Vec<Value>,
    /// What was taken back of transfers: the transfer, the idempotency key, the reversal.
    reversals: Vec<(String, String, Value)>,
    /// The idempotency key of each order.
    orders: Vec<String>,
    bearers: Vec<String>,
}

/// It listens until its test's runtime ends.
pub(crate) struct StandIn {
    books: Arc<Mutex<Books>>,
}

impl StandIn {
    pub(crate) async fn listening() -> Self {
        let url = std::env::var("RECOUP_STRIPE_URL").unwrap_or_default();
        let address = url.strip_prefix("http://").unwrap_or_else(|| {
            panic!(
                "the functions ask Stripe itself: run `make deployed`, or this under `python tests/deployed api`"
            )
        });
        let listener = TcpListener::bind(address).await.expect("the port beside the stack's");
        let books = Arc::new(Mutex::new(Books::default()));
        tokio::spawn(serve(listener, books.clone()));
        Self { books }
    }

    /// Stripe's name for a refund.
    pub(crate) fn name_of(&self, refund: &str) -> Value {
        let books = self.books.lock().unwrap();
        let found = books.refunds.iter().find(|found| found["metadata"]["recoup_refund_id"] == refund);
        found.map_or(Value::Null, |found| found["id"].clone())
    }

    /// A refund that somebody makes in the dashboard.
    pub(crate) fn make(&self, charge: &str, amount: u64) {
        let mut books = self.books.lock().unwrap();
        let made = json!({
            "id": format!("re_{}", books.refunds.len()), "object": "refund", "amount": amount, "currency": "eur",
            "charge": charge, "payment_intent": charge, "metadata": {}, "status": "succeeded",
        });
        books.refunds.push(made);
    }

    /// How often a refund was ordered.
    pub(crate) fn orders(&self, refund: &str) -> usize {
        self.books.lock().unwrap().orders.iter().filter(|key| *key == refund).count()
    }

    /// How much was taken back of a transfer, by each request that it granted.
    pub(crate) fn taken_of(&self, transfer: &str) -> Vec<u64> {
        let books = self.books.lock().unwrap();
        let of_it =
            books.reversals.iter().filter(|(of, _, made)| of == transfer && made["object"] != "short");
        of_it.map(|(_, _, made)| made["amount"].as_u64().unwrap()).collect()
    }

    /// All the credentials it saw.
    pub(crate) fn bearers(&self) -> Vec<String> {
        self.books.lock().unwrap().bearers.clone()
    }
}

async fn serve(listener: TcpListener, books: Arc<Mutex<Books>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let books = books.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let books = books.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.expect("a whole body").to_bytes();
                let header = |name: &str| {
                    head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
                };
                let mut books = books.lock().unwrap();
                books.bearers.push(header("authorization"));
                let (status, answer) = match (&head.method, head.uri.path()) {
                    (&Method::POST, "/v1/refunds") => {
                        books.orders.push(header("idempotency-key"));
                        order(&mut books, &body)
                    }
                    (_, "/v1/refunds") => (200, list(&books, head.uri.query().unwrap_or_default())),
                    (method, path) => match path.strip_prefix("/v1/transfers/") {
                        Some(of) => {
                            let transfer = of.trim_end_matches("/reversals");
                            reversals(&mut books, method, transfer, &header("idempotency-key"), &body)
                        }
                        None if method == Method::GET => charge(&books, path),
                        None => (404, refusal("resource_missing")),
                    },
                };
                let answer = Full::new(Bytes::from(answer.to_string()));
                let answer = Response::builder()
                    .status(status)
                    .header("content-type", "application/json")
                    .body(answer);
                Ok::<_, Infallible>(answer.expect("an answer"))
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
        );
    }
}

fn form(text: &[u8]) -> impl Fn(&str) -> Option<String> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(text).into_owned().collect();
    move |key| pairs.iter().find(|(found, _)| found == key).map(|(_, value)| value.clone())
}

fn payment(value: impl Fn(&str) -> Option<String>) -> String {
    value("charge").or_else(|| value("payment_intent")).expect("a payment")
}

fn order(books: &mut Books, body: &[u8]) -> (u16, Value) {
    let value = form(body);
    let payment = payment(&value);
    if payment.ends_with("no") {
        return (400, refusal("charge_disputed"));
    }
    let metadata = ["recoup_refund_id", "recoup_account_id", "recoup_environment"];
    let metadata: serde_json::Map<String, Value> =
        metadata.iter().map(|key| ((*key).to_owned(), json!(value(&format!("metadata[{key}]"))))).collect();
    let amount: u64 = value("amount").expect("an amount").parse().expect("a number");
    let name = format!("re_{}", books.refunds.len());
    let mut made = json!({
        "id": name, "object": "refund", "amount": amount, "currency": "eur", "charge": payment,
        "payment_intent": payment, "metadata": metadata, "status": "succeeded",
    });
    books.refunds.push(made.clone());
    if payment.ends_with("lost") {
        return (500, json!({ "error": { "type": "api_error" } }));
    }
    if payment.ends_with("later") {
        // Its books have moved on when it is asked again.
        made["status"] = json!("pending");
    }
    (200, made)
}

/// The merchant of `tr_short` lacks the money at first, and Stripe repeats a refusal under the same key.
fn reversals(books: &mut Books, method: &Method, transfer: &str, key: &str, body: &[u8]) -> (u16, Value) {
    let of_it = || books.reversals.iter().filter(|(of, _, _)| of == transfer);
    if method == Method::GET {
        let made: Vec<&Value> =
            of_it().map(|(_, _, made)| made).filter(|made| made["object"] != "short").collect();
        return (200, json!({ "object": "list", "url": "/v1", "has_more": false, "data": made }));
    }
    let short = (400, refusal("balance_insufficient"));
    if let Some((_, _, made)) = of_it().find(|(_, asked, _)| asked == key) {
        return if made["object"] == "short" { short } else { (200, made.clone()) };
    }
    let value = form(body);
    if transfer == "tr_short" && of_it().next().is_none() {
        books.reversals.push((transfer.to_owned(), key.to_owned(), json!({ "object": "short" })));
        return short;
    }
    let amount: u64 = value("amount").expect("an amount").parse().expect("a number");
    let names = ["recoup_refund_id", "recoup_actor"]
        .map(|name| (name.to_owned(), json!(value(&format!("metadata[{name}]")))));
    let made = json!({
        "id": format!("trr_{}", books.reversals.len()), "object": "transfer_reversal", "amount": amount,
        "currency": "eur", "metadata": serde_json::Map::from_iter(names),
    });
    books.reversals.push((transfer.to_owned(), key.to_owned(), made.clone()));
    (200, made)
}

fn list(books: &Books, query: &str) -> Value {
    let payment = payment(form(query.as_bytes()));
    let found: Vec<&Value> =
        books.refunds.iter().filter(|refund| refund["charge"] == payment.as_str()).collect();
    json!({ "object": "list", "url": "/v1/refunds", "has_more": false, "data": found })
}

/// Every charge is of 10.00 EUR, and its payment intent has the same letters.
fn charge(books: &Books, path: &str) -> (u16, Value) {
    let Some((kind, name)) = path.trim_start_matches("/v1/").split_once('/') else {
        return (404, refusal("resource_missing"));
    };
    let Some((_, letters)) = name.split_once('_') else { return (404, refusal("resource_missing")) };
    let of_it = books
        .refunds
        .iter()
        .filter(|refund| refund["charge"].as_str().is_some_and(|of| of.ends_with(letters)));
    let refunded: u64 = of_it.filter_map(|refund| refund["amount"].as_u64()).sum();
    let charge = json!({
        "id": format!("ch_{letters}"), "object": "charge", "amount": 1_000, "amount_captured": 1_000,
        "amount_refunded": refunded, "currency": "eur", "status": "succeeded",
        "payment_intent": format!("pi_{letters}"),
    });
    match kind {
        "charges" => (200, charge),
        "payment_intents" => {
            let intent =
                json!({ "id": name, "object": "payment_intent", "currency": "eur", "latest_charge": charge });
            (200, intent)
        }
        _ => (404, refusal("resource_missing")),
    }
}

fn refusal(code: &str) -> Value {
    json!({ "error": { "type": "invalid_request_error", "code": code, "message": "A sentence." } })
}
