//! A real webhook receiver on loopback, which answers as it is told and keeps what it got.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_mins(1);

/// One delivery, as it arrived.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The headers.
    pub headers: http::HeaderMap,
    /// The very bytes.
    pub bytes: Bytes,
    /// The body.
    pub body: Value,
}

impl Webhook {
    /// `webhook-id`.
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    /// `type`.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    /// Checks the signature with an implementation that is not ours.
    pub fn assert_signed_by(&self, secret: &str) {
        let verifier = standardwebhooks::Webhook::new(secret).expect("a secret");
        verifier.verify(&self.bytes, &self.headers).expect("a genuine signature");
    }
}

/// A receiver; it listens until it is dropped with its test's runtime.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    arrivals: UnboundedReceiver<Webhook>,
}

impl Receiver {
    /// Answers 204 to everything.
    pub async fn start() -> Self {
        Self::answering(&[]).await
    }

    /// Answers these statuses first, in this order, and then 204.
    pub async fn answering(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let (sender, arrivals) = unbounded_channel();
        let statuses = Arc::new(Mutex::new(VecDeque::from(statuses.to_vec())));
        tokio::spawn(serve(listener, sender, statuses));
        Self { url, arrivals }
    }

    /// The next delivery.
    pub async fn next(&mut self) -> Webhook {
        timeout(PATIENCE, self.arrivals.recv()).await.expect("a webhook in time").expect("a receiver")
    }

    /// The next deliveries, sorted by type: their order is not promised.
    pub async fn take(&mut self, count: usize) -> Vec<Webhook> {
        let mut got = Vec::new();
        while got.len() < count {
            got.push(self.next().await);
        }
        got.sort_by(|one, other| one.kind().cmp(other.kind()));
        got
    }
}

async fn serve(listener: TcpListener, sender: UnboundedSender<Webhook>, statuses: Arc<Mutex<VecDeque<u16>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (sender, statuses) = (sender.clone(), statuses.clone());
        let answer = service_fn(move |request: hyper::Request<Incoming>| {
            let (sender, statuses) = (sender.clone(), statuses.clone());
            async move {
                let (head, body) = request.into_parts();
                let bytes = body.collect().await.expect("a whole body").to_bytes();
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                let status = statuses.lock().unwrap().pop_front().unwrap_or(204);
                // The test may have seen enough and gone.
                let _ = sender.send(Webhook { headers: head.headers, bytes, body });
                let answer = hyper::Response::builder().status(status).body(Full::<Bytes>::default());
                Ok::<_, Infallible>(answer.expect("an answer"))
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
        );
    }
}
