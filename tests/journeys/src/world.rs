//! The functions, joined as the template joins them: a table and its stream, three queues and a clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recoup_domain::endpoint::Endpoint;
use recoup_domain::payment::{Payment, Processor as PaymentProcessor, ProcessorName, Terms};
use recoup_domain::refund::{Notes, Outcome, Refund};
use recoup_domain::report::Report;
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::Wanted;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::{Created, KeepEndpoints};
use recoup_ports::jobs::Lane;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::processor::Processor;
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::reports::Reports;
use recoup_ports::settlement::{Settle, Settled};
use recoup_ports::webhooks::Reply;
use recoup_storage::{Table, TableImages};
use recoup_testing::seals::TestKey;
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::queues::{Message, NeverAgain, Queue, Queues};
use crate::receivers::{Arrival, Receivers, reply};
use crate::seal_keys::KeyStore;

/// The webhook queues' visibility and `maxReceiveCount` in `template.yaml`.
const VISIBILITY: Duration = Duration::from_mins(6);
const RECEIVES_MAX: u32 = dispatch_webhook::RECEIVES_MAX;
/// Most messages of a batch.
const BATCH: usize = dispatch_webhook::AT_ONCE;
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

type Dispatch = dispatch_webhook::Context<Table, Receivers, TestKey>;
type Relay = relay_events::Context<TableImages, Table, Queues>;

pub(crate) struct World<P = Sandbox> {
    pub(crate) table: TestTable,
    pub(crate) store: Table,
    payment: Payment,
    pub(crate) dispatch: Dispatch,
    pub(crate) process: process_refund::Context<Table, P, NeverAgain, KeyStore>,
    relay: Relay,
    release: release_due::Context<Table>,
    /// Whether somebody works on the refund jobs; else they wait.
    pub(crate) processes: bool,
    /// Told when the worker of refund jobs is to die, in the middle of a batch.
    pub(crate) death: Arc<Notify>,
    /// The sequence number of the last record of the stream that is done with.
    seen: Option<String>,
    pub(crate) dead_letters: Vec<String>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

impl World {
    /// An account with these endpoints; `answer` says what a receiver answers to an event it had so often before. Its
    /// refunds go on as the test says: nobody works on their jobs.
    pub(crate) async fn with_receivers(
        endpoints: &[Endpoint],
        answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let at = PaymentProcessor::of(ProcessorName::Sandbox, fixtures::text("sandbox_succeed"));
        let mut world = Self::new(at, Sandbox, answer).await;
        world.processes = false;
        for endpoint in endpoints {
            assert_eq!(world.store.create_endpoint(endpoint).await.unwrap(), Created::Yes);
        }
        world.lose_stream();
        world.table.take_calls();
        world
    }
}

impl<P: Processor + Sync> World<P> {
    /// The getpaid payment at this processor, under this reference; nobody listens.
    pub(crate) async fn at(name: ProcessorName, reference: &str, processor: P) -> Self {
        Self::of(PaymentProcessor::of(name, fixtures::text(reference)), processor).await
    }

    /// The getpaid payment on these terms; nobody listens.
    pub(crate) async fn of(at: PaymentProcessor, processor: P) -> Self {
        Self::new(at, processor, |_, _| reply(200)).await
    }

    async fn new(
        at: PaymentProcessor,
        processor: P,
        answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let turn = TURN.lock().await;
        CLOCK.store(0, Ordering::SeqCst);
        let table = TestTable::new();
        let store = table.store();
        let payment = fixtures::getpaid_payment();
        let payment = fixtures::registered(payment.id.as_str(), Terms { processor: at, ..payment.terms() });
        let payment = payment.sealed(&fixtures::seal_key());
        assert!(matches!(store.register(&payment).await, Ok(Registered::New)));
        let account = NewAccount {
            id: payment.tenant.account.clone(),
            name: "n".to_owned(),
            sandbox_secret: fixtures::plain_secret(100),
            live_secret: fixtures::plain_secret(101),
            created_at: fixtures::now(),
        };
        store.create_account(&account).await.unwrap();
        let dispatch = dispatch_webhook::Context {
            store: store.clone(),
            receivers: Receivers { answer: Box::new(answer), arrivals: Mutex::default() },
            open: TestKey::default(),
            public_url: PublicUrl::new("https://api.example.com"),
            now,
            jitter_permille: || 1_000,
        };
        let process = process_refund::Context {
            store: store.clone(),
            processor,
            pace: NeverAgain,
            seal_keys: KeyStore::default(),
            restraints: process_refund::Restraints::default(),
            now,
            jitter_permille: || 1_000,
        };
        let relay =
            relay_events::Context { images: TableImages, store: store.clone(), jobs: Queues::default(), now };
        let release = release_due::Context { due: store.clone(), now };
        let mut world = Self {
            table,
            store,
            payment,
            dispatch,
            process,
            relay,
            release,
            processes: true,
            death: Arc::default(),
            seen: None,
            dead_letters: Vec::new(),
            _turn: turn,
        };
        world.lose_stream();
        world
    }

