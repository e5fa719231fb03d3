//! `POST /v1/oauth/token`: client credentials in, an hour's access token out (RFC 6749, section 4.4).
//!
//! This route has no authorizer. Its errors are RFC 6749's, not RFC 9457's. Tokens are not stored: once a client is
//! revoked, no new ones are issued, and the last one expires within the hour.

mod form;

use std::time::Duration;

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use recoup_domain::api_key::{ApiKey, KeyUse, Pepper, Scope, StoredKey};
use recoup_domain::time::Timestamp;
use recoup_domain::token::Claims;
use recoup_ports::causes;
use recoup_ports::credentials::Keys;
use serde_json::{Value, json};

/// What the function needs.
pub struct Context<K> {
    /// The store of clients.
    pub keys: K,
    /// The secret that hashes client secrets and signs tokens.
    pub pepper: Pepper,
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
pub async fn handle<K: Keys>(context: &Context<K>, request: &Request) -> Response<Body> {
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

async fn issue<K: Keys>(context: &Context<K>, request: &Request) -> Result<Value, Refused> {
    let form = form::parse(request)?;
    if form.grant_type != "client_credentials" {
        return Err(Refused::UnsupportedGrantType);
    }
    let client = client_of(context, &form).await?;
    let scopes = match &form.scope {
        None => client.scopes.clone(),
        Some(wanted) => narrowed(&client.scopes, wanted)?,
    };
    let expires_at = (context.now)().plus(Duration::from_secs(Claims::LIFETIME_SECONDS.into()));
    let scope: Vec<&str> = scopes.iter().copied().map(Scope::as_str).collect();
    let scope = scope.join(" ");
    let claims = Claims { tenant: client.tenant, client: client.id, scopes, expires_at };
    Ok(json!({
        "access_token": claims.sign(&context.pepper),
        "token_type": "Bearer",
        "expires_in": Claims::LIFETIME_SECONDS,
        "scope": scope,
    }))
}

/// The client, if its secret is genuine; the error is the same for an unknown client and a wrong secret.
async fn client_of<K: Keys>(context: &Context<K>, form: &form::Form) -> Result<StoredKey, Refused> {
    let secret = ApiKey::parse(&form.client_secret).filter(|key| key.r#use() == KeyUse::Client);
    let secret = secret.filter(|key| key.id().as_str() == form.client_id).ok_or(Refused::InvalidClient)?;
    let stored = context.keys.key(secret.id()).await.map_err(|error| {
        tracing::error!(error = causes(&error), key.id = %secret.id(), "the client cannot be read");
        Refused::Unavailable
    })?;
    stored.filter(|stored| stored.admits(&secret, &context.pepper)).ok_or(Refused::InvalidClient)
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
