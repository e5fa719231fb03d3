//! The HTTP connections of all AWS clients: HTTP/1.1 on hyper, with the roots that certify AWS's own endpoints.
//!
//! The SDK's own connector reads its roots as PEM, builds its TLS configuration again for each client, and links HTTP/2,
//! which DynamoDB and SQS do not speak.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector as SdkConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::ConfigError;

/// The roots under which AWS's own endpoints are certified, as <https://www.amazontrust.com/repository/> has them. Loading
/// the system's roots instead would be four fifths of a cold start's work.
const AMAZON_ROOTS: [&[u8]; 5] = [
    include_bytes!("../roots/amazon-root-ca-1.der"),
    include_bytes!("../roots/amazon-root-ca-2.der"),
    include_bytes!("../roots/amazon-root-ca-3.der"),
    include_bytes!("../roots/amazon-root-ca-4.der"),
    include_bytes!("../roots/starfield-services-root-g2.der"),
];

/// The connections, shared by every client of the process.
#[derive(Clone, Debug)]
struct Connections(Client<HttpsConnector<HttpConnector>, SdkBody>);

/// An HTTP client for the SDK whose connections stand within this time; fails only if the built-in roots are broken.
pub(crate) fn http_client(connect_timeout: Duration) -> Result<SharedHttpClient, ConfigError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    let tls = HttpsConnectorBuilder::new().with_tls_config(tls()?);
    // Without TLS only where an endpoint is named so: the local stack's. AWS's own are all `https`.
    let https = tls.https_or_http().enable_http1().wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https);
    Ok(SharedHttpClient::new(Connections(client)))
}

fn tls() -> Result<ClientConfig, ConfigError> {
    let unusable = ConfigError { name: "the built-in roots", why: "cannot be used" };
    let mut roots = RootCertStore::empty();
    for root in AMAZON_ROOTS {
        roots.add(CertificateDer::from(root)).map_err(|_| unusable.clone())?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|_| unusable)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl HttpClient for Connections {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl SdkConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(connector_error)?;
            let answer = HttpResponse::try_from(answer.map(SdkBody::from_body_1_x));
            answer.map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What the SDK may do after a failure: it tries again what did not arrive, or may not have.
fn connector_error(error: ClientError) -> ConnectorError {
    let hyper = source::<hyper::Error>(&error);
    let is = |what: fn(&hyper::Error) -> bool| hyper.is_some_and(what);
    if is(hyper::Error::is_timeout) {
        return ConnectorError::timeout(error.into());
    }
    if is(hyper::Error::is_user) {
        return ConnectorError::user(error.into());
    }
    let cut = is(hyper::Error::is_closed) || is(hyper::Error::is_canceled);
    if cut || error.is_connect() || source::<std::io::Error>(&error).is_some() {
        return ConnectorError::io(error.into());
    }
    let transient = is(hyper::Error::is_incomplete_message).then_some(ErrorKind::TransientError);
    ConnectorError::other(error.into(), transient)
}

fn source<'error, E: Error + 'static>(error: &'error ClientError) -> Option<&'error E> {
    let first: &'error (dyn Error + 'static) = error;
    let next = |error: &&'error (dyn Error + 'static)| (*error).source();
    std::iter::successors(Some(first), next).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use aws_credential_types::Credentials;
    use aws_sdk_dynamodb::config::retry::RetryConfig;
    use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
    use aws_sdk_dynamodb::error::SdkError;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{Duration, http_client, tls};

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"TableNames\":[]}";

    fn dynamodb(port: u16) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http_client(Duration::from_secs(1)).unwrap())
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .endpoint_url(format!("http://127.0.0.1:{port}"));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    #[test]
    fn the_built_in_roots_can_be_used() {
        assert!(tls().is_ok());
    }

    #[tokio::test]
    async fn a_connection_cut_at_any_point_is_tried_again_and_then_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut request = [0; 4_096];
        let serving = async {
            // Cut before the request, and within the answer's head.
            drop(listener.accept().await.unwrap());
            let (mut cut, _) = listener.accept().await.unwrap();
            let _ = cut.read(&mut request).await.unwrap();
            cut.write_all(&ANSWER[..20]).await.unwrap();
            drop(cut);
            let (mut kept, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                let _ = kept.read(&mut request).await.unwrap();
                kept.write_all(ANSWER).await.unwrap();
            }
        };
        let client = dynamodb(port);
        let asking = async {
            client.list_tables().send().await.unwrap();
            client.list_tables().send().await.unwrap();
        };
        tokio::join!(serving, asking);
    }

    #[tokio::test]
    async fn where_nobody_listens_the_sdk_may_try_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = dynamodb(port).list_tables().send().await.unwrap_err();
        assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()), "{error}");
    }
}
