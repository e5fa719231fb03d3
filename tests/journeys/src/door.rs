//! A credential that nobody has, through authorize to every route behind it: told what is wrong, and nothing more.

use lambda_http::{Body, Response};
use recoup_domain::api_key::{ApiKey, KeyUse, Refused, Scope};
use recoup_domain::ids::{Environment, KeyId};
use recoup_domain::time::Timestamp;
use recoup_domain::token::Claims;
use recoup_http::route::SERVED;
use recoup_ports::api_keys::{KeepKeys, Revoked};
use recoup_ports::webhooks::Reach;
use recoup_storage::CredentialsTable;
use recoup_testing::fixtures::{ring_key, stored_key};
use recoup_testing::routes::ROUTES;
use recoup_testing::seals::TestKey;
use recoup_testing::{TestKeyrings, TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};

use crate::charges::Charges;
use crate::gateway::{Event, Reply};
use crate::samples::NoEndpoints;
use crate::seal_keys::KeyStore;

pub(crate) const CREATE: &str = include_str!("../../events/create-refund.json");
const AUTHORIZE: &str = include_str!("../../events/authorize.json");

fn now() -> Timestamp {
    fixtures::now()
}

/// The keys of the routes behind the authorizer, as the template has them.
pub(crate) fn routes() -> Vec<&'static str> {
    ROUTES.iter().filter(|route| route.authorized).map(|route| route.key.as_str()).collect()
}

/// Runs the function that serves a route.
pub(crate) async fn serve(table: &TestTable, key: &str, event: &Event) -> Response<Body> {
    let (store, request) = (table.store(), event.request());
    let public_url = PublicUrl::new("https://api.example.com");
    let reach = Reach::Public;
    let random = || fastrand::u128(..);
    let served = SERVED.iter().find(|(_, keys)| keys.contains(&key));
    match served.map(|(function, _)| *function) {
        Some("read-books") => read_books::handle(&read_books::Context { store, public_url }, request).await,
        Some("create-refund") => {
            let context = create_refund::Context { store, public_url, reach, now, random };
            create_refund::handle(&context, request).await
        }
        Some("update-refund") => {
            update_refund::handle(&update_refund::Context { store, public_url, now }, request).await
        }
        Some("register-payment") => {
            let context = register_payment::Context {
                store,
                seal_keys: KeyStore::default(),
                charges: Charges::default(),
                slots: table.limits(),
                public_url,
                now,
            };
            Box::pin(register_payment::handle(&context, request)).await
        }
        Some("manage-webhooks") => {
            let (samples, seal) = (NoEndpoints, TestKey::default());
            let context = manage_webhooks::Context { store, samples, seal, public_url, reach, now, random };
            manage_webhooks::handle(&context, request).await
        }
        other => panic!("{key} is served by {other:?}: say here how"),
    }
}

/// A request to a route that would be carried out, were it not for what the authorizer says.
pub(crate) fn asking(key: &str, told: &Value) -> Event {
    let none = |prefix: &str| format!("{prefix}_{}", "0".repeat(26));
    let parameters = json!({
        "payment_id": "pay_1", "date": "2026-11-22",
        "refund_id": none("rfd"), "endpoint_id": none("whe"), "event_id": none("evt"),
    });
    let body = match key {
        "PUT /v1/payments/{payment_id}" => json!({ "amount": 1, "currency": "EUR" }),
        "POST /v1/webhook-endpoints" => json!({ "url": "https://example.com/" }),
        "PATCH /v1/refunds/{refund_id}" => json!({ "metadata": {} }),
        "POST /v1/refunds" | "POST /v1/refunds/quote" => json!({ "payment_id": "pay_1" }),
        _ => json!({}),
    };
    Event::as_recorded(CREATE)
        .route(key)
        .with("/pathParameters", parameters)
        .with("/requestContext/authorizer/lambda", told.clone())
        .json(&body)
}

/// A table that knows one key, which was revoked, and authorize over it.
async fn authorizer() -> (TestTable, authorize::Context<CredentialsTable, TestKeyrings>) {
    let table = TestTable::new();
    let key = ApiKey::random(Environment::Sandbox, 1, 2);
    let keys = table.credentials();
    keys.create_key(&stored_key(&key, &Scope::ALL, &ring_key("p"))).await.unwrap();
    assert_eq!(keys.revoke_key(key.id(), now()).await.unwrap(), Revoked::Yes);
    let context = authorize::Context { keys, keyrings: TestKeyrings::default(), now };
    (table, context)
}

