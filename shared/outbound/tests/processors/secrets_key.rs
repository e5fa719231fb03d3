//! The key that seals, through the real SDK, at a listener that answers as KMS does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{Credentials, Region};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::Sealed;
use recoup_outbound::secrets_key::SecretsKey;
use recoup_ports::seals::{Open, OpenError, Purpose, Seal};
use recoup_testing::fixtures::{self, tenant};
use serde_json::{Value, json};

use crate::clock::{now, pass};
use crate::logs::{listen, read};
use crate::server::{Reply, Request, Server};

const KEY: &str = "arn:aws:kms:eu-central-1:000000000000:key/k";
const SECRET: &[u8] = b"SecretThatNobodyLogs";

/// How the service behaves.
#[derive(Clone, Debug)]
enum Mood {
    Well,
    /// A refusal of this status and type.
    No(u16, &'static str),
    Stall,
    Cut,
    /// A 200 that breaks off within the text.
    Broken,
}

const AWAY: [Mood; 6] = [
    Mood::No(400, "ThrottlingException"),
    Mood::No(500, "KMSInternalException"),
    Mood::No(503, "ServiceUnavailable"),
    Mood::Stall,
    Mood::Cut,
    Mood::Broken,
];

struct Kms {
    server: Server,
    mood: Arc<Mutex<Mood>>,
    key: SecretsKey,
}

impl Kms {
    async fn new() -> Self {
        let mood = Arc::new(Mutex::new(Mood::Well));
        let of_server = mood.clone();
        let server = Server::answering(move |request| answer(&of_server.lock().unwrap(), request)).await;
        let config = aws_sdk_kms::Config::builder()
            .behavior_version_latest()
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(format!("http://127.0.0.1:{}", server.port));
        let client = aws_sdk_kms::Client::from_conf(config.build());
        let key = SecretsKey::new(|| client, KEY, now).within(Duration::from_millis(300));
        Self { server, mood, key }
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn calls(&self) -> usize {
        self.server.take_calls().len()
    }

    async fn sealed(&self) -> Sealed {
        let sealed = self.key.seal(&tenant(), &Purpose::Account, SECRET).await.unwrap();
        self.server.take_calls();
        sealed
    }

    async fn opens(&self, sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
        let opened = self.key.open(&tenant(), &Purpose::Account, sealed).await;
        opened.map(|opened| opened.bytes().to_vec())
    }
}

/// What the service seals: the context and the text, so that it can tell who may open it.
fn lock(body: &Value) -> Vec<u8> {
    let context: BTreeMap<String, String> =
        serde_json::from_value(body["EncryptionContext"].clone()).unwrap();
    format!("{}\0", serde_json::to_string(&context).unwrap()).into_bytes()
}

fn answer(mood: &Mood, request: &Request) -> Reply {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["KeyId"], KEY);
    let bytes = |field: &str| STANDARD.decode(body[field].as_str().unwrap()).unwrap();
    let (what, text) = match request.header("x-amz-target").unwrap() {
        "TrentService.Encrypt" => {
            let sealed = [lock(&body), bytes("Plaintext").iter().map(|byte| byte ^ 0xA5).collect()].concat();
            ("CiphertextBlob", Some(sealed))
        }
        "TrentService.Decrypt" => {
            let sealed = bytes("CiphertextBlob");
            let text = sealed.strip_prefix(lock(&body).as_slice());
            ("Plaintext", text.map(|text| text.iter().map(|byte| byte ^ 0xA5).collect()))
        }
        other => panic!("{other} is not needed"),
    };
    let refusal = |status, kind| raw(status, &json!({"__type": kind, "message": "A sentence."}).to_string());
    let Some(text) = text else { return refusal(400, "InvalidCiphertextException") };
    let told = json!({"KeyId": KEY, what: STANDARD.encode(text)}).to_string();
    match mood {
        Mood::Well => raw(200, &told),
        Mood::No(status, kind) => refusal(*status, kind),
        Mood::Stall => Reply::Stall,
        Mood::Cut => Reply::Cut,
        Mood::Broken => raw(200, told.get(..told.len() - 8).unwrap()),
    }
}

fn raw(status: u16, body: &str) -> Reply {
    let head =
        format!("HTTP/1.1 {status} Said\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close");
    Reply::Raw { text: format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()), filler_bytes: 0 }
}

