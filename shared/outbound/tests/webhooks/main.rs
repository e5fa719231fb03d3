//! Deliveries to a real listener on loopback.
#![cfg(test)]

mod names;
mod replies;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::Reach;
use recoup_ports::webhooks::{Deliver, Reply, SendError};
use support::{Answer, Receiver};

/// Never reached where an answer comes, always where none does.
const SHORT: Duration = Duration::from_millis(200);

fn status(line: &str) -> Answer {
    closing(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
}

fn closing(text: String) -> Answer {
    Answer { text, filler_bytes: 0, close: true }
}

fn stalling(text: &str) -> Answer {
    Answer { text: text.to_owned(), filler_bytes: 0, close: false }
}

fn endless(text: &str) -> Answer {
    Answer { text: text.to_owned(), filler_bytes: usize::MAX, close: true }
}

async fn receiver(answer: Answer) -> Receiver {
    Receiver::answering(move |_| answer.clone()).await
}

fn message() -> Signed {
    Signed {
        id: "evt_1".to_owned(),
        timestamp: "1795000000".to_owned(),
        signature: "v1,c2lnbmF0dXJl".to_owned(),
        body: "{\"type\":\"refund.succeeded\"}".to_owned(),
    }
}

async fn deliver(reach: Reach, url: String) -> Result<Reply, SendError> {
    Webhooks::new(reach).unwrap().deliver(&TargetUrl::unchecked(url), &message()).await
}

fn hook(receiver: &Receiver) -> String {
    format!("http://127.0.0.1:{}/hook?token=t", receiver.port)
}

#[tokio::test]
async fn a_receiver_gets_the_signed_body_and_its_headers() {
    let receiver = Receiver::answering(|_| status("200 OK")).await;
    assert_eq!(deliver(Reach::Anywhere, hook(&receiver)).await.map(|reply| reply.status), Ok(200));
    let requests = receiver.received();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body, message().body);
    let head = &requests[0].head;
    assert!(head.starts_with("POST /hook?token=t HTTP/1.1"), "{head}");
    let expected = [
        "content-type: application/json",
        "user-agent: Recoup/0.1.0",
        "webhook-id: evt_1",
        "webhook-timestamp: 1795000000",
        "webhook-signature: v1,c2lnbmF0dXJl",
    ];
    for line in expected {
        assert!(head.lines().any(|found| found == line), "{line} in {head}");
    }
}

#[tokio::test]
async fn every_status_is_reported_as_it_is() {
    for (line, expected) in [("204 No Content", 204), ("410 Gone", 410), ("500 Oops", 500)] {
        let receiver = Receiver::answering(move |_| status(line)).await;
        assert_eq!(deliver(Reach::Anywhere, hook(&receiver)).await.map(|reply| reply.status), Ok(expected));
        assert_eq!(receiver.received().len(), 1, "{line}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::answering(|_| status("200 OK")).await;
    let location = hook(&elsewhere);
    let receiver = Receiver::answering(move |_| {
        closing(format!("HTTP/1.1 308 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))
    })
    .await;
    assert_eq!(deliver(Reach::Anywhere, hook(&receiver)).await.map(|reply| reply.status), Ok(308));
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_runs_out_of_time() {
    let receiver = Receiver::answering(|_| stalling("")).await;
    let webhooks = Webhooks::new(Reach::Anywhere).unwrap().within(SHORT);
    let sent = webhooks.deliver(&TargetUrl::unchecked(hook(&receiver)), &message()).await;
    assert_eq!(sent, Err(SendError::TimedOut));
}

#[tokio::test]
async fn a_status_counts_even_if_the_body_never_ends_in_time() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let receiver = Receiver::answering(move |_| stalling(head)).await;
    let webhooks = Webhooks::new(Reach::Anywhere).unwrap().within(SHORT);
    let sent = webhooks.deliver(&TargetUrl::unchecked(hook(&receiver)), &message()).await;
    assert_eq!(sent.map(|reply| reply.status), Ok(200));
}

#[tokio::test]
async fn a_huge_body_is_cut() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n";
    let receiver = Receiver::answering(move |_| endless(head)).await;
    assert_eq!(deliver(Reach::Anywhere, hook(&receiver)).await.map(|reply| reply.status), Ok(200));
    // The listener takes one connection at a time: it serves again only once the first one was cut.
    assert_eq!(deliver(Reach::Anywhere, hook(&receiver)).await.map(|reply| reply.status), Ok(200));
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let receiver = Receiver::answering(|_| endless("HTTP/1.1 200 OK\r\nx-long: ")).await;
    let sent = deliver(Reach::Anywhere, hook(&receiver)).await;
    assert!(matches!(sent, Err(SendError::Connection(_))), "{sent:?}");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_unless_allowed() {
    let receiver = Receiver::answering(|_| status("200 OK")).await;
    let port = receiver.port;
    let sent = deliver(Reach::Public, format!("https://localhost:{port}/hook")).await;
    assert_eq!(sent, Err(SendError::Forbidden("it has no public address")));
    assert_eq!(receiver.received().len(), 0);
    assert_eq!(
        deliver(Reach::Anywhere, format!("http://localhost:{port}/hook")).await.map(|reply| reply.status),
        Ok(200)
    );
}

#[tokio::test]
async fn an_https_receiver_is_spoken_to_in_tls_alone() {
    let receiver = Receiver::answering(|_| status("200 OK")).await;
    let url = format!("https://127.0.0.1:{}/hook?token=t", receiver.port);
    let webhooks = Webhooks::new(Reach::Anywhere).unwrap().within(SHORT);
    let sent = webhooks.deliver(&TargetUrl::unchecked(url), &message()).await;
    // The listener waits for a plain request that never comes.
    assert_eq!(sent, Err(SendError::TimedOut));
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn a_broken_connection_is_told_without_the_url() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let sent = deliver(Reach::Anywhere, format!("http://127.0.0.1:{port}/hook?token=t")).await;
    let Err(SendError::Connection(text)) = sent else { panic!("{sent:?}") };
    assert!(text.contains("refused"), "{text}");
    let no_such_name = deliver(Reach::Anywhere, "https://no-such-name.invalid/?token=t".to_owned()).await;
    let Err(SendError::Connection(other)) = no_such_name else { panic!("{no_such_name:?}") };
    for word in ["127.0.0.1", "token", "no-such-name"] {
        assert!(!text.contains(word) && !other.contains(word), "{text} / {other}");
    }
}
