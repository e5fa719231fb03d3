//! Accounts and keys, over a real table.

use std::sync::atomic::{AtomicU64, Ordering};

use admin::AdminError;
use lambda_runtime::Diagnostic;
use recoup_domain::api_key::{ApiKey, Scope};
use recoup_domain::ids::{AccountId, Environment, KeyId, Tenant};
use recoup_ports::api_keys::Keys;
use recoup_ports::keyrings::Ring;
use recoup_ports::seals::Purpose;
use recoup_ports::webhooks::WebhookSecrets;
use recoup_testing::planted::{self, Log};
use recoup_testing::seals::TestKey;
use recoup_testing::{Fault, TestTable, fixtures};
use serde_json::{Value, json};

use crate::world::{Admin, admin, handle};

const EVENT: &str = include_str!("../../../../tests/events/admin.json");

/// Never twice the same.
fn random() -> u128 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    // Both halves differ from number to number, so that a cut one would be noticed.
    let number = u128::from(LAST.fetch_add(1, Ordering::Relaxed)).wrapping_add(1);
    number.wrapping_mul(0x0123_4567_89ab_cdef_0fed_cba9_8765_4321)
}

pub(crate) struct World {
    pub(crate) table: TestTable,
    pub(crate) key: TestKey,
    pub(crate) context: Admin,
}

impl World {
    pub(crate) fn new() -> Self {
        let table = TestTable::new();
        let context = admin(&table, fixtures::now, random);
        Self { table, key: context.seal.clone(), context }
    }

    pub(crate) async fn with_account() -> (Self, AccountId) {
        let world = Self::new();
        let answer = world.does(serde_json::from_str(EVENT).unwrap()).await;
        let account = answer["account_id"].as_str().unwrap().try_into().unwrap();
        (world, account)
    }

    pub(crate) async fn does(&self, command: Value) -> Value {
        handle(&self.context, command).await.unwrap()
    }

    pub(crate) async fn refuses(&self, command: Value) -> AdminError {
        handle(&self.context, command).await.unwrap_err()
    }

    pub(crate) fn peppers(&self) -> recoup_domain::keyring::Keyring {
        self.context.keyrings.get(Ring::Pepper)
    }

    /// Every stored byte and character, so that a secret that lies there is found.
    pub(crate) async fn everything(&self) -> String {
        format!("{:?} {:?}", self.table.items().await, self.table.credential_items().await)
    }
}

/// The command that makes a key with every scope.
pub(crate) fn wanting(account: &AccountId, environment: &str) -> Value {
    let scopes = Scope::ALL.map(Scope::as_str);
    json!({
        "command": "create_api_key", "account_id": account.as_str(), "environment": environment, "scopes": scopes,
    })
}

pub(crate) fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}"))
}

#[tokio::test]
async fn the_recorded_command_makes_an_account_with_a_secret_per_environment() {
    let world = World::new();
    let answer = world.does(serde_json::from_str(EVENT).unwrap()).await;
    let account: AccountId = text(&answer, "account_id").try_into().unwrap();
    let secrets = &answer["webhook_secrets"];
    assert_ne!(secrets["sandbox"], secrets["live"]);
    for environment in [Environment::Sandbox, Environment::Live] {
        let tenant = Tenant { environment, account: account.clone() };
        let stored = world.table.store().webhook_secrets(&tenant).await.unwrap().unwrap();
        let secret = world.key.secret(&tenant, &Purpose::Account, &stored.current);
        assert_eq!(secrets[environment.as_str()], secret.reveal());
        assert_eq!(secret.bytes().len(), 32);
    }
    assert_eq!(world.table.items().await.len(), 2);
}

#[tokio::test]
async fn a_command_that_is_wrong_is_told_why_and_writes_nothing() {
    let (world, account) = World::with_account().await;
    let before = world.everything().await;
    let account = account.as_str();
    let nobody = AccountId::from_bits(u128::MAX);
    let (long, empty) = ("n".repeat(101), "");
    for (command, kind, told) in [
        (json!({}), "InvalidCommand", "command"),
        (json!(null), "InvalidCommand", "cannot be read"),
        (json!({"command": "drop_table"}), "InvalidCommand", "drop_table"),
        (json!({"command": "create_account"}), "InvalidCommand", "name"),
        (json!({"command": "create_account", "name": "n", "extra": 1}), "InvalidCommand", "extra"),
        (json!({"command": "create_account", "name": empty}), "InvalidCommand", "1 to 100"),
        (json!({"command": "create_account", "name": long}), "InvalidCommand", "1 to 100"),
        (
            json!({"command": "create_api_key", "account_id": "me", "environment": "sandbox"}),
            "InvalidCommand",
            "account_id must be acct_",
        ),
        (
            json!({"command": "create_api_key", "account_id": account, "environment": "test"}),
            "InvalidCommand",
            "sandbox or live",
        ),
        (wanting(&nobody, "live"), "NoSuchAccount", "no such account"),
        (json!({"command": "revoke_api_key", "id": "sk_live_1"}), "InvalidCommand", "id must be key_"),
    ] {
        let diagnostic = Diagnostic::from(world.refuses(command.clone()).await);
        assert_eq!(diagnostic.error_type, kind, "{command}");
        assert!(diagnostic.error_message.contains(told), "{command}: {}", diagnostic.error_message);
    }
    assert_eq!(world.everything().await.len(), before.len());
}

