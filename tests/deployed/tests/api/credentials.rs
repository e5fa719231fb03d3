//! Who may call, and what one caller sees of another.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_deployed_tests::Stack;
use recoup_domain::api_key::Scope;
use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::keyring::RingKey;
use recoup_domain::token::Claims;
use recoup_testing::routes::ROUTES;
use serde_json::json;

#[tokio::test]
async fn without_a_key_401_and_with_a_wrong_one_403() {
    let stack = Stack::running();
    assert_eq!(stack.with_authorization(None).get("/v1/payments/pay_1").await.status, 401);
    for wrong in ["Bearer sk_sandbox_wrong", "Basic c2s6", "nonsense", "Bearer "] {
        let answer = stack.with_authorization(Some(wrong)).get("/v1/payments/pay_1").await;
        assert_eq!((answer.status, answer.text("code")), (403, "invalid_credential"), "{wrong}");
    }
}

/// The keys of the routes behind the authorizer, but for that of what has none.
fn routes() -> Vec<&'static str> {
    let behind = ROUTES.iter().filter(|route| route.authorized).map(|route| route.key.as_str());
    behind.filter(|key| *key != "$default").collect()
}

/// A path of a route; every parameter is called `x`.
fn a_path(template: &str) -> String {
    let segments = template.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn a_wrong_key_is_told_at_every_route_what_to_do() {
    let nobody = Stack::running().with_authorization(Some("Bearer sk_sandbox_wrong"));
    assert!(routes().len() > 20, "{:?}", routes());
    for route in routes().into_iter().chain(["GET /v1/nowhere", "DELETE /v1/refunds"]) {
        let (method, path) = route.split_once(' ').unwrap();
        // What is wrong with the request is told to nobody.
        let answer = nobody.send(method, &a_path(path), &[], Some("{".to_owned())).await;
        assert_eq!((answer.status, answer.text("code")), (403, "invalid_credential"), "{route}");
        assert!(answer.text("detail").contains("every character"), "{:?}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{route}");
        assert_eq!(answer.text("request_id"), answer.header("request-id"), "{route}");
    }
}

#[tokio::test]
async fn a_known_path_says_its_methods_and_an_unknown_one_where_to_look() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    for route in routes() {
        let (_, path) = route.split_once(' ').unwrap();
        for method in ["HEAD", "TRACE"] {
            let answer = account.send(method, &a_path(path), &[], None).await;
            assert_eq!(answer.status, 405, "{method} {path}: {:?}", answer.body);
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
    let wrong = account.send("DELETE", "/v1/refunds", &[], None).await;
    assert_eq!((wrong.text("code"), wrong.header("allow")), ("method_not_allowed", "GET, POST"));
    for path in ["/v1/payments/", "/v1/refunds/", "/v1/refunds/a/b", "/"] {
        let unknown = account.get(path).await;
        assert_eq!((unknown.status, unknown.text("code")), (404, "unknown_route"), "{path}");
        assert_eq!(stack.with_authorization(None).get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_key_works_as_bearer_and_on_either_side_of_basic() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Basic" })).await.unwrap();
    let key = stack
        .admin(json!({ "command": "create_api_key", "account_id": made["account_id"], "environment": "sandbox" }))
        .await
        .unwrap();
    let key = key["secret"].as_str().unwrap();
    let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
    for authorization in [format!("Bearer {key}"), basic(format!("{key}:")), basic(format!("me:{key}"))] {
        let answer = stack.with_authorization(Some(&authorization)).get("/v1/payments/pay_1").await;
        assert_eq!((answer.status, answer.text("code")), (404, "payment_not_found"));
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_and_a_narrow_one_may_do_only_what_it_names() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Narrow" })).await.unwrap();
    let key = |scopes: serde_json::Value| json!({ "command": "create_api_key", "account_id": made["account_id"], "environment": "sandbox", "scopes": scopes });
    let narrow = stack.admin(key(json!(["refunds:read"]))).await.unwrap();
    let bearer = format!("Bearer {}", narrow["secret"].as_str().unwrap());
    let reader = stack.with_authorization(Some(&bearer));
    let refused = reader.refund(None, json!({ "payment_id": "pay_1" })).await;
    assert_eq!((refused.status, refused.text("code")), (403, "insufficient_scope"));
    let unknown = reader.get("/v1/refunds/rfd_00000000000000000000000000").await;
    assert_eq!((unknown.status, unknown.text("code")), (404, "refund_not_found"));

    // Revoked before it was ever used, so no answer of the authorizer is cached.
    let revoked = stack.admin(key(json!(["refunds:read"]))).await.unwrap();
    let done = stack.admin(json!({ "command": "revoke_api_key", "id": revoked["id"] })).await.unwrap();
    assert_eq!(done["revoked"], true);
    let bearer = format!("Bearer {}", revoked["secret"].as_str().unwrap());
    let refused = stack.with_authorization(Some(&bearer)).get("/v1/payments/pay_1").await;
    assert_eq!((refused.status, refused.text("code")), (403, "invalid_credential"));
    assert!(refused.text("detail").contains("create_api_key"), "{:?}", refused.body);
}

#[tokio::test]
async fn another_accounts_objects_do_not_exist() {
    let stack = Stack::running();
    let (mine, theirs) = (stack.new_account().await, stack.new_account().await);
    mine.register_plain("pay_mine", 1_000, "sandbox_succeed").await;
    let refund = mine.refund(Some("k"), json!({ "payment_id": "pay_mine", "amount": 100 })).await;
    let path = format!("/v1/refunds/{}", refund.text("id"));
    assert_eq!(mine.get(&path).await.status, 200);
    assert_eq!(theirs.get(&path).await.status, 404);
    assert_eq!(theirs.get("/v1/payments/pay_mine").await.status, 404);
    assert_eq!(
        theirs.refund(Some("k"), json!({ "payment_id": "pay_mine", "amount": 100 })).await.status,
        404
    );
    // The same names are free to them, and the same key means another refund.
    theirs.register_plain("pay_mine", 500, "sandbox_succeed").await;
    let own = theirs.refund(Some("k"), json!({ "payment_id": "pay_mine", "amount": 100 })).await;
    assert_eq!(own.status, 201);
    assert_ne!(own.body["id"], refund.body["id"]);
}

#[tokio::test]
async fn admin_says_what_is_wrong_with_a_command() {
    let stack = Stack::running();
    let unknown = stack.admin(json!({ "command": "drop_everything" })).await.unwrap_err();
    assert!(unknown.contains("unknown variant"), "{unknown}");
    let account = "acct_00000000000000000000000000";
    let key = json!({ "command": "create_api_key", "account_id": account, "environment": "sandbox" });
    assert_eq!(stack.admin(key).await.unwrap_err(), "there is no such account");
    let key = json!({ "command": "revoke_api_key", "id": "key_00000000000000000000000000" });
    assert_eq!(stack.admin(key).await.unwrap_err(), "there is no such key");
}

#[tokio::test]
async fn a_client_buys_an_access_token_that_does_what_its_scopes_say() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Client" })).await.unwrap();
    let client =
        json!({ "command": "create_client", "account_id": made["account_id"], "environment": "sandbox" });
    let client = stack.admin(client).await.unwrap();
    let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
    let anyone = stack.with_authorization(None);
    let path = "/v1/oauth/token";

    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let token = anyone.form(path, &[], &form).await;
    assert_eq!(
        (token.status, token.text("token_type"), token.body["expires_in"].as_u64()),
        (200, "Bearer", Some(3600))
    );
    assert_eq!(token.header("cache-control"), "no-store");
    let caller = stack.with_authorization(Some(&format!("Bearer {}", token.text("access_token"))));
    caller.register_plain("pay_token", 100, "sandbox_succeed").await;
    assert_eq!(caller.refund(None, json!({ "payment_id": "pay_token" })).await.status, 201);

    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let narrow = "grant_type=client_credentials&scope=refunds:read";
    let token = anyone.form(path, &[("authorization", &basic)], narrow).await;
    assert_eq!((token.status, token.text("scope")), (200, "refunds:read"));
    let reader = stack.with_authorization(Some(&format!("Bearer {}", token.text("access_token"))));
    assert_eq!(
        reader.refund(None, json!({ "payment_id": "pay_token" })).await.text("code"),
        "insufficient_scope"
    );
    assert_eq!(reader.get("/v1/refunds").await.status, 200);

    // The client's secret opens nothing itself, and a broken token is nobody's.
    let itself = stack.with_authorization(Some(&format!("Bearer {secret}"))).get("/v1/refunds").await;
    assert_eq!((itself.status, itself.text("code")), (403, "invalid_credential"));
    assert!(itself.text("detail").contains("POST /v1/oauth/token"), "{:?}", itself.body);
    let broken = format!("Bearer {}0", token.text("access_token"));
    assert_eq!(stack.with_authorization(Some(&broken)).get("/v1/refunds").await.status, 403);

    for (form, status, error) in [
        (
            "grant_type=password".to_owned() + &form["grant_type=client_credentials".len()..],
            400,
            "unsupported_grant_type",
        ),
        (format!("{form}&scope=everything"), 400, "invalid_scope"),
        ("grant_type=client_credentials".to_owned(), 401, "invalid_client"),
        (form.replace(secret, "cs_sandbox_wrong"), 401, "invalid_client"),
        ("client_id=x".to_owned(), 400, "invalid_request"),
    ] {
        let answer = anyone.form(path, &[], &form).await;
        assert_eq!((answer.status, answer.text("error")), (status, error), "{form}");
    }
    stack.admin(json!({ "command": "revoke_api_key", "id": id })).await.unwrap();
    assert_eq!(anyone.form(path, &[], &form).await.text("error"), "invalid_client");
}

/// The attack: whoever read the pepper signed a token of any account with it. Now the pepper signs nothing, a token names
/// a client that exists, and ends with it.
#[tokio::test]
async fn a_token_is_not_made_from_the_pepper_and_ends_with_its_client() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Forged" })).await.unwrap();
    let account = made["account_id"].as_str().unwrap();
    let client = stack.credential("create_client", account, "sandbox").await;
    let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let anyone = stack.with_authorization(None);
    let bought = async || {
        let token = anyone.form("/v1/oauth/token", &[], &form).await;
        assert_eq!(token.status, 200, "{:?}", token.body);
        format!("Bearer {}", token.text("access_token"))
    };
    let asked = async |token: &str| stack.with_authorization(Some(token)).get("/v1/refunds").await;

    let claims = Claims {
        tenant: Tenant { environment: Environment::Sandbox, account: account.try_into().unwrap() },
        client: id.try_into().unwrap(),
        scopes: vec![Scope::RefundsRead],
        expires_at: recoup_config::now().plus(Duration::from_mins(30)),
    };
    let pepper = RingKey::new(stack.secret("ApiKeyPepper").await).unwrap();
    let forged = asked(&format!("Bearer {}", claims.sign(&pepper))).await;
    assert_eq!((forged.status, forged.text("code")), (403, "invalid_credential"));

    // Each token is asked with once, so that the gateway has kept no answer about it.
    let (before, after) = (bought().await, bought().await);
    assert_ne!(before, after);
    assert_eq!(asked(&before).await.status, 200);
    stack.admin(json!({ "command": "revoke_api_key", "id": id })).await.unwrap();
    let refused = asked(&after).await;
    assert_eq!((refused.status, refused.text("code")), (403, "invalid_credential"));
}
