//! A receiver's secrets, as stored in the item of an account or an endpoint.
//!
//! Version 0.1 stored them plain, as `webhook_secret` and as `secret` in `retired_secrets`. Both are still read; a
//! rotation, or `admin`'s `seal_secrets`, replaces them by sealed ones.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::sealed::{Sealed, StoredSecret, StoredSecrets};
use recoup_domain::signing::{Retired, Secret, Secrets};
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_with::skip_serializing_none;

use crate::expression::Expression;

pub(crate) const PLAIN: &str = "webhook_secret";
const SEALED: &str = "sealed_secret";
pub(crate) const RETIRED_SECRETS: &str = "retired_secrets";

/// The attributes `webhook_secret`, `sealed_secret` and `retired_secrets`.
#[derive(Debug)]
pub(crate) struct SecretItems {
    pub(crate) plain: Option<ByteBuf>,
    pub(crate) sealed: Option<ByteBuf>,
    pub(crate) retired: Vec<RetiredItem>,
}

/// One member of the attribute `retired_secrets`.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RetiredItem {
    secret: Option<ByteBuf>,
    sealed: Option<ByteBuf>,
    until: String,
}

/// Replaces the secrets `from`, if they are still the stored ones.
pub(crate) fn replace(
    expression: &mut Expression,
    from: &StoredSecrets,
    to: &StoredSecrets,
) -> Result<(), serde_dynamo::Error> {
    let value = |bytes: &[u8]| AttributeValue::B(Blob::new(bytes));
    let (attribute, seen) = match &from.current {
        StoredSecret::Plain(secret) => (PLAIN, value(secret.bytes())),
        StoredSecret::Sealed(sealed) => (SEALED, value(sealed.bytes())),
    };
    let (current, seen) = (expression.name(attribute), expression.value(seen));
    expression.require(format!("{current} = {seen}"));
    let (plain, sealed) = match &to.current {
        StoredSecret::Plain(secret) => (Some(value(secret.bytes())), None),
        StoredSecret::Sealed(sealed) => (None, Some(value(sealed.bytes()))),
    };
    expression.assign(PLAIN, plain);
    expression.assign(SEALED, sealed);
    let retired: AttributeValue = serde_dynamo::to_attribute_value(to_items(to).retired)?;
    expression.assign(RETIRED_SECRETS, (!to.retired.is_empty()).then_some(retired));
    Ok(())
}

fn plain_or_sealed(secret: &StoredSecret) -> (Option<ByteBuf>, Option<ByteBuf>) {
    match secret {
        StoredSecret::Plain(secret) => (Some(ByteBuf::from(secret.bytes())), None),
        StoredSecret::Sealed(sealed) => (None, Some(ByteBuf::from(sealed.bytes()))),
    }
}

/// The attributes of these secrets.
pub(crate) fn to_items(secrets: &StoredSecrets) -> SecretItems {
    let (plain, sealed) = plain_or_sealed(&secrets.current);
    let retired = secrets.retired.iter().map(|retired| {
        let (secret, sealed) = plain_or_sealed(&retired.secret);
        RetiredItem { secret, sealed, until: retired.until.rfc3339() }
    });
    SecretItems { plain, sealed, retired: retired.collect() }
}

/// Reads the attributes back.
pub(crate) fn from_items(items: SecretItems) -> Result<StoredSecrets, &'static str> {
    let retired = items.retired.into_iter().map(|item| {
        let until = Timestamp::parse(&item.until).ok_or("a retired secret has no end")?;
        Ok(Retired { secret: stored(item.secret, item.sealed)?, until })
    });
    let retired = retired.collect::<Result<_, &'static str>>()?;
    Ok(Secrets { current: stored(items.plain, items.sealed)?, retired })
}

fn stored(plain: Option<ByteBuf>, sealed: Option<ByteBuf>) -> Result<StoredSecret, &'static str> {
    match (plain, sealed) {
        (Some(plain), None) => {
            let secret = Secret::new(plain.into_vec()).ok_or("a webhook secret has a wrong length")?;
            Ok(StoredSecret::Plain(secret))
        }
        (None, Some(sealed)) => Ok(StoredSecret::Sealed(Sealed::new(sealed.into_vec()))),
        (None, None) => Err("a webhook secret is missing"),
        (Some(_), Some(_)) => Err("a webhook secret is both plain and sealed"),
    }
}
