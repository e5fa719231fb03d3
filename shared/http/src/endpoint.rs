//! A webhook endpoint, as its owner sees it, and the endpoint that a path names.

use lambda_http::Request;
use recoup_domain::endpoint::{Endpoint, Switch};
use recoup_domain::ids::{EndpointId, Environment};
use recoup_domain::signing::Secret;
use recoup_domain::time::Timestamp;
use serde::Serialize;

use crate::problem::{Code, Problem};
use crate::request::routed_parameter;
use recoup_views::{PublicUrl, SelfLink};

/// The id in the path. A text that is not an endpoint id is a 404.
pub fn named(request: &Request) -> Result<EndpointId, Problem> {
    let id = routed_parameter(request, "endpoint_id")?;
    EndpointId::try_from(id.as_str()).map_err(|_| not_found())
}

/// The problem of an endpoint that this tenant does not have.
pub fn not_found() -> Problem {
    Problem::new(Code::EndpointNotFound, "There is no such webhook endpoint in this account and environment.")
}

/// The problem of a create that may or may not have written its endpoint, whose secret nobody was shown.
pub fn unknown_outcome() -> Problem {
    let detail = "It is not known whether the webhook endpoint was made. Look at the list before this is sent \
        again, and delete the one whose secret you do not have.";
    Problem::new(Code::Unavailable, detail).uncertain()
}

/// A webhook endpoint. It has the secret only in the answer that shows it.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointView {
    id: String,
    object: &'static str,
    url: String,
    description: Option<String>,
    events: Vec<&'static str>,
    enabled: bool,
    disabled_reason: Option<&'static str>,
    disabled_at: Option<String>,
    failing_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<SecretText>,
    previous_secrets_valid_until: Vec<String>,
    sandbox: bool,
    created_at: String,
    updated_at: String,
    _links: SelfLink,
}

impl EndpointView {
    /// Shows an endpoint as it is now, without its secret.
    pub fn of(endpoint: &Endpoint, public_url: &PublicUrl, now: Timestamp) -> Self {
        let off = match endpoint.switch {
            Switch::On => None,
            Switch::Off { reason, at } => Some((reason, at)),
        };
        let retired = endpoint.secrets.retired.iter().filter(|retired| now < retired.until);
        Self {
            id: endpoint.id.to_string(),
            object: "webhook_endpoint",
            url: endpoint.url.as_str().to_owned(),
            description: endpoint.description.as_ref().map(|text| text.as_str().to_owned()),
            events: endpoint.events.names(),
            enabled: off.is_none(),
            disabled_reason: off.map(|(reason, _)| reason.as_str()),
            disabled_at: off.map(|(_, at)| at.rfc3339()),
            failing_since: endpoint.failing_since.map(Timestamp::rfc3339),
            secret: None,
            previous_secrets_valid_until: retired.map(|retired| retired.until.rfc3339()).collect(),
            sandbox: endpoint.tenant.environment == Environment::Sandbox,
            created_at: endpoint.created_at.rfc3339(),
            updated_at: endpoint.updated_at.rfc3339(),
            _links: SelfLink { this: public_url.link("webhook-endpoints", endpoint.id.as_str()) },
        }
    }

    /// Adds the secret: only in the answer to the request that made the secret.
    #[must_use]
    pub fn with_secret(mut self, secret: &Secret) -> Self {
        self.secret = Some(SecretText(secret.reveal()));
        self
    }
}

/// A secret on its way to its owner; never printed by accident.
#[derive(Clone, Serialize)]
#[serde(transparent)]
struct SecretText(String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}
