//! An endpoint as stored.

use recoup_domain::endpoint::{DisabledReason, Endpoint, EventFilter, Switch};
use recoup_domain::ids::EndpointId;
use recoup_domain::text::{TargetUrl, Text};
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::keys::{Key, owner_of_endpoints};
use crate::secret_item::{RetiredItem, from_items, to_items};
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
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EndpointItem {
    pk: String,
    sk: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    events: Vec<String>,
    webhook_secret: ByteBuf,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired_secrets: Vec<RetiredItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    revision: u32,
    created_at: String,
    updated_at: String,
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
        let (webhook_secret, retired_secrets) = to_items(secrets);
        let off = off(*switch);
        Self {
            pk,
            sk,
            url: url.as_str().to_owned(),
            description: description.as_ref().map(|text| text.as_str().to_owned()),
            events: events.names().into_iter().map(str::to_owned).collect(),
            webhook_secret,
            retired_secrets,
            disabled_reason: off.map(|(reason, _)| reason.as_str().to_owned()),
            disabled_at: off.map(|(_, at)| at.rfc3339()),
            failing_since: failing_since.map(Timestamp::rfc3339),
            revision: *revision,
            created_at: created_at.rfc3339(),
            updated_at: updated_at.rfc3339(),
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
        let switch = match (self.disabled_reason.as_deref(), self.disabled_at.as_deref()) {
            (None, None) => Switch::On,
            (Some(reason), Some(at)) => Switch::Off {
                reason: DisabledReason::parse(reason).ok_or("disabled_reason is unknown")?,
                at: Timestamp::parse(at).ok_or("disabled_at is not a time")?,
            },
            _ => return Err("one of disabled_reason and disabled_at is missing"),
        };
        let description = self.description.map(Text::new).transpose();
        Ok(Endpoint {
            tenant,
            id: EndpointId::try_from(self.sk.as_str()).map_err(|_| "sk is not an endpoint id")?,
            url: TargetUrl::unchecked(self.url),
            description: description.map_err(|_| "description is empty or too long")?,
            events: EventFilter::known(self.events.iter().map(String::as_str)),
            secrets: from_items(self.webhook_secret, self.retired_secrets)?,
            switch,
            failing_since: match self.failing_since.as_deref() {
                None => None,
                Some(text) => Some(Timestamp::parse(text).ok_or("failing_since is not a time")?),
            },
            revision: self.revision,
            created_at: Timestamp::parse(&self.created_at).ok_or("created_at is not a time")?,
            updated_at: Timestamp::parse(&self.updated_at).ok_or("updated_at is not a time")?,
        })
    }
}