    /// 1.00 of the seller's, without a URL of its own.
    pub(crate) async fn reserve(&self, key: &str) -> Refund {
        self.reserve_of(key, &[(fixtures::SELLER, 100)]).await
    }

    /// These parts, without a URL of its own.
    pub(crate) async fn reserve_of(&self, key: &str, parts: &[(&str, u64)]) -> Refund {
        let part = fixtures::wanted_of(&self.payment, 0, parts);
        let wanted = Wanted { notes: Notes::default(), ..part };
        let made = fixtures::decided(&self.payment, &wanted, key);
        assert!(matches!(self.store.reserve(&made).await, Ok(Reserved::New)));
        made.refund
    }

    pub(crate) async fn settle(&self, refund: &Refund, outcome: Outcome) -> Refund {
        let change = refund.step(outcome, now().plus(Duration::from_millis(1))).unwrap();
        assert_eq!(self.store.carry_out(&change).await.unwrap(), Settled::Applied);
        change.into_refund()
    }

    pub(crate) async fn refund(&self, refund: &Refund) -> Refund {
        self.store.refund(&refund.tenant, &refund.id).await.unwrap().unwrap()
    }

    pub(crate) async fn refundable(&self) -> u64 {
        let payment = self.store.payment(&self.payment.tenant, &self.payment.id).await.unwrap();
        payment.unwrap().refundable.minor()
    }

    /// The stream's batch of all that is new is lost for good.
    pub(crate) fn lose_stream(&mut self) {
        let records = self.table.stream_records(self.seen.as_deref());
        self.seen = records.last().map(number).or(self.seen.take());
    }

    /// All messages are lost for good; so many there were.
    pub(crate) fn lose_messages(&self) -> usize {
        self.relay.jobs.take(usize::MAX, |_| true).len()
    }

    /// Every message comes twice.
    pub(crate) fn double_messages(&self) {
        for message in self.relay.jobs.take(usize::MAX, |_| true) {
            self.relay.jobs.put(message.clone());
            self.relay.jobs.put(message);
        }
    }

    /// The stream's new records, in one batch; from the one that failed they come again. Whether anything came of it.
    pub(crate) async fn relay(&mut self) -> bool {
        let records = self.table.stream_records(self.seen.as_deref());
        if records.is_empty() {
            return false;
        }
        let numbers: Vec<String> = records.iter().map(number).collect();
        let sent_before = self.relay.jobs.len();
        let answer = relay_events::handle(&self.relay, json!({ "Records": records })).await.unwrap();
        let failed = answer.failed().next();
        let done = numbers.into_iter().take_while(|number| Some(number.as_str()) != failed).last();
        let moved = done.is_some() || self.relay.jobs.len() > sent_before;
        self.seen = done.or(self.seen.take());
        moved
    }

    /// One batch of a queue's messages that are due, as an event of Lambda's; `None` if there are none.
    fn batch(&mut self, queue: Queue) -> Option<(Value, HashMap<String, Message>)> {
        let due = |message: &Message| message.queue == queue && message.visible_at <= now();
        let due = self.relay.jobs.take(BATCH, due);
        if due.is_empty() {
            return None;
        }
        let mut batch = HashMap::new();
        for (position, mut message) in due.into_iter().enumerate() {
            message.receives = message.receives.checked_add(1).unwrap();
            if message.receives > RECEIVES_MAX {
                self.dead_letters.push(message.body);
            } else {
                batch.insert(format!("m{position}"), message);
            }
        }
        let records = batch.iter().map(|(id, message)| {
            json!({
                "messageId": id, "receiptHandle": id, "body": message.body,
                "attributes": { "ApproximateReceiveCount": message.receives.to_string() },
            })
        });
        Some((json!({ "Records": records.collect::<Vec<_>>() }), batch))
    }

