//! The functions that bring a refund to its end, joined as the template joins them, on a clock of their own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use recoup_domain::payment::{Payment, Processor as PaymentProcessor, ProcessorName, Terms};
use recoup_domain::refund::{Notes, Refund};
use recoup_domain::report::Report;
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::Wanted;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::jobs::{Job, Jobs, Pace, SendJobError};
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::processor::Processor;
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::reports::Reports;
use recoup_storage::{Table, TableImages};
use recoup_testing::{TestTable, fixtures};
use serde_json::{Value, json};

use crate::seal_keys::KeyStore;

const MINUTE_MILLIS: u64 = 60_000;

/// Milliseconds since the fixtures' moment. Only one journey at a time may move it: each holds [`TURN`].
static CLOCK: AtomicU64 = AtomicU64::new(0);
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) fn now() -> Timestamp {
    fixtures::later(CLOCK.load(Ordering::SeqCst))
}

fn go_on_to(moment: Timestamp) {
    let millis = moment.since(fixtures::now()).as_millis();
    CLOCK.fetch_max(u64::try_from(millis).unwrap(), Ordering::SeqCst);
}

/// A message among the refund jobs.
struct Message {
    visible_at: Timestamp,
    body: String,
}

/// What relay-events sends.
#[derive(Default)]
struct Queue(Mutex<Vec<Message>>);

impl Jobs for Queue {
    async fn send(&self, jobs: &[Job]) -> Vec<(usize, SendJobError)> {
        for job in jobs {
            if let Job::Refund { job, delay } = job {
                // SQS counts whole seconds, up to 15 minutes; the rest of a longer wait is nobody's to keep.
                let delay = Duration::from_secs(u64::try_from(delay.as_millis().div_ceil(1_000)).unwrap());
                assert!(delay <= Duration::from_mins(15), "no queue holds a message for {delay:?}");
                let message =
                    Message { visible_at: now().plus(delay), body: serde_json::to_string(job).unwrap() };
                self.0.lock().unwrap().push(message);
            }
        }
        Vec::new()
    }

    async fn dead_letter(&self, record: &str) -> Result<(), SendJobError> {
        panic!("nothing here is unreadable: {record}")
    }
}

/// Nothing here has to come again.
pub(crate) struct NeverAgain;

impl Pace for NeverAgain {
    async fn again_in(&self, _: &str, _: u32) -> Result<(), SendJobError> {
        panic!("a job was not worked on")
    }
}

pub(crate) struct World<P> {
    table: TestTable,
    pub(crate) store: Table,
    payment: Payment,
    relay: relay_events::Context<TableImages, Table, Queue>,
    pub(crate) process: process_refund::Context<Table, P, NeverAgain>,
    release: release_due::Context<Table>,
    /// The sequence number of the last record of the stream that is done with.
    seen: Option<String>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

impl<P: Processor + Sync> World<P> {
    /// The getpaid payment at this processor, under this reference.
    pub(crate) async fn new(name: ProcessorName, reference: &str, processor: P) -> Self {
        let turn = TURN.lock().await;
        CLOCK.store(0, Ordering::SeqCst);
        let table = TestTable::new();
        let store = table.store();
        let payment = fixtures::getpaid_payment();
        let at = PaymentProcessor { name, reference: fixtures::text(reference) };
        let payment = fixtures::registered(payment.id.as_str(), Terms { processor: at, ..payment.terms() });
        let payment = payment.sealed(&fixtures::seal_key());
        assert!(matches!(store.register(&payment).await, Ok(Registered::New)));
        let account = NewAccount {
            id: payment.tenant.account.clone(),
            name: "n".to_owned(),
            sandbox_secret: fixtures::plain_secret(1),
            live_secret: fixtures::plain_secret(2),
            created_at: fixtures::now(),
        };
        store.create_account(&account).await.unwrap();
        let relay =
            relay_events::Context { images: TableImages, store: store.clone(), jobs: Queue::default(), now };
        let process = process_refund::Context {
            store: store.clone(),
            processor,
            pace: NeverAgain,
            circuits: process_refund::Circuits::default(),
            now,
            jitter_permille: || 1_000,
        };
        let release = release_due::Context { due: store.clone(), now };
        let mut world = Self { table, store, payment, relay, process, release, seen: None, _turn: turn };
        world.forget_stream();
        world
    }

