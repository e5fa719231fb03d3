//! The form of a token request, with the client's credentials in it or in a Basic header.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::http::header::{AUTHORIZATION, CONTENT_TYPE};
use lambda_http::{Body, Request};

use crate::Refused;

/// Most bytes of a form; a genuine one has a few hundred.
const BYTES_MAX: usize = 8_192;

#[derive(Default)]
pub(crate) struct Form {
    pub(crate) grant_type: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) scope: Option<String>,
}

pub(crate) fn parse(request: &Request) -> Result<Form, Refused> {
    let bytes: &[u8] = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    if bytes.len() > BYTES_MAX {
        return Err(Refused::InvalidRequest("The form is too large."));
    }
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refused::InvalidRequest("The content-type must be application/x-www-form-urlencoded."));
    }
    let (mut grant_type, mut id, mut secret, mut scope) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(bytes) {
        let field = match &*name {
            "grant_type" => &mut grant_type,
            "client_id" => &mut id,
            "client_secret" => &mut secret,
            "scope" => &mut scope,
            // RFC 6749, section 3.2: parameters that are not recognised are ignored.
            _ => continue,
        };
        if field.replace(value.into_owned()).is_some() {
            return Err(Refused::InvalidRequest("A parameter stands twice."));
        }
    }
    let grant_type = grant_type.ok_or(Refused::InvalidRequest("grant_type is required."))?;
    let (client_id, client_secret) = match (basic(request), id, secret) {
        (Some(_), _, Some(_)) => {
            return Err(Refused::InvalidRequest(
                "The client shows its secret in the header and in the form.",
            ));
        }
        (Some((header_id, secret)), id, None) if id.as_ref().is_none_or(|id| *id == header_id) => {
            (header_id, secret)
        }
        (None, Some(id), Some(secret)) => (id, secret),
        _ => return Err(Refused::InvalidClient),
    };
    Ok(Form { grant_type, client_id, client_secret, scope })
}

fn basic(request: &Request) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credential.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
