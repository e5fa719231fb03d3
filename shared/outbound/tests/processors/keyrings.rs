//! The deployment's keyrings, read and replaced through the real SDK at a listener that answers as Secrets Manager does.

use std::sync::{Arc, Mutex};

use recoup_domain::keyring::Keyring;
use recoup_outbound::keyrings::StoredKeyrings;
use recoup_ports::keyrings::{Keyrings, Ring, RotateKeyrings};
use recoup_testing::fixtures::{self, ring_key};
use serde_json::{Value, json};

use crate::clock::{now, pass};
use crate::logs::{listen, read};
use crate::server::{Reply, Request, Server};
use crate::stored_keys::secret_store;

/// One secret, as the store keeps it: what each version says, and which is current.
struct Secret {
    versions: Vec<String>,
    current: usize,
    away: bool,
}

struct Store {
    server: Server,
    secret: Arc<Mutex<Secret>>,
    rings: StoredKeyrings,
}

impl Store {
    async fn holding(text: &str) -> Self {
        let secret = Secret { versions: vec![text.to_owned()], current: 0, away: false };
        let secret = Arc::new(Mutex::new(secret));
        let of_server = secret.clone();
        let server = Server::answering(move |request| answer(&mut of_server.lock().unwrap(), request)).await;
        let store = secret_store(server.port);
        let rings = StoredKeyrings::new(store, "pepper".to_owned(), "signing".to_owned(), now);
        Self { server, secret, rings }
    }

    fn says(&self, text: &str) {
        let mut secret = self.secret.lock().unwrap();
        secret.versions.push(text.to_owned());
        secret.current = secret.versions.len() - 1;
    }

    fn is_away(&self, away: bool) {
        self.secret.lock().unwrap().away = away;
    }

    async fn ring(&self, needed: Option<&str>) -> Option<Keyring> {
        self.rings.keyring(Ring::Pepper, needed).await.ok()
    }

    fn calls(&self) -> usize {
        self.server.take_calls().len()
    }
}

fn answer(secret: &mut Secret, request: &Request) -> Reply {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["SecretId"], "pepper");
    if secret.away {
        return Reply::json(503, &json!({ "__type": "ServiceUnavailable" }));
    }
    match request.header("x-amz-target").unwrap() {
        "secretsmanager.GetSecretValue" => {
            let text = &secret.versions[secret.current];
            Reply::json(200, &json!({ "SecretString": text, "VersionId": secret.current.to_string() }))
        }
        "secretsmanager.PutSecretValue" => {
            assert_eq!(body["VersionStages"], json!(["AWSPENDING"]), "it is not yet the current one");
            secret.versions.push(body["SecretString"].as_str().unwrap().to_owned());
            Reply::json(200, &json!({ "VersionId": (secret.versions.len() - 1).to_string() }))
        }
        "secretsmanager.UpdateSecretVersionStage" => {
            assert_eq!(body["VersionStage"], "AWSCURRENT");
            let removed = body["RemoveFromVersionId"].as_str().unwrap();
            if removed.parse() != Ok(secret.current) {
                return Reply::json(400, &json!({ "__type": "InvalidParameterException" }));
            }
            secret.current = body["MoveToVersionId"].as_str().unwrap().parse().unwrap();
            Reply::json(200, &json!({}))
        }
        other => panic!("{other}"),
    }
}

fn pair(current: &str, previous: &str) -> Keyring {
    Keyring::first(ring_key(previous)).rotated(ring_key(current), fixtures::now())
}

#[tokio::test]
async fn a_keyring_is_read_once_in_an_hour() {
    let store = Store::holding(&"p".repeat(64)).await;
    for _ in 0..50 {
        let ring = store.ring(None).await.unwrap();
        assert_eq!((ring.keys().count(), ring.current.reveal().len()), (1, 64));
    }
    assert_eq!(store.calls(), 1);
    pass(3_599);
    store.ring(None).await.unwrap();
    assert_eq!(store.calls(), 0);
    pass(1);
    store.ring(None).await.unwrap();
    assert_eq!(store.calls(), 1);
}

#[tokio::test]
async fn a_key_that_is_not_known_is_looked_for_once_in_a_minute() {
    let store = Store::holding(ring_key("p").reveal()).await;
    assert_eq!(store.ring(None).await, Some(Keyring::first(ring_key("p"))));
    let text = json!({
        "keys": [ring_key("q").reveal(), ring_key("p").reveal()], "rotated_at": fixtures::now().rfc3339(),
    });
    store.says(&text.to_string());
    pass(59);
    for _ in 0..50 {
        store.ring(Some(ring_key("q").id())).await.unwrap();
    }
    assert_eq!(store.calls(), 1, "whoever shows made-up tokens costs no call");
    pass(1);
    assert_eq!(store.ring(Some(ring_key("q").id())).await, Some(pair("q", "p")));
    assert_eq!(store.ring(Some("made up")).await, Some(pair("q", "p")));
    assert_eq!(store.calls(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_locks_nobody_out_who_was_known_and_lets_nobody_in() {
    let store = Store::holding(ring_key("p").reveal()).await;
    store.is_away(true);
    assert_eq!(store.ring(None).await, None);
    store.is_away(false);
    store.ring(None).await.unwrap();
    store.is_away(true);
    pass(2 * 3_600);
    store.calls();
    for _ in 0..10 {
        assert_eq!(store.ring(None).await, Some(Keyring::first(ring_key("p"))));
    }
    assert_eq!(store.calls(), 1, "it is left alone for a minute");
}

#[tokio::test]
async fn what_is_no_keyring_is_an_error_that_quotes_none_of_it() {
    let (log, _guard) = listen();
    let short = json!({ "keys": ["short-and-secret"] }).to_string();
    let unknown = json!({ "keys": [ring_key("p").reveal()], "more-and-secret": 1 }).to_string();
    for text in ["short-and-secret", "{", &short, &unknown, r#"{"keys": []}"#] {
        let store = Store::holding(text).await;
        assert_eq!(store.ring(None).await, None, "{text}");
    }
    let logged = read(&log);
    assert!(logged.contains("it holds no keyring") && !logged.contains("secret-"), "{logged}");
    assert!(!logged.contains("and-secret"), "{logged}");
}

#[tokio::test]
async fn a_keyring_is_replaced_only_if_it_is_what_was_read() {
    let store = Store::holding(ring_key("p").reveal()).await;
    let from = store.rings.stored_keyring(Ring::Pepper).await.unwrap();
    let to = from.keyring.rotated(ring_key("q"), fixtures::now());
    assert!(store.rings.replace_keyring(Ring::Pepper, &from, &to).await.unwrap());
    let read = store.rings.stored_keyring(Ring::Pepper).await.unwrap();
    assert_eq!(read.keyring, pair("q", "p"));
    // Somebody who had read the one before.
    let late = from.keyring.rotated(ring_key("r"), fixtures::now());
    assert!(!store.rings.replace_keyring(Ring::Pepper, &from, &late).await.unwrap());
    assert_eq!(store.rings.stored_keyring(Ring::Pepper).await.unwrap().keyring, pair("q", "p"));
    store.is_away(true);
    assert!(store.rings.replace_keyring(Ring::Pepper, &read, &late).await.is_err());
}