/// Credentials that nobody has, each with a word of the sentence that helps.
fn nobodys() -> Vec<(String, Refused, &'static str)> {
    let token = |key: &str| {
        let (client, scopes) = (KeyId::from_bits(5), Scope::ALL.to_vec());
        let claims = Claims { tenant: fixtures::tenant(), client, scopes, expires_at: now() };
        claims.sign(&ring_key(key))
    };
    let key = |name| ApiKey::random(Environment::Sandbox, name, 2).reveal().to_owned();
    let client = ApiKey::random_for(KeyUse::Client, Environment::Sandbox, 1, 2).reveal().to_owned();
    vec![
        ("sk_sandbox_wrong".to_owned(), Refused::Malformed, "every character"),
        (key(1), Refused::Unknown, "create_api_key"),
        (key(9), Refused::Unknown, "create_api_key"),
        (client, Refused::ClientSecret, "Exchange it"),
        (token("s"), Refused::Expired, "has expired"),
        (token("t"), Refused::Unknown, "create_api_key"),
    ]
}

#[tokio::test]
async fn a_credential_that_nobody_has_is_refused_by_every_route() {
    let (table, context) = authorizer().await;
    assert!(routes().len() > 20 && routes().contains(&"$default"), "{:?}", routes());
    for (credential, reason, help) in nobodys() {
        let mut event: Value = serde_json::from_str(AUTHORIZE).unwrap();
        event["headers"]["authorization"] = format!("Bearer {credential}").into();
        let decision = authorize::handle(&context, &event).await.unwrap();
        let decision = serde_json::to_value(decision).unwrap();
        assert_eq!(decision, json!({ "isAuthorized": true, "context": { "refused": reason.as_str() } }));
        table.take_calls();
        for key in routes() {
            let event = asking(key, &decision["context"]);
            let reply = Reply::read(&event, serve(&table, key, &event).await);
            assert_eq!(reply.problem(), (403, "invalid_credential"), "{key}: {}", reply.text);
            assert!(reply.body["detail"].as_str().unwrap().contains(help), "{key}: {}", reply.text);
            assert!(!reply.text.contains(&credential), "{key}: {}", reply.text);
            assert_eq!(table.take_calls().count(), 0, "{key}");
        }
    }
}

#[tokio::test]
async fn a_refusal_outweighs_whatever_stands_beside_it() {
    let table = TestTable::new();
    let account = fixtures::tenant().account;
    let mut told = json!({
        "account_id": account.as_str(), "environment": "sandbox", "key_id": KeyId::from_bits(1).as_str(),
        "scopes": Scope::ALL.map(Scope::as_str).join(" "),
    });
    for key in routes() {
        let event = asking(key, &told);
        let reply = serve(&table, key, &event).await;
        assert_ne!(reply.status(), 403, "{key}: the request would be carried out");
    }
    table.take_calls();
    for refused in [json!("unknown"), json!("a reason of tomorrow"), json!(null), json!(7)] {
        told["refused"] = refused;
        for key in routes() {
            let event = asking(key, &told);
            let reply = Reply::read(&event, serve(&table, key, &event).await);
            assert_eq!(reply.problem(), (403, "invalid_credential"), "{key}");
            assert_eq!(table.take_calls().count(), 0, "{key}");
        }
    }
}

#[tokio::test]
async fn a_credential_that_could_not_be_judged_opens_nothing() {
    let table = TestTable::new();
    // What has no route has no description either.
    for key in routes().into_iter().filter(|key| *key != "$default") {
        let event = asking(key, &json!({ "refused": Refused::Unavailable.as_str() }));
        let reply = Reply::read(&event, serve(&table, key, &event).await);
        assert_eq!(reply.problem(), (503, "unavailable"), "{key}: {}", reply.text);
        // The gateway keeps the answer for so long.
        assert_eq!(reply.header("retry-after"), Some("60"), "{key}");
        assert_eq!(table.take_calls().count(), 0, "{key}");
    }
}

#[tokio::test]
async fn a_key_opens_from_its_addresses_alone() {
    let table = TestTable::new();
    // The recorded request comes from 203.0.113.7.
    let from = |ranges: &str| {
        json!({
            "account_id": fixtures::tenant().account.as_str(), "environment": "sandbox", "ip_ranges": ranges,
            "key_id": KeyId::from_bits(1).as_str(), "scopes": Scope::ALL.map(Scope::as_str).join(" "),
        })
    };
    for key in routes() {
        for ranges in ["198.51.100.0/24", "198.51.100.0/24 2001:db8::/32", "unreadable", ""] {
            let event = asking(key, &from(ranges));
            let reply = Reply::read(&event, serve(&table, key, &event).await);
            assert_eq!(reply.problem(), (403, "invalid_credential"), "{key} from {ranges}: {}", reply.text);
            assert_eq!(table.take_calls().count(), 0, "{key}");
        }
        let nowhere = asking(key, &from("0.0.0.0/0")).without("/requestContext/http/sourceIp");
        assert_eq!(serve(&table, key, &nowhere).await.status(), 403, "{key}");
        let event = asking(key, &from("198.51.100.0/24 203.0.113.0/24"));
        assert_ne!(serve(&table, key, &event).await.status(), 403, "{key}");
        table.take_calls();
    }
}
