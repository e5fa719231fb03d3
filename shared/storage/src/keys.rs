//! Key shapes: every partition key begins with its tenant, and each shape is spelt once, here.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | payment | `{environment}#{account}#payment#{payment id}` | `payment` |
//! | refund | `{environment}#{account}#refund#{refund id}` | `refund` |
//! | account | `{environment}#{account}` | `account` |
//! | API key | `key#{key id}`, for its tenant is what it tells | `key` |
//!
//! Refunds also have `list_pk` = `{environment}#{account}#refunds` and `list_sk` = `{created_at}#{refund id}`,
//! the keys of the index `by_time`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::ids::{AccountId, Environment, KeyId, PaymentId, RefundId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_ports::lists::Place;

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";

pub(crate) const BY_TIME: &str = "by_time";
pub(crate) const LIST_PK: &str = "list_pk";
pub(crate) const LIST_SK: &str = "list_sk";

pub(crate) const PAYMENT: &str = "payment";
pub(crate) const REFUND: &str = "refund";
pub(crate) const ACCOUNT: &str = "account";
pub(crate) const KEY: &str = "key";

/// A whole primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: &'static str,
}

impl Key {
    pub(crate) fn payment(tenant: &Tenant, id: &PaymentId) -> Self {
        Self { pk: format!("{}#{PAYMENT}#{id}", prefix(tenant)), sk: PAYMENT }
    }

    pub(crate) fn refund(tenant: &Tenant, id: &RefundId) -> Self {
        Self { pk: format!("{}#{REFUND}#{id}", prefix(tenant)), sk: REFUND }
    }

    pub(crate) fn account(tenant: &Tenant) -> Self {
        Self { pk: prefix(tenant), sk: ACCOUNT }
    }

    pub(crate) fn api_key(id: &KeyId) -> Self {
        Self { pk: format!("{KEY}#{id}"), sk: KEY }
    }

    /// The key as the SDK wants it.
    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.to_owned())),
        ])
    }
}

fn prefix(tenant: &Tenant) -> String {
    format!("{}#{}", tenant.environment.as_str(), tenant.account)
}

/// The index keys of a refund: its tenant's refunds by time.
pub(crate) fn by_time(tenant: &Tenant, created_at: Timestamp, id: &RefundId) -> (String, String) {
    (list_of(tenant), format!("{}#{id}", created_at.rfc3339()))
}

/// The index's partition of a tenant.
pub(crate) fn list_of(tenant: &Tenant) -> String {
    format!("{}#refunds", prefix(tenant))
}

/// Reads the index's sort key back.
pub(crate) fn place_in_list(list_sk: &str) -> Option<Place> {
    let (created_at, id) = list_sk.split_once('#')?;
    Some(Place { created_at: Timestamp::parse(created_at)?, id: RefundId::try_from(id).ok()? })
}

/// Reads `{environment}#{account}#{kind}#{id}` back.
pub(crate) fn owner_and_id<'a>(pk: &'a str, kind: &str) -> Option<(Tenant, &'a str)> {
    let mut parts = pk.splitn(4, '#');
    let environment = Environment::parse(parts.next()?)?;
    let account = AccountId::try_from(parts.next()?).ok()?;
    if parts.next()? != kind {
        return None;
    }
    Some((Tenant { environment, account }, parts.next()?))
}
