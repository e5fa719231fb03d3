//! The keys of accounts in Secrets Manager, read through the real SDK from a listener that answers as Secrets Manager does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::{Credentials, Region};
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_outbound::secret_store::SecretStore;
use recoup_outbound::stored_keys::{StoredKeys, TENANTS_MAX};
use recoup_ports::processor_keys::{KeysError, ProcessorKeys};
use recoup_processors::adapter::AdapterAccess;
use recoup_processors::stripe::StripeAccess;
use recoup_testing::fixtures;
use recoup_testing::seals::TestKey;
use serde_json::{Value, json};

use crate::clock::{now, pass};
use crate::logs::{listen, read};
use crate::sealed_keys::NothingSealed;
use crate::server::{Reply, Request, Server};
use crate::world::{LIVE_KEY, TEST_KEY, secrets};

/// What the store answers.
#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Bytes,
    /// A refusal of this status and type.
    No(u16, &'static str),
    Stall,
    Cut,
    /// A 200 that breaks off within the secret.
    Broken,
}

const ABSENT: Said = Said::No(400, "ResourceNotFoundException");
const DENIED: Said = Said::No(400, "AccessDeniedException");
const AWAY: [Said; 6] = [
    Said::No(400, "ThrottlingException"),
    Said::No(500, "InternalServiceError"),
    Said::No(503, "ServiceUnavailable"),
    Said::Stall,
    Said::Cut,
    Said::Broken,
];

struct Store {
    server: Server,
    secrets: Arc<Mutex<HashMap<String, Said>>>,
    keys: StoredKeys<NothingSealed, TestKey>,
}

/// A store behind this port, which is asked once and not for long.
pub(crate) fn secret_store(port: u16) -> SecretStore {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(format!("http://127.0.0.1:{port}"));
    let client = aws_sdk_secretsmanager::Client::from_conf(config.build());
    SecretStore::new(|| client).within(Duration::from_millis(300))
}

impl Store {
    async fn new() -> Self {
        let secrets = Arc::new(Mutex::new(HashMap::new()));
        let of_server = secrets.clone();
        let server = Server::answering(move |request| {
            let secrets = of_server.lock().unwrap();
            let said = secrets.get(&name(request)).or_else(|| secrets.get("*"));
            answer(said.unwrap_or(&ABSENT))
        });
        let server = server.await;
        let store = secret_store(server.port);
        let keys = StoredKeys::new(NothingSealed, TestKey::default(), store, "recoup/processors", now);
        let keys = keys.within(Duration::from_millis(300));
        Self { server, secrets, keys }
    }

    /// With both secrets of the fixtures' tenant.
    async fn full() -> Self {
        let store = Self::new().await;
        store.says(&format!("{}/stripe", place(&tenant())), Said::Text(for_stripe(TEST_KEY)));
        store.says(&format!("{}/http", place(&tenant())), Said::Text(for_adapter()));
        store
    }

    fn says(&self, name: &str, said: Said) {
        self.secrets.lock().unwrap().insert(name.to_owned(), said);
    }

    /// Whatever is asked.
    fn says_always(&self, said: Said) {
        let mut secrets = self.secrets.lock().unwrap();
        secrets.clear();
        secrets.insert("*".to_owned(), said);
    }

    async fn stripe(&self) -> Result<Option<StripeAccess>, KeysError> {
        self.keys.access(&tenant()).await
    }

    async fn adapter(&self) -> Result<Option<AdapterAccess>, KeysError> {
        self.keys.access(&tenant()).await
    }

    fn calls(&self) -> usize {
        self.server.take_calls().len()
    }
}

fn tenant() -> Tenant {
    fixtures::tenant()
}

fn place(tenant: &Tenant) -> String {
    format!("recoup/processors/{}/{}", tenant.environment.as_str(), tenant.account)
}

fn name(request: &Request) -> String {
    assert_eq!(request.header("x-amz-target"), Some("secretsmanager.GetSecretValue"));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    body["SecretId"].as_str().unwrap().to_owned()
}

fn for_stripe(key: &str) -> String {
    json!({"key": key, "signing_secrets": ["whsec_12345678"]}).to_string()
}

fn for_adapter() -> String {
    json!({"base_url": "http://127.0.0.1:1/base", "secrets": [secrets().current.reveal()]}).to_string()
}

