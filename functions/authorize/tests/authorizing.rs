//! `authorize`, driven with the gateway's event over a real table.
#![cfg(test)]

use authorize::{Context, Decision, Verdict, handle};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_domain::api_key::{ApiKey, KeyUse, Refused, Scope};
use recoup_domain::ids::{Environment, KeyId};
use recoup_domain::keyring::{Keyring, RingKey};
use recoup_domain::stored_key::{IpRange, StoredKey};
use recoup_domain::token::Claims;
use recoup_ports::api_keys::{KeepKeys, Revoked};
use recoup_ports::keyrings::Ring;
use recoup_storage::CredentialsTable;
use recoup_testing::fixtures::{ring_key, stored_key};
use recoup_testing::planted::{self, Log};
use recoup_testing::{Fault, TestKeyrings, TestTable, fixtures};
use serde_json::{Value, json};

const EVENT: &str = include_str!("../../../tests/events/authorize.json");

/// The recorded event with this `Authorization` header, as the gateway tells it twice over.
fn asking(header: &str) -> Value {
    let mut event: Value = serde_json::from_str(EVENT).unwrap();
    event["headers"]["authorization"] = header.into();
    event["identitySource"] = json!([header]);
    event
}

fn bearer(secret: &str) -> Value {
    asking(&format!("Bearer {secret}"))
}

fn readers(key: &ApiKey) -> StoredKey {
    let scopes = [Scope::PaymentsRead, Scope::RefundsRead];
    StoredKey { name: Some(fixtures::text("shop backend")), ..stored_key(key, &scopes, &ring_key("p")) }
}

fn is_caller(decision: &Decision) -> bool {
    decision.is_authorized && matches!(decision.context, Verdict::Caller(_))
}

/// A function over a table that knows one key, which may read refunds and payments.
struct World {
    table: TestTable,
    context: Context<CredentialsTable, TestKeyrings>,
    key: ApiKey,
}

impl World {
    async fn new() -> Self {
        let key = ApiKey::random(Environment::Sandbox, 1, 2);
        let stored = readers(&key);
        Self::storing(key, &stored).await
    }

    /// A world with a client instead of a key.
    async fn with_client() -> Self {
        let client = ApiKey::random_for(KeyUse::Client, Environment::Sandbox, 5, 6);
        let stored = readers(&client);
        Self::storing(client, &stored).await
    }

    async fn storing(key: ApiKey, stored: &StoredKey) -> Self {
        let table = TestTable::new();
        table.credentials().create_key(stored).await.unwrap();
        table.take_calls();
        let (keys, keyrings) = (table.credentials(), TestKeyrings::default());
        let context = Context { keys, keyrings, now: fixtures::now };
        Self { table, context, key }
    }

    /// The decision, and how many calls it cost.
    async fn ask(&self, event: &Value) -> (Decision, usize) {
        let decision = handle(&self.context, event).await.unwrap();
        (decision, self.table.take_calls().count())
    }

    /// Nobody is told apart from somebody by what the context lacks: it names no tenant, only why.
    async fn refuses(&self, event: &Value, why: Refused, calls: usize) {
        let (decision, made) = self.ask(event).await;
        let expected = json!({"isAuthorized": true, "context": {"refused": why.as_str()}});
        assert_eq!(serde_json::to_value(decision).unwrap(), expected, "{event}");
        assert_eq!(made, calls, "{event}");
    }
}

#[tokio::test]
async fn every_form_of_the_credential_tells_the_same_caller() {
    let world = World::new().await;
    let key = world.key.reveal();
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for header in [
        format!("Bearer {key}"),
        format!("bearer {key}"),
        format!("BEARER  {key} "),
        basic(&format!("{key}:")),
        basic(&format!("project:{key}")),
        basic(&format!(":{key}")),
        basic(&format!("{key}:")).replacen("Basic", "basic", 1),
    ] {
        let (decision, calls) = world.ask(&asking(&header)).await;
        let expected = json!({"isAuthorized": true, "context": {
            "account_id": fixtures::tenant().account.as_str(), "environment": "sandbox",
            "scopes": "payments:read refunds:read", "key_id": KeyId::from_bits(1).as_str(),
            "key_use": "api", "key_name": "shop backend",
        }});
        assert_eq!(serde_json::to_value(decision).unwrap(), expected, "{header}");
        assert_eq!(calls, 1);
    }
}

