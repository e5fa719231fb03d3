//! Accounts and API keys. Of a key, only the HMAC is stored, never the secret.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use recoup_domain::api_key::{KeyHash, Scope, StoredKey};
use recoup_domain::ids::{AccountId, Environment, KeyId, Tenant};
use recoup_domain::sealed::StoredSecrets;
use recoup_domain::signing::Secrets;
use recoup_domain::time::Timestamp;
use recoup_ports::credentials::{Accounts, Keys, NewAccount, Revoked, Rotated};
use recoup_ports::webhooks::WebhookSecrets;
use recoup_ports::{BoxError, ReadError, WriteError};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::expression::{Expression, text};
use crate::keys::{ACCOUNTS, Key, PK, place_of_account};
use crate::secret_item::{RetiredItem, SecretItems, from_items, replace, to_items};
use crate::table::{Item, Table, cause, key_text, unreadable};
use crate::write::{Transacted, past_transactions};

const REVOKED_AT: &str = "revoked_at";

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

#[derive(Serialize, Deserialize)]
struct KeyItem {
    pk: String,
    sk: String,
    environment: String,
    account_id: String,
    scopes: Vec<String>,
    hash: ByteArray<32>,
    created_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

impl KeyItem {
    fn into_stored(self, id: &KeyId) -> Result<StoredKey, &'static str> {
        let environment = Environment::parse(&self.environment).ok_or("environment is unknown")?;
        let account = AccountId::try_from(self.account_id.as_str()).map_err(|_| "account_id is invalid")?;
        Ok(StoredKey {
            id: id.clone(),
            tenant: Tenant { environment, account },
            scopes: self.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
            hash: KeyHash(self.hash.into_array()),
            revoked: self.revoked_at.is_some(),
        })
    }
}

/// The secrets of an account's item.
pub(crate) fn read_secrets(item: Item) -> Result<StoredSecrets, ReadError> {
    let key = key_text(&item, PK).to_owned();
    let item: AccountItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
    let secrets =
        SecretItems { plain: item.webhook_secret, sealed: item.sealed_secret, retired: item.retired_secrets };
    from_items(secrets).map_err(|why| unreadable(&key, why))
}

fn failed(error: impl Into<BoxError>) -> WriteError {
    WriteError::Unavailable(error.into())
}

impl Keys for Table {
    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, ReadError> {
        let Some(item) = self.item(&Key::api_key(id)).await? else { return Ok(None) };
        let key = key_text(&item, PK).to_owned();
        let item: KeyItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
        item.into_stored(id).map(Some).map_err(|why| unreadable(&key, why))
    }
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

    async fn account_exists(&self, account: &AccountId, environment: Environment) -> Result<bool, ReadError> {
        let tenant = Tenant { environment, account: account.clone() };
        Ok(self.item(&Key::account(&tenant)).await?.is_some())
    }

    async fn rotate_webhook_secret(
        &self,
        tenant: &Tenant,
        from: &StoredSecrets,
        to: &StoredSecrets,
    ) -> Result<Rotated, WriteError> {
        let mut expression = Expression::default();
        replace(&mut expression, from, to).map_err(failed)?;
        let update = self.update(&Key::account(tenant), expression);
        let Err(error) = past_transactions(|| update.clone().send()).await else { return Ok(Rotated::Yes) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let stored = failed.item.clone().map(read_secrets).transpose()?;
                // An earlier call whose answer was lost may have written the same secrets.
                Ok(if stored.as_ref() == Some(to) { Rotated::Yes } else { Rotated::Overtaken })
            }
            _ => Err(failed(cause(error))),
        }
    }

    async fn create_key(&self, key: &StoredKey, now: Timestamp) -> Result<(), WriteError> {
        let at = Key::api_key(&key.id);
        let item = KeyItem {
            pk: at.pk,
            sk: at.sk,
            environment: key.tenant.environment.as_str().to_owned(),
            account_id: key.tenant.account.to_string(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            hash: ByteArray::new(key.hash.0),
            created_at: now.rfc3339(),
            revoked_at: None,
        };
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(serde_dynamo::to_item(item).map_err(failed)?))
            .condition_expression(format!("attribute_not_exists({PK})"));
        let Err(error) = request.send().await else { return Ok(()) };
        match error.as_service_error() {
            // An earlier call whose answer was lost has written the same key.
            Some(PutItemError::ConditionalCheckFailedException(_))
                if self.key(&key.id).await?.as_ref() == Some(key) =>
            {
                Ok(())
            }
            _ => Err(failed(cause(error))),
        }
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<Revoked, WriteError> {
        let mut expression = Expression::default();
        expression.require(format!("attribute_exists({PK})"));
        let revoked_at = expression.name(REVOKED_AT);
        let now = expression.value(text(now.rfc3339()));
        expression.set(format!("{revoked_at} = if_not_exists({revoked_at}, {now})"));
        let Err(error) = self.update(&Key::api_key(id), expression).send().await else {
            return Ok(Revoked::Yes);
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Revoked::NoSuchKey),
            _ => Err(failed(cause(error))),
        }
    }
}
