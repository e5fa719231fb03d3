//! Tenants are apart: whoever tries every route of the deployment on another tenant's objects finds nothing,
//! learns nothing and changes nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use recoup_deployed_tests::{Account, Answer, Stack};
use recoup_testing::routes::ROUTES;
use serde_json::{Value, json};

/// Stands in every free text of the owner's objects, and must be in no answer to anybody else.
const MARK: &str = "for-the-owners-eyes";
const KEY: &str = "the-owners-key";
const PAYMENT: &str = "pay_owned";
/// The ids in a route's path.
struct Names {
    payment: String,
    refund: String,
    endpoint: String,
    event: String,
    /// Of whom it all is; in no path.
    account: String,
}

impl Names {
    /// Nobody has these.
    fn of_nobody() -> Self {
        let none = |prefix: &str| format!("{prefix}_{}", "0".repeat(26));
        let payment = "pay_nobodys".to_owned();
        let (endpoint, event) = (none("whe"), none("evt"));
        Self { payment, refund: none("rfd"), endpoint, event, account: none("acct") }
    }

    fn in_path(&self, path: &str) -> String {
        path.replace("{payment_id}", &self.payment)
            .replace("{refund_id}", &self.refund)
            .replace("{endpoint_id}", &self.endpoint)
            .replace("{event_id}", &self.event)
            .replace("{date}", "2026-11-22")
    }
}

/// The routes of the deployment, as `PUT /v1/payments/{payment_id}`.
fn routes() -> BTreeSet<&'static str> {
    // What has no route of its own names no object.
    ROUTES.iter().map(|route| route.key.as_str()).filter(|key| *key != "$default").collect()
}

/// Registers a payment with one refund that has ended, and an endpoint that is told nothing.
async fn own(owner: &Account, account: &Value) -> Names {
    let body = json!({
        "amount": 3_100, "currency": "EUR", "metadata": { "note": MARK },
        "routing": { "platform": { "amount": 100 }, "merchants": [{ "account_id": MARK, "amount": 3_000 }] },
        "invoice_details": [{ "id": MARK, "amount": 3_100 }],
    });
    assert_eq!(owner.register(PAYMENT, body).await.status, 201);
    let refund = json!({
        "payment_id": PAYMENT, "amount": 310, "routing": { "split": "proportional" },
        "reason": MARK, "information": MARK, "reference": MARK, "metadata": { "note": MARK },
    });
    let refund = owner.refund(Some(KEY), refund).await;
    assert_eq!(refund.status, 201, "{:?}", refund.body);
    owner.refund_in(refund.text("id"), "succeeded").await;
    let url = format!("https://receiver.invalid/{MARK}");
    let endpoint = json!({ "url": url, "description": MARK, "enabled": false }).to_string();
    let endpoint = owner.send("POST", "/v1/webhook-endpoints", &[], Some(endpoint)).await;
    assert_eq!(endpoint.status, 201, "{:?}", endpoint.body);
    Names {
        payment: PAYMENT.to_owned(),
        refund: refund.text("id").to_owned(),
        endpoint: endpoint.text("id").to_owned(),
        event: success(owner).await,
        account: account.as_str().expect("an account").to_owned(),
    }
}