#[tokio::test]
async fn no_credential_is_nobody_and_nothing_is_read() {
    let world = World::new().await;
    let key = world.key.reveal();
    let recorded: Value = serde_json::from_str(EVENT).unwrap();
    world.refuses(&recorded, Refused::Malformed, 0).await;
    for header in ["", "Bearer", "Bearer ", key, "Basic !", "Basic", "Basic Og=="] {
        world.refuses(&asking(header), Refused::Malformed, 0).await;
    }
    for scheme in ["Digest", "Token", "Negotiate"] {
        world.refuses(&asking(&format!("{scheme} {key}")), Refused::Malformed, 0).await;
    }
    let mut event = bearer(key);
    event["headers"].as_object_mut().unwrap().remove("authorization");
    world.refuses(&event, Refused::Malformed, 0).await;
    world.refuses(&json!({}), Refused::Malformed, 0).await;
}

#[tokio::test]
async fn a_typo_is_refused_before_anything_is_read() {
    let world = World::new().await;
    let key = world.key.reveal();
    for (index, was) in key.char_indices() {
        let typo = if was == 'z' { "y" } else { "z" };
        let mut text = key.to_owned();
        text.replace_range(index..=index, typo);
        world.refuses(&bearer(&text), Refused::Malformed, 0).await;
    }
    world.refuses(&bearer(&key[..key.len().checked_sub(1).unwrap()]), Refused::Malformed, 0).await;
    world.refuses(&bearer(&format!("{key}0")), Refused::Malformed, 0).await;
    world.refuses(&bearer(&key.to_uppercase()), Refused::Malformed, 0).await;
    assert!(is_caller(&world.ask(&bearer(key)).await.0));
}

#[tokio::test]
async fn a_key_that_was_never_given_out_is_refused() {
    let world = World::new().await;
    world.refuses(&bearer(ApiKey::random(Environment::Sandbox, 3, 2).reveal()), Refused::Unknown, 2).await;
}

#[tokio::test]
async fn a_right_name_with_a_wrong_secret_is_refused() {
    let world = World::new().await;
    let forged = ApiKey::random(Environment::Sandbox, 1, 3);
    assert_eq!(forged.id(), world.key.id());
    world.refuses(&bearer(forged.reveal()), Refused::Unknown, 1).await;
}

#[tokio::test]
async fn a_key_of_one_environment_is_no_key_of_the_other() {
    let world = World::new().await;
    world.refuses(&bearer(ApiKey::random(Environment::Live, 1, 2).reveal()), Refused::Unknown, 1).await;
    // Not even where the table says so.
    let key = ApiKey::random(Environment::Sandbox, 1, 2);
    let mut grants = readers(&key).grants;
    grants.tenant.environment = Environment::Live;
    let stored = fixtures::granting(&key, grants, &ring_key("p"));
    let world = World::storing(key, &stored).await;
    world.refuses(&bearer(world.key.reveal()), Refused::Unknown, 1).await;
}

#[tokio::test]
async fn a_key_proven_under_a_pepper_that_is_gone_is_refused() {
    let world = World::new().await;
    world.context.keyrings.set(Ring::Pepper, Keyring::first(ring_key("q")));
    world.refuses(&bearer(world.key.reveal()), Refused::Unknown, 1).await;
}

#[tokio::test]
async fn a_rotated_pepper_ends_nobodys_access_and_the_key_is_renewed() {
    let world = World::new().await;
    let rotated =
        Keyring::first(ring_key("p")).rotated(ring_key("q"), fixtures::now().minus(Keyring::SPREADS_FOR));
    world.context.keyrings.set(Ring::Pepper, rotated);
    let (decision, calls) = world.ask(&bearer(world.key.reveal())).await;
    assert!(is_caller(&decision));
    assert_eq!(calls, 2, "the key is read and renewed");
    // The pepper before the rotation is no longer needed.
    world.context.keyrings.set(Ring::Pepper, Keyring::first(ring_key("q")));
    let (decision, calls) = world.ask(&bearer(world.key.reveal())).await;
    assert!(is_caller(&decision));
    assert_eq!(calls, 1);
}

