//! The document's whole receiver, over HTTP: it answers at once, counts a change once and keeps the order.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use recoup_domain::signing::{Secrets, Signed, sign};
use serde_json::{Value, json};

use crate::vectors::{seconds_ago, secret};
use crate::{DRIVERS, document, python};

/// The receiver in a process of its own, with an empty inbox.
struct Inbox {
    child: Child,
    orders: ChildStdin,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Inbox {
    fn open() -> Self {
        let mut command = Command::new(python());
        command.arg(format!("{DRIVERS}/inbox.py")).arg(document("receiver.py"));
        command.env("WEBHOOK_SECRET", secret(1).reveal()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let mut inbox = Self { orders, lines: BufReader::new(child.stdout.take().unwrap()), child, port: 0 };
        inbox.port = serde_json::from_value(inbox.line()).unwrap();
        inbox
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Has it work, twice: how many events waited for that, how many still do, and what it then knows.
    fn work(&mut self) -> Value {
        self.orders.write_all(b"work\n").unwrap();
        self.line()
    }

    fn status_of(&self, message: &Signed) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let Signed { id, timestamp, signature, body } = message;
        let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        let signs = format!("webhook-id: {id}\r\nwebhook-timestamp: {timestamp}\r\n");
        let request = format!("{head}{signs}webhook-signature: {signature}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn event(id: &str, refund: &str, sequence: u32, status: &str) -> Signed {
    let data = json!({ "id": refund, "sequence": sequence, "status": status, "description": "Für Ærø" });
    let body = json!({ "type": format!("refund.{status}"), "data": data }).to_string();
    sign(id, seconds_ago(0), body, &Secrets::first(secret(1)))
}

#[test]
fn the_whole_receiver_counts_a_change_once_and_keeps_the_order() {
    let mut inbox = Inbox::open();
    let late = event("evt_1", "rfd_1", 1, "initiated");
    let last = event("evt_3", "rfd_1", 3, "succeeded");
    let told =
        [&last, &event("evt_2", "rfd_1", 2, "processing"), &event("evt_9", "rfd_2", 1, "initiated"), &last];
    for message in told {
        assert_eq!(inbox.status_of(message), 204);
    }
    let refunds = json!({ "rfd_1": "succeeded", "rfd_2": "initiated" });
    assert_eq!(inbox.work(), json!({ "waiting": 3, "left": 0, "refunds": refunds }));
    for message in [&late, &last] {
        assert_eq!(inbox.status_of(message), 204);
    }
    let test = json!({ "type": "endpoint.test", "data": {} }).to_string();
    let test = sign("evt_5", seconds_ago(0), test, &Secrets::first(secret(1)));
    assert_eq!(inbox.status_of(&test), 204);
    assert_eq!(inbox.work(), json!({ "waiting": 2, "left": 0, "refunds": refunds }));
}

#[test]
fn the_whole_receiver_keeps_nothing_that_is_not_from_us() {
    let mut inbox = Inbox::open();
    let right = event("evt_1", "rfd_1", 1, "initiated");
    let forged = [
        Signed { body: right.body.replace("rfd_1", "rfd_2"), ..right.clone() },
        Signed { id: "evt_2".to_owned(), ..right.clone() },
        Signed { signature: "v1,AAAA".to_owned(), ..right.clone() },
        Signed { signature: "garbage".to_owned(), ..right.clone() },
        sign("evt_3", seconds_ago(310), right.body.clone(), &Secrets::first(secret(1))),
    ];
    for message in &forged {
        assert_eq!(inbox.status_of(message), 400, "{message:?}");
    }
    assert_eq!(inbox.work(), json!({ "waiting": 0, "left": 0, "refunds": {} }));
}