#[tokio::test(start_paused = true)]
async fn a_table_that_fails_is_told_as_that() {
    let (world, account) = World::with_account().await;
    let key = wanting(&account, "live");
    let account = json!({"command": "create_account", "name": "n"});
    let revoke = json!({"command": "revoke_api_key", "id": KeyId::from_bits(9).as_str()});
    for (operation, command) in
        [("GetItem", key.clone()), ("PutItem", key), ("TransactWriteItems", account), ("UpdateItem", revoke)]
    {
        world.table.fail_always(operation, Fault::throttled());
        let diagnostic = Diagnostic::from(world.refuses(command).await);
        assert_eq!(diagnostic.error_type, "Unavailable", "{operation}");
        assert!(!diagnostic.error_message.contains("hrottl"), "{}", diagnostic.error_message);
        world.table.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_whose_writing_lost_its_answer_is_the_one_that_was_shown() {
    let (world, account) = World::with_account().await;
    world.table.fail("PutItem", 1, Fault::LoseAnswer);
    let answer = world.does(wanting(&account, "live")).await;
    let key = ApiKey::parse(text(&answer, "secret")).unwrap();
    let stored = world.table.credentials().key(key.id()).await.unwrap().unwrap();
    assert!(stored.is_proof_of(&key, &world.peppers()));

    world.table.fail("TransactWriteItems", 1, Fault::LoseAnswer);
    let answer = world.does(json!({"command": "create_account", "name": "n"})).await;
    let account = text(&answer, "account_id").try_into().unwrap();
    let tenant = Tenant { environment: Environment::Live, account };
    let stored = world.table.store().webhook_secrets(&tenant).await.unwrap().unwrap();
    let secret = world.key.secret(&tenant, &Purpose::Account, &stored.current);
    assert_eq!(answer["webhook_secrets"]["live"], secret.reveal());
}

#[tokio::test(start_paused = true)]
async fn a_rotated_secret_is_shown_once_and_the_one_before_signs_beside_it() {
    let (world, account) = World::with_account().await;
    let tenant = Tenant { environment: Environment::Sandbox, account: account.clone() };
    let stored = async || world.table.store().webhook_secrets(&tenant).await.unwrap().unwrap();
    let before = stored().await;
    let rotate = json!({
        "command": "rotate_webhook_secret", "account_id": account.as_str(), "environment": "sandbox",
    });
    // The first answer of the table is lost: the SDK's second try finds what the first has written.
    world.table.fail("UpdateItem", 1, Fault::LoseAnswer);
    let answer = world.does(rotate.clone()).await;
    let after = stored().await;
    let secret = world.key.secret(&tenant, &Purpose::Account, &after.current);
    assert_eq!(text(&answer, "webhook_secret"), secret.reveal());
    assert_ne!(after.current, before.current);
    let day = 24 * 3_600_000;
    assert_eq!(text(&answer, "previous_secret_valid_until"), fixtures::later(day).rfc3339());
    assert_eq!(after.signing(fixtures::later(day - 1)).nth(1), Some(&before.current));
    assert_eq!(after.signing(fixtures::later(day)).count(), 1);

    // The live tenant's is another, and was left alone.
    let live = Tenant { environment: Environment::Live, account: account.clone() };
    assert!(world.table.store().webhook_secrets(&live).await.unwrap().unwrap().retired.is_empty());

    let without_overlap = json!({
        "command": "rotate_webhook_secret", "account_id": account.as_str(), "environment": "sandbox",
        "overlap_hours": 0,
    });
    world.does(without_overlap).await;
    assert_eq!(stored().await.signing(fixtures::now()).nth(1), Some(&before.current), "its day is not over");
    for (hours, told) in [(json!(169), "overlap_hours"), (json!(-1), "command")] {
        let mut command = rotate.clone();
        command["overlap_hours"] = hours;
        let error = world.refuses(command).await.to_string();
        assert!(error.contains(told), "{error}");
    }
    world.does(rotate.clone()).await;
    world.does(rotate.clone()).await;
    assert!(matches!(world.refuses(rotate.clone()).await, AdminError::TooManySecrets(_)));
    let stranger = json!({
        "command": "rotate_webhook_secret", "account_id": AccountId::from_bits(9).as_str(), "environment": "live",
    });
    assert!(matches!(world.refuses(stranger).await, AdminError::NoSuchAccount));
}

#[tokio::test(start_paused = true)]
async fn neither_log_nor_error_tells_what_a_broken_table_holds() {
    let (world, account) = World::with_account().await;
    let of =
        |command: &str| json!({"command": command, "account_id": account.as_str(), "environment": "sandbox"});
    let mut revoke = json!({"command": "revoke_api_key"});
    revoke["id"] = KeyId::from_bits(1).as_str().into();
    let create = serde_json::from_str(EVENT).unwrap();
    let commands: [Value; 5] =
        [create, of("create_api_key"), of("create_client"), of("rotate_webhook_secret"), revoke];
    let told = async |when: &str| {
        for command in &commands {
            let log = Log::listen();
            // What it returns, Lambda logs.
            let error = handle(&world.context, command.clone()).await.err();
            let error = error.map(|error| Diagnostic::from(error).error_message);
            planted::assert_untold(&error.unwrap_or_default(), &when);
            log.assert_tells_nothing(&when);
        }
    };
    for broken in planted::answers() {
        world.table.fail_everything(&broken);
        told(&format!("{broken:?}")).await;
        world.table.heal();
    }
    for item in world.table.items().await {
        for attribute in ["name", "webhook_secret", "created_at", "retired_secrets"] {
            world.table.copy(&item, &[(attribute, &planted::text())]).await;
            told(attribute).await;
            world.table.copy(&item, &[]).await;
        }
    }
}
