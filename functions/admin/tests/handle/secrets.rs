//! An account's secrets: sealed before they are stored, and in no answer, error or log.

use admin::AdminError;
use lambda_runtime::Diagnostic;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::StoredSecret;
use recoup_domain::signing::Secrets;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::direct::{KeysCheck, KeysChecked};
use recoup_ports::endpoints::{Changed, Created, Endpoints, KeepEndpoints};
use recoup_ports::processor_keys::SealedKeys;
use recoup_ports::seals::Purpose;
use recoup_ports::webhooks::WebhookSecrets;
use recoup_testing::planted::Log;
use recoup_testing::{Fault, fixtures};
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
async fn a_key_is_tried_by_who_may_open_it() {
    let (mut world, account) = World::with_account().await;
    let check = |account: &AccountId, processor: &str| {
        json!({
            "command": "check_processor", "account_id": account.as_str(), "environment": "sandbox",
            "processor": processor,
        })
    };
    for (checked, key) in [
        (KeysChecked::Works, "works"),
        (KeysChecked::Missing, "missing"),
        (KeysChecked::Refused, "refused"),
        (KeysChecked::Unreadable, "unreadable"),
        (KeysChecked::Unclear, "unclear"),
    ] {
        world.context.processors.says = Some(checked);
        let answer = world.does(check(&account, "http")).await;
        assert_eq!((&answer["works"], &answer["key"]), (&json!(key == "works"), &json!(key)), "{answer}");
        assert!(answer["detail"].as_str().unwrap().len() > 20, "{answer}");
    }
    let asked = KeysCheck { tenant: sandbox(&account), processor: ProcessorName::Http };
    assert_eq!(*world.context.processors.asked.lock().unwrap(), vec![asked; 5]);
    assert!(matches!(world.refuses(check(&account, "sandbox")).await, AdminError::Processor));
    let stranger = check(&AccountId::from_bits(9), "stripe");
    assert!(matches!(world.refuses(stranger).await, AdminError::NoSuchAccount));
    assert_eq!(world.context.processors.asked.lock().unwrap().len(), 5, "nobody is asked about nothing");
    world.context.processors.says = None;
    let refused = world.refuses(check(&account, "stripe")).await;
    assert_eq!(Diagnostic::from(refused).error_type, "Unavailable");
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

/// An account with two endpoints, as version 0.1 stored them: one was rotated there, so an earlier secret is plain, too.
async fn plain_world() -> World {
    let world = World::new();
    let account = NewAccount {
        id: AccountId::from_bits(1),
        name: "n".to_owned(),
        sandbox_secret: fixtures::plain_secret(1),
        live_secret: fixtures::plain_secret(2),
        created_at: fixtures::now(),
    };
    let store = world.table.store();
    store.create_account(&account).await.unwrap();
    let rotated = fixtures::endpoint(3);
    let hour = std::time::Duration::from_hours(1);
    let secrets = rotated.secrets.rotated(fixtures::plain_secret(4), fixtures::now(), hour).unwrap();
    for endpoint in [Endpoint { secrets, ..rotated }, fixtures::endpoint(5)] {
        assert_eq!(store.create_endpoint(&endpoint).await.unwrap(), Created::Yes);
    }
    world
}

fn seal() -> Value {
    json!({ "command": "seal_secrets", "operator": "jo" })
}

#[tokio::test]
async fn what_was_stored_plain_is_sealed_once_and_signs_as_before() {
    let world = plain_world().await;
    let whole = |sealed: u32| json!({ "sealed": sealed, "changed": 0, "unreadable": [], "more_unreadable": 0, "cursor": null });
    assert_eq!(world.does(seal()).await, whole(4));
    for number in 1..=5 {
        assert!(!world.table.holds(fixtures::secret(number).bytes()).await, "{number} is plain");
    }
    let store = world.table.store();
    let tenant = fixtures::tenant();
    let endpoints = store.endpoints(&tenant).await.unwrap().read;
    for (endpoint, current) in endpoints.iter().zip([4, 5]) {
        let purpose = Purpose::Endpoint(endpoint.id.clone());
        let opened = world.key.secret(&tenant, &purpose, &endpoint.secrets.current);
        assert_eq!(opened, fixtures::secret(current));
    }
    let retired = &endpoints[0].secrets.retired[0].secret;
    let purpose = Purpose::Endpoint(endpoints[0].id.clone());
    assert_eq!(world.key.secret(&tenant, &purpose, retired), fixtures::secret(3));
    let of_account = store.webhook_secrets(&tenant).await.unwrap().unwrap();
    assert_eq!(world.key.secret(&tenant, &Purpose::Account, &of_account.current), fixtures::secret(1));
    world.key.take_seals();
    assert_eq!(world.does(seal()).await, whole(0));
    assert_eq!((world.key.take_seals(), world.key.take_opens()), (0, 0));
}

#[tokio::test]
async fn whoever_rotates_while_secrets_are_sealed_wins() {
    let world = plain_world().await;
    let (others, key) = (world.table.others(), world.key.clone());
    // Somebody rotates between the read and the first write.
    let rotate = move || {
        let (others, key, tenant) = (others.clone(), key.clone(), fixtures::tenant());
        async move {
            for endpoint in others.endpoints(&tenant).await.unwrap().read {
                let purpose = Purpose::Endpoint(endpoint.id.clone());
                let new = StoredSecret::Sealed(key.sealed(&tenant, &purpose, fixtures::secret(9).bytes()));
                let changed = endpoint.changed(fixtures::later(60));
                let changed = Endpoint { secrets: Secrets::first(new), ..changed };
                assert_eq!(others.change_endpoint(&endpoint, &changed).await.unwrap(), Changed::Yes);
            }
        }
    };
    world.table.fail("Scan", 1, Fault::meanwhile(rotate));
    let answer = world.does(seal()).await;
    assert_eq!((&answer["sealed"], &answer["changed"]), (&json!(2), &json!(2)), "{answer}");
    let tenant = fixtures::tenant();
    for endpoint in world.table.store().endpoints(&tenant).await.unwrap().read {
        let purpose = Purpose::Endpoint(endpoint.id.clone());
        assert_eq!(world.key.secret(&tenant, &purpose, &endpoint.secrets.current), fixtures::secret(9));
    }
}

#[tokio::test]
async fn whoever_seals_secrets_is_named_and_a_key_that_is_away_stops_him() {
    let world = plain_world().await;
    let nobody = world.refuses(json!({ "command": "seal_secrets", "operator": " " })).await;
    assert!(matches!(nobody, AdminError::Operator), "{nobody:?}");
    let nowhere = json!({ "command": "seal_secrets", "operator": "jo", "cursor": "anywhere" });
    assert!(matches!(world.refuses(nowhere).await, AdminError::Cursor));
    world.key.set_away(true);
    assert!(matches!(world.refuses(seal()).await, AdminError::Seal(_)));
    assert!(world.table.holds(fixtures::secret(1).bytes()).await);
    world.key.set_away(false);
    // A row that nobody can read is named, and the others are sealed.
    for item in world.table.items().await.into_iter().filter(|item| item.contains_key("url")) {
        world.table.set_text(&item, "created_at", "lost").await;
    }
    let answer = world.does(seal()).await;
    assert_eq!(
        (&answer["sealed"], answer["unreadable"].as_array().unwrap().len()),
        (&json!(2), 2),
        "{answer}"
    );
}
