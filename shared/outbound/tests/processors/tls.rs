//! Questions over TLS, which is how every one of them travels on AWS.

use recoup_domain::refund::Outcome;
use recoup_outbound::http_adapter::HttpAdapter;
use recoup_ports::processor::Processor;
use recoup_testing::fixtures;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::proof::{acceptor, trusting_our_root};
use crate::world::{Keys, fresh, handed_over};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 43\r\n\r\n\
                      {\"status\":\"succeeded\",\"reference\":\"bank-7\"}";

/// Serves one connection; whether it was asked, and `None` if no TLS came about.
async fn adapter() -> (HttpAdapter<Keys>, JoinHandle<Option<bool>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor().accept(stream).await.ok()?;
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"}") && stream.read_buf(&mut bytes).await.ok()? > 0 {}
        stream.write_all(ANSWER.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()?;
        Some(bytes.starts_with(b"POST /refunds HTTP/1.1\r\n"))
    });
    let mut keys = Keys::to(port);
    keys.adapter = Some(format!("https://localhost:{port}"));
    (HttpAdapter::new(keys, fixtures::now).unwrap(), serving)
}

#[tokio::test]
async fn an_adapter_that_proves_its_name_is_asked() {
    let (client, serving) = adapter().await;
    let outcome =
        client.with_tls(trusting_our_root()).refund(&handed_over(&fresh("key", "bank-payment-1"))).await;
    assert_eq!(outcome, fixtures::succeeded_as("bank-7"));
    assert_eq!(serving.await.unwrap(), Some(true));
}

#[tokio::test]
async fn an_adapter_nobody_vouches_for_is_told_nothing() {
    let (client, serving) = adapter().await;
    let outcome = client.refund(&handed_over(&fresh("key", "bank-payment-1"))).await;
    assert_eq!(outcome, Outcome::Unknown);
    assert_eq!(serving.await.unwrap(), None);
}
