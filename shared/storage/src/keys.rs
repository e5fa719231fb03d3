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

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";

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
    (format!("{}#refunds", prefix(tenant)), format!("{}#{id}", created_at.rfc3339()))
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
