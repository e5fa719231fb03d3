//! `issue-token`, driven with the gateway's event over a real table.
#![cfg(test)]

#[path = "../../../tests/events/gateway.rs"]
mod gateway;

use issue_token::{Context, handle};
use recoup_domain::api_key::{ApiKey, KeyUse, Scope};
use recoup_domain::ids::Environment;
use recoup_domain::keyring::Keyring;
use recoup_domain::stored_key::{IpRange, StoredKey};
use recoup_domain::token::Claims;
use recoup_ports::api_keys::{KeepKeys, Keys};
use recoup_ports::keyrings::Ring;
use recoup_storage::CredentialsTable;
use recoup_testing::fixtures::{ring_key, stored_key};
use recoup_testing::{Fault, TestKeyrings, TestTable, fixtures};
use serde_json::{Value, json};

use gateway::Event;

const EVENT: &str = include_str!("../../../tests/events/create-refund.json");

/// A function over a table that knows one client, which may read refunds and payments.
struct World {
    table: TestTable,
    context: Context<CredentialsTable, TestKeyrings>,
    client: ApiKey,
}

fn client() -> ApiKey {
    ApiKey::random_for(KeyUse::Client, Environment::Sandbox, 5, 6)
}

fn stored() -> StoredKey {
    stored_key(&client(), &[Scope::PaymentsRead, Scope::RefundsRead], &ring_key("p"))
}

impl World {
    async fn new() -> Self {
        Self::storing(&stored()).await
    }

    async fn storing(stored: &StoredKey) -> Self {
        let table = TestTable::new();
        table.credentials().create_key(stored).await.unwrap();
        table.take_calls();
        let (keys, keyrings) = (table.credentials(), TestKeyrings::default());
        Self { table, context: Context { keys, keyrings, now: fixtures::now }, client: client() }
    }

    /// The status and the answer to this form.
    async fn ask(&self, form: &str) -> (u16, Value) {
        let event = Event::as_recorded(EVENT).route("POST /v1/oauth/token");
        let event = event.header("content-type", "application/x-www-form-urlencoded");
        let event = event.header("authorization", "").without("/headers/content-length").with("/body", form);
        let answer = handle(&self.context, &event.request()).await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body = answer.body().as_ref();
        (answer.status().as_u16(), serde_json::from_slice(body).unwrap())
    }

    fn form(&self, more: &str) -> String {
        let (id, secret) = (self.client.id(), self.client.reveal());
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}{more}")
    }

    async fn refuses(&self, form: &str, status: u16, error: &str) {
        let (found, body) = self.ask(form).await;
        assert_eq!((found, body["error"].as_str().unwrap()), (status, error), "{form}: {body}");
    }
}

#[tokio::test]
async fn a_client_buys_an_hour_for_what_it_may_do() {
    let world = World::new().await;
    let (status, body) = world.ask(&world.form("")).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(3600)));
    let token = body["access_token"].as_str().unwrap();
    let claims = Claims::read(token, &Keyring::first(ring_key("s")), fixtures::now()).unwrap();
    assert_eq!((claims.tenant, &claims.client), (fixtures::tenant(), world.client.id()));
    assert_eq!(claims.scopes, [Scope::PaymentsRead, Scope::RefundsRead]);
    assert_eq!(claims.expires_at, fixtures::later(3_600_000));
    assert_eq!(world.table.take_calls().operations(), ["GetItem"]);
    let (_, fewer) = world.ask(&world.form("&scope=refunds:read")).await;
    assert_eq!(fewer["scope"], "refunds:read");
    world.refuses(&world.form("&scope=refunds:write"), 400, "invalid_scope").await;
    world
        .refuses(&world.form("").replace("client_credentials", "password"), 400, "unsupported_grant_type")
        .await;
}

#[tokio::test]
async fn a_token_is_signed_with_the_newest_key_that_every_process_knows() {
    let world = World::new().await;
    for (rotated_at, newest) in [(fixtures::now(), "s"), (fixtures::now().minus(Keyring::SPREADS_FOR), "t")] {
        let rotated = Keyring::first(ring_key("s")).rotated(ring_key("t"), rotated_at);
        world.context.keyrings.set(Ring::TokenSigning, rotated);
        let (_, body) = world.ask(&world.form("")).await;
        assert_eq!(Claims::key_id(body["access_token"].as_str().unwrap()), Some(ring_key(newest).id()));
    }
}

#[tokio::test]
async fn who_is_not_the_client_gets_nothing() {
    let world = World::new().await;
    let other = ApiKey::random_for(KeyUse::Client, Environment::Sandbox, 5, 7);
    let key = ApiKey::random(Environment::Sandbox, 5, 6);
    for secret in [other.reveal(), key.reveal(), "cs_sandbox_1"] {
        let form = world.form("").replace(world.client.reveal(), secret);
        world.refuses(&form, 401, "invalid_client").await;
    }
    world.table.credentials().revoke_key(world.client.id(), fixtures::now()).await.unwrap();
    world.refuses(&world.form(""), 401, "invalid_client").await;
}

#[tokio::test]
async fn a_client_is_only_a_client_where_it_may_be() {
    let mut grants = stored().grants;
    // The recorded request comes from 203.0.113.7.
    for (range, status) in [("203.0.113.0/24", 200), ("198.51.100.0/24", 401)] {
        grants.ip_ranges = vec![IpRange::parse(range).unwrap()];
        let world = World::storing(&fixtures::granting(&client(), grants.clone(), &ring_key("p"))).await;
        assert_eq!(world.ask(&world.form("")).await.0, status, "{range}");
    }
}

#[tokio::test]
async fn a_clients_proof_is_renewed_when_it_buys_a_token() {
    let world = World::new().await;
    let rotated =
        Keyring::first(ring_key("p")).rotated(ring_key("q"), fixtures::now().minus(Keyring::SPREADS_FOR));
    world.context.keyrings.set(Ring::Pepper, rotated);
    assert_eq!(world.ask(&world.form("")).await.0, 200);
    let renewed = world.table.credentials().key(world.client.id()).await.unwrap().unwrap();
    assert!(renewed.is_proof_of(&world.client, &Keyring::first(ring_key("q"))));
}

#[tokio::test(start_paused = true)]
async fn what_is_away_is_said_to_be_away() {
    let world = World::new().await;
    world.table.fail_always("GetItem", Fault::throttled());
    world.refuses(&world.form(""), 503, "temporarily_unavailable").await;
    world.table.heal();
    world.context.keyrings.go_away();
    world.refuses(&world.form(""), 503, "temporarily_unavailable").await;
}
