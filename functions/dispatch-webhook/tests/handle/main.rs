//! `dispatch-webhook`: jobs of a real table, dispatched to real receivers on loopback.
#![cfg(test)]

mod faults;
mod forged;
mod health;
mod samples;
mod seals;
mod trying;

#[path = "../../../../shared/outbound/tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dispatch_webhook::{Answer as Answered, Context, handle};
use recoup_domain::delivery::{Delivery, Target};
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::AccountId;
use recoup_domain::refund::Refund;
use recoup_domain::text::TargetUrl;
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::Wanted;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::{Created, Endpoints, KeepEndpoints};
use recoup_ports::events::{Events, RecordEvents};
use recoup_ports::jobs::WebhookJob;
use recoup_ports::payments::{Register, Registered};
use recoup_ports::refunds::{Reserve, Reserved};
use recoup_ports::seals::Purpose;
use recoup_ports::webhooks::{Deliver, Reach};
use recoup_storage::Table;
use recoup_testing::seals::TestKey;
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};
use support::{Answer, Received, Receiver};

/// Milliseconds that the clock has gone on since the fixtures' moment. Each test is a process of its own under
/// nextest, and under `cargo test` the tests that move it only look at differences.
static CLOCK: AtomicU64 = AtomicU64::new(0);

fn now() -> Timestamp {
    fixtures::later(CLOCK.load(Ordering::Relaxed))
}

struct World<R = Webhooks> {
    table: TestTable,
    store: Table,
    context: Context<Table, R, TestKey>,
    key: TestKey,
    refund: Refund,
}

impl World {
    /// A refund with a URL of its own, and an account.
    async fn new(own_url: &str) -> Self {
        Self::sending(own_url, Webhooks::new(Reach::Anywhere).unwrap().within(Duration::from_secs(1))).await
    }
}

impl<R: Deliver + Sync> World<R> {
    async fn sending(own_url: &str, receivers: R) -> Self {
        let (table, key) = (TestTable::new(), TestKey::default());
        let store = table.store();
        assert!(matches!(store.register(&fixtures::getpaid_payment()).await, Ok(Registered::New)));
        let account = NewAccount {
            id: AccountId::from_bits(1),
            name: "n".to_owned(),
            sandbox_secret: fixtures::plain_secret(100),
            live_secret: fixtures::plain_secret(101),
            created_at: fixtures::now(),
        };
        store.create_account(&account).await.unwrap();
        let wanted = fixtures::getpaid_wanted();
        let notes = recoup_domain::refund::Notes {
            webhook_url: Some(TargetUrl::unchecked(own_url.to_owned())),
            reason: Some(fixtures::text("zu groß")),
            ..wanted.notes
        };
        let made = fixtures::decided(&fixtures::getpaid_payment(), &Wanted { notes, ..wanted }, "key-1");
        assert!(matches!(store.reserve(&made).await, Ok(Reserved::New)));
        store.record_event(&fixtures::beginning(&made.refund), &[]).await.unwrap();
        let context = Context {
            store: store.clone(),
            receivers,
            open: key.clone(),
            public_url: PublicUrl::new("https://api.example.com"),
            now,
            jitter_permille: || 1_000,
        };
        table.take_calls();
        Self { table, store, context, key, refund: made.refund }
    }

    /// An endpoint there, whose secrets are stored sealed.
    async fn endpoint(&self, number: u8, url: &str) -> Endpoint {
        let mut endpoint =
            Endpoint { url: TargetUrl::unchecked(url.to_owned()), ..fixtures::endpoint(number) };
        let purpose = Purpose::Endpoint(endpoint.id.clone());
        endpoint.secrets = self.key.all_sealed(&endpoint.tenant, &purpose, &endpoint.secrets);
        assert_eq!(self.store.create_endpoint(&endpoint).await.unwrap(), Created::Yes);
        self.table.take_calls();
        endpoint
    }

    async fn stored(&self, endpoint: &Endpoint) -> Endpoint {
        self.store.endpoint(&endpoint.tenant, &endpoint.id).await.unwrap().unwrap()
    }

    fn event(&self) -> Event {
        fixtures::beginning(&self.refund)
    }

    /// The message of a try.
    fn job(&self, target: Target, turn: u32) -> WebhookJob {
        WebhookJob { turn, ..WebhookJob::first(&self.event(), target) }
    }

    /// The ids that the batch's answer keeps, sorted.
    async fn kept(&self, records: Vec<Value>) -> Vec<String> {
        let answer = handle(&self.context, &json!({"Records": records})).await.unwrap();
        let Answered::Batch(answer) = answer else { panic!("{answer:?}") };
        let mut kept: Vec<_> = answer.failed().map(ToOwned::to_owned).collect();
        kept.sort();
        kept
    }

    /// Works on one message, which must be done with.
    async fn work(&self, job: &WebhookJob) {
        assert_eq!(self.kept(vec![message("m1", serde_json::to_string(job).unwrap())]).await, [""; 0]);
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let recorded = self.store.event(&self.refund.tenant, &self.event().id).await.unwrap();
        recorded.map_or(Vec::new(), |recorded| recorded.deliveries)
    }

    async fn delivery(&self, target: &Target) -> Option<Delivery> {
        self.deliveries().await.into_iter().find(|delivery| delivery.target == *target)
    }
}

fn message(id: &str, body: impl Into<String>) -> Value {
    let body = body.into();
    json!({
        "messageId": id,
        "receiptHandle": format!("handle-{id}"),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1", "SentTimestamp": "1795000000000",
            "SenderId": "AROA", "ApproximateFirstReceiveTimestamp": "1795000000001",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:webhook-jobs",
        "awsRegion": "eu-central-1",
    })
}

fn url(receiver: &Receiver) -> String {
    format!("http://127.0.0.1:{}/hook", receiver.port)
}

async fn answering(line: &'static str) -> Receiver {
    Receiver::answering(move |_| {
        let text = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        Answer { text, filler_bytes: 0, close: true }
    })
    .await
}

/// Answers with these lines in turn, and with the last of them from then on.
async fn answering_in_turn(lines: &'static [&'static str]) -> Receiver {
    let turn = Arc::new(AtomicU64::new(0));
    Receiver::answering(move |_| {
        let turn = usize::try_from(turn.fetch_add(1, Ordering::Relaxed)).unwrap();
        let line = lines.get(turn).or(lines.last()).unwrap();
        let text = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        Answer { text, filler_bytes: 0, close: true }
    })
    .await
}

fn header<'a>(received: &'a Received, name: &str) -> &'a str {
    let lines = received.head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).unwrap().1
}
