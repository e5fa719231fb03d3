//! `authorize`, driven with the gateway's event over a real table.
#![cfg(test)]

use authorize::{Context, Decision, Verdict, handle};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_domain::api_key::{ApiKey, KeyUse, Pepper, Refused, Scope, StoredKey};
use recoup_domain::ids::{Environment, KeyId};
use recoup_domain::token::Claims;
use recoup_ports::credentials::{Accounts, Revoked};
use recoup_storage::Table;
use recoup_testing::planted::{self, Log};
use recoup_testing::{Fault, TestTable, fixtures};
use serde_json::{Value, json};

const EVENT: &str = include_str!("../../../tests/events/authorize.json");

fn pepper(byte: u8) -> Pepper {
    Pepper::new(vec![byte; 32]).unwrap()
}

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

fn is_caller(decision: &Decision) -> bool {
    decision.is_authorized && matches!(decision.context, Verdict::Caller(_))
}

/// A function over a table that knows one key, which may read refunds and payments.
struct World {
    table: TestTable,
    context: Context<Table>,
    key: ApiKey,
}

impl World {
    async fn new() -> Self {
        Self::storing(ApiKey::random(Environment::Sandbox, 1, 2), Environment::Sandbox).await
    }

    async fn storing(key: ApiKey, environment: Environment) -> Self {
        let table = TestTable::new();
        let stored = StoredKey {
            id: key.id().clone(),
            hash: key.hash(&pepper(1)),
            tenant: fixtures::tenant_of(environment, 1),
            scopes: vec![Scope::PaymentsRead, Scope::RefundsRead],
            revoked: false,
        };
        table.store().create_key(&stored, fixtures::now()).await.unwrap();
        table.take_calls();
        let context = Context { keys: table.store(), pepper: pepper(1), now: fixtures::now };
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
    world.refuses(&bearer(ApiKey::random(Environment::Sandbox, 3, 2).reveal()), Refused::Unknown, 1).await;
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
    let world = World::storing(ApiKey::random(Environment::Sandbox, 1, 2), Environment::Live).await;
    world.refuses(&bearer(world.key.reveal()), Refused::Unknown, 1).await;
}

#[tokio::test]
async fn a_key_hashed_under_another_pepper_is_refused() {
    let mut world = World::new().await;
    world.context.pepper = pepper(2);
    world.refuses(&bearer(world.key.reveal()), Refused::Unknown, 1).await;
}

#[tokio::test]
async fn a_revoked_key_is_refused() {
    let world = World::new().await;
    assert!(is_caller(&world.ask(&bearer(world.key.reveal())).await.0));
    let revoked = world.table.store().revoke_key(world.key.id(), fixtures::now()).await.unwrap();
    assert_eq!(revoked, Revoked::Yes);
    world.table.take_calls();
    world.refuses(&bearer(world.key.reveal()), Refused::Unknown, 1).await;
}

#[tokio::test]
async fn a_clients_secret_buys_tokens_and_opens_nothing() {
    let client = ApiKey::random_for(KeyUse::Client, Environment::Sandbox, 1, 2);
    let world = World::storing(client, Environment::Sandbox).await;
    let secret = world.key.reveal();
    world.refuses(&bearer(secret), Refused::ClientSecret, 0).await;
    // Nor does a key that was made from the same bits.
    world.refuses(&bearer(ApiKey::random(Environment::Sandbox, 1, 2).reveal()), Refused::Unknown, 1).await;
}

fn token(expires_in_millis: u64, pepper: &Pepper) -> String {
    let claims = Claims {
        tenant: fixtures::tenant(),
        client: KeyId::from_bits(5),
        scopes: vec![Scope::RefundsWrite],
        expires_at: fixtures::later(expires_in_millis),
    };
    claims.sign(pepper)
}

#[tokio::test]
async fn a_token_is_good_until_it_expires_and_nothing_is_read() {
    let world = World::new().await;
    let (decision, calls) = world.ask(&bearer(&token(1, &pepper(1)))).await;
    let Verdict::Caller(caller) = decision.context else { panic!("the token is good") };
    assert_eq!((decision.is_authorized, calls), (true, 0));
    assert_eq!((caller.scopes.as_str(), caller.environment), ("refunds:write", "sandbox"));
    assert_eq!(caller.account_id, fixtures::tenant().account.as_str());
    assert_eq!(caller.key_id, KeyId::from_bits(5).as_str());
    world.refuses(&bearer(&token(0, &pepper(1))), Refused::Expired, 0).await;
    world.refuses(&bearer(&token(1, &pepper(2))), Refused::Unknown, 0).await;
    let more = token(1, &pepper(1)).replace("refunds:write", "refunds:write+payments:write");
    world.refuses(&bearer(&more), Refused::Unknown, 0).await;
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
    let item = world.table.item("key").await;
    let update = world.table.plain().update_item().table_name(world.table.name());
    let update = update.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
    update.update_expression("REMOVE account_id").send().await.unwrap();
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
    let item = world.table.item("key").await;
    for attribute in ["environment", "account_id", "scopes", "hash", "created_at"] {
        world.table.copy(&item, &[(attribute, &planted::text())]).await;
        told(attribute).await;
    }
}
