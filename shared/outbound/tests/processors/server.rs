//! A real listener on loopback: any number of connections at once, one request on each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }
}

/// What the listener does after a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Json {
        status: u16,
        body: String,
    },
    /// This text as it stands, then so many spaces more, as long as anybody reads them.
    Raw {
        text: String,
        filler_bytes: usize,
    },
    /// Closes the connection.
    Cut,
    /// Says nothing, and keeps the connection.
    Stall,
    /// Says this after a while; for a clock that stands still otherwise.
    Late {
        after: Duration,
        reply: Box<Reply>,
    },
}

impl Reply {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Json { status, body: body.to_string() }
    }
}

pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (requests.clone(), Arc::new(answer));
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    let Some(request) = read(&mut stream).await else { return };
                    log.lock().unwrap().push(request.clone());
                    send(&mut stream, answer(&request)).await;
                });
            }
        });
        Self { port, requests, serving }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Methods and paths so far, without queries; forgets them.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        let path = |request: &Request| request.path.split('?').next().unwrap().to_owned();
        requests.iter().map(|request| format!("{} {}", request.method, path(request))).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn send(stream: &mut TcpStream, mut reply: Reply) {
    while let Reply::Late { after, reply: then } = reply {
        tokio::time::sleep(after).await;
        reply = *then;
    }
    let (text, mut left) = match reply {
        Reply::Cut | Reply::Late { .. } => return,
        Reply::Stall => {
            // Until the other side gives up.
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest).await);
            return;
        }
        Reply::Json { status, body } => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json; charset=utf-8");
            (format!("{head}\r\nrequest-id: req_1\r\ncontent-length: {length}\r\n\r\n{body}"), 0)
        }
        Reply::Raw { text, filler_bytes } => (text, filler_bytes),
    };
    let mut going = stream.write_all(text.as_bytes()).await.is_ok();
    while going && left > 0 {
        let chunk = vec![b' '; left.min(64 * 1024)];
        going = stream.write_all(&chunk).await.is_ok();
        left -= chunk.len();
    }
    drop(stream.shutdown().await);
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ').map(str::to_owned);
            let (method, path) = (first.next()?, first.next()?);
            let header = |line: &str| {
                let (key, value) = line.split_once(": ")?;
                Some((key.to_ascii_lowercase(), value.to_owned()))
            };
            let request =
                Request { method, path, headers: lines.filter_map(header).collect(), body: body.to_owned() };
            let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(request);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
