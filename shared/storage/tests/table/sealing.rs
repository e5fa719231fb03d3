//! Sealed secrets in the table: beside plain ones of version 0.1, replaced by who saw them, and read as they were written.

use std::time::Duration;

use recoup_domain::delivery::Target;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::{Sealed, StoredSecret};
use recoup_ports::ReadError;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::{Changed, Created, Endpoints, KeepEndpoints};
use recoup_ports::processor_keys::{Deleted, KeepSealedKeys, SealedKeys};
use recoup_ports::seals::{KeepSecrets, Replaced};
use recoup_ports::webhooks::WebhookSecrets;
use recoup_storage::Table;
use recoup_testing::fixtures::{self, later, tenant};
use recoup_testing::{Fault, TestTable};

use crate::endpoints::with_account;

/// As long as what KMS makes of a secret.
fn sealed(byte: u8) -> StoredSecret {
    StoredSecret::Sealed(Sealed::new(vec![byte; 184]))
}

async fn stored(store: &Table, endpoint: &Endpoint) -> Endpoint {
    store.endpoint(&endpoint.tenant, &endpoint.id).await.unwrap().unwrap()
}

fn rotated(endpoint: &Endpoint, to: StoredSecret) -> Endpoint {
    let secrets = endpoint.secrets.rotated(to, later(60), Duration::from_hours(1)).unwrap();
    Endpoint { secrets, ..endpoint.changed(later(60)) }
}

#[tokio::test(start_paused = true)]
async fn a_sealed_secret_takes_the_place_of_a_plain_one_and_of_a_sealed_one() {
    let (table, store) = with_account().await;
    let plain = fixtures::endpoint(1);
    assert_eq!(store.create_endpoint(&plain).await.unwrap(), Created::Yes);
    let first = rotated(&plain, sealed(1));
    // The first answer is lost, so the second try is refused and finds what the first one wrote.
    table.fail("UpdateItem", 1, Fault::LoseAnswer);
    assert_eq!(store.change_endpoint(&plain, &first).await.unwrap(), Changed::Yes);
    assert_eq!(stored(&store, &plain).await, first);
    let second = rotated(&first, sealed(2));
    assert_eq!(store.change_endpoint(&first, &second).await.unwrap(), Changed::Yes);
    assert_eq!(stored(&store, &plain).await, second);
    assert_eq!(store.endpoints(&tenant()).await.unwrap().read, std::slice::from_ref(&second));
    let item = table.items().await.into_iter().find(|item| item.contains_key("url")).unwrap();
    assert!(!item.contains_key("webhook_secret"), "the plain one is gone");
    // Others have rotated meanwhile.
    let late = rotated(&first, sealed(3));
    assert_eq!(store.change_endpoint(&first, &late).await.unwrap(), Changed::Overtaken);
}

#[tokio::test]
async fn a_new_endpoint_with_a_sealed_secret_is_read_back_as_it_was_written() {
    let (_table, store) = with_account().await;
    let plain = fixtures::endpoint(1);
    let secrets = recoup_domain::signing::Secrets::first(sealed(1));
    let endpoint = Endpoint { secrets, ..plain };
    assert_eq!(store.create_endpoint(&endpoint).await.unwrap(), Created::Yes);
    assert_eq!(stored(&store, &endpoint).await, endpoint);
}

#[tokio::test]
async fn an_accounts_secrets_are_sealed_and_replaced_only_by_who_saw_them() {
    let table = TestTable::new();
    let store = table.store();
    let account = NewAccount {
        id: AccountId::from_bits(1),
        name: "n".to_owned(),
        sandbox_secret: sealed(1),
        live_secret: fixtures::plain_secret(2),
        created_at: fixtures::now(),
    };
    store.create_account(&account).await.unwrap();
    for environment in [Environment::Sandbox, Environment::Live] {
        let tenant = Tenant { environment, account: account.id.clone() };
        let from = store.webhook_secrets(&tenant).await.unwrap().unwrap();
        let to = from.rotated(sealed(3), later(1), Duration::from_hours(1)).unwrap();
        let late = from.rotated(sealed(4), later(1), Duration::ZERO).unwrap();
        let replaced =
            async |to| store.replace_secrets(&tenant, &Target::RefundUrl, &from, to).await.unwrap();
        assert_eq!(replaced(&to).await, Replaced::Yes);
        assert_eq!(store.webhook_secrets(&tenant).await.unwrap(), Some(to.clone()));
        assert_eq!(replaced(&to).await, Replaced::Yes, "again");
        assert_eq!(replaced(&late).await, Replaced::Overtaken);
    }
}

#[tokio::test]
async fn a_row_without_a_secret_or_with_two_is_unreadable() {
    for (change, why) in [
        ("REMOVE webhook_secret", "missing"),
        ("SET sealed_secret = webhook_secret", "both plain and sealed"),
    ] {
        let (table, store) = with_account().await;
        let endpoint = fixtures::endpoint(1);
        assert_eq!(store.create_endpoint(&endpoint).await.unwrap(), Created::Yes);
        for item in table.items().await {
            let update = table.plain().update_item().table_name(table.name());
            let update = update.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
            update.update_expression(change).send().await.unwrap();
        }
        let read = store.endpoint(&endpoint.tenant, &endpoint.id).await;
        assert!(
            matches!(&read, Err(ReadError::Unreadable { why: told, .. }) if told.contains(why)),
            "{read:?}"
        );
        store.webhook_secrets(&tenant()).await.unwrap_err();
    }
}

#[tokio::test]
async fn keys_of_a_processor_are_kept_replaced_and_deleted_for_one_tenant() {
    let table = TestTable::new();
    let (store, keeper) = (table.sealed_keys(), table.credentials());
    let bytes = |byte| Sealed::new(vec![byte; 400]);
    let live = Tenant { environment: Environment::Live, ..tenant() };
    let (stripe, http) = (ProcessorName::Stripe, ProcessorName::Http);
    keeper.keep_sealed_keys(&tenant(), stripe, &bytes(1), later(0)).await.unwrap();
    keeper.keep_sealed_keys(&tenant(), stripe, &bytes(2), later(1)).await.unwrap();
    keeper.keep_sealed_keys(&live, stripe, &bytes(3), later(2)).await.unwrap();
    table.take_calls();
    assert_eq!(store.sealed_keys(&tenant(), stripe).await.unwrap(), Some(bytes(2)));
    let calls = table.take_calls();
    assert_eq!(calls.operations(), ["GetItem"]);
    assert!(calls.read_units() <= 1.0, "{calls}");
    assert_eq!(store.sealed_keys(&live, stripe).await.unwrap(), Some(bytes(3)));
    assert_eq!(store.sealed_keys(&tenant(), http).await.unwrap(), None);
    assert_eq!(keeper.delete_sealed_keys(&tenant(), http).await.unwrap(), Deleted::Missing);
    assert_eq!(keeper.delete_sealed_keys(&tenant(), stripe).await.unwrap(), Deleted::Yes);
    assert_eq!(store.sealed_keys(&tenant(), stripe).await.unwrap(), None);
    assert_eq!(store.sealed_keys(&live, stripe).await.unwrap(), Some(bytes(3)));
    let item = table.credential_items().await.pop().unwrap();
    let key = (item["pk"].as_s().unwrap().as_str(), item["sk"].as_s().unwrap().as_str());
    assert_eq!(key, (format!("live#{}#processor", tenant().account).as_str(), "stripe"));
}
