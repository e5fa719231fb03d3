//! What is kept of an answer: `retry-after`, and the start of the body.

use std::time::Duration;

use super::support::Answer;
use super::{SHORT, closing, deliver, hook, message, receiver, stalling};
use recoup_domain::text::TargetUrl;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::{Deliver, Reach, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The answer to one delivery, which says that it was signed at 1795000000: Wed, 18 Nov 2026 11:06:40 GMT.
async fn reply_to(answer: Answer) -> Reply {
    let to = receiver(answer).await;
    deliver(Reach::Anywhere, hook(&to)).await.unwrap()
}

async fn retry_after(headers: &str) -> Option<Duration> {
    let text = format!("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n{headers}\r\n");
    reply_to(closing(text)).await.retry_after
}

/// From a listener that sends bytes which are no text.
async fn head_of(body: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let head = format!("HTTP/1.1 500 Oops\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = [head.as_bytes(), body].concat();
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(message().body.as_bytes()) {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request breaks off");
        }
        stream.write_all(&answer).await.unwrap();
    };
    let (reply, ()) = tokio::join!(deliver(Reach::Anywhere, url), serving);
    reply.unwrap().head
}

#[tokio::test]
async fn a_wait_is_read_in_seconds() {
    for (header, seconds) in [("0", 0), ("120", 120), ("  7 ", 7), ("0086400", 86_400)] {
        let found = retry_after(&format!("Retry-After: {header}\r\n")).await;
        assert_eq!(found, Some(Duration::from_secs(seconds)), "{header}");
    }
}

#[tokio::test]
async fn a_wait_beyond_all_numbers_is_the_longest_there_is() {
    for header in ["18446744073709551615", "18446744073709551616", "99999999999999999999999999999999999999"] {
        let found = retry_after(&format!("retry-after: {header}\r\n")).await;
        assert_eq!(found, Some(Duration::from_secs(u64::MAX)), "{header}");
    }
}

#[tokio::test]
async fn a_date_in_any_form_is_held_against_the_answers_own_date() {
    let forms =
        ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
    for form in forms {
        let headers = format!("date: Sun, 06 Nov 1994 08:47:37 GMT\r\nretry-after: {form}\r\n");
        assert_eq!(retry_after(&headers).await, Some(Duration::from_mins(2)), "{form}");
    }
}

#[tokio::test]
async fn a_date_without_another_is_held_against_the_time_of_this_try() {
    for other in ["", "date: yesterday\r\n"] {
        let headers = format!("{other}retry-after: Wed, 18 Nov 2026 11:07:40 GMT\r\n");
        assert_eq!(retry_after(&headers).await, Some(Duration::from_mins(1)), "{other}");
    }
}

#[tokio::test]
async fn a_wait_that_is_malformed_or_over_is_none() {
    let malformed = [
        "",
        "-1",
        "+5",
        "1.5",
        "5s",
        "0x10",
        "soon",
        "1e3",
        "Sun, 06 Nov 1994",
        "Sun, 31 Feb 2027 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "٣",
        "120, 240",
    ];
    for header in malformed {
        assert_eq!(retry_after(&format!("retry-after: {header}\r\n")).await, None, "{header}");
    }
    let before_its_own =
        "date: Wed, 18 Nov 2026 11:06:41 GMT\r\nretry-after: Wed, 18 Nov 2026 11:06:40 GMT\r\n";
    assert_eq!(retry_after(before_its_own).await, None);
    assert_eq!(retry_after("").await, None);
}

#[tokio::test]
async fn the_start_of_a_body_is_kept() {
    assert_eq!(head_of(b"").await, "");
    assert_eq!(head_of(b"{\"error\":\n\t\"no such tenant\"}").await, "{\"error\":\n\t\"no such tenant\"}");
    assert_eq!(head_of(&[b'x'; 300]).await, "x".repeat(256));
    assert_eq!(head_of("ä".repeat(300).as_bytes()).await, "ä".repeat(128));
    assert_eq!(head_of(format!("x{}", "ä".repeat(300)).as_bytes()).await, format!("x{}", "ä".repeat(127)));
    assert_eq!(head_of("€".repeat(86).as_bytes()).await, "€".repeat(85));
}

#[tokio::test]
async fn what_is_no_text_is_replaced() {
    assert_eq!(head_of(b"caf\xe9\xff!").await, "caf\u{fffd}\u{fffd}!");
    assert_eq!(head_of(b"\x1b[2Jgone\x00\r\n\x7f\xc2\x9b").await, "�[2Jgone��\n��");
    assert_eq!(head_of(&[0xff; 300]).await, "\u{fffd}".repeat(85));
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together_and_what_came_before_it_broke_is_kept() {
    let chunked = "HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n3\r\nno \r\n4\r\nluck\r\n0\r\n\r\n";
    assert_eq!(reply_to(closing(chunked.to_owned())).await.head, "no luck");
    let broken = "HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\nno lu";
    assert_eq!(reply_to(closing(broken.to_owned())).await.head, "no lu");
    let to = receiver(stalling(broken)).await;
    let webhooks = Webhooks::new(Reach::Anywhere).unwrap().within(SHORT);
    let late = webhooks.deliver(&TargetUrl::unchecked(hook(&to)), &message()).await;
    assert_eq!(late.unwrap().head, "no lu", "out of time");
}

#[tokio::test]
async fn a_redirect_says_how_long_to_wait_like_any_answer() {
    let answer = "HTTP/1.1 307 Moved\r\nlocation: /\r\nretry-after: 9\r\ncontent-length: 4\r\n\r\naway";
    let to = receiver(closing(answer.to_owned())).await;
    let reply = deliver(Reach::Anywhere, hook(&to)).await.unwrap();
    let expected = Reply { status: 307, retry_after: Some(Duration::from_secs(9)), head: "away".to_owned() };
    assert_eq!(reply, expected);
}