fn answer(said: &Said) -> Reply {
    let arn = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:recoup/processors/x-AbCdEf";
    let with = |what: &str, value: &str| {
        json!({"ARN": arn, "CreatedDate": 1_795_000_000.5, "Name": "x", "VersionId": "v", what: value,
               "VersionStages": ["AWSCURRENT"]})
    };
    match said {
        Said::Text(text) => raw(200, &with("SecretString", text).to_string()),
        Said::Bytes => raw(200, &with("SecretBinary", "c2tfdGVzdA==").to_string()),
        Said::No(status, kind) => {
            // Only that of a missing permission tells an operator what to put right.
            let message = if *kind == "AccessDeniedException" { "A sentence." } else { "SecretOfTheSandbox" };
            raw(*status, &json!({"__type": kind, "Message": message}).to_string())
        }
        Said::Stall => Reply::Stall,
        Said::Cut => Reply::Cut,
        Said::Broken => {
            let whole = with("SecretString", &for_stripe(TEST_KEY)).to_string();
            raw(200, whole.split_once("whsec_").unwrap().0)
        }
    }
}

pub(crate) fn raw(status: u16, body: &str) -> Reply {
    let head =
        format!("HTTP/1.1 {status} Said\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close");
    Reply::Raw { text: format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()), filler_bytes: 0 }
}

#[tokio::test]
async fn each_tenant_and_processor_has_a_secret_of_its_own() {
    let store = Store::full().await;
    let live = Tenant { environment: Environment::Live, ..tenant() };
    store.says(&format!("{}/stripe", place(&live)), Said::Text(for_stripe(LIVE_KEY)));
    let access = store.stripe().await.unwrap().unwrap();
    assert_eq!((access.key.reveal(), access.signing[0].bytes()), (TEST_KEY, b"whsec_12345678".as_slice()));
    let access = store.adapter().await.unwrap().unwrap();
    assert_eq!(
        (access.base.join("refunds").as_str(), access.secrets),
        ("http://127.0.0.1:1/base/refunds", secrets())
    );
    assert_eq!(store.keys.access::<StripeAccess>(&live).await.unwrap().unwrap().key.reveal(), LIVE_KEY);
    assert!(store.keys.access::<AdapterAccess>(&live).await.unwrap().is_none());
    let other = Tenant { account: AccountId::from_bits(7), ..tenant() };
    assert!(store.keys.access::<StripeAccess>(&other).await.unwrap().is_none());
    let asked: Vec<String> = store.server.requests().iter().map(name).collect();
    let (mine, live, other) = (place(&tenant()), place(&live), place(&other));
    let expected =
        [(&mine, "stripe"), (&mine, "http"), (&live, "stripe"), (&live, "http"), (&other, "stripe")];
    assert_eq!(asked, expected.map(|(place, processor)| format!("{place}/{processor}")));
}

#[tokio::test]
async fn what_was_found_is_kept_for_five_minutes_and_a_clone_shares_it() {
    let store = Store::full().await;
    for _ in 0..3 {
        assert!(store.stripe().await.unwrap().is_some());
        assert!(store.keys.clone().access::<StripeAccess>(&tenant()).await.unwrap().is_some());
    }
    pass(299);
    assert!(store.stripe().await.unwrap().is_some());
    assert_eq!(store.calls(), 1);
    store.says_always(Said::Text(for_stripe("sk_test_51TheNextOne")));
    pass(1);
    for _ in 0..2 {
        assert_eq!(store.stripe().await.unwrap().unwrap().key.reveal(), "sk_test_51TheNextOne");
    }
    assert_eq!(store.calls(), 1);
    store.says_always(ABSENT);
    pass(300);
    assert!(store.stripe().await.unwrap().is_none(), "taken away is taken away");
}