/// A process that has read the ring a moment before would refuse what is proven under the newest.
#[tokio::test]
async fn no_key_is_renewed_before_every_process_can_know_the_pepper() {
    let world = World::new().await;
    let rotated = Keyring::first(ring_key("p")).rotated(ring_key("q"), fixtures::now());
    world.context.keyrings.set(Ring::Pepper, rotated);
    let (decision, calls) = world.ask(&bearer(world.key.reveal())).await;
    assert!(is_caller(&decision));
    assert_eq!(calls, 1, "nothing is written");
    world.context.keyrings.set(Ring::Pepper, Keyring::first(ring_key("p")));
    assert!(is_caller(&world.ask(&bearer(world.key.reveal())).await.0));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_renewed_now_still_opens() {
    let world = World::new().await;
    let rotated =
        Keyring::first(ring_key("p")).rotated(ring_key("q"), fixtures::now().minus(Keyring::SPREADS_FOR));
    world.context.keyrings.set(Ring::Pepper, rotated);
    world.table.fail_always("UpdateItem", Fault::throttled());
    assert!(is_caller(&world.ask(&bearer(world.key.reveal())).await.0));
}

#[tokio::test]
async fn a_store_of_secrets_that_is_away_lets_nobody_in() {
    for world in [World::new().await, World::with_client().await] {
        world.context.keyrings.go_away();
        let (credential, calls) = match world.key.r#use() {
            KeyUse::Api => (world.key.reveal().to_owned(), 1),
            KeyUse::Client => (token(1, &ring_key("s")), 0),
        };
        world.refuses(&bearer(&credential), Refused::Unavailable, calls).await;
    }
}

#[tokio::test]
async fn a_key_that_has_expired_is_refused_as_that() {
    let key = ApiKey::random(Environment::Sandbox, 1, 2);
    let mut grants = readers(&key).grants;
    grants.expires_at = Some(fixtures::now());
    let stored = fixtures::granting(&key, grants, &ring_key("p"));
    let world = World::storing(key, &stored).await;
    world.refuses(&bearer(world.key.reveal()), Refused::Expired, 1).await;
}

#[tokio::test]
async fn the_ranges_of_a_key_are_told_for_the_function_to_compare() {
    let key = ApiKey::random(Environment::Sandbox, 1, 2);
    let mut grants = readers(&key).grants;
    grants.ip_ranges = ["203.0.113.0/24", "2001:db8::/32"].map(|text| IpRange::parse(text).unwrap()).to_vec();
    let stored = fixtures::granting(&key, grants, &ring_key("p"));
    let world = World::storing(key, &stored).await;
    let decision = world.ask(&bearer(world.key.reveal())).await.0;
    let Verdict::Caller(caller) = decision.context else { panic!("the key is good") };
    assert_eq!(caller.ip_ranges, "203.0.113.0/24 2001:db8::/32");
}

#[tokio::test]
async fn a_revoked_key_is_refused() {
    let world = World::new().await;
    assert!(is_caller(&world.ask(&bearer(world.key.reveal())).await.0));
    let revoked = world.table.credentials().revoke_key(world.key.id(), fixtures::now()).await.unwrap();
    assert_eq!(revoked, Revoked::Yes);
    world.table.take_calls();
    world.refuses(&bearer(world.key.reveal()), Refused::Unknown, 1).await;
}

#[tokio::test]
async fn a_clients_secret_buys_tokens_and_opens_nothing() {
    let world = World::with_client().await;
    world.refuses(&bearer(world.key.reveal()), Refused::ClientSecret, 0).await;
    // Nor does a key that was made from the same bits.
    world.refuses(&bearer(ApiKey::random(Environment::Sandbox, 5, 6).reveal()), Refused::Unknown, 1).await;
}

/// A token of the client for reading refunds, and for writing payments, which the client may not.
fn token(expires_in_millis: u64, key: &RingKey) -> String {
    let claims = Claims {
        tenant: fixtures::tenant(),
        client: KeyId::from_bits(5),
        scopes: vec![Scope::RefundsRead, Scope::PaymentsWrite],
        expires_at: fixtures::later(expires_in_millis),
    };
    claims.sign(key)
}

#[tokio::test]
async fn a_token_is_good_until_it_expires_for_what_its_client_may_do() {
    let world = World::with_client().await;
    let (decision, calls) = world.ask(&bearer(&token(1, &ring_key("s")))).await;
    let Verdict::Caller(caller) = decision.context else { panic!("the token is good") };
    assert_eq!((decision.is_authorized, calls), (true, 1), "the client is read");
    assert_eq!((caller.scopes.as_str(), caller.environment), ("refunds:read", "sandbox"));
    assert_eq!(caller.account_id, fixtures::tenant().account.as_str());
    assert_eq!(caller.key_id, KeyId::from_bits(5).as_str());
    world.refuses(&bearer(&token(0, &ring_key("s"))), Refused::Expired, 0).await;
    world.refuses(&bearer(&token(1, &ring_key("t"))), Refused::Unknown, 0).await;
    let more = token(1, &ring_key("s")).replace("refunds:read", "refunds:read+refunds:write");
    world.refuses(&bearer(&more), Refused::Unknown, 0).await;
}

