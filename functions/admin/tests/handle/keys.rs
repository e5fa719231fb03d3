//! API keys and clients, over real tables.

use admin::AdminError;
use recoup_domain::api_key::{ApiKey, KeyUse, Scope};
use recoup_domain::ids::KeyId;
use recoup_ports::api_keys::Keys;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::administering::{World, text, wanting};

/// A command with a field more, or with another value of it.
trait With {
    fn with(self, field: &str, value: Value) -> Self;
}

impl With for Value {
    fn with(mut self, field: &str, value: Value) -> Self {
        self[field] = value;
        self
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_only_its_hash_is_stored() {
    let (world, account) = World::with_account().await;
    for (environment, prefix) in [("sandbox", "sk_sandbox_"), ("live", "sk_live_")] {
        let answer = world.does(wanting(&account, environment)).await;
        let secret = text(&answer, "secret");
        assert!(secret.starts_with(prefix), "{prefix}");
        assert_eq!(text(&answer, "environment"), environment);
        assert_eq!(text(&answer, "account_id"), account.as_str());
        assert_eq!(answer["scopes"], json!(Scope::ALL.map(Scope::as_str)));
        // What was shown opens what was stored.
        let key = ApiKey::parse(secret).unwrap();
        assert_eq!(key.id().as_str(), text(&answer, "id"));
        let stored = world.table.credentials().key(key.id()).await.unwrap().unwrap();
        assert_eq!(stored.judge(&key, &world.peppers(), fixtures::now()), Ok(()));
        assert_eq!(stored.grants.tenant.account, account);
        // Neither the text, nor its secret part, nor the bytes of either lie in the table.
        let everything = world.everything().await;
        assert!(everything.contains(key.id().as_str()));
        let part = &secret[secret.len().checked_sub(33).unwrap()..];
        for hidden in [secret, part, &part[..26]] {
            assert!(!everything.contains(hidden), "{hidden}");
            assert!(!everything.contains(&format!("{:?}", hidden.as_bytes())), "{hidden}");
        }
    }
}

#[tokio::test]
async fn a_key_has_the_scopes_that_were_asked_for() {
    let (world, account) = World::with_account().await;
    let ask = |scopes: Value| wanting(&account, "sandbox").with("scopes", scopes);
    let answer = world.does(ask(json!(["refunds:read", "payments:write"]))).await;
    assert_eq!(answer["scopes"], json!(["refunds:read", "payments:write"]));
    let id = KeyId::try_from(text(&answer, "id")).unwrap();
    let stored = world.table.credentials().key(&id).await.unwrap().unwrap();
    assert_eq!(stored.grants.scopes, [Scope::RefundsRead, Scope::PaymentsWrite]);
    for scopes in [json!([]), json!(["refunds:*"]), json!(["refunds:read", "admin"]), json!([""])] {
        assert!(matches!(world.refuses(ask(scopes.clone())).await, AdminError::Scopes), "{scopes}");
    }
}

#[tokio::test]
async fn a_client_is_made_like_a_key_and_cannot_be_used_as_one() {
    let (world, account) = World::with_account().await;
    let answer = world
        .does(json!({"command": "create_client", "account_id": account.as_str(), "environment": "sandbox"}))
        .await;
    let secret = ApiKey::parse(text(&answer, "client_secret")).unwrap();
    assert_eq!((secret.r#use(), secret.id().as_str()), (KeyUse::Client, text(&answer, "client_id")));
    assert!(!world.everything().await.contains(text(&answer, "client_secret")));
}

#[tokio::test]
async fn a_key_is_revoked_once_and_for_all() {
    let (world, account) = World::with_account().await;
    let made = world.does(wanting(&account, "live")).await;
    let revoke = json!({"command": "revoke_api_key", "id": made["id"]});
    for _ in 0..2 {
        assert_eq!(world.does(revoke.clone()).await, json!({"id": made["id"], "revoked": true}));
    }
    let id = KeyId::try_from(text(&made, "id")).unwrap();
    assert!(world.table.credentials().key(&id).await.unwrap().unwrap().revoked_at.is_some());
    let unknown = json!({"command": "revoke_api_key", "id": KeyId::from_bits(9).as_str()});
    assert!(matches!(world.refuses(unknown).await, AdminError::NoSuchKey));
}

#[tokio::test]
async fn a_live_key_names_its_scopes() {
    let (world, account) = World::with_account().await;
    let ask = |environment| json!({"command": "create_api_key", "account_id": account.as_str(), "environment": environment});
    assert!(matches!(world.refuses(ask("live")).await, AdminError::Scopes));
    assert_eq!(world.does(ask("sandbox")).await["scopes"], json!(Scope::ALL.map(Scope::as_str)));
}

#[tokio::test]
async fn a_key_has_a_name_an_end_and_places_and_a_list_shows_them() {
    let (world, account) = World::with_account().await;
    let command = wanting(&account, "live")
        .with("name", json!("back office"))
        .with("scopes", json!(["refunds:read"]))
        .with("expires_at", json!("2027-01-01T00:00:00.000Z"))
        .with("ip_ranges", json!(["203.0.113.0/24"]));
    let made = world.does(command).await;
    let client = wanting(&account, "live").with("command", json!("create_client"));
    let client = world.does(client).await;
    let list = json!({"command": "list_api_keys", "account_id": account.as_str(), "environment": "live"});
    let listed = world.does(list.clone()).await;
    assert_eq!((listed["keys"].as_array().unwrap().len(), &listed["more"]), (2, &json!(false)));
    let of =
        |id: &Value| listed["keys"].as_array().unwrap().iter().find(|key| key["id"] == *id).unwrap().clone();
    let expected = json!({
        "id": made["id"], "use": "api", "name": "back office", "account_id": account.as_str(),
        "environment": "live", "scopes": ["refunds:read"], "ip_ranges": ["203.0.113.0/24"],
        "created_at": fixtures::now().rfc3339(), "expires_at": "2027-01-01T00:00:00.000Z", "revoked_at": null,
    });
    assert_eq!(of(&made["id"]), expected);
    assert_eq!(of(&client["client_id"])["use"], "client");
    for secret in [text(&made, "secret"), text(&client, "client_secret")] {
        assert!(!listed.to_string().contains(secret));
    }
    let elsewhere = list.with("environment", json!("sandbox"));
    assert_eq!(world.does(elsewhere).await["keys"], json!([]));
}

#[tokio::test]
async fn a_wrong_name_end_or_place_is_refused() {
    let (world, account) = World::with_account().await;
    let many = vec!["203.0.113.0/24"; 21];
    for (field, value, told) in [
        ("name", json!(""), "1 to 64"),
        ("name", json!("n".repeat(65)), "1 to 64"),
        ("expires_at", json!("tomorrow"), "expires_at"),
        ("expires_at", json!(fixtures::now().rfc3339()), "still to come"),
        ("ip_ranges", json!(["203.0.113.7"]), "ip_ranges"),
        ("ip_ranges", json!(many), "at most 20"),
    ] {
        let error = world.refuses(wanting(&account, "live").with(field, value)).await.to_string();
        assert!(error.contains(told), "{field}: {error}");
    }
    assert!(world.table.credential_items().await.is_empty());
}

#[tokio::test]
async fn a_leaked_secret_names_the_key_to_revoke_and_a_made_up_one_does_not() {
    let (world, account) = World::with_account().await;
    let made = world.does(wanting(&account, "live")).await;
    let key = ApiKey::parse(text(&made, "secret")).unwrap();
    // The same id with another secret: whoever made it up ends nothing.
    let id = text(&made, "id").strip_prefix("key_").unwrap();
    let bits = ulid::Ulid::from_string(id).unwrap().0;
    let made_up = ApiKey::random(key.environment(), bits, 1);
    assert_eq!(made_up.id(), key.id());
    let revoke = |secret: &str| json!({"command": "revoke_api_key", "secret": secret});
    assert!(matches!(world.refuses(revoke(made_up.reveal())).await, AdminError::NoSuchKey));
    assert!(matches!(world.refuses(revoke("sk_live_1")).await, AdminError::NoSuchKey));
    let both = revoke(key.reveal()).with("id", made["id"].clone());
    assert!(matches!(world.refuses(both).await, AdminError::WhichKey));
    assert!(matches!(world.refuses(json!({"command": "revoke_api_key"})).await, AdminError::WhichKey));
    assert_eq!(world.does(revoke(key.reveal())).await, json!({"id": made["id"], "revoked": true}));
    let stored = world.table.credentials().key(key.id()).await.unwrap().unwrap();
    assert!(stored.revoked_at.is_some());
}
