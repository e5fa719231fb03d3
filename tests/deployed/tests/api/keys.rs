//! Keys with an end and with addresses, how they are listed and revoked, and the secrets that they are proven by.

use std::time::Duration;

use recoup_deployed_tests::{Answer, Stack};
use serde_json::{Value, json};

const PATH: &str = "/v1/refunds/rfd_00000000000000000000000000";

async fn asked_with(stack: &Stack, key: &Value) -> Answer {
    let bearer = format!("Bearer {}", key["secret"].as_str().unwrap());
    stack.with_authorization(Some(&bearer)).get(PATH).await
}

/// A new key of a new account, with these fields more.
async fn key_with(stack: &Stack, fields: Value) -> Value {
    let made = stack.admin(json!({ "command": "create_account", "name": "Keys" })).await.unwrap();
    let mut wanted = json!({
        "command": "create_api_key", "account_id": made["account_id"], "environment": "sandbox", "name": "till 7",
    });
    wanted.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    stack.admin(wanted).await.unwrap()
}

#[tokio::test]
async fn a_key_opens_from_its_addresses_and_from_no_other() {
    let stack = Stack::running();
    let everywhere = key_with(&stack, json!({ "ip_ranges": ["0.0.0.0/0", "::/0"] })).await;
    assert_eq!(asked_with(&stack, &everywhere).await.text("code"), "refund_not_found");
    // Addresses for documentation, from which nobody comes.
    let elsewhere = key_with(&stack, json!({ "ip_ranges": ["192.0.2.0/24", "2001:db8::/32"] })).await;
    let refused = asked_with(&stack, &elsewhere).await;
    assert_eq!((refused.status, refused.text("code")), (403, "invalid_credential"));
    assert!(refused.text("detail").contains("address"), "{:?}", refused.body);
}

#[tokio::test]
async fn a_key_ends_when_it_was_said_to() {
    let stack = Stack::running();
    let end = |seconds: u64| recoup_config::now().plus(Duration::from_secs(seconds));
    let later = key_with(&stack, json!({ "expires_at": end(3_600).rfc3339() })).await;
    assert_eq!(asked_with(&stack, &later).await.text("code"), "refund_not_found");
    // It is not used before its end, so the gateway has kept no answer about it.
    let end = end(2);
    let short = key_with(&stack, json!({ "expires_at": end.rfc3339() })).await;
    tokio::time::sleep(end.since(recoup_config::now()) + Duration::from_millis(1)).await;
    let refused = asked_with(&stack, &short).await;
    assert_eq!((refused.status, refused.text("code")), (403, "invalid_credential"));
    assert!(refused.text("detail").contains("expired"), "{:?}", refused.body);
    let mut past =
        json!({ "command": "create_api_key", "environment": "sandbox", "expires_at": end.rfc3339() });
    past["account_id"] = short["account_id"].clone();
    assert!(stack.admin(past).await.unwrap_err().contains("still to come"));
}

#[tokio::test]
async fn an_accounts_keys_are_listed_without_their_secrets() {
    let stack = Stack::running();
    let older = key_with(&stack, json!({ "scopes": ["refunds:read"] })).await;
    let account = older["account_id"].as_str().unwrap();
    let client = stack.credential("create_client", account, "sandbox").await;
    stack.admin(json!({ "command": "revoke_api_key", "id": older["id"] })).await.unwrap();
    let list = json!({ "command": "list_api_keys", "account_id": account, "environment": "sandbox" });
    let listed = stack.admin(list).await.unwrap();
    let keys = listed["keys"].as_array().unwrap();
    let ids: Vec<&Value> = keys.iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, [&client["client_id"], &older["id"]], "newest first");
    assert_eq!((&keys[1]["name"], &keys[1]["scopes"]), (&json!("till 7"), &json!(["refunds:read"])));
    assert!(keys[1]["revoked_at"].is_string() && keys[0]["revoked_at"].is_null(), "{listed}");
    let told = listed.to_string();
    for secret in [&older["secret"], &client["client_secret"]] {
        assert!(!told.contains(secret.as_str().unwrap()));
    }

    // The list of accounts goes on where it ended.
    let (mut after, mut found) = (Value::Null, false);
    while !found {
        let page = stack.admin(json!({ "command": "list_accounts", "after": after })).await.unwrap();
        let accounts = page["accounts"].as_array().unwrap();
        found = accounts.iter().any(|one| one["account_id"] == account && one["name"] == "Keys");
        after = page["next_after"].clone();
        assert!(found || after.is_string(), "{account} is not listed");
    }
}

#[tokio::test]
async fn a_key_is_revoked_by_its_secret_and_not_by_one_that_was_made_up() {
    let stack = Stack::running();
    let key = key_with(&stack, json!({})).await;
    let secret = key["secret"].as_str().unwrap();
    // One character of the secret part, so that it is no longer that key's.
    let other = if secret.ends_with('0') { "1" } else { "0" };
    let made_up = format!("{}{other}", &secret[..secret.len() - 1]);
    let refused = stack.admin(json!({ "command": "revoke_api_key", "secret": made_up })).await;
    assert_eq!(refused.unwrap_err(), "there is no such key");
    let done = stack.admin(json!({ "command": "revoke_api_key", "secret": secret })).await.unwrap();
    assert_eq!((&done["id"], &done["revoked"]), (&key["id"], &json!(true)));
    let refused = asked_with(&stack, &key).await;
    assert_eq!((refused.status, refused.text("code")), (403, "invalid_credential"));
}

/// Rotates a secret of the deployment. On a stack where that was done before, it may be too soon, or end keys.
async fn rotate(stack: &Stack, command: &str) {
    match stack.admin(json!({ "command": command })).await {
        Ok(done) => assert_ne!(done["current"], done["previous"], "{done}"),
        Err(why) if why.contains("would end") => assert!(why.contains("key_"), "{why}"),
        Err(why) => assert!(why.contains("rotated a short while ago"), "{why}"),
    }
}

#[tokio::test]
async fn a_rotation_of_the_deployments_secrets_ends_nobodys_access() {
    let stack = Stack::running();
    let key = key_with(&stack, json!({})).await;
    let client = stack.credential("create_client", key["account_id"].as_str().unwrap(), "sandbox").await;
    let [id, secret] = ["client_id", "client_secret"].map(|name| client[name].as_str().unwrap());
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let anyone = stack.with_authorization(None);
    let bought = async || {
        let token = anyone.form("/v1/oauth/token", &[], &form).await;
        assert_eq!(token.status, 200, "{:?}", token.body);
        format!("Bearer {}", token.text("access_token"))
    };
    let before = bought().await;
    rotate(&stack, "rotate_pepper").await;
    rotate(&stack, "rotate_signing_key").await;
    // Neither was asked with before, so nobody has kept an answer about it.
    assert_eq!(asked_with(&stack, &key).await.text("code"), "refund_not_found");
    for token in [before, bought().await] {
        let answer = stack.with_authorization(Some(&token)).get(PATH).await;
        assert_eq!(answer.text("code"), "refund_not_found", "{:?}", answer.body);
    }
    let newer = key_with(&stack, json!({})).await;
    assert_eq!(asked_with(&stack, &newer).await.text("code"), "refund_not_found");
}
