//! Deliveries over TLS, which is how every one of them travels on AWS.
#![cfg(test)]

#[path = "tls/proof.rs"]
mod proof;

use proof::{acceptor, trusting_our_root};
use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::Reach;
use recoup_ports::webhooks::{Deliver, Reply, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves one connection; what it read, or `None` if no TLS came about.
async fn receiver() -> (u16, JoinHandle<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor().accept(stream).await.ok()?;
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"{}") && stream.read_buf(&mut bytes).await.ok()? > 0 {}
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
        stream.shutdown().await.ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    });
    (port, serving)
}

async fn deliver(webhooks: Webhooks, url: String) -> Result<Reply, SendError> {
    let text = |text: &str| text.to_owned();
    let (id, timestamp, signature, body) = (text("evt_1"), text("1795000000"), text("v1,AA=="), text("{}"));
    webhooks.deliver(&TargetUrl::unchecked(url), &Signed { id, timestamp, signature, body }).await
}

#[tokio::test]
async fn a_receiver_that_proves_its_name_is_told() {
    let (port, serving) = receiver().await;
    let webhooks = Webhooks::with_tls(Reach::Anywhere, trusting_our_root());
    assert_eq!(
        deliver(webhooks, format!("https://localhost:{port}/hook")).await.map(|reply| reply.status),
        Ok(200)
    );
    let request = serving.await.unwrap().unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: localhost:{port}\r\n")), "{request}");
}

#[tokio::test]
async fn a_receiver_nobody_vouches_for_is_told_nothing() {
    let (port, serving) = receiver().await;
    let webhooks = Webhooks::new(Reach::Anywhere).unwrap();
    let sent = deliver(webhooks, format!("https://localhost:{port}/hook")).await;
    let Err(SendError::Connection(why)) = sent else { panic!("{sent:?}") };
    assert!(why.contains("certificate") && !why.contains("localhost"), "{why}");
    assert_eq!(serving.await.unwrap(), None);
}

#[tokio::test]
async fn a_receiver_with_anothers_certificate_is_told_nothing() {
    let (port, serving) = receiver().await;
    let webhooks = Webhooks::with_tls(Reach::Anywhere, trusting_our_root());
    let sent = deliver(webhooks, format!("https://127.0.0.1:{port}/hook")).await;
    let Err(SendError::Connection(why)) = sent else { panic!("{sent:?}") };
    assert!(why.contains("certificate") && !why.contains("127.0.0.1"), "{why}");
    assert_eq!(serving.await.unwrap(), None);
}
