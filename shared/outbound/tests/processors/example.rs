//! The example adapter of the documentation, run as it stands: it keeps the contract, and tells us by itself.

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use recoup_domain::payment::ProcessorName;
use recoup_domain::recovery::Recovery;
use recoup_domain::refund::{BankReference, BankReferenceKind, FailureCode, Outcome, Refund};
use recoup_domain::time::Timestamp;
use recoup_outbound::http_adapter::HttpAdapter;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_processors::adapter::{SignatureHeaders, UnverifiedNotice};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::server::{Reply, Request, Server};
use crate::world::{Keys, after, fresh, handed_over, routed, secrets, tried};

const ADAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/adapter/adapter.py");
/// Far more than a notice on loopback takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The adapter judges the age of what we sign by its own clock, so here ours is the real one.
fn now() -> Timestamp {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Timestamp::from_unix_millis(u64::try_from(millis).unwrap()).unwrap()
}

fn too_early() -> Timestamp {
    Timestamp::from_unix_millis(now().unix_millis() - 301_000).unwrap()
}

struct Example {
    base: String,
    client: HttpAdapter<Keys>,
    notices: mpsc::UnboundedReceiver<Request>,
    _notified: Server,
    _adapter: Child,
}

impl Example {
    async fn running() -> Self {
        let (told, notices) = mpsc::unbounded_channel();
        let notified = Server::answering(move |request| {
            told.send(request.clone()).unwrap();
            Reply::Json { status: 204, body: String::new() }
        });
        let notified = notified.await;
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut adapter = Command::new(python)
            .arg(ADAPTER)
            .env("ADAPTER_SECRET", secrets().current.reveal())
            .env("NOTIFY_URL", format!("http://127.0.0.1:{}/", notified.port))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python 3 runs the example adapter");
        let mut lines = BufReader::new(adapter.stdout.take().unwrap()).lines();
        let port: u16 = lines.next_line().await.unwrap().expect("the adapter says its port").parse().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let mut keys = Keys::to(port);
        keys.adapter = Some(base.clone());
        let client = HttpAdapter::new(keys, now).unwrap();
        Self { base, client, notices, _notified: notified, _adapter: adapter }
    }
}

fn succeeded(refund: &Refund) -> Outcome {
    recoup_testing::fixtures::succeeded_as(&format!("bank-{}", refund.id))
}

#[tokio::test]
async fn the_example_refunds_once_and_knows_it_by_its_id() {
    let example = Example::running().await;
    let refund = handed_over(&fresh("key", "payment-1"));
    assert_eq!(example.client.look_up(&refund).await, LookedUp::NeverReceived);
    let value = Some(recoup_testing::fixtures::text(&format!("trace-{}", refund.id)));
    let number = BankReference { kind: BankReferenceKind::TraceId, value };
    let Outcome::Succeeded { reference, .. } = succeeded(&refund) else { panic!("it is a success") };
    let succeeded = Outcome::Succeeded { reference, bank_reference: Some(number) };
    for _ in 0..2 {
        assert_eq!(example.client.refund(&refund).await, succeeded);
        assert_eq!(example.client.look_up(&refund).await, LookedUp::Stands(succeeded.clone()));
    }
    let closed = handed_over(&fresh("another", "closed-1"));
    let Outcome::Failed(failure) = example.client.refund(&closed).await else { panic!("it did not fail") };
    assert_eq!(failure.code, FailureCode::ExpiredOrClosedAccount);
    assert_eq!(failure.said.code.unwrap().as_str(), "AC04");
    assert_eq!(failure.said.message.unwrap().as_str(), "Closed account number");
}

#[tokio::test]
async fn the_example_says_who_has_given() {
    let example = Example::running().await;
    let refund = handed_over(&routed(ProcessorName::Http, "payment-1"));
    let paid = after(&refund, &example.client.refund(&refund).await);
    let done = tried(&example.client, &paid).await;
    let debit = recoup_testing::fixtures::text(&format!("debit-{}", recoup_testing::fixtures::SELLER));
    assert_eq!(done.recovery_of(1), Recovery::Recovered(Some(&debit)));
}

#[tokio::test]
async fn the_example_tells_us_what_has_settled_and_we_can_verify_it() {
    let mut example = Example::running().await;
    let refund = handed_over(&fresh("key", "slow-1"));
    assert_eq!(example.client.refund(&refund).await, Outcome::Pending);
    let notice = timeout(PATIENCE, example.notices.recv()).await.expect("a notice comes").unwrap();
    let header = |name: &str| notice.header(name).unwrap_or_default();
    let headers = SignatureHeaders {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let claim = UnverifiedNotice::parse(&notice.body).unwrap();
    let notification = claim.verified(&secrets(), headers, now()).unwrap();
    assert_eq!(notification.outcome_of(&refund), succeeded(&refund));
    let looked_up = example.client.look_up(&after(&refund, &Outcome::Pending)).await;
    assert_eq!(looked_up, LookedUp::Stands(succeeded(&refund)));
}

#[tokio::test]
async fn the_example_does_nothing_for_a_stranger() {
    let example = Example::running().await;
    let mut keys = Keys::to(1);
    let refund = handed_over(&fresh("key", "payment-1"));
    // What we signed five minutes ago may be in anybody's hands.
    keys.adapter = Some(example.base.clone());
    let late = HttpAdapter::new(keys, too_early).unwrap();
    assert_eq!(late.refund(&refund).await, Outcome::NotConfigured);
    assert_eq!(late.look_up(&refund).await, LookedUp::Stands(Outcome::NotConfigured));
    assert_eq!(example.client.look_up(&refund).await, LookedUp::NeverReceived);
}
