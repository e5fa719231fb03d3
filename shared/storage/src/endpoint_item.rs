//! An endpoint as stored.

use recoup_domain::endpoint::{DisabledReason, Endpoint, EventFilter, Switch};
use recoup_domain::ids::EndpointId;
use recoup_domain::text::{TargetUrl, Text};
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_with::skip_serializing_none;

use crate::keys::{Key, owner_of_endpoints};
use crate::secret_item::{RetiredItem, SecretItems, from_items, to_items};
use crate::table::Item;

pub(crate) const URL: &str = "url";
pub(crate) const DESCRIPTION: &str = "description";
pub(crate) const EVENTS: &str = "events";
pub(crate) const DISABLED_REASON: &str = "disabled_reason";
pub(crate) const DISABLED_AT: &str = "disabled_at";
pub(crate) const FAILING_SINCE: &str = "failing_since";
pub(crate) const REVISION: &str = "revision";
pub(crate) const UPDATED_AT: &str = "updated_at";

/// An endpoint's attributes.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EndpointItem {
    pk: String,
    sk: String,
    url: TargetUrl,
    description: Option<Text<255>>,
    events: Vec<String>,
    webhook_secret: Option<ByteBuf>,
    sealed_secret: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired_secrets: Vec<RetiredItem>,
    disabled_reason: Option<DisabledReason>,
    disabled_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    revision: u32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Endpoint> for EndpointItem {
    fn from(endpoint: &Endpoint) -> Self {
        let Endpoint {
            tenant,
            id,
            url,
            description,
            events,
            secrets,
            switch,
            failing_since,
            revision,
            created_at,
            updated_at,
        } = endpoint;
        let Key { pk, sk } = Key::endpoint(tenant, id);
        let SecretItems { plain, sealed, retired } = to_items(secrets);
        let off = off(*switch);
        Self {
            pk,
            sk,
            url: url.clone(),
            description: description.clone(),
            events: events.names().into_iter().map(str::to_owned).collect(),
            webhook_secret: plain,
            sealed_secret: sealed,
            retired_secrets: retired,
            disabled_reason: off.map(|(reason, _)| reason),
            disabled_at: off.map(|(_, at)| at),
            failing_since: *failing_since,
            revision: *revision,
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

/// Why and when an endpoint was switched off, if it was.
pub(crate) fn off(switch: Switch) -> Option<(DisabledReason, Timestamp)> {
    match switch {
        Switch::On => None,
        Switch::Off { reason, at } => Some((reason, at)),
    }
}

/// Reads an endpoint's item; the error says what is wrong with it.
pub(crate) fn from_item(item: Item) -> Result<Endpoint, String> {
    let item: EndpointItem = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
    item.into_endpoint().map_err(str::to_owned)
}

impl EndpointItem {
    /// Reads the attributes back; the error names the one that is wrong.
    fn into_endpoint(self) -> Result<Endpoint, &'static str> {
        let tenant = owner_of_endpoints(&self.pk).ok_or("pk is not that of endpoints")?;
        let switch = match (self.disabled_reason, self.disabled_at) {
            (None, None) => Switch::On,
            (Some(reason), Some(at)) => Switch::Off { reason, at },
            _ => return Err("one of disabled_reason and disabled_at is missing"),
        };
        let secrets = SecretItems {
            plain: self.webhook_secret,
            sealed: self.sealed_secret,
            retired: self.retired_secrets,
        };
        Ok(Endpoint {
            tenant,
            id: EndpointId::try_from(self.sk.as_str()).map_err(|_| "sk is no endpoint id")?,
            url: self.url,
            description: self.description,
            events: EventFilter::known(self.events.iter().map(String::as_str)),
            secrets: from_items(secrets)?,
            switch,
            failing_since: self.failing_since,
            revision: self.revision,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
