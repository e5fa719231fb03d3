//! Accounts.

use recoup_domain::delivery::Target;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::signing::Secrets;
use recoup_ports::WriteError;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::seals::KeepSecrets;
use recoup_ports::webhooks::WebhookSecrets;
use recoup_testing::fixtures::{self, now};
use recoup_testing::{Fault, TestTable};

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
    let refused = store.replace_secrets(&tenant, &Target::RefundUrl, &from, &to).await;
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
