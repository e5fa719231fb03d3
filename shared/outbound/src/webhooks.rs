//! Delivering webhooks: one POST to wherever a merchant said, without being led into our own network.
//!
//! The address rule is applied to the very addresses the connector dials, after the name was resolved: a
//! check at the door alone would trust a name that may mean something else a moment later. Each delivery
//! has its own connection, since a kept one goes stale while Lambda freezes the process, and a resend on
//! a stale one would be a try that nobody counts. Absent on purpose: proxies, redirects, cookies.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use recoup_domain::or_abort::OrAbort;
use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use recoup_ports::webhooks::{Deliver, Reach, Reply, SendError};
use rustls::ClientConfig;
use rustls::crypto::ring;
use tokio::time::{Instant, timeout};
use url::{Host, Url};

use crate::names::{Judge, Names, NotPublic, SystemNames, allows};
use crate::reply;

/// One try, from the name's resolution to the end of the answer.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// The part of it in which a connection must stand; the addresses of a name share it.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const OUR_NAME: &str = concat!("Recoup/", env!("CARGO_PKG_VERSION"));

/// Sends webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    client: Client<HttpsConnector<HttpConnector<Judge>>, Full<Bytes>>,
    reach: Reach,
    time_limit: Duration,
}

impl Webhooks {
    /// Sends within this reach, 15 s per try, to receivers whom Mozilla's roots vouch for; fails only if TLS
    /// cannot be set up.
    pub fn new(reach: Reach) -> Result<Self, rustls::Error> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let tls = tls.with_safe_default_protocol_versions()?.with_webpki_roots();
        Ok(Self::with_tls(reach, tls.with_no_client_auth()))
    }

    /// The same with TLS as it is set up here: a test has a root of its own.
    pub fn with_tls(reach: Reach, tls: ClientConfig) -> Self {
        Self::asking(Arc::new(SystemNames), reach, tls)
    }

    /// The same, asking somebody else than the system for the addresses of names. What they answer is held to
    /// the same reach.
    pub fn asking(names: Arc<dyn Names>, reach: Reach, tls: ClientConfig) -> Self {
        let mut dialler = HttpConnector::new_with_resolver(Judge { names, reach });
        dialler.enforce_http(false);
        dialler.set_connect_timeout(Some(CONNECT_LIMIT));
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls);
        let tls = match reach {
            Reach::Public => tls.https_only(),
            Reach::Anywhere => tls.https_or_http(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(tls.enable_http1().wrap_connector(dialler));
        Self { client, reach, time_limit: TIME_LIMIT }
    }

    /// The same with another limit per try.
    #[must_use]
    pub fn within(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }
}

impl Deliver for Webhooks {
    async fn deliver(&self, url: &TargetUrl, message: &Signed) -> Result<Reply, SendError> {
        let target = target(url, self.reach)?;
        let request = request(&target, message)
            .map_err(|_| SendError::Connection("the request could not be made".to_owned()))?;
        let started = Instant::now();
        let answer = timeout(self.time_limit, self.client.request(request)).await;
        let answer = answer.map_err(|_| SendError::TimedOut)?.map_err(|error| cause(&error, &target))?;
        let status = answer.status().as_u16();
        // A message is signed for each try, so its timestamp is the moment at which this one began.
        let signed: u64 = message.timestamp.parse().or_abort("a message is signed at a number of seconds");
        let now = signed.saturating_add(started.elapsed().as_secs());
        let retry_after = reply::retry_after(answer.headers(), now);
        // The status is the receiver's word, whatever becomes of the rest.
        let left = self.time_limit.saturating_sub(started.elapsed());
        let mut body = Vec::new();
        drop(timeout(left, reply::read(answer.into_body(), &mut body)).await);
        Ok(Reply { status, retry_after, head: reply::head(&body) })
    }
}

/// Judges what the URL itself says; an address written out never reaches the resolver.
fn target(url: &TargetUrl, reach: Reach) -> Result<Url, SendError> {
    let url = Url::parse(url.as_str()).map_err(|_| SendError::Forbidden("it is no URL"))?;
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return Err(SendError::Forbidden("it has no host")),
    };
    if reach == Reach::Public && url.scheme() != "https" {
        return Err(SendError::Forbidden("it is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SendError::Forbidden("it carries credentials"));
    }
    let port_allowed = url.port_or_known_default().is_some_and(|port| port == 443 || port >= 1024);
    if reach == Reach::Public && !port_allowed {
        return Err(SendError::Forbidden("its port is neither 443 nor from 1024"));
    }
    if address.is_some_and(|address| !allows(reach, address)) {
        return Err(SendError::Forbidden(NotPublic::WHY));
    }
    Ok(url)
}

fn request(target: &Url, message: &Signed) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::post(Uri::try_from(target.as_str())?)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, OUR_NAME)
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", &message.timestamp)
        .header("webhook-signature", &message.signature)
        .body(Full::new(Bytes::from(message.body.clone())))
}

/// What went wrong, without the host: certificate errors name it, and it is part of the URL.
fn cause(error: &(dyn Error + 'static), target: &Url) -> SendError {
    let chain = || std::iter::successors(Some(error), |error| (*error).source());
    if chain().any(<dyn Error>::is::<NotPublic>) {
        return SendError::Forbidden(NotPublic::WHY);
    }
    let text = chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let host = target.host_str().or_abort("a target without a host was refused");
    let host = host.trim_matches(['[', ']']);
    SendError::Connection(text.replace(host, "(host)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(url: &str) -> Result<Url, SendError> {
        target(&TargetUrl::unchecked(url.to_owned()), Reach::Public)
    }

    #[test]
    fn only_https_on_443_or_from_1024_is_told() {
        for url in
            ["http://example.com/", "https://example.com:25/", "https://example.com:1023/", "file:///x"]
        {
            assert!(matches!(judged(url), Err(SendError::Forbidden(_))), "{url}");
        }
        for url in ["https://example.com/", "https://example.com:1024/", "https://8.8.8.8:8443/a?b#c"] {
            assert!(judged(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn an_error_does_not_name_the_host() {
        let url = Url::parse("https://secret.example/token").unwrap();
        let error = std::io::Error::other("certificate not valid for name \"secret.example\"");
        let SendError::Connection(text) = cause(&error, &url) else { panic!("not a connection error") };
        assert_eq!(text, "certificate not valid for name \"(host)\"");
    }
}
