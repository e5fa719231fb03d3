//! `POST /v1/oauth/token`: client credentials in, an hour's access token out (RFC 6749, section 4.4).
//!
//! This route has no authorizer. Its errors are RFC 6749's, not RFC 9457's. Tokens are not stored: `authorize` looks
//! up the client of each, so they end with it.

mod form;

use std::time::Duration;

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use recoup_domain::api_key::{ApiKey, KeyUse, Scope};
use recoup_domain::keyring::Keyring;
use recoup_domain::stored_key::StoredKey;
use recoup_domain::time::Timestamp;
use recoup_domain::token::Claims;
use recoup_ports::api_keys::Keys;
use recoup_ports::causes;
use recoup_ports::keyrings::{Keyrings, Ring};
use serde_json::{Value, json};

/// What the function needs.
pub struct Context<K, R> {
    /// The store of clients.
    pub keys: K,
    /// The pepper, and the keys that sign tokens.
    pub keyrings: R,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// Why no token is issued, by RFC 6749's own names.
#[derive(Debug)]
pub(crate) enum Refused {
    InvalidRequest(&'static str),
    InvalidClient,
    UnsupportedGrantType,
    InvalidScope,
    Unavailable,
}

/// Answers one token request.
pub async fn handle<K: Keys, R: Keyrings>(context: &Context<K, R>, request: &Request) -> Response<Body> {
    let id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(gateway)) => gateway.request_id.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let answer = issue(context, request).await;
    match &answer {
        Ok(_) => tracing::info!(request.id = id, "token issued"),
        Err(refused) => tracing::info!(request.id = id, ?refused, "token refused"),
    }
    let (status, body) = match &answer {
        Ok(token) => (StatusCode::OK, token.clone()),
        Err(refused) => refused.answer(),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if matches!(answer, Err(Refused::InvalidClient)) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"recoup\""));
    }
    if matches!(answer, Err(Refused::Unavailable)) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("request-id", id);
    }
    response
}

async fn issue<K: Keys, R: Keyrings>(context: &Context<K, R>, request: &Request) -> Result<Value, Refused> {
    let form = form::parse(request)?;
    if form.grant_type != "client_credentials" {
        return Err(Refused::UnsupportedGrantType);
    }
    let client = client_of(context, &form).await?;
    if !client.grants.admits_address(source_ip(request)) {
        return Err(Refused::InvalidClient);
    }
    let scopes = match &form.scope {
        None => client.grants.scopes.clone(),
        Some(wanted) => narrowed(&client.grants.scopes, wanted)?,
    };
    let keys = keyring(context, Ring::TokenSigning, None).await?;
    let expires_at = (context.now)().plus(Duration::from_secs(Claims::LIFETIME_SECONDS.into()));
    let scope: Vec<&str> = scopes.iter().copied().map(Scope::as_str).collect();
    let scope = scope.join(" ");
    let claims = Claims { tenant: client.grants.tenant, client: client.id, scopes, expires_at };
    Ok(json!({
        "access_token": claims.sign(keys.for_new((context.now)())),
        "token_type": "Bearer",
        "expires_in": Claims::LIFETIME_SECONDS,
        "scope": scope,
    }))
}

/// The caller's address, as the gateway saw it.
fn source_ip(request: &Request) -> Option<&str> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(gateway)) => gateway.http.source_ip.as_deref(),
        _ => None,
    }
}

async fn keyring<K, R: Keyrings>(
    context: &Context<K, R>,
    ring: Ring,
    needed: Option<&str>,
) -> Result<Keyring, Refused> {
    context.keyrings.keyring(ring, needed).await.map_err(|_| Refused::Unavailable)
}

/// The client, if its secret is genuine; the error is the same for an unknown client and a wrong secret.
async fn client_of<K: Keys, R: Keyrings>(
    context: &Context<K, R>,
    form: &form::Form,
) -> Result<StoredKey, Refused> {
    let secret = ApiKey::parse(&form.client_secret).filter(|key| key.r#use() == KeyUse::Client);
    let secret = secret.filter(|key| key.id().as_str() == form.client_id).ok_or(Refused::InvalidClient)?;
    let stored = context.keys.key(secret.id()).await.map_err(|error| {
        tracing::error!(error = causes(&error), key.id = %secret.id(), "the client cannot be read");
        Refused::Unavailable
    })?;
    let stored = stored.ok_or(Refused::InvalidClient)?;
    let peppers = keyring(context, Ring::Pepper, stored.proof.pepper.as_deref()).await?;
    stored.judge(&secret, &peppers, (context.now)()).map_err(|_| Refused::InvalidClient)?;
    if let Some(renewed) = stored.renewed(&secret, peppers.for_new((context.now)()))
        && let Err(error) = context.keys.renew_key(&stored, &renewed).await
    {
        // It still counts, and is renewed when it is next seen.
        tracing::warn!(key.id = %stored.id, error = causes(&error), "a client was not renewed");
    }
    Ok(stored)
}

/// The requested scopes, if the client has all of them.
fn narrowed(allowed: &[Scope], wanted: &str) -> Result<Vec<Scope>, Refused> {
    let scopes = wanted.split(' ').map(Scope::parse).collect::<Option<Vec<_>>>();
    let scopes = scopes.filter(|scopes| scopes.iter().all(|scope| allowed.contains(scope)));
    scopes.ok_or(Refused::InvalidScope)
}

impl Refused {
    fn answer(&self) -> (StatusCode, Value) {
        let (status, error, description) = match self {
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", *why),
            Self::InvalidClient => {
                (StatusCode::UNAUTHORIZED, "invalid_client", "The client is unknown or its secret is wrong.")
            }
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "The grant_type must be client_credentials.",
            ),
            Self::InvalidScope => {
                (StatusCode::BAD_REQUEST, "invalid_scope", "The client does not have each of these scopes.")
            }
            Self::Unavailable => {
                let sentence = "No token can be issued right now. The same request may be sent again.";
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", sentence)
            }
        };
        (status, json!({ "error": error, "error_description": description }))
    }
}
