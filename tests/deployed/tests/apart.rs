//! Tenants are apart: whoever tries every route of the deployment on another tenant's objects finds nothing,
//! learns nothing and changes nothing.

#![cfg(test)]

use std::collections::BTreeSet;

use recoup_deployed_tests::{Account, Answer, Stack};
use serde_json::{Value, json};

/// Stands in every free text of the owner's objects, and must be in no answer to anybody else.
const MARK: &str = "for-the-owners-eyes";
const KEY: &str = "the-owners-key";
const PAYMENT: &str = "pay_owned";
/// Nobody has these.
const NO_PAYMENT: &str = "pay_nobodys";
const NO_REFUND: &str = "rfd_00000000000000000000000000";
const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The routes of the deployment, as `PUT /v1/payments/{payment_id}`.
fn routes() -> BTreeSet<&'static str> {
    TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")).collect()
}

/// Registers a payment with one refund that has ended; the refund's id.
async fn own(owner: &Account) -> String {
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
    refund.text("id").to_owned()
}

/// All that the owner sees.
async fn seen(owner: &Account, refund: &str) -> Vec<Value> {
    let paths = [
        format!("/v1/payments/{PAYMENT}"),
        format!("/v1/payments/{PAYMENT}/refunds"),
        format!("/v1/refunds/{refund}?expand=payment"),
        "/v1/refunds".to_owned(),
    ];
    let mut seen = Vec::new();
    for path in paths {
        let answer = owner.get(&path).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        seen.push(answer.body);
    }
    seen
}

/// Tries one route on these objects. The key is the owner's own: under it there is a refund, elsewhere.
async fn attempt(caller: &Account, route: &str, payment: &str, refund: &str) -> Answer {
    let (method, path) = route.split_once(' ').expect("a method and a path");
    let path = path.replace("{payment_id}", payment).replace("{refund_id}", refund);
    let body = match route {
        "POST /v1/refunds" | "POST /v1/refunds/quote" => {
            Some(json!({ "payment_id": payment, "amount": 310 }))
        }
        "POST /v1/payments/{payment_id}/refunds" => Some(json!({ "amount": 310 })),
        "PATCH /v1/refunds/{refund_id}" => Some(json!({ "metadata": { "note": "taken" } })),
        "GET /v1/payments/{payment_id}"
        | "GET /v1/payments/{payment_id}/refunds"
        | "GET /v1/refunds/{refund_id}"
        | "POST /v1/refunds/{refund_id}/cancel" => None,
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

async fn assert_apart(owner: &Account, refund: &str, stranger: &Account) {
    let before = seen(owner, refund).await;
    for route in routes() {
        match route {
            // The one names no object; payments everybody names freely, see `the_same_names_are_free_to_everybody`.
            "POST /v1/oauth/token" | "PUT /v1/payments/{payment_id}" => {}
            // A list is the caller's own; under another's payment there is none.
            "GET /v1/refunds" => {
                let all = stranger.get("/v1/refunds").await;
                assert_eq!((all.status, &all.body["data"]), (200, &json!([])), "{:?}", all.body);
                let named = stranger.get(&format!("/v1/refunds?payment_id={PAYMENT}")).await;
                assert_eq!((named.status, named.text("code")), (404, "payment_not_found"));
            }
            route => {
                let found = attempt(stranger, route, PAYMENT, refund).await;
                assert_unmarked(&found);
                assert_eq!(found.status, 404, "{route}: {:?}", found.body);
                // Not even that it exists: to a stranger, it is as if it had never been.
                let nothing = attempt(stranger, route, NO_PAYMENT, NO_REFUND).await;
                assert_eq!(comparable(&found), comparable(&nothing), "{route}");
            }
        }
    }
    let expanded = stranger.get(&format!("/v1/refunds/{refund}?expand=payment,transaction_id")).await;
    assert_eq!((expanded.status, expanded.text("code")), (404, "refund_not_found"));
    assert_eq!(seen(owner, refund).await, before);
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

    async fn credential(&self, command: &str, environment: &str) -> Value {
        let id = &self.account_id;
        let command = json!({ "command": command, "account_id": id, "environment": environment });
        self.stack.admin(command).await.expect("a credential")
    }

    /// With an API key.
    async fn caller(&self, environment: &str) -> Account {
        let key = self.credential("create_api_key", environment).await;
        let key = key["secret"].as_str().expect("a secret");
        self.stack.with_authorization(Some(&format!("Bearer {key}")))
    }

    /// With an access token.
    async fn token_holder(&self, environment: &str) -> Account {
        let client = self.credential("create_client", environment).await;
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
    let (owner, other) = (Keys::new(&stack).await, Keys::new(&stack).await);
    let owner = owner.caller("sandbox").await;
    let refund = own(&owner).await;
    assert_apart(&owner, &refund, &other.caller("sandbox").await).await;
    assert_apart(&owner, &refund, &other.caller("live").await).await;
    assert_apart(&owner, &refund, &other.token_holder("sandbox").await).await;
}

#[tokio::test]
async fn the_live_credentials_of_an_account_find_learn_and_change_nothing_of_its_sandbox() {
    let stack = Stack::running();
    let keys = Keys::new(&stack).await;
    let owner = keys.caller("sandbox").await;
    let refund = own(&owner).await;
    assert_apart(&owner, &refund, &keys.caller("live").await).await;
    assert_apart(&owner, &refund, &keys.token_holder("live").await).await;

    // A second sandbox credential of the account is no stranger.
    assert_eq!(seen(&keys.token_holder("sandbox").await, &refund).await, seen(&owner, &refund).await);
    let refused =
        keys.caller("live").await.register(PAYMENT, json!({ "amount": 1, "currency": "EUR" })).await;
    assert_eq!((refused.status, refused.text("param")), (400, "processor.name"), "{:?}", refused.body);
}

#[tokio::test]
async fn the_same_names_are_free_to_everybody() {
    let stack = Stack::running();
    let (owner, other) = (Keys::new(&stack).await.caller("sandbox").await, Keys::new(&stack).await);
    let refund = own(&owner).await;
    let before = seen(&owner, &refund).await;
    let other = other.caller("sandbox").await;
    let registered = other.register(PAYMENT, json!({ "amount": 500, "currency": "JPY" })).await;
    assert_eq!((registered.status, registered.body["amount"].as_u64()), (201, Some(500)));
    assert_unmarked(&registered);
    // The owner's key is free here, and means another refund.
    let refunded = other.refund(Some(KEY), json!({ "payment_id": PAYMENT, "amount": 310 })).await;
    assert_eq!((refunded.status, refunded.header("idempotent-replayed")), (201, ""), "{:?}", refunded.body);
    assert_ne!(refunded.text("id"), refund);
    other.refund_in(refunded.text("id"), "succeeded").await;
    assert_eq!(seen(&owner, &refund).await, before);
}
