//! API keys and clients, in a table of their own. Of a secret, only an HMAC is stored.
//!
//! Version 0.1 kept them in the table of refunds. Such a key is still read there, and moves here when it is next used
//! or revoked: a row here always outweighs one there.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::api_key::{KeyUse, Scope};
use recoup_domain::ids::{AccountId, Environment, KeyId, Tenant};
use recoup_domain::stored_key::{Grants, IpRange, Proof, StoredKey};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::api_keys::{KeepKeys, Keys, Revoked, Unrenewed};
use recoup_ports::rows::Rows;
use recoup_ports::{BoxError, ReadError, WriteError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use serde_with::skip_serializing_none;

use crate::expression::{Expression, text};
use crate::keys::{BY_TIME, Key, LIST_PK, PK, place_of_account};
use crate::table::{Item, Table, cause, key_text, unavailable, unreadable};

const HASH: &str = "hash";
const PEPPER: &str = "pepper";
const REVOKED_AT: &str = "revoked_at";
const EXPIRES: &str = "valid_until";

/// The table of credentials, and the one where version 0.1 kept them.
#[derive(Clone, Debug)]
pub struct CredentialsTable {
    pub(crate) table: Table,
    before: Table,
}

impl CredentialsTable {
    /// The table of credentials, and that of refunds.
    pub fn new(table: Table, before: Table) -> Self {
        Self { table, before }
    }
}

#[skip_serializing_none]
#[derive(Serialize, Deserialize)]
struct KeyItem {
    pk: String,
    sk: String,
    /// The keys of the index that lists a tenant's keys; absent in version 0.1, as all that may be absent below.
    list_pk: Option<String>,
    list_sk: Option<String>,
    r#use: Option<String>,
    name: Option<Text<64>>,
    environment: String,
    account_id: AccountId,
    scopes: Vec<String>,
    valid_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ip_ranges: Vec<String>,
    hash: ByteArray<32>,
    pepper: Option<String>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl From<&StoredKey> for KeyItem {
    fn from(key: &StoredKey) -> Self {
        let StoredKey { id, r#use, name, grants, proof, created_at, revoked_at } = key;
        let Grants { tenant, scopes, expires_at, ip_ranges } = grants;
        let Proof { pepper, mac } = proof;
        let Key { pk, sk } = Key::api_key(id);
        Self {
            pk,
            sk,
            list_pk: Some(place_of_account(tenant)),
            list_sk: Some(format!("{}#{id}", created_at.rfc3339())),
            r#use: r#use.map(|one| one.as_str().to_owned()),
            name: name.clone(),
            environment: tenant.environment.as_str().to_owned(),
            account_id: tenant.account.clone(),
            scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            valid_until: *expires_at,
            ip_ranges: ip_ranges.iter().map(ToString::to_string).collect(),
            hash: ByteArray::new(*mac),
            pepper: pepper.clone(),
            created_at: *created_at,
            revoked_at: *revoked_at,
        }
    }
}

impl KeyItem {
    fn into_stored(self) -> Result<StoredKey, &'static str> {
        let id = self.pk.strip_prefix("key#").and_then(|id| KeyId::try_from(id).ok());
        let r#use = self.r#use.as_deref().map(|text| KeyUse::parse(text).ok_or("use is unknown"));
        let environment = Environment::parse(&self.environment).ok_or("environment is unknown")?;
        // A range that is left out would let in everybody.
        let ip_ranges: Option<_> = self.ip_ranges.iter().map(|text| IpRange::parse(text)).collect();
        let grants = Grants {
            tenant: Tenant { environment, account: self.account_id },
            scopes: self.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
            expires_at: self.valid_until,
            ip_ranges: ip_ranges.ok_or("an IP range cannot be read")?,
        };
        Ok(StoredKey {
            id: id.ok_or("pk is not that of a key")?,
            r#use: r#use.transpose()?,
            name: self.name,
            grants,
            proof: Proof { pepper: self.pepper, mac: self.hash.into_array() },
            created_at: self.created_at,
            revoked_at: self.revoked_at,
        })
    }
}

fn read_key(item: Item) -> Result<StoredKey, ReadError> {
    let key = key_text(&item, PK).to_owned();
    let item: KeyItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
    item.into_stored().map_err(|why| unreadable(&key, why))
}

/// A key of this table. Here each proof names its pepper: one that does not was brought here from the other table, where
/// it covered less.
fn read_here(item: Item) -> Result<StoredKey, ReadError> {
    let key = read_key(item)?;
    if key.proof.pepper.is_none() && key.revoked_at.is_none() {
        return Err(unreadable(&Key::api_key(&key.id).pk, "pepper is missing"));
    }
    Ok(key)
}

fn failed(error: impl Into<BoxError>) -> WriteError {
    WriteError::Unavailable(error.into())
}

impl CredentialsTable {
    /// Writes a key that is not there yet; `Ok(false)` if it is.
    async fn put(&self, key: &StoredKey) -> Result<bool, WriteError> {
        let item = serde_dynamo::to_item(KeyItem::from(key)).map_err(failed)?;
        let request = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        let request = request.condition_expression(format!("attribute_not_exists({PK})"));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused_put(&error) => Ok(false),
            Err(error) => Err(failed(cause(&error))),
        }
    }

    /// Changes a key that is there and meets the expression's conditions; `Ok(false)` if there is none.
    async fn change(&self, id: &KeyId, mut expression: Expression) -> Result<bool, WriteError> {
        expression.require(format!("attribute_exists({PK})"));
        match self.table.update(&Key::api_key(id), expression).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused_update(&error) => Ok(false),
            Err(error) => Err(failed(cause(&error))),
        }
    }

    async fn revoke_here(&self, id: &KeyId, now: Timestamp) -> Result<bool, WriteError> {
        let mut expression = Expression::default();
        let revoked_at = expression.name(REVOKED_AT);
        let now = expression.value(text(now.rfc3339()));
        expression.set(format!("{revoked_at} = if_not_exists({revoked_at}, {now})"));
        self.change(id, expression).await
    }

    async fn key_before(&self, id: &KeyId) -> Result<Option<StoredKey>, ReadError> {
        let key = self.before.item(&Key::api_key(id)).await?.map(read_key).transpose()?;
        // What stands there proves itself as version 0.1 did, or not at all.
        Ok(key.map(|key| StoredKey { proof: Proof { pepper: None, ..key.proof.clone() }, ..key }))
    }
}

