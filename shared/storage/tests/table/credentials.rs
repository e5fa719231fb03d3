//! Accounts and keys: what opens something is not in the table.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::api_key::{ApiKey, KeyHash, Pepper, Scope, StoredKey};
use recoup_domain::ids::{AccountId, Environment, KeyId, Tenant};
use recoup_domain::signing::Secrets;
use recoup_ports::WriteError;
use recoup_ports::credentials::{Accounts, Keys, NewAccount, Revoked};
use recoup_ports::webhooks::WebhookSecrets;
use recoup_testing::fixtures::{self, later, now, tenant};
use recoup_testing::{Fault, TestTable};

fn pepper() -> Pepper {
    Pepper::new((0..32).collect()).unwrap()
}

fn key() -> (ApiKey, StoredKey) {
    let key = ApiKey::random(Environment::Sandbox, 1 << 100, 2 << 100);
    let stored = StoredKey {
        id: key.id().clone(),
        tenant: tenant(),
        scopes: vec![Scope::PaymentsRead, Scope::RefundsWrite],
        hash: key.hash(&pepper()),
        revoked: false,
    };
    (key, stored)
}

fn account() -> NewAccount {
    NewAccount {
        id: AccountId::from_bits(1),
        name: "Shop".to_owned(),
        sandbox_secret: fixtures::plain_secret(1),
        live_secret: fixtures::plain_secret(2),
        created_at: now(),
    }
}

#[tokio::test]
async fn a_key_is_found_by_its_id_and_knows_its_tenant_and_scopes() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.store();
    store.create_key(&stored, now()).await.unwrap();
    table.take_calls();
    assert_eq!(store.key(key.id()).await.unwrap(), Some(stored));
    assert_eq!(table.take_calls().operations(), ["GetItem"]);
    assert_eq!(store.key(&KeyId::from_bits(7)).await.unwrap(), None);
}

#[tokio::test]
async fn of_a_key_only_its_hash_is_stored() {
    let (table, (key, stored)) = (TestTable::new(), key());
    table.store().create_key(&stored, now()).await.unwrap();
    let item = table.item("key").await;
    let AttributeValue::B(hash) = &item["hash"] else { panic!("the hash is not binary: {item:?}") };
    assert_eq!(hash.as_ref(), key.hash(&pepper()).0);
    let secret = &key.reveal()[key.reveal().len() - 33..];
    assert_eq!(secret.len(), 26 + 7);
    for (name, value) in item.iter().filter(|(_, value)| value.is_s()) {
        let text = value.as_s().unwrap();
        assert!(!text.contains(&secret[..26]) && !text.contains(&secret[26..]), "{name} holds the secret");
    }
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_and_a_key_that_never_was_cannot_be() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.store();
    store.create_key(&stored, now()).await.unwrap();
    assert_eq!(store.revoke_key(key.id(), later(1)).await.unwrap(), Revoked::Yes);
    let revoked = StoredKey { revoked: true, ..stored };
    assert_eq!(store.key(key.id()).await.unwrap(), Some(revoked));
    assert_eq!(store.revoke_key(key.id(), later(2)).await.unwrap(), Revoked::Yes);
    let item = table.item("key").await;
    assert_eq!(item["revoked_at"].as_s().unwrap(), &later(1).rfc3339(), "the first time is kept");
    assert_eq!(store.revoke_key(&KeyId::from_bits(7), later(3)).await.unwrap(), Revoked::NoSuchKey);
    assert_eq!(table.items().await.len(), 1, "nothing was made by revoking nothing");
}

#[tokio::test]
async fn no_key_takes_the_place_of_another() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.store();
    store.create_key(&stored, now()).await.unwrap();
    let other = StoredKey { hash: KeyHash([9; 32]), ..stored.clone() };
    assert!(store.create_key(&other, now()).await.is_err());
    assert_eq!(store.key(key.id()).await.unwrap(), Some(stored));
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_answer_was_lost_is_made_all_the_same() {
    let (table, (key, stored)) = (TestTable::new(), key());
    table.fail("PutItem", 1, Fault::LoseAnswer);
    table.store().create_key(&stored, now()).await.unwrap();
    assert_eq!(table.store().key(key.id()).await.unwrap(), Some(stored));
}

#[tokio::test]
async fn an_account_has_a_tenant_in_each_environment_with_a_secret_of_its_own() {
    let (table, account) = (TestTable::new(), account());
    let store = table.store();
    assert!(!store.account_exists(&account.id, Environment::Live).await.unwrap());
    store.create_account(&account).await.unwrap();
    for (environment, secret) in
        [(Environment::Sandbox, &account.sandbox_secret), (Environment::Live, &account.live_secret)]
    {
        assert!(store.account_exists(&account.id, environment).await.unwrap());
        let tenant = Tenant { environment, account: account.id.clone() };
        assert_eq!(store.webhook_secrets(&tenant).await.unwrap(), Some(Secrets::first(secret.clone())));
    }
    let stranger = Tenant { environment: Environment::Live, account: AccountId::from_bits(2) };
    assert!(!store.account_exists(&stranger.account, stranger.environment).await.unwrap());
    assert!(store.webhook_secrets(&stranger).await.unwrap().is_none());
}

#[tokio::test]
async fn secrets_that_nobody_can_read_are_not_those_of_another_rotation() {
    let (table, account) = (TestTable::new(), account());
    let store = table.store();
    store.create_account(&account).await.unwrap();
    for item in table.items().await {
        table.set_text(&item, "webhook_secret", "lost").await;
    }
    let tenant = Tenant { environment: Environment::Live, account: account.id.clone() };
    let from = Secrets::first(account.live_secret.clone());
    let to = Secrets::first(account.sandbox_secret.clone());
    let refused = store.rotate_webhook_secret(&tenant, &from, &to).await;
    assert!(matches!(refused, Err(WriteError::Unreadable { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_answer_was_lost_is_made_once() {
    let (table, account) = (TestTable::new(), account());
    table.fail("TransactWriteItems", 1, Fault::LoseAnswer);
    table.store().create_account(&account).await.unwrap();
    table.store().create_account(&account).await.unwrap();
    assert_eq!(table.items().await.len(), 2);
}
