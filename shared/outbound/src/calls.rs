//! One bounded request to a processor, with nothing of it in an error: no host, no header, no body.
//!
//! Each request has its own connection, and nothing is sent twice: a kept connection goes stale while Lambda
//! freezes the process, and a resend is the processor's port to decide. Redirects are not followed. Any
//! address may be dialled, since whoever runs the deployment said where; `BaseUrl` asks for TLS.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use recoup_domain::time::Timestamp;
use recoup_ports::causes;
use rustls::ClientConfig;
use rustls::crypto::ring;

use crate::reply::retry_after;
use crate::wordless::is_refused;

/// The part of a call in which a connection must stand.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const OUR_NAME: &str = concat!("Recoup/", env!("CARGO_PKG_VERSION"));

/// Speaks to processors.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    answer_bytes_max: usize,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why no whole answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallError {
    /// What that means.
    pub(crate) why: &'static str,
    /// The cause, without the host.
    pub(crate) cause: String,
    /// Whether nobody listened, so that nothing was sent.
    pub(crate) refused: bool,
}

impl Calls {
    /// Reads answers up to so many bytes, of processors whom Mozilla's roots vouch for; fails only if TLS
    /// cannot be set up. Bounded in time by its caller.
    pub(crate) fn new(answer_bytes_max: usize) -> Result<Self, rustls::Error> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let tls = tls.with_safe_default_protocol_versions()?.with_webpki_roots();
        Ok(Self::with_tls(answer_bytes_max, tls.with_no_client_auth()))
    }

    /// The same with TLS as it is set up here: a test has a root of its own.
    pub(crate) fn with_tls(answer_bytes_max: usize, tls: ClientConfig) -> Self {
        let mut dialler = HttpConnector::new();
        dialler.enforce_http(false);
        dialler.set_connect_timeout(Some(CONNECT_LIMIT));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector.https_or_http().enable_http1().wrap_connector(dialler));
        Self { client, answer_bytes_max }
    }

    /// The same, for answers of another size: TLS is set up once in a process, for that is most of its start.
    pub(crate) fn sharing(&self, answer_bytes_max: usize) -> Self {
        Self { client: self.client.clone(), answer_bytes_max }
    }

    /// Sends once.
    pub(crate) async fn send(&self, mut request: Request<String>) -> Result<Answered, CallError> {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
        let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let answer = self.client.request(request.map(|body| Full::new(Bytes::from(body)))).await;
        let answer = answer.map_err(|error| {
            let why = if error.is_connect() { "no connection" } else { "the connection broke" };
            let refused = error.is_connect() && is_refused(&error);
            CallError { why, cause: described(&error, &host), refused }
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, self.answer_bytes_max).collect().await.map_err(|error| {
            let why = if error.is::<LengthLimitError>() {
                "the answer is too long"
            } else {
                "the connection broke"
            };
            CallError { why, cause: described(&*error, &host), refused: false }
        })?;
        Ok(Answered { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }
}

impl Answered {
    /// The body, if it says that it is JSON.
    pub(crate) fn json(&self) -> Option<&[u8]> {
        let said = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let kind = said.split(';').next()?.trim();
        kind.eq_ignore_ascii_case("application/json").then_some(&*self.body)
    }

    /// How long it asks us to wait.
    pub(crate) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        retry_after(&self.headers, now.unix_seconds())
    }

    /// A header that is safe to log: a short token.
    pub(crate) fn token(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?.to_str().ok()?;
        let is_token = (1..=64).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        is_token.then_some(value)
    }
}

/// An error and its causes, without the host: it may be part of a secret URL.
fn described(error: &(dyn Error + 'static), host: &str) -> String {
    let text = causes(error);
    if host.is_empty() { text } else { text.replace(host, "(host)") }
}