fn is_refused_put<R>(error: &SdkError<PutItemError, R>) -> bool {
    error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception)
}

fn is_refused_update<R>(error: &SdkError<UpdateItemError, R>) -> bool {
    error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}

impl Keys for CredentialsTable {
    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, ReadError> {
        match self.table.item(&Key::api_key(id)).await? {
            Some(item) => read_here(item).map(Some),
            None => self.key_before(id).await,
        }
    }

    async fn renew_key(&self, from: &StoredKey, to: &StoredKey) -> Result<(), WriteError> {
        if from.proof.pepper.is_none() {
            self.put(to).await?;
            return Ok(());
        }
        let mut expression = Expression::default();
        let hash = expression.name(HASH);
        let seen = expression.value(AttributeValue::B(Blob::new(from.proof.mac)));
        expression.require(format!("{hash} = {seen}"));
        expression.assign(HASH, Some(AttributeValue::B(Blob::new(to.proof.mac))));
        expression.assign(PEPPER, to.proof.pepper.clone().map(text));
        self.change(&to.id, expression).await?;
        Ok(())
    }
}

impl KeepKeys for CredentialsTable {
    async fn create_key(&self, key: &StoredKey) -> Result<(), WriteError> {
        // An earlier call whose answer was lost may have written the same key.
        if self.put(key).await? || self.key(&key.id).await?.as_ref() == Some(key) {
            return Ok(());
        }
        Err(failed("there is another key with this id"))
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<Revoked, WriteError> {
        if self.revoke_here(id, now).await? {
            return Ok(Revoked::Yes);
        }
        let Some(before) = self.key_before(id).await? else { return Ok(Revoked::NoSuchKey) };
        let revoked = StoredKey { revoked_at: Some(before.revoked_at.unwrap_or(now)), ..before };
        // If it was used meanwhile, it has moved here.
        if self.put(&revoked).await? || self.revoke_here(id, now).await? {
            return Ok(Revoked::Yes);
        }
        Err(failed("the key was neither here nor there"))
    }

    async fn keys_of(&self, tenant: &Tenant, limit: u16) -> Result<Rows<StoredKey>, ReadError> {
        let values = HashMap::from([(":tenant".to_owned(), text(place_of_account(tenant)))]);
        let query = self.table.client.query().table_name(&self.table.name).index_name(BY_TIME);
        let query = query
            .key_condition_expression(format!("{LIST_PK} = :tenant"))
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(false)
            .limit(limit.into());
        let mut keys = Rows::default();
        let mut pages = query.into_paginator().items().send();
        for _ in 0..limit {
            let Some(item) = pages.next().await else { break };
            let item = item.map_err(unavailable)?;
            let id = key_text(&item, PK).to_owned();
            keys.add(&id, read_here(item))?;
        }
        Ok(keys)
    }

    async fn proven_otherwise(&self, pepper: &str, now: Timestamp) -> Result<Unrenewed, ReadError> {
        let mut filter = Expression::default();
        let (name, revoked_at, until) = (filter.name(PEPPER), filter.name(REVOKED_AT), filter.name(EXPIRES));
        let (current, now) = (filter.value(text(pepper)), filter.value(text(now.rfc3339())));
        filter.require(format!("{name} <> {current} AND attribute_exists({name})"));
        filter.require(format!("attribute_not_exists({revoked_at})"));
        filter.require(format!("(attribute_not_exists({until}) OR {until} > {now})"));
        let scan =
            self.table.client.scan().table_name(&self.table.name).filter_expression(filter.condition());
        let (names, values) = filter.into_names_and_values();
        let scan = scan
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .projection_expression(PK)
            .consistent_read(true);
        let mut items = scan.into_paginator().items().send();
        let mut found = Unrenewed::default();
        while let Some(item) = items.next().await {
            let item = item.map_err(unavailable)?;
            found.count = found.count.saturating_add(1);
            let id = key_text(&item, PK).strip_prefix("key#").and_then(|id| KeyId::try_from(id).ok());
            found.some.extend(id.filter(|_| found.some.len() < Unrenewed::NAMED_MAX));
        }
        Ok(found)
    }
}
