//! One account's view of the API.

use std::time::{Duration, Instant};

use recoup_testing::contract;
use serde_json::{Value, json};

/// How long a refund may take to end on a healthy stack.
const PATIENCE: Duration = Duration::from_mins(1);
/// The API has no event for "ended" but the webhook, so whoever gave no URL asks again this often.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body, if it is JSON; a text if it is a page; else null.
    pub body: Value,
}

impl Answer {
    /// Sends a request and holds its answer against the API's description.
    async fn to(method: &str, path: &str, request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("the API answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a whole body");
        let page =
            headers.get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
        let body = if page { text.into() } else { serde_json::from_str(&text).unwrap_or(Value::Null) };
        let answer = Self { status, headers, body };
        contract::assert_described(method, path, answer.status, &answer.headers, &answer.body);
        answer
    }

    /// A text of the body, `""` if it is none.
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// How long it says to wait.
    pub fn retry_after(&self) -> Duration {
        let seconds = self.header("retry-after").parse().expect("whole seconds in retry-after");
        Duration::from_secs(seconds)
    }

    /// A header, `""` if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A caller.
#[derive(Clone)]
pub struct Account {
    http: reqwest::Client,
    url: String,
    authorization: Option<String>,
    /// The account's id; empty where only a credential is known.
    pub id: String,
    /// Signs the webhooks to refunds' own URLs; empty as the id is.
    pub webhook_secret: String,
}

impl Account {
    pub(crate) fn new(http: reqwest::Client, url: String, authorization: Option<String>) -> Self {
        Self { http, url, authorization, id: String::new(), webhook_secret: String::new() }
    }

    /// Any request. The body is sent as it is, so a broken one can be tried, too. A caller who asks too often
    /// waits as the answer says: on a fast machine the tests of one account together may.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        loop {
            let answer = self.send_once(method, path, headers, body.clone()).await;
            if answer.text("code") != "rate_limited" {
                return answer;
            }
            tokio::time::sleep(answer.retry_after()).await;
        }
    }

    /// Any request, whatever comes of it.
    pub async fn send_once(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let verb = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(verb, format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        Answer::to(method, path, request).await
    }

    /// Sends a form, without a credential of its own.
    pub async fn form(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(form.to_owned());
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::to("POST", path, request).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    /// `PUT /v1/payments/{id}`.
    pub async fn register(&self, id: &str, payment: Value) -> Answer {
        self.send("PUT", &format!("/v1/payments/{id}"), &[], Some(payment.to_string())).await
    }

    /// `POST /v1/payments/import`.
    pub async fn import(&self, lines: &[Value]) -> Answer {
        let path = "/v1/payments/import";
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let request = self.http.post(format!("{}{path}", self.url)).body(lines.join("\n"));
        let request = request.header("content-type", "application/x-ndjson");
        let authorization = self.authorization.as_deref().unwrap_or_default();
        Answer::to("POST", path, request.header("authorization", authorization)).await
    }

    /// `POST /v1/refunds`, with a key if one is given.
    pub async fn refund(&self, key: Option<&str>, refund: Value) -> Answer {
        let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        self.send("POST", "/v1/refunds", &headers, Some(refund.to_string())).await
    }

    /// Registers the payment of the getpaid example under an id: 100 / 2500 / 500.
    pub async fn register_example(&self, id: &str, reference: &str) {
        let payment = json!({
            "amount": 3100, "currency": "EUR",
            "routing": {
                "platform": {"amount": 100},
                "merchants": [
                    {"account_id": "acc_4zjjxn0nm1tnweqbttedkvnsc8", "amount": 2500},
                    {"account_id": "acc_4djj3n0hm1tn2eqwetedkvnsc3", "amount": 500},
                ],
            },
            "processor": {"name": "sandbox", "reference": reference},
        });
        let answer = self.register(id, payment).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
    }

    /// Registers a payment without routing.
    pub async fn register_plain(&self, id: &str, amount: u64, reference: &str) {
        let processor = json!({"name": "sandbox", "reference": reference});
        let payment = json!({"amount": amount, "currency": "EUR", "processor": processor});
        let answer = self.register(id, payment).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
    }

    /// The refund, once it is in this status.
    pub async fn refund_in(&self, id: &str, status: &str) -> Value {
        self.refund_once(id, |refund| refund["status"] == status).await
    }

    /// A refund, once it is so.
    pub async fn refund_once(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let answer = self.get(&format!("/v1/refunds/{id}")).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            if is_so(&answer.body) {
                return answer.body;
            }
            assert!(started.elapsed() < PATIENCE, "{id} stays {:?}", answer.body);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// An event, once it is recorded: its first try was made and noted.
    pub async fn recorded(&self, event: &str) -> Value {
        let started = Instant::now();
        loop {
            let answer = self.get(&format!("/v1/events/{event}")).await;
            if answer.status == 200 {
                return answer.body;
            }
            assert!(started.elapsed() < PATIENCE, "{event}: {:?}", answer.body);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The payment, checked for conservation in total and for each actor.
    pub async fn payment(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/payments/{id}")).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert_conserved(&answer.body);
        answer.body
    }

    /// A payment, once it is so.
    pub async fn payment_once(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let payment = self.payment(id).await;
            if is_so(&payment) {
                return payment;
            }
            assert!(started.elapsed() < PATIENCE, "{id} stays {payment:?}");
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

fn assert_conserved(payment: &Value) {
    let routing = &payment["routing"];
    let merchants = routing["merchants"].as_array().cloned().unwrap_or_default();
    let actors = std::iter::once(payment.clone()).chain(merchants);
    let actors = actors.chain(routing.get("platform").cloned());
    for balance in actors {
        let number = |field: &str| balance[field].as_u64().unwrap_or_else(|| panic!("{field} in {balance}"));
        let parts =
            ["refundable_amount", "held_amount", "refunded_amount", "charged_back_amount"].map(number);
        assert_eq!(number("amount"), parts.iter().sum::<u64>(), "{payment}");
    }
}
