//! A receiver's secrets, as stored in the item of an account or an endpoint.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::signing::{Retired, Secret, Secrets};
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::expression::Expression;

const CURRENT: &str = "webhook_secret";
const RETIRED_SECRETS: &str = "retired_secrets";

/// One member of the attribute `retired_secrets`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RetiredItem {
    secret: ByteBuf,
    until: String,
}

/// Replaces the secrets `from`, if they are still the stored ones.
pub(crate) fn replace(
    expression: &mut Expression,
    from: &Secrets,
    to: &Secrets,
) -> Result<(), serde_dynamo::Error> {
    let current = expression.name(CURRENT);
    let seen = expression.value(AttributeValue::B(Blob::new(from.current.bytes())));
    expression.require(format!("{current} = {seen}"));
    expression.assign(CURRENT, Some(AttributeValue::B(Blob::new(to.current.bytes()))));
    let (_, retired) = to_items(to);
    let retired: AttributeValue = serde_dynamo::to_attribute_value(retired)?;
    expression.assign(RETIRED_SECRETS, (!to.retired.is_empty()).then_some(retired));
    Ok(())
}

/// The attributes `webhook_secret` and `retired_secrets`.
pub(crate) fn to_items(secrets: &Secrets) -> (ByteBuf, Vec<RetiredItem>) {
    let retired = secrets.retired.iter().map(|retired| RetiredItem {
        secret: ByteBuf::from(retired.secret.bytes()),
        until: retired.until.rfc3339(),
    });
    (ByteBuf::from(secrets.current.bytes()), retired.collect())
}

/// Reads the two attributes back.
pub(crate) fn from_items(current: ByteBuf, retired: Vec<RetiredItem>) -> Result<Secrets, &'static str> {
    let secret = |bytes: ByteBuf| Secret::new(bytes.into_vec()).ok_or("a webhook secret has a wrong length");
    let retired = retired.into_iter().map(|item| {
        let until = Timestamp::parse(&item.until).ok_or("a retired secret has no end")?;
        Ok(Retired { secret: secret(item.secret)?, until })
    });
    Ok(Secrets { current: secret(current)?, retired: retired.collect::<Result<_, &'static str>>()? })
}