/// The event of the refund's success, once the table's stream has recorded it.
async fn success(owner: &Account) -> String {
    let started = Instant::now();
    loop {
        let events = owner.get("/v1/events?type=refund.succeeded").await;
        if let Some(id) = events.body["data"][0]["id"].as_str() {
            return id.to_owned();
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{:?}", events.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All that the owner sees.
async fn seen(owner: &Account, names: &Names) -> Vec<Value> {
    let paths = [
        "/v1/payments/{payment_id}",
        "/v1/payments/{payment_id}/refunds",
        "/v1/refunds/{refund_id}?expand=payment",
        "/v1/payments",
        "/v1/refunds",
        "/v1/webhook-endpoints/{endpoint_id}",
        "/v1/webhook-endpoints",
        "/v1/events/{event_id}",
        "/v1/events?refund_id={refund_id}",
        "/v1/events",
    ];
    let mut seen = Vec::new();
    for path in paths {
        let answer = owner.get(&names.in_path(path)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        seen.push(answer.body);
    }
    seen
}

/// Tries one route on these objects. The key is the owner's own: under it there is a refund, elsewhere.
async fn attempt(caller: &Account, route: &str, names: &Names) -> Answer {
    let (method, path) = route.split_once(' ').expect("a method and a path");
    let path = names.in_path(path);
    let body = match route {
        "POST /v1/refunds" | "POST /v1/refunds/quote" => {
            Some(json!({ "payment_id": names.payment, "amount": 310 }))
        }
        "POST /v1/payments/{payment_id}/refunds" => Some(json!({ "amount": 310 })),
        "PATCH /v1/refunds/{refund_id}" => Some(json!({ "metadata": { "note": "taken" } })),
        "PATCH /v1/webhook-endpoints/{endpoint_id}" => {
            Some(json!({ "enabled": true, "url": "https://taken.invalid/" }))
        }
        "GET /v1/payments/{payment_id}"
        | "GET /v1/payments/{payment_id}/refunds"
        | "GET /v1/refunds/{refund_id}"
        | "POST /v1/refunds/{refund_id}/cancel"
        | "GET /v1/webhook-endpoints/{endpoint_id}"
        | "DELETE /v1/webhook-endpoints/{endpoint_id}"
        | "POST /v1/webhook-endpoints/{endpoint_id}/rotate-secret"
        | "POST /v1/webhook-endpoints/{endpoint_id}/test"
        | "GET /v1/events/{event_id}"
        | "POST /v1/events/{event_id}/redeliver"
        | "GET /v1/reports/reconciliation/{date}"
        | "GET /v1/reports/reconciliation/latest" => None,
        route => panic!("{route} is new: say here how a stranger would try it"),
    };
    let headers: &[_] = if method == "POST" { &[("idempotency-key", KEY)] } else { &[] };
    caller.send(method, &path, headers, body.map(|body| body.to_string())).await
}

/// An answer without what differs between any two: its request's id, and the object that was asked for.
fn comparable(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
        body.remove("instance");
    }
    (answer.status, body)
}

fn assert_unmarked(answer: &Answer) {
    assert!(!answer.body.to_string().contains(MARK), "{:?}", answer.body);
    assert!(!format!("{:?}", answer.headers).contains(MARK));
}

/// Who cannot sign reads the same of a refund that exists and of one that never was, whatever key comes with it.
async fn assert_notices_apart(stranger: &Account, names: &Names) {
    let headers =
        [("webhook-id", "msg_1"), ("webhook-timestamp", "1795339800"), ("webhook-signature", "v1,Zm9yZ2Vk")];
    let mut told = Vec::new();
    for names in [names, &Names::of_nobody()] {
        let notice = json!({
            "environment": "sandbox", "account_id": names.account, "refund_id": names.refund,
            "status": "failed", "failure": { "code": "declined", "message": "Forged." },
        });
        let path = "/v1/processors/http/notifications";
        let answer = stranger.send("POST", path, &headers, Some(notice.to_string())).await;
        assert_eq!((answer.status, answer.text("code")), (403, "invalid_signature"), "{:?}", answer.body);
        told.push(comparable(&answer));
    }
    assert_eq!(told[0], told[1]);
}

async fn assert_apart(owner: &Account, names: &Names, stranger: &Account) {
    let (before, refund) = (seen(owner, names).await, &names.refund);
    for route in routes() {
        match route {
            // These name no object; payments everybody names freely, see `the_same_names_are_free_to_everybody`.
            "POST /v1/oauth/token"
            | "POST /v1/webhook-endpoints"
            | "PUT /v1/payments/{payment_id}"
            | "POST /v1/payments/import" => {}
            // A list is the caller's own; under another's payment there is none.
            "GET /v1/refunds" => {
                let all = stranger.get("/v1/refunds").await;
                assert_eq!((all.status, &all.body["data"]), (200, &json!([])), "{:?}", all.body);
                let of_payment = stranger.get(&format!("/v1/refunds?payment_id={PAYMENT}")).await;
                assert_eq!((of_payment.status, of_payment.text("code")), (404, "payment_not_found"));
            }
            "GET /v1/payments" | "GET /v1/webhook-endpoints" | "GET /v1/events" => {
                let (_, path) = route.split_once(' ').expect("a method and a path");
                let list = stranger.get(path).await;
                assert_eq!((list.status, &list.body["data"]), (200, &json!([])), "{:?}", list.body);
            }
            "POST /v1/processors/{name}/notifications" => assert_notices_apart(stranger, names).await,
            route => {
                let found = attempt(stranger, route, names).await;
                assert_unmarked(&found);
                assert_eq!(found.status, 404, "{route}: {:?}", found.body);
                // Not even that it exists: to a stranger, it is as if it had never been.
                let nothing = attempt(stranger, route, &Names::of_nobody()).await;
                assert_eq!(comparable(&found), comparable(&nothing), "{route}");
            }
        }
    }
    let events = stranger.get(&format!("/v1/events?refund_id={refund}")).await;
    assert_eq!((events.status, &events.body["data"]), (200, &json!([])), "{:?}", events.body);
    let expanded = stranger.get(&format!("/v1/refunds/{refund}?expand=payment,transaction_id")).await;
    assert_eq!((expanded.status, expanded.text("code")), (404, "refund_not_found"));
    assert_eq!(seen(owner, names).await, before);
}

/// A new account's id, and the secret of a credential made for it.
struct Keys<'stack> {
    stack: &'stack Stack,
    account_id: Value,
}

impl<'stack> Keys<'stack> {
    async fn new(stack: &'stack Stack) -> Self {
        let made = stack.admin(json!({ "command": "create_account", "name": "Apart" })).await;
        Self { stack, account_id: made.expect("an account")["account_id"].clone() }
    }

    /// With an API key.
    async fn caller(&self, environment: &str) -> Account {
        let key = self
            .stack
            .credential("create_api_key", self.account_id.as_str().expect("an id"), environment)
            .await;
        let key = key["secret"].as_str().expect("a secret");
        self.stack.with_authorization(Some(&format!("Bearer {key}")))
    }

    /// With an access token.
    async fn token_holder(&self, environment: &str) -> Account {
        let client = self
            .stack
            .credential("create_client", self.account_id.as_str().expect("an id"), environment)
            .await;
        let [id, secret] =
            ["client_id", "client_secret"].map(|field| client[field].as_str().expect("a text"));
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let token = self.stack.with_authorization(None).form("/v1/oauth/token", &[], &form).await;
        assert_eq!(token.status, 200, "{:?}", token.body);
        self.stack.with_authorization(Some(&format!("Bearer {}", token.text("access_token"))))
    }
}

#[tokio::test]
async fn another_account_finds_learns_and_changes_nothing_by_any_route() {
    let stack = Stack::running();
    let (keys, other) = (Keys::new(&stack).await, Keys::new(&stack).await);
    let owner = keys.caller("sandbox").await;
    let names = own(&owner, &keys.account_id).await;
    assert_apart(&owner, &names, &other.caller("sandbox").await).await;
    assert_apart(&owner, &names, &other.caller("live").await).await;
    assert_apart(&owner, &names, &other.token_holder("sandbox").await).await;
}

#[tokio::test]
async fn live_credentials_find_learn_and_change_nothing_of_the_sandbox() {
    let stack = Stack::running();
    let keys = Keys::new(&stack).await;
    let owner = keys.caller("sandbox").await;
    let names = own(&owner, &keys.account_id).await;
    assert_apart(&owner, &names, &keys.caller("live").await).await;
    assert_apart(&owner, &names, &keys.token_holder("live").await).await;

    // A second sandbox credential of the account is no stranger.
    assert_eq!(seen(&keys.token_holder("sandbox").await, &names).await, seen(&owner, &names).await);
    let refused =
        keys.caller("live").await.register(PAYMENT, json!({ "amount": 1, "currency": "EUR" })).await;
    assert_eq!((refused.status, refused.text("param")), (400, "processor.name"), "{:?}", refused.body);
}

#[tokio::test]
async fn the_same_names_are_free_to_everybody() {
    let stack = Stack::running();
    let (keys, other) = (Keys::new(&stack).await, Keys::new(&stack).await);
    let owner = keys.caller("sandbox").await;
    let names = own(&owner, &keys.account_id).await;
    let before = seen(&owner, &names).await;
    let other = other.caller("sandbox").await;
    let registered = other.register(PAYMENT, json!({ "amount": 500, "currency": "JPY" })).await;
    assert_eq!((registered.status, registered.body["amount"].as_u64()), (201, Some(500)));
    assert_unmarked(&registered);
    // So it is where many are registered at once.
    let imported = other.import(&[json!({ "id": names.payment, "amount": 500, "currency": "JPY" })]).await;
    assert_eq!((imported.status, &imported.body["unchanged"]), (200, &json!(1)), "{:?}", imported.body);
    assert_unmarked(&imported);
    // The owner's key is free here, and means another refund.
    let refunded = other.refund(Some(KEY), json!({ "payment_id": PAYMENT, "amount": 310 })).await;
    assert_eq!((refunded.status, refunded.header("idempotent-replayed")), (201, ""), "{:?}", refunded.body);
    assert_ne!(refunded.text("id"), names.refund);
    other.refund_in(refunded.text("id"), "succeeded").await;
    assert_eq!(seen(&owner, &names).await, before);
}
