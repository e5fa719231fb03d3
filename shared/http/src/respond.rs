//! Answers: each has a `request-id`, and the log of an internal fault names it.

use std::time::Duration;

use lambda_http::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderMap, HeaderName, Method, StatusCode};
use lambda_http::{Body, Request, Response};
use recoup_ports::refunds::ReserveError;
use recoup_ports::samples::SampleError;
use recoup_ports::seal_keys::SealKeyError;
use recoup_ports::seals::SealError;
use recoup_ports::settlement::SettleError;
use recoup_ports::{ReadError, WriteError, causes};
use serde::Serialize;

use crate::problem::{Code, Problem};
use crate::request::request_id;
use crate::route::{Creating, Managing, key};

/// Longest work on one request by default: a second less than the 10 s that the template gives a function, so that the
/// answer is still ours.
pub const WORK_MAX: Duration = Duration::from_secs(9);

/// A handler's answer.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Option<String>,
    media: Media,
    replayed: bool,
}

/// The media type of a body.
#[derive(Clone, Copy, Debug)]
enum Media {
    Json,
    Page,
}

impl Answer {
    /// An answer with an object: 200, 201 or 202.
    pub fn new(status: StatusCode, view: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(view).map_err(unwritable)?;
        Ok(Self { status, body: Some(body), media: Media::Json, replayed: false })
    }

    /// 200 with an HTML page for people, which loads nothing and may run no scripts.
    pub fn page(html: String) -> Self {
        Self { status: StatusCode::OK, body: Some(html), media: Media::Page, replayed: false }
    }

    /// 204: done, without a body.
    pub fn done() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, media: Media::Json, replayed: false }
    }

    /// Marks the answer as a replay.
    #[must_use]
    pub fn replayed(mut self) -> Self {
        self.replayed = true;
        self
    }
}

/// Runs a handler's work in a span that names the request, and writes its answer or its problem. Work that takes too
/// long is dropped: whoever sends the request again finds what it has written.
pub async fn respond(
    request: &Request,
    work: impl Future<Output = Result<Answer, Problem>>,
) -> Response<Body> {
    respond_within(WORK_MAX, request, work).await
}

/// [`respond`] with another limit, where the template gives the function more time.
pub async fn respond_within(
    limit: Duration,
    request: &Request,
    work: impl Future<Output = Result<Answer, Problem>>,
) -> Response<Body> {
    use tracing::Instrument;
    let id = request_id(request);
    let span = tracing::info_span!("request", request.id = %id);
    let outcome = async {
        let outcome = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            tracing::error!("the work took too long and was dropped");
            Err(too_late(request))
        });
        match &outcome {
            Ok(answer) => tracing::info!(http.status = answer.status.as_u16(), "answered"),
            Err(problem) => tracing::info!(
                http.status = problem.code().status().as_u16(),
                problem.code = problem.code().as_str(),
                "refused"
            ),
        }
        outcome
    };
    let outcome = outcome.instrument(span).await;
    write(request, &id, outcome)
}

fn write(request: &Request, id: &str, outcome: Result<Answer, Problem>) -> Response<Body> {
    let json = HeaderValue::from_static("application/json");
    let mut response;
    match outcome {
        Ok(answer) => {
            let has_body = answer.body.is_some();
            response = Response::new(answer.body.map_or(Body::Empty, Body::from));
            *response.status_mut() = answer.status;
            match answer.media {
                Media::Json if has_body => {
                    response.headers_mut().insert(CONTENT_TYPE, json);
                }
                Media::Json => {}
                Media::Page => add_page_headers(response.headers_mut()),
            }
            if answer.replayed {
                let name = HeaderName::from_static("idempotent-replayed");
                response.headers_mut().insert(name, HeaderValue::from_static("true"));
            }
        }
        Err(problem) => {
            // An answer to HEAD has no body, not even a problem's.
            let body = (request.method() != Method::HEAD).then(|| problem.body(request.uri().path(), id));
            response = Response::new(body.map_or(Body::Empty, Body::from));
            *response.status_mut() = problem.code().status();
            let json = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            if let Some(seconds) = problem.retry_after() {
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
            if let Some(methods) = problem.allowed() {
                response.headers_mut().insert(ALLOW, methods);
            }
        }
    }
    add_private_headers(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(HeaderName::from_static("request-id"), value);
    }
    response
}

/// Every answer is about one account: nobody on its way may keep it, or take it for anything but what it says.
fn add_private_headers(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// A page holds an account's data, so no markup in it may run or load anything.
fn add_page_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (VARY, "accept"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error by value")]
pub(crate) fn unwritable(error: serde_json::Error) -> Problem {
    tracing::error!(%error, "a view could not be written as JSON");
    internal()
}

/// The problem of a fault that the caller cannot mend; the log says more.
pub fn internal() -> Problem {
    Problem::new(Code::Internal, "Something went wrong here. The request id helps us to find it.")
}

fn unavailable() -> Problem {
    Problem::new(
        Code::Unavailable,
        "The service cannot answer right now. The same request may be sent again.",
    )
}

/// Every request may be repeated, except two that would do their work twice: a refund without a key, and an endpoint.
fn too_late(request: &Request) -> Problem {
    let keyed = request.headers().contains_key("idempotency-key");
    match (Creating::parse(key(request)), Managing::parse(key(request))) {
        (Some(Creating::Refund | Creating::RefundOfPayment), _) if !keyed => unknown_outcome(),
        (_, Some(Managing::CreateEndpoint)) => crate::endpoint::unknown_outcome(),
        _ => unavailable(),
    }
}

/// The problem of a create without a key that may or may not have written its refund.
pub fn unknown_outcome() -> Problem {
    let detail = "It is not known whether the refund was made, and no Idempotency-Key was sent by which to ask. \
        Look at the payment before this is sent again.";
    Problem::new(Code::Unavailable, detail).uncertain()
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        tracing::error!(error = causes(&error), "a read failed");
        match error {
            ReadError::Unavailable(_) => unavailable(),
            ReadError::Unreadable { .. } => internal(),
        }
    }
}

impl From<SealKeyError> for Problem {
    fn from(error: SealKeyError) -> Self {
        tracing::error!(error = causes(&error), "nothing was written");
        unavailable()
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        tracing::error!(error = causes(&error), "a write failed");
        match error {
            WriteError::Unavailable(_) => unavailable(),
            WriteError::Unreadable { .. } => internal(),
        }
    }
}

impl From<SealError> for Problem {
    /// Nothing was written.
    fn from(error: SealError) -> Self {
        tracing::error!(error = causes(&error), "a secret was not sealed");
        unavailable()
    }
}

impl From<SampleError> for Problem {
    fn from(error: SampleError) -> Self {
        tracing::error!(error = causes(&error), "a sample has no outcome");
        unavailable()
    }
}

impl From<SettleError> for Problem {
    fn from(error: SettleError) -> Self {
        tracing::error!(error = causes(&error), "a change was not confirmed");
        match error {
            SettleError::Contended | SettleError::Unavailable(_) => unavailable(),
            SettleError::Missing | SettleError::Unreadable { .. } => internal(),
        }
    }
}

impl From<ReserveError> for Problem {
    fn from(error: ReserveError) -> Self {
        tracing::warn!(error = causes(&error), "a reservation failed");
        match error {
            ReserveError::KeyInUse => Problem::new(
                Code::IdempotencyKeyInUse,
                "Another request with this Idempotency-Key is being written. Send it again to learn what became of it.",
            ),
            ReserveError::Contended | ReserveError::Unavailable(_) => unavailable(),
            ReserveError::Unreadable { .. } => internal(),
        }
    }
}
