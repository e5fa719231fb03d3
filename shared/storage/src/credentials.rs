//! Accounts, and the secrets that sign to their refunds' own URLs.

use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::sealed::StoredSecrets;
use recoup_domain::signing::Secrets;
use recoup_domain::time::Timestamp;
use recoup_ports::credentials::{AccountFacts, Accounts, NewAccount};
use recoup_ports::rows::Rows;
use recoup_ports::webhooks::WebhookSecrets;
use recoup_ports::{BoxError, ReadError, WriteError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::keys::{ACCOUNTS, Key, PK, owner_of, place_of_account};
use crate::secret_item::{RetiredItem, SecretItems, from_items, to_items};
use crate::table::{Item, Table, key_text, unreadable};
use crate::write::Transacted;

#[derive(Serialize, Deserialize)]
struct AccountItem {
    pk: String,
    sk: String,
    /// The keys of the index that lists all accounts; an account that an earlier version created may lack them.
    #[serde(default)]
    list_pk: String,
    #[serde(default)]
    list_sk: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_secret: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired_secrets: Vec<RetiredItem>,
    created_at: String,
}

/// The secrets of an account's item.
pub(crate) fn read_secrets(item: Item) -> Result<StoredSecrets, ReadError> {
    let key = key_text(&item, PK).to_owned();
    let item: AccountItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
    let secrets =
        SecretItems { plain: item.webhook_secret, sealed: item.sealed_secret, retired: item.retired_secrets };
    from_items(secrets).map_err(|why| unreadable(&key, why))
}

fn read_facts(item: Item) -> Result<AccountFacts, ReadError> {
    let key = key_text(&item, PK).to_owned();
    let item: AccountItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
    let id = owner_of(&key).ok_or_else(|| unreadable(&key, "pk is not that of an account"))?.account;
    let created_at = Timestamp::parse(&item.created_at);
    let created_at = created_at.ok_or_else(|| unreadable(&key, "created_at is no time"))?;
    Ok(AccountFacts { id, name: item.name, created_at })
}

fn failed(error: impl Into<BoxError>) -> WriteError {
    WriteError::Unavailable(error.into())
}

impl WebhookSecrets for Table {
    async fn webhook_secrets(&self, tenant: &Tenant) -> Result<Option<StoredSecrets>, ReadError> {
        self.item(&Key::account(tenant)).await?.map(read_secrets).transpose()
    }
}

impl Accounts for Table {
    async fn create_account(&self, account: &NewAccount) -> Result<(), WriteError> {
        let tenants =
            [(Environment::Sandbox, &account.sandbox_secret), (Environment::Live, &account.live_secret)];
        let mut writes = Vec::with_capacity(tenants.len());
        for (environment, secret) in tenants {
            let tenant = Tenant { environment, account: account.id.clone() };
            let key = Key::account(&tenant);
            let SecretItems { plain, sealed, retired } = to_items(&Secrets::first(secret.clone()));
            let item = AccountItem {
                pk: key.pk,
                sk: key.sk,
                list_pk: ACCOUNTS.to_owned(),
                list_sk: place_of_account(&tenant),
                name: account.name.clone(),
                webhook_secret: plain,
                sealed_secret: sealed,
                retired_secrets: retired,
                created_at: account.created_at.rfc3339(),
            };
            writes.push(self.transact_put(serde_dynamo::to_item(item).map_err(failed)?).map_err(failed)?);
        }
        match self.transact(writes).await {
            // The id is 128 random bits, so an existing account is this one, written by a call whose answer was lost.
            Transacted::Done | Transacted::Refused(_) => Ok(()),
            Transacted::Contended(_) => Err(failed("too many concurrent writes to the account")),
            Transacted::Failed(cause) => Err(failed(cause)),
        }
    }

    async fn accounts(&self, tenants: &[Tenant]) -> Result<Rows<AccountFacts>, ReadError> {
        let keys: Vec<Key> = tenants.iter().map(Key::account).collect();
        let mut accounts = Rows::default();
        if keys.is_empty() {
            return Ok(accounts);
        }
        for item in self.items(&keys).await? {
            let pk = key_text(&item, PK).to_owned();
            accounts.add(&pk, read_facts(item))?;
        }
        accounts.read.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(accounts)
    }

    async fn account_exists(&self, account: &AccountId, environment: Environment) -> Result<bool, ReadError> {
        let tenant = Tenant { environment, account: account.clone() };
        Ok(self.item(&Key::account(&tenant)).await?.is_some())
    }
}
