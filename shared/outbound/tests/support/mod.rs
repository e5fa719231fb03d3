//! A real listener on loopback that answers as a test wants.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What the listener does with a request.
#[derive(Clone)]
pub(crate) struct Answer {
    /// Sends this,
    pub(crate) text: String,
    /// then this many bytes more, as long as anybody reads them,
    pub(crate) filler_bytes: usize,
    /// and then closes, or falls silent.
    pub(crate) close: bool,
}

/// Serves one connection after the other.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn answering(answer: impl Fn(&Received) -> Answer + Send + 'static) -> Self {
        Self::answering_together(1, answer).await
    }

    /// Answers so many requests once all of them have come.
    pub(crate) async fn answering_together(
        count: usize,
        answer: impl Fn(&Received) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = received.clone();
        let serving = tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let mut asked = Vec::new();
                for _ in 0..count {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    asked.push((read(&mut stream).await, stream));
                }
                for (request, mut stream) in asked {
                    let answer = answer(&request);
                    log.lock().unwrap().push(request);
                    send(&mut stream, &answer).await;
                    if !answer.close {
                        silent.push(stream);
                    }
                }
            }
        });
        Self { port, received, serving }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn send(stream: &mut TcpStream, answer: &Answer) {
    let mut going = stream.write_all(answer.text.as_bytes()).await.is_ok();
    let mut left = answer.filler_bytes;
    while going && left > 0 {
        let chunk = vec![b'x'; left.min(16 * 1024)];
        going = stream.write_all(&chunk).await.is_ok();
        left = left.saturating_sub(chunk.len());
    }
}

async fn read(stream: &mut TcpStream) -> Received {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Received { head: head.to_owned(), body: body.to_owned() };
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return Received { head: text, body: String::new() };
        }
    }
}