#[tokio::test]
async fn what_was_absent_is_asked_for_again_after_a_minute() {
    for absent in [ABSENT, Said::No(400, "InvalidRequestException")] {
        let store = Store::new().await;
        store.says_always(absent);
        for _ in 0..3 {
            assert!(store.adapter().await.unwrap().is_none());
        }
        pass(59);
        assert!(store.adapter().await.unwrap().is_none());
        assert_eq!(store.calls(), 1);
        store.says_always(Said::Text(for_adapter()));
        pass(1);
        assert!(store.adapter().await.unwrap().is_some());
        assert_eq!(store.calls(), 1);
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_leaves_what_it_said_within_the_hour() {
    for away in AWAY {
        let store = Store::full().await;
        assert!(store.stripe().await.unwrap().is_some());
        store.says_always(away.clone());
        pass(300);
        store.server.take_calls();
        for _ in 0..3 {
            let access = store.stripe().await.unwrap().expect("what was found before");
            assert_eq!(access.key.reveal(), TEST_KEY, "{away:?}");
        }
        assert_eq!(store.calls(), 1, "a store that is away is left alone for a minute: {away:?}");
        pass(3_600 - 300 - 1);
        assert!(store.stripe().await.unwrap().is_some(), "{away:?}");
        pass(60);
        assert!(store.stripe().await.is_err(), "{away:?}");
        // Once it is back, it is asked at once.
        store.says_always(Said::Text(for_stripe(LIVE_KEY)));
        assert_eq!(store.stripe().await.unwrap().unwrap().key.reveal(), LIVE_KEY, "{away:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_silent_or_refuses_is_an_error_and_asked_each_time() {
    for said in AWAY.into_iter().chain([DENIED, Said::No(400, "DecryptionFailure"), Said::Bytes]) {
        let store = Store::new().await;
        store.says_always(said.clone());
        for _ in 0..2 {
            assert!(store.stripe().await.is_err(), "{said:?}");
        }
        assert_eq!(store.calls(), 2, "{said:?}");
        // That there was nothing is no reason to go on with nothing.
        store.says_always(ABSENT);
        assert!(store.stripe().await.unwrap().is_none());
        store.says_always(said.clone());
        pass(60);
        assert!(store.stripe().await.is_err(), "{said:?}");
    }
}

#[tokio::test]
async fn a_refusal_and_a_secret_that_cannot_be_read_end_what_was_kept() {
    for said in [DENIED, Said::Bytes, Said::Text("{}".to_owned()), Said::Text(for_stripe("pk_test_51Public"))]
    {
        let store = Store::full().await;
        assert!(store.stripe().await.unwrap().is_some());
        store.says_always(said.clone());
        pass(300);
        assert!(store.stripe().await.is_err(), "{said:?}");
    }
}

#[tokio::test]
async fn accounts_that_strangers_make_up_take_nobodys_keys_away() {
    let store = Store::full().await;
    assert!(store.stripe().await.unwrap().is_some());
    let strangers = u128::try_from(TENANTS_MAX + 20).unwrap();
    let stranger = |number| Tenant { account: AccountId::from_bits(1_000 + number), ..tenant() };
    for number in 0..strangers {
        assert!(store.keys.access::<StripeAccess>(&stranger(number)).await.unwrap().is_none());
    }
    store.server.take_calls();
    assert!(store.stripe().await.unwrap().is_some());
    assert_eq!(store.calls(), 0, "those that exist are still kept");
}

#[tokio::test]
async fn the_log_names_the_account_and_what_is_wrong_and_nothing_of_a_secret() {
    let binary = Said::Bytes;
    let garbage = |text: &str| Said::Text(text.to_owned());
    for (said, why) in [
        (DENIED, "AccessDeniedException: A sentence."),
        (Said::No(400, "ThrottlingException"), "ThrottlingException"),
        (Said::Stall, "too late"),
        (Said::Cut, "the secret store did not answer"),
        (Said::Broken, "the secret store did not answer"),
        (binary, "it is binary"),
        (garbage(TEST_KEY), "it is not JSON"),
        (garbage(&json!({ TEST_KEY: 1 }).to_string()), "its fields are not"),
        (garbage(&json!({"key": 1, "signing_secrets": [TEST_KEY]}).to_string()), "its fields are not"),
        (garbage(&json!({"key": TEST_KEY, "signing_secrets": TEST_KEY}).to_string()), "its fields are not"),
        (garbage(&for_stripe(&format!("x{TEST_KEY}"))), "key is no"),
    ] {
        let store = Store::new().await;
        store.says_always(said.clone());
        let (log, guard) = listen();
        let error = store.stripe().await.unwrap_err();
        drop(guard);
        let text = read(&log);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("recoup_outbound")).collect();
        assert_eq!(lines.len(), 1, "{said:?}: {text}");
        let line: Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!((&line["level"], &line["fields"]["processor.name"]), (&json!("ERROR"), &json!("stripe")));
        assert_eq!(line["fields"]["account.id"], tenant().account.as_str());
        assert_eq!(line["fields"]["environment"], "sandbox");
        assert!(lines[0].contains(why), "{said:?}: {}", lines[0]);
        nothing_of_a_secret(&text);
        nothing_of_a_secret(&format!("{error:?} {error} {:?}", store.keys));
    }
}

#[tokio::test]
async fn keys_that_were_found_are_in_no_log_either() {
    let store = Store::full().await;
    let (log, guard) = listen();
    assert!(store.stripe().await.unwrap().is_some());
    assert!(store.adapter().await.unwrap().is_some());
    store.says_always(Said::Cut);
    pass(300);
    assert!(store.stripe().await.unwrap().is_some());
    drop(guard);
    let text = read(&log);
    nothing_of_a_secret(&format!("{text} {:?}", store.keys));
    let told: Vec<&str> = text.lines().filter(|line| line.contains("recoup_outbound")).collect();
    assert_eq!(told.len(), 1, "{text}");
    assert!(told[0].contains(r#""kept":true"#), "{text}");
}

fn nothing_of_a_secret(text: &str) {
    let shared = secrets().current.reveal();
    for word in
        ["SecretOfTheSandbox", "sk_test_51", "whsec_1234", "c2tfdGVzdA", shared.as_str(), "127.0.0.1:1/base"]
    {
        assert!(!text.contains(word), "{word} in {text}");
    }
}