    /// 10.00 of the seller's, told to nobody.
    pub(crate) async fn reserve(&self, key: &str) -> Refund {
        let part = fixtures::wanted_of(&self.payment, 0, &[(fixtures::SELLER, 1_000)]);
        let wanted = Wanted { notes: Notes::default(), ..part };
        let made = fixtures::decided(&self.payment, &wanted, key);
        assert!(matches!(self.store.reserve(&made).await, Ok(Reserved::New)));
        made.refund
    }

    pub(crate) async fn refund(&self, refund: &Refund) -> Refund {
        self.store.refund(&refund.tenant, &refund.id).await.unwrap().unwrap()
    }

    pub(crate) async fn refundable(&self) -> u64 {
        let payment = self.store.payment(&self.payment.tenant, &self.payment.id).await.unwrap();
        payment.unwrap().refundable.minor()
    }

    /// The stream's batch of all that is new is lost for good.
    pub(crate) fn forget_stream(&mut self) {
        let records = self.table.stream_records(self.seen.as_deref());
        let last = records.last().and_then(|record| record["dynamodb"]["SequenceNumber"].as_str());
        self.seen = last.map(str::to_owned).or(self.seen.take());
    }

    /// All messages in the queue are lost for good; so many there were.
    pub(crate) fn forget_queue(&self) -> usize {
        std::mem::take(&mut *self.relay.jobs.0.lock().unwrap()).len()
    }

    /// The stream's new records, in one batch.
    pub(crate) async fn relay(&mut self) -> bool {
        let records = self.table.stream_records(self.seen.as_deref());
        if records.is_empty() {
            return false;
        }
        let answer = relay_events::handle(&self.relay, json!({ "Records": records })).await.unwrap();
        assert_eq!(answer.failed().count(), 0);
        self.forget_stream_up_to(&records);
        true
    }

    fn forget_stream_up_to(&mut self, records: &[Value]) {
        let last = records.last().and_then(|record| record["dynamodb"]["SequenceNumber"].as_str());
        self.seen = last.map(str::to_owned);
    }

    /// The messages that are due, in one batch.
    pub(crate) async fn process(&mut self) -> bool {
        let due: Vec<Message> = {
            let mut queue = self.relay.jobs.0.lock().unwrap();
            queue.extract_if(.., |message| message.visible_at <= now()).collect()
        };
        let records = due.iter().enumerate().map(|(number, message)| {
            json!({
                "messageId": format!("m{number}"), "receiptHandle": "r", "body": message.body,
                "attributes": { "ApproximateReceiveCount": "1" },
            })
        });
        let event = json!({ "Records": records.collect::<Vec<_>>() });
        let answer = process_refund::handle(&self.process, event).await.unwrap();
        assert_eq!(answer.failed().count(), 0);
        !due.is_empty()
    }

    /// So much time goes by: messages show, and release-due runs every minute in which something is due.
    pub(crate) async fn run_for(&mut self, long: Duration) {
        let end = now().plus(long);
        loop {
            while self.relay().await || self.process().await {}
            let queued = self.relay.jobs.0.lock().unwrap().iter().map(|message| message.visible_at).min();
            let next = [queued, self.next_release().await].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            go_on_to(next);
            drop(release_due::handle(&self.release).await);
            go_on_to(now().plus(Duration::from_millis(1)));
        }
        go_on_to(end);
    }

    /// The minute in which release-due finds the next wait.
    async fn next_release(&self) -> Option<Timestamp> {
        let items = self.table.items().await;
        let waits = items.iter().filter_map(|item| item.get("due_sk")?.as_s().ok()?.split('#').next());
        let due = waits.filter_map(Timestamp::parse).min()?;
        let run = due.minus(release_due::AHEAD).max(now()).unix_millis().div_ceil(MINUTE_MILLIS);
        Timestamp::from_unix_millis(run.checked_mul(MINUTE_MILLIS)?)
    }

    /// Compares the books and gives the report.
    pub(crate) async fn reconcile<Q: Processor + Sync>(&self, processor: Q) -> Report {
        let (store, seal_keys) = (self.store.clone(), KeyStore::default());
        let context = reconcile::Context { store, processor, seal_keys, now };
        let summary = reconcile::handle(&context, json!({ "days": 2 })).await.unwrap();
        let report = self.store.report(&self.payment.tenant, &now().date()).await.unwrap().unwrap();
        assert_eq!((summary.drift, summary.complete), (report.drift, true));
        report
    }
}
