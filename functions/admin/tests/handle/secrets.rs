//! An account's secrets: sealed before they are stored, and in no answer, error or log.

use admin::AdminError;
use lambda_runtime::Diagnostic;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::StoredSecret;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::processor_keys::SealedKeys;
use recoup_ports::seals::Purpose;
use recoup_ports::webhooks::WebhookSecrets;
use recoup_testing::fixtures;
use recoup_testing::planted::Log;
use serde_json::{Value, json};

use crate::administering::World;

const KEY: &str = "sk_test_51KeyThatNobodyShows";

fn for_stripe() -> String {
    json!({ "key": KEY, "signing_secrets": ["whsec_NobodyShowsThis"] }).to_string()
}

fn setting(account: &AccountId, secret: impl Into<Value>) -> Value {
    json!({
        "command": "set_processor_keys", "account_id": account.as_str(), "environment": "sandbox",
        "processor": "stripe", "secret": secret.into(),
    })
}

fn sandbox(account: &AccountId) -> Tenant {
    Tenant { environment: Environment::Sandbox, account: account.clone() }
}

#[tokio::test]
async fn processor_keys_are_stored_sealed_for_their_tenant_and_processor() {
    let (world, account) = World::with_account().await;
    world.key.take_seals();
    let answer = world.does(setting(&account, for_stripe())).await;
    let expected = json!({
        "account_id": account.as_str(), "environment": "sandbox", "processor": "stripe", "set": true,
    });
    assert_eq!(answer, expected);
    let (store, tenant) = (world.table.sealed_keys(), sandbox(&account));
    let sealed = store.sealed_keys(&tenant, ProcessorName::Stripe).await.unwrap().unwrap();
    let opened = world.key.opened(&tenant, &Purpose::Processor(ProcessorName::Stripe), &sealed);
    assert_eq!(opened.unwrap(), for_stripe().into_bytes());
    assert_eq!(world.key.take_seals(), 1);
    assert!(!world.table.holds(KEY.as_bytes()).await);
    let other = Tenant { environment: Environment::Live, ..tenant.clone() };
    assert_eq!(store.sealed_keys(&other, ProcessorName::Stripe).await.unwrap(), None);
    assert_eq!(store.sealed_keys(&tenant, ProcessorName::Http).await.unwrap(), None);

    // Others in their place, then none.
    let next = for_stripe().replace("51Key", "51Next");
    world.does(setting(&account, next.clone())).await;
    let sealed = store.sealed_keys(&tenant, ProcessorName::Stripe).await.unwrap().unwrap();
    let opened = world.key.opened(&tenant, &Purpose::Processor(ProcessorName::Stripe), &sealed);
    assert_eq!(opened.unwrap(), next.into_bytes());
    let mut delete = setting(&account, "");
    delete["command"] = json!("delete_processor_keys");
    delete.as_object_mut().unwrap().remove("secret");
    assert_eq!(world.does(delete.clone()).await["deleted"], true);
    assert_eq!(store.sealed_keys(&tenant, ProcessorName::Stripe).await.unwrap(), None);
    assert!(matches!(world.refuses(delete).await, AdminError::NoSuchProcessorKeys));
}

#[tokio::test]
async fn keys_that_no_processor_takes_are_refused_and_repeated_nowhere() {
    let log = Log::listen();
    let (world, account) = World::with_account().await;
    world.key.take_seals();
    let with = |field: &str, value: Value| {
        let mut command = setting(&account, for_stripe());
        command[field] = value;
        command
    };
    let big = json!({ "key": KEY, "signing_secrets": [] }).to_string() + &" ".repeat(4_096);
    let stranger = AccountId::from_bits(9);
    let mut all = Vec::new();
    for (command, why) in [
        (with("secret", json!(KEY)), "not JSON"),
        (with("secret", json!({ "key": KEY })), "must be a text"),
        (
            with("secret", json!({ "key": KEY, "signing_secrets": [], "x": 1 }).to_string().into()),
            "its fields",
        ),
        (with("secret", for_stripe().replace("sk_test", "sk_live").into()), "the other environment"),
        (with("secret", json!(big)), "4,096 bytes"),
        (with("processor", json!("sandbox")), "processor must be"),
        (with("processor", json!(KEY)), "processor must be"),
        (with("environment", json!(KEY)), "environment must be"),
        (with("account_id", json!(KEY)), "account_id"),
        (with("account_id", json!(stranger.as_str())), "no such account"),
        (with("secrets", json!(KEY)), "secrets"),
    ] {
        let refused = world.refuses(command).await;
        let error = refused.to_string();
        assert!(error.contains(why), "{why}: {error}");
        all.push(format!("{error} {refused:?}"));
        all.push(Diagnostic::from(refused).error_message);
    }
    world.does(setting(&account, for_stripe())).await;
    assert_eq!(world.key.take_seals(), 1, "only what is right is sealed");
    all.push(log.text());
    drop(log);
    let told = all.join(" ");
    assert!(told.contains("processor keys set"), "the log is written");
    for secret in ["NobodyShows", "sk_live_51", "sk_test_51"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

#[tokio::test]
async fn a_key_that_is_away_stores_nothing() {
    let (world, account) = World::with_account().await;
    let before = world.table.items().await;
    world.key.set_away(true);
    let rotate =
        json!({ "command": "rotate_webhook_secret", "account_id": account.as_str(), "environment": "live" });
    let create = json!({ "command": "create_account", "name": "n" });
    for command in [create, rotate, setting(&account, for_stripe())] {
        let refused = world.refuses(command).await;
        assert!(matches!(refused, AdminError::Seal(_)), "{refused:?}");
        assert_eq!(Diagnostic::from(refused).error_type, "Unavailable");
    }
    let after = world.table.items().await;
    assert!(after.len() == before.len() && after.iter().all(|item| before.contains(item)));
}

#[tokio::test]
async fn an_accounts_plain_secret_is_sealed_with_its_next_rotation() {
    let world = World::new();
    let account = NewAccount {
        id: AccountId::from_bits(1),
        name: "n".to_owned(),
        sandbox_secret: fixtures::plain_secret(1),
        live_secret: fixtures::plain_secret(2),
        created_at: fixtures::now(),
    };
    let (store, tenant) = (world.table.store(), sandbox(&account.id));
    store.create_account(&account).await.unwrap();
    let rotate = json!({
        "command": "rotate_webhook_secret", "account_id": account.id.as_str(), "environment": "sandbox",
    });
    world.does(rotate).await;
    let secrets = store.webhook_secrets(&tenant).await.unwrap().unwrap();
    let retired = world.key.secret(&tenant, &Purpose::Account, &secrets.retired[0].secret);
    assert_eq!(retired, fixtures::secret(1), "it still signs until its overlap ends");
    assert!(matches!(secrets.current, StoredSecret::Sealed(_)));
    assert_eq!((world.key.take_seals(), world.key.take_opens()), (2, 0));
}
