//! What every handler needs from a request: the caller, the body, the path.

use std::collections::HashMap;
use std::time::Duration;

use lambda_http::http::HeaderMap;
use lambda_http::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt};
use recoup_domain::api_key::{KeyUse, Refused, Scope};
use recoup_domain::by::By;
use recoup_domain::ids::{AccountId, Environment, KeyId, Tenant};
use recoup_domain::stored_key::IpRange;
use recoup_domain::text::Text;
use serde_json::Value;

use crate::fields::Fields;
use crate::list::Parameters;
use crate::problem::{Code, Problem};
use crate::route::stray;

/// Most bytes in a body: 64 KiB.
pub const BODY_BYTES_MAX: usize = 65_536;

/// How long the gateway keeps what the authorizer said, and so a credential that could not be checked.
const CREDENTIAL_CACHED: Duration = Duration::from_mins(1);

/// The caller, as the authorizer identified it. There is no other way to a tenant.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant whose data the request is about.
    pub tenant: Tenant,
    /// The API key, or the client whose token it is; `None` if an authorizer of an earlier version does not say.
    pub key: Option<KeyId>,
    /// The same, as refunds and payments name it; `None` if an authorizer of an earlier version does not say.
    pub by: Option<By>,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Reads the caller from the authorizer's context, and requires a scope.
    pub fn with_scope(request: &Request, scope: Scope) -> Result<Self, Problem> {
        let caller = Self::of(request)?;
        caller.require(scope)?;
        Ok(caller)
    }

    /// Whether the caller has a scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Refuses a caller without a scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) {
            return Ok(());
        }
        let detail = format!("The credential lacks the scope {}.", scope.as_str());
        Err(Problem::new(Code::InsufficientScope, detail))
    }

    /// Reads the caller from the authorizer's context, whatever its scopes.
    ///
    /// The gateway lets every request with a credential through: a refused credential comes with the reason and without
    /// a tenant. A request with neither did not pass the authorizer, which is a fault of the deployment.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        let fields = authorizer_context(request);
        if let Some(reason) = fields.and_then(|fields| fields.get("refused")) {
            return Err(refused(reason.as_str().and_then(Refused::parse)));
        }
        if fields.is_some_and(|fields| !admits_address(fields, source_ip(request))) {
            return Err(refused(Some(Refused::Address)));
        }
        fields.and_then(Self::read).ok_or_else(|| {
            tracing::error!("the request carries no authorizer context; is the route behind the authorizer?");
            Problem::new(Code::Internal, "The request could not be attributed to an account.")
        })
    }

    fn read(fields: &HashMap<String, Value>) -> Option<Self> {
        let field = |name: &str| fields.get(name)?.as_str();
        let environment = Environment::parse(field("environment")?)?;
        let account = AccountId::try_from(field("account_id")?).ok()?;
        let scopes = field("scopes")?.split(' ').filter_map(Scope::parse).collect();
        let key = field("key_id").and_then(|id| KeyId::try_from(id).ok());
        let r#use = field("key_use").and_then(KeyUse::parse);
        let name = field("key_name").and_then(|name| Text::new(name.to_owned()).ok());
        let by = r#use.zip(key.as_ref()).map(|(r#use, id)| By::key(r#use, id, name));
        Some(Self { tenant: Tenant { environment, account }, key, by, scopes })
    }
}

/// Whether the credential may be used from this address: the gateway keeps what the authorizer says for every address.
fn admits_address(fields: &HashMap<String, Value>, address: Option<&str>) -> bool {
    let Some(ranges) = fields.get("ip_ranges") else { return true };
    let mut ranges = ranges.as_str().unwrap_or_default().split(' ').filter_map(IpRange::parse);
    address.is_some_and(|address| ranges.any(|range| range.contains(address)))
}

/// The caller's address, as the gateway saw it.
fn source_ip(request: &Request) -> Option<&str> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    }
}

