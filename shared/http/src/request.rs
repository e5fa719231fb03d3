//! What every handler needs of a request: who calls, the body, the key, the path.

use lambda_http::http::HeaderMap;
use lambda_http::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt};
use recoup_domain::api_key::Scope;
use recoup_domain::ids::{AccountId, Environment, IdempotencyKey, Tenant};

use crate::fields::Fields;
use crate::problem::{Code, Problem};

/// Most bytes in a body: 64 KiB.
pub const BODY_BYTES_MAX: usize = 65_536;

/// Who calls, as the authorizer found.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose data the call is about.
    pub tenant: Tenant,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Reads what the authorizer put into the request's context, and asks for a scope.
    ///
    /// A request without it did not come through the authorizer: that is a fault of the deployment.
    pub fn with_scope(request: &Request, scope: Scope) -> Result<Self, Problem> {
        let caller = Self::read(request).ok_or_else(|| {
            tracing::error!("the request carries no authorizer context; is the route behind the authorizer?");
            Problem::new(Code::Internal, "The request could not be attributed to an account.")
        })?;
        if caller.scopes.contains(&scope) {
            return Ok(caller);
        }
        let detail = format!("The credential lacks the scope {}.", scope.as_str());
        Err(Problem::new(Code::InsufficientScope, detail))
    }

    fn read(request: &Request) -> Option<Self> {
        let RequestContext::ApiGatewayV2(context) = request.request_context() else {
            return None;
        };
        // `fields` is what stands under `authorizer.lambda` in the event.
        let fields = context.authorizer?.fields;
        let field = |name: &str| fields.get(name)?.as_str();
        let environment = Environment::parse(field("environment")?)?;
        let account = AccountId::try_from(field("account_id")?).ok()?;
        let scopes = field("scopes")?.split(' ').filter_map(Scope::parse).collect();
        Some(Self { tenant: Tenant { environment, account }, scopes })
    }
}

/// The fields of the request's JSON body; an empty body has none.
pub fn body(request: &Request) -> Result<Fields, Problem> {
    let bytes: &[u8] = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    let announced = header(request.headers(), CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
    if bytes.len().max(announced.unwrap_or(0)) > BODY_BYTES_MAX {
        let detail = format!("The body has more than {BODY_BYTES_MAX} bytes.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Fields::parse(&[]);
    }
    let media_type = header(request.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::UnsupportedMediaType, "The content-type must be application/json."));
    }
    Fields::parse(bytes)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The idempotency key, bare or as a quoted string; both name the same key.
pub fn idempotency_key(request: &Request) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = request.headers().get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let problem =
        |why: &str| Problem::new(Code::InvalidIdempotencyKey, format!("The Idempotency-Key {why}."));
    if values.next().is_some() {
        return Err(problem("stands twice"));
    }
    let text = value.to_str().map_err(|_| problem("must be 1 to 255 visible ASCII characters"))?.trim();
    let key = match text.strip_prefix('"') {
        None => text,
        Some(rest) => {
            let inner = rest.strip_suffix('"').filter(|inner| !inner.contains('"'));
            // Half a quoted key, taken as it stands, would be another key, and the retry another refund.
            inner.ok_or_else(|| problem("begins with a quote and is no quoted string"))?
        }
    };
    IdempotencyKey::try_from(key).map(Some).map_err(|why| problem(&why.to_string()))
}

/// A parameter of the path, if the route has it.
pub fn path_parameter(request: &Request, name: &str) -> Option<String> {
    request.path_parameters_ref()?.first(name).map(str::to_owned)
}

/// The gateway's id of this request, for the caller and the log.
pub(crate) fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().unwrap_or_default(),
        _ => String::new(),
    }
}