    /// One batch of refund jobs that are due.
    pub(crate) async fn process(&mut self) -> bool {
        let Some((event, batch)) = self.batch(Queue::Refunds) else { return false };
        let death = Arc::clone(&self.death);
        tokio::select! {
            biased;
            answer = process_refund::handle(&self.process, event) => {
                let process_refund::Answer::Batch(answer) = answer.unwrap() else { panic!("it was a batch") };
                assert_eq!(answer.failed().count(), 0);
            }
            () = death.notified() => {
                for message in batch.into_values() {
                    self.relay.jobs.put(Message { visible_at: now().plus(VISIBILITY), ..message });
                }
            }
        }
        true
    }

    /// One batch of one lane's messages that are due.
    async fn dispatch(&mut self, lane: Lane) -> bool {
        let Some((event, mut batch)) = self.batch(Queue::Webhooks(lane)) else { return false };
        let answer = dispatch_webhook::handle(&self.dispatch, &event).await.unwrap();
        let dispatch_webhook::Answer::Batch(answer) = answer else { panic!("{answer:?}") };
        for id in answer.failed() {
            let message = batch.remove(id).unwrap();
            self.relay.jobs.put(Message { visible_at: now().plus(VISIBILITY), ..message });
        }
        true
    }

    /// Everything that can happen without waiting.
    async fn settle_down(&mut self) {
        loop {
            let relayed = self.relay().await;
            let processed = self.processes && self.process().await;
            let first = self.dispatch(Lane::First).await;
            let retries = self.dispatch(Lane::Retries).await;
            if !(relayed || processed || first || retries) {
                return;
            }
        }
    }

    /// When something will happen next by itself: a message shows, or the run of release-due that finds a wait.
    async fn next_moment(&self) -> Option<Timestamp> {
        let queued = self.relay.jobs.next(|message| self.processes || message.queue != Queue::Refunds);
        let items = self.table.items().await;
        let waits = items.iter().filter_map(|item| item.get("due_sk")?.as_s().ok()?.split('#').next());
        let wait = waits.filter_map(Timestamp::parse).min().map(|due| {
            let found_from = due.minus(release_due::AHEAD).max(now()).unix_millis();
            let run = found_from.div_ceil(MINUTE_MILLIS).checked_mul(MINUTE_MILLIS);
            Timestamp::from_unix_millis(run.unwrap()).unwrap()
        });
        [queued, wait].into_iter().flatten().min()
    }

    /// Runs until so much time has gone by.
    pub(crate) async fn run_for(&mut self, long: Duration) {
        let end = now().plus(long);
        self.settle_down().await;
        while let Some(moment) = self.next_moment().await.filter(|moment| *moment <= end) {
            self.go_on(moment).await;
            self.settle_down().await;
        }
        go_on_to(end);
    }

    /// Runs what happens next, and what follows from it at once.
    pub(crate) async fn run_one_moment(&mut self) {
        self.settle_down().await;
        if let Some(moment) = self.next_moment().await {
            self.go_on(moment).await;
            self.settle_down().await;
        }
    }

    async fn go_on(&mut self, moment: Timestamp) {
        go_on_to(moment);
        if now().unix_millis().is_multiple_of(MINUTE_MILLIS) {
            // A run that fails is followed by the next one.
            drop(release_due::handle(&self.release).await);
            go_on_to(now().plus(Duration::from_millis(1)));
        }
    }

    /// Lets time go on until a message for a receiver waits in a queue, and takes it away.
    pub(crate) async fn lose_next_webhook_job(&mut self) {
        let of_webhooks = |message: &Message| message.queue != Queue::Refunds;
        while self.relay.jobs.take(usize::MAX, of_webhooks).is_empty() {
            let moment = self.next_moment().await.expect("something is still to happen");
            self.go_on(moment).await;
            self.relay().await;
        }
    }

    /// Four days: longer than all tries.
    pub(crate) async fn run(&mut self) {
        self.run_for(Duration::from_hours(96)).await;
    }

    /// Whether anything is still on its way.
    pub(crate) async fn is_at_rest(&self) -> bool {
        self.next_moment().await.is_none()
    }

    /// The dead letters, back into their queue: what the documented command does.
    pub(crate) fn put_dead_letters_back(&mut self) {
        for body in self.dead_letters.drain(..) {
            self.relay.jobs.put(Message::new(Queue::Webhooks(Lane::First), Duration::ZERO, body));
        }
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.dispatch.receivers.arrivals.lock().unwrap().clone()
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

/// The sequence number of a record of the stream.
fn number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
}