#[tokio::test]
async fn the_pepper_signs_no_token() {
    let world = World::with_client().await;
    world.refuses(&bearer(&token(1, &ring_key("p"))), Refused::Unknown, 0).await;
    // As version 0.1 signed them.
    let old = "at_sandbox_acct_00000000000000000000000001~key_00000000000000000000000005~refunds:read~1798761600000.00";
    world.refuses(&bearer(old), Refused::Unknown, 0).await;
}

#[tokio::test]
async fn a_token_of_the_key_before_the_rotation_is_good_for_its_hour() {
    let world = World::with_client().await;
    let rotated = Keyring::first(ring_key("s")).rotated(ring_key("t"), fixtures::now());
    world.context.keyrings.set(Ring::TokenSigning, rotated);
    for key in ["s", "t"] {
        assert!(is_caller(&world.ask(&bearer(&token(3_600_000, &ring_key(key)))).await.0), "{key}");
    }
}

#[tokio::test]
async fn a_token_lives_an_hour_whatever_it_says() {
    let world = World::with_client().await;
    world.refuses(&bearer(&token(3_600_001, &ring_key("s"))), Refused::Unknown, 0).await;
}

#[tokio::test]
async fn a_token_names_a_client_that_exists_and_ends_with_it() {
    let world = World::with_client().await;
    let token = token(1, &ring_key("s"));
    assert!(is_caller(&world.ask(&bearer(&token)).await.0));
    let id = KeyId::from_bits(5);
    assert_eq!(world.table.credentials().revoke_key(&id, fixtures::now()).await.unwrap(), Revoked::Yes);
    world.table.take_calls();
    world.refuses(&bearer(&token), Refused::Unknown, 1).await;
    // A client that never was, and one of another account.
    let world = World::new().await;
    world.refuses(&bearer(&token), Refused::Unknown, 2).await;
    let client = ApiKey::random_for(KeyUse::Client, Environment::Sandbox, 5, 6);
    let mut grants = readers(&client).grants;
    grants.tenant = fixtures::tenant_of(Environment::Sandbox, 2);
    let stored = fixtures::granting(&client, grants, &ring_key("p"));
    let world = World::storing(client, &stored).await;
    world.refuses(&bearer(&token), Refused::Unknown, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_table_that_fails_is_an_error_and_never_a_refusal() {
    let world = World::new().await;
    let event = bearer(world.key.reveal());
    for fault in [Fault::LoseRequest, Fault::throttled(), Fault::server_error()] {
        world.table.fail("GetItem", 1, fault.clone());
        assert!(is_caller(&handle(&world.context, &event).await.unwrap()), "{fault:?}");
        world.table.fail_always("GetItem", fault.clone());
        let error = handle(&world.context, &event).await.unwrap_err().to_string();
        assert!(!error.contains(world.key.reveal()), "{error}");
        world.table.heal();
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_an_error_and_never_a_refusal() {
    let world = World::new().await;
    let mut item = world.table.credential_items().await.remove(0);
    item.remove("account_id");
    world.table.put_credential(item).await;
    assert!(handle(&world.context, &bearer(world.key.reveal())).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn neither_log_nor_error_tells_what_a_broken_table_holds() {
    let world = World::new().await;
    let event = bearer(world.key.reveal());
    let told = async |when: &str| {
        let log = Log::listen();
        // What it returns, Lambda logs.
        let error = handle(&world.context, &event).await.err().map(|error| error.to_string());
        planted::assert_untold(&error.unwrap_or_default(), &when);
        log.assert_tells_nothing(&when);
    };
    for broken in planted::answers() {
        world.table.fail_everything(&broken);
        told(&format!("{broken:?}")).await;
        world.table.heal();
    }
    let item = world.table.credential_items().await.remove(0);
    for attribute in ["environment", "account_id", "scopes", "hash", "pepper", "ip_ranges", "created_at"] {
        let mut broken = item.clone();
        broken.insert(attribute.to_owned(), AttributeValue::S(planted::text()));
        world.table.put_credential(broken).await;
        told(attribute).await;
    }
}