/// The fields under `authorizer.lambda` in the event.
fn authorizer_context(request: &Request) -> Option<&HashMap<String, Value>> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(&context.authorizer.as_ref()?.fields),
        _ => None,
    }
}

fn refused(why: Option<Refused>) -> Problem {
    let detail = match why {
        Some(Refused::Malformed) => {
            "The Authorization header holds no whole key and no token. Send `Bearer` and the key, every character of \
             it, or the key as the user or password of Basic."
        }
        Some(Refused::ClientSecret) => {
            "This is the secret of a client. Exchange it for an access token at POST /v1/oauth/token, and send that."
        }
        Some(Refused::Expired) => {
            "The key or the access token has expired. Fetch a new token at POST /v1/oauth/token, or have a new key \
             made: admin's create_api_key makes keys."
        }
        Some(Refused::Address) => "This credential may not be used from the address of the request.",
        Some(Refused::Unavailable) => {
            let detail = "The credential could not be checked right now. Nothing was done; the same request may be \
                          sent again after a minute.";
            return Problem::new(Code::Unavailable, detail).waiting(CREDENTIAL_CACHED);
        }
        Some(Refused::Unknown) | None => {
            "The key or token is not known here, or was revoked. Check that it is of this deployment, or have a new \
             one made: admin's create_api_key makes keys, POST /v1/oauth/token gives tokens."
        }
    };
    Problem::new(Code::InvalidCredential, detail)
}

/// The fields of the request's JSON body; an empty body has none. Each name that the body may have is in `known`,
/// as [`Fields::parse`] reads it.
///
/// A request with a body takes no query parameters.
pub fn body(request: &Request, known: &[&str]) -> Result<Fields, Problem> {
    let bytes = plain_body(request, BODY_BYTES_MAX, "application/json")?;
    Fields::parse(bytes.unwrap_or_default(), known)
}

/// The bytes of the request's body, uncompressed and of this media type; `None` if there is nothing in it.
pub fn plain_body<'request>(
    request: &'request Request,
    bytes_max: usize,
    media_type: &str,
) -> Result<Option<&'request [u8]>, Problem> {
    Parameters::of(request)?.finish()?;
    let bytes: &[u8] = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    let announced = header(request.headers(), CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
    if bytes.len().max(announced.unwrap_or(0)) > bytes_max {
        let detail = format!("The body has more than {bytes_max} bytes.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let encoding = header(request.headers(), CONTENT_ENCODING.as_str()).unwrap_or("identity").trim();
    if !encoding.eq_ignore_ascii_case("identity") || GZIP.iter().any(|magic| bytes.starts_with(magic)) {
        let detail = "The body is compressed. Send it as plain JSON, without a content-encoding.";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let said = header(request.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(media_type) {
        let detail = format!("The content-type must be {media_type}.");
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    if BYTE_ORDER_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        let detail = "The body begins with a byte-order mark. Send it as UTF-8 without one.";
        return Err(Problem::new(Code::InvalidJson, detail));
    }
    Ok(Some(bytes))
}

/// The first bytes of gzip: as sent, and after a gateway has taken them for text.
const GZIP: [&[u8]; 2] = [b"\x1f\x8b", b"\x1f\xef\xbf\xbd\x08"];
/// The byte-order marks of UTF-8, and of UTF-16 in both orders.
const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A parameter of the path that the request's route must have. A request without it is a fault of the deployment.
pub fn routed_parameter(request: &Request, name: &str) -> Result<String, Problem> {
    path_parameter(request, name).ok_or_else(|| stray(request))
}

/// A parameter of the path, if the route has it.
pub fn path_parameter(request: &Request, name: &str) -> Option<String> {
    request.path_parameters_ref()?.first(name).map(str::to_owned)
}

/// The gateway's id of this request, for the caller and the log; empty where no gateway gave one.
pub(crate) fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().unwrap_or_default(),
        _ => String::new(),
    }
}