#[tokio::test]
async fn what_is_sealed_opens_for_its_own_tenant_and_purpose_alone() {
    let kms = Kms::new().await;
    let live = Tenant { environment: Environment::Live, ..tenant() };
    let other = Tenant { account: AccountId::from_bits(7), ..tenant() };
    let endpoint = Purpose::Endpoint(fixtures::endpoint(1).id);
    let stripe = Purpose::Processor(ProcessorName::Stripe);
    let sealed = kms.key.seal(&tenant(), &endpoint, SECRET).await.unwrap();
    let asked: Value = serde_json::from_str(&kms.server.requests()[0].body).unwrap();
    let context = json!({
        "environment": "sandbox", "account": tenant().account.as_str(),
        "purpose": format!("endpoint {}", fixtures::endpoint(1).id),
    });
    assert_eq!(asked["EncryptionContext"], context);
    let next = Purpose::Endpoint(fixtures::endpoint(2).id);
    for (tenant, purpose) in [
        (&live, &endpoint),
        (&other, &endpoint),
        (&tenant(), &next),
        (&tenant(), &Purpose::Account),
        (&tenant(), &stripe),
    ] {
        let refused = kms.key.open(tenant, purpose, &sealed).await;
        assert!(matches!(refused, Err(OpenError::Refused(_))), "{tenant:?} {purpose}");
    }
    assert_eq!(kms.key.open(&tenant(), &endpoint, &sealed).await.unwrap().bytes(), SECRET);
}

#[tokio::test]
async fn many_at_once_and_for_five_minutes_cost_one_call() {
    let kms = Kms::new().await;
    let sealed = kms.sealed().await;
    let ten = futures_util::future::join_all((0..10).map(|_| kms.opens(&sealed)));
    assert!(ten.await.into_iter().all(|opened| opened.unwrap() == SECRET));
    assert_eq!(kms.calls(), 1);
    pass(299);
    assert_eq!(kms.opens(&sealed).await.unwrap(), SECRET);
    assert_eq!(kms.key.clone().open(&tenant(), &Purpose::Account, &sealed).await.unwrap().bytes(), SECRET);
    assert_eq!(kms.calls(), 0);
    pass(1);
    assert_eq!(kms.opens(&sealed).await.unwrap(), SECRET);
    assert_eq!(kms.calls(), 1);
}

#[tokio::test]
async fn a_key_that_does_not_answer_leaves_what_it_opened_within_the_hour() {
    for away in AWAY {
        let kms = Kms::new().await;
        let sealed = kms.sealed().await;
        assert_eq!(kms.opens(&sealed).await.unwrap(), SECRET);
        kms.is(away.clone());
        pass(300);
        kms.server.take_calls();
        for _ in 0..3 {
            assert_eq!(kms.opens(&sealed).await.unwrap(), SECRET, "{away:?}");
        }
        assert_eq!(kms.calls(), 1, "a key that is away is left alone for a minute: {away:?}");
        pass(3_600 - 300 - 1);
        assert!(kms.opens(&sealed).await.is_ok(), "{away:?}");
        pass(60);
        assert!(matches!(kms.opens(&sealed).await, Err(OpenError::Away(_))), "{away:?}");
        kms.is(Mood::Well);
        assert_eq!(kms.opens(&sealed).await.unwrap(), SECRET, "once it is back, it is asked at once");
    }
}

#[tokio::test]
async fn a_key_that_refuses_ends_what_was_kept() {
    for kind in ["AccessDeniedException", "DisabledException", "KMSInvalidStateException"] {
        let kms = Kms::new().await;
        let sealed = kms.sealed().await;
        assert!(kms.opens(&sealed).await.is_ok());
        kms.is(Mood::No(400, kind));
        pass(300);
        assert!(matches!(kms.opens(&sealed).await, Err(OpenError::Refused(_))), "{kind}");
    }
}

#[tokio::test]
async fn the_log_names_account_and_purpose_and_nothing_of_a_secret() {
    for mood in AWAY.into_iter().chain([Mood::No(400, "AccessDeniedException"), Mood::Well]) {
        let kms = Kms::new().await;
        let sealed = kms.sealed().await;
        kms.is(mood.clone());
        let (log, guard) = listen();
        let opened = kms.opens(&sealed).await;
        let sealed = kms.key.seal(&tenant(), &Purpose::Account, SECRET).await;
        drop(guard);
        let text = read(&log);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("recoup_outbound")).collect();
        let fails = !matches!(mood, Mood::Well);
        assert_eq!(
            (lines.len(), opened.is_err(), sealed.is_err()),
            (if fails { 2 } else { 0 }, fails, fails)
        );
        for line in lines {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["fields"]["account.id"], tenant().account.as_str());
            assert_eq!((&line["level"], &line["fields"]["purpose"]), (&json!("ERROR"), &json!("account")));
        }
        let plain = std::str::from_utf8(SECRET).unwrap();
        let told = format!("{text} {:?} {sealed:?} {:?}", opened.err(), kms.key);
        for secret in [plain.to_owned(), STANDARD.encode(SECRET), format!("{SECRET:?}")] {
            assert!(!told.contains(&secret), "{mood:?}: {secret} in {told}");
        }
    }
}
