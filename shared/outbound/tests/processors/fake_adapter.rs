//! A stand-in for a team's adapter: verifies what we sign, and does what it is told once for each id.

use recoup_domain::refund::Refund;
use recoup_domain::signing::verifies;
use serde_json::{Value, json};

use crate::books::{Books, Inner};
use crate::server::{Reply, Request, Server};
use crate::world::secrets;

pub(crate) struct FakeAdapter {
    pub(crate) server: Server,
    pub(crate) books: Books,
}

impl FakeAdapter {
    pub(crate) async fn new() -> Self {
        let books = Books::default();
        Self { server: books.served(answer).await, books }
    }

    /// How often money moved for this refund.
    pub(crate) fn moved(&self, refund: &Refund) -> usize {
        let books = self.books.open();
        let moved = |done: &&Value| done["refund_id"] == refund.id.as_str() && done["status"] == "succeeded";
        books.refunds.iter().filter(moved).count()
    }
}

fn answer(books: &Books, request: &Request) -> Reply {
    let mut books = books.open();
    let header = |name: &str| request.header(name).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let signature = header("webhook-signature");
    if !verifies(&secrets().current, id, timestamp, &request.body, signature) {
        return Reply::json(401, &json!({}));
    }
    match (request.method.as_str(), request.path.strip_prefix("/base/refunds")) {
        ("POST", Some("")) => post(&mut books, id, &request.body),
        ("GET", Some(path)) => {
            assert_eq!(path, format!("/{id}"), "the signature is of this very question");
            let found = books.refunds.iter().find(|refund| refund["refund_id"] == id);
            let Some(mut said) = found.map(said) else { return Reply::json(404, &json!({})) };
            let short = books.short.then(|| json!([]));
            if let Some(recovery) = books.recovery.clone().or(short) {
                said["recovery"] = recovery;
            }
            Reply::json(200, &said)
        }
        _ => Reply::json(404, &json!({})),
    }
}

fn post(books: &mut Inner, id: &str, body: &str) -> Reply {
    if let Some((status, refusal)) = &books.refusal {
        return Reply::json(*status, refusal);
    }
    if let Some(done) = books.refunds.iter().find(|refund| refund["refund_id"] == id) {
        return Reply::json(200, &said(done));
    }
    let order: Value = serde_json::from_str(body).unwrap();
    assert_eq!(order["refund_id"], id);
    let done = json!({ "refund_id": id, "status": books.status.unwrap_or("succeeded"), "order": order });
    books.refunds.push(done.clone());
    Reply::json(201, &said(&done))
}

fn said(done: &Value) -> Value {
    match done["status"].as_str().unwrap() {
        "succeeded" => json!({ "status": "succeeded", "reference": "bank-7" }),
        "failed" => {
            json!({ "status": "failed", "failure": { "code": "declined", "message": "The bank says no." } })
        }
        status => json!({ "status": status }),
    }
}
