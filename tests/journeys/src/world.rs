//! The functions, joined as the template joins them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::AccountId;
use recoup_domain::refund::{Notes, Outcome, Refund};
use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::Wanted;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::{Created, KeepEndpoints};
use recoup_ports::jobs::{Job, Jobs, Lane, SendJobError};
use recoup_ports::payments::{Register, Registered};
use recoup_ports::refunds::{Reserve, Reserved};
use recoup_ports::settlement::{Settle, Settled};
use recoup_ports::webhooks::{Deliver, Reply, SendError};
use recoup_storage::{Table, TableImages};
use recoup_testing::seals::TestKey;
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::{Value, json};

/// The queues' visibility and `maxReceiveCount` in `template.yaml`.
const VISIBILITY: Duration = Duration::from_mins(6);
const RECEIVES_MAX: u32 = dispatch_webhook::RECEIVES_MAX;
/// Most messages of a batch.
const BATCH: usize = dispatch_webhook::AT_ONCE;

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

/// A message in one of the webhook queues.
#[derive(Clone, Debug)]
struct Message {
    visible_at: Timestamp,
    body: String,
    lane: Lane,
    receives: u32,
}

/// What relay-events sends.
#[derive(Default)]
struct Queues(Mutex<Vec<Message>>);

impl Jobs for Queues {
    async fn send(&self, jobs: &[Job]) -> Vec<(usize, SendJobError)> {
        for job in jobs {
            if let Job::Webhook { job, lane, delay } = job {
                // SQS counts whole seconds.
                let delay = Duration::from_secs(u64::try_from(delay.as_millis().div_ceil(1_000)).unwrap());
                assert!(delay <= Duration::from_mins(15), "no queue holds a message for {delay:?}");
                let message = Message {
                    visible_at: now().plus(delay),
                    body: serde_json::to_string(job).unwrap(),
                    lane: *lane,
                    receives: 0,
                };
                self.0.lock().unwrap().push(message);
            }
        }
        Vec::new()
    }

    async fn dead_letter(&self, record: &str) -> Result<(), SendJobError> {
        panic!("nothing here is unreadable: {record}")
    }
}

/// One arrival at a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// When.
    pub(crate) at: Timestamp,
    /// Where.
    pub(crate) url: String,
    /// Its `webhook-id`.
    pub(crate) id: String,
}

/// What a receiver answers to an event that it had so often before.
type Answers = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// Receivers that answer as a test says.
pub(crate) struct Receivers {
    answer: Box<Answers>,
    pub(crate) arrivals: Mutex<Vec<Arrival>>,
}

impl Deliver for Receivers {
    async fn deliver(&self, url: &TargetUrl, message: &Signed) -> Result<Reply, SendError> {
        let mut arrivals = self.arrivals.lock().unwrap();
        let url = url.as_str().to_owned();
        let before = arrivals.iter().filter(|one| one.url == url && one.id == message.id).count();
        let reply = (self.answer)(&url, before);
        arrivals.push(Arrival { at: now(), url, id: message.id.clone() });
        Ok(reply)
    }
}

pub(crate) fn reply(status: u16) -> Reply {
    Reply { status, retry_after: None, head: String::new() }
}

type Dispatch = dispatch_webhook::Context<Table, Receivers, TestKey>;
type Relay = relay_events::Context<TableImages, Table, Queues>;

pub(crate) struct World {
    pub(crate) table: TestTable,
    pub(crate) store: Table,
    pub(crate) dispatch: Dispatch,
    relay: Relay,
    release: release_due::Context<Table>,
    /// The sequence number of the last record that is done with.
    seen: Option<String>,
    queue: Vec<Message>,
    pub(crate) dead_letters: Vec<String>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

impl World {
    /// An account with these endpoints; `answer` says what a receiver answers to an event it had so often before.
    pub(crate) async fn new(
        endpoints: &[Endpoint],
        answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let turn = TURN.lock().await;
        CLOCK.store(0, Ordering::SeqCst);
        let table = TestTable::new();
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
        for endpoint in endpoints {
            assert_eq!(store.create_endpoint(endpoint).await.unwrap(), Created::Yes);
        }
        let receivers = Receivers { answer: Box::new(answer), arrivals: Mutex::default() };
        let dispatch = dispatch_webhook::Context {
            store: store.clone(),
            receivers,
            open: TestKey::default(),
            public_url: PublicUrl::new("https://api.example.com"),
            now,
            jitter_permille: || 1_000,
        };
        let relay =
            relay_events::Context { images: TableImages, store: store.clone(), jobs: Queues::default(), now };
        let release = release_due::Context { due: store.clone(), now };
        let (seen, queue, dead_letters) = (None, Vec::new(), Vec::new());
        table.take_calls();
        Self { table, store, dispatch, relay, release, seen, queue, dead_letters, _turn: turn }
    }

    /// A refund without a URL of its own.
    pub(crate) async fn reserve(&self, key: &str) -> Refund {
        let part = fixtures::wanted_of(&fixtures::getpaid_payment(), 0, &[(fixtures::SELLER, 100)]);
        let wanted = Wanted { notes: Notes::default(), ..part };
        let made = fixtures::decided(&fixtures::getpaid_payment(), &wanted, key);
        assert!(matches!(self.store.reserve(&made).await, Ok(Reserved::New)));
        made.refund
    }

    pub(crate) async fn settle(&self, refund: &Refund, outcome: Outcome) -> Refund {
        let change = refund.step(outcome, now().plus(Duration::from_millis(1))).unwrap();
        assert_eq!(self.store.carry_out(&change).await.unwrap(), Settled::Applied);
        change.into_refund()
    }

    /// The stream's new records, in one batch; from the one that failed they come again. Whether anything came of it.
    pub(crate) async fn relay(&mut self) -> bool {
        let records = self.table.stream_records(self.seen.as_deref());
        if records.is_empty() {
            return false;
        }
        let number = |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
        let numbers: Vec<String> = records.iter().map(number).collect();
        let answer = relay_events::handle(&self.relay, json!({ "Records": records })).await.unwrap();
        let failed = answer.failed().next();
        let done = numbers.into_iter().take_while(|number| Some(number.as_str()) != failed).last();
        let mut sent = std::mem::take(&mut *self.relay.jobs.0.lock().unwrap());
        let moved = done.is_some() || !sent.is_empty();
        self.seen = done.or(self.seen.take());
        self.queue.append(&mut sent);
        moved
    }

    /// One batch of one lane's messages that are due.
    async fn dispatch(&mut self, lane: Lane) -> bool {
        let due = |message: &Message| message.lane == lane && message.visible_at <= now();
        let positions = self.queue.iter().enumerate().filter(|(_, message)| due(message));
        let positions: Vec<usize> = positions.map(|(position, _)| position).take(BATCH).collect();
        if positions.is_empty() {
            return false;
        }
        let mut batch = HashMap::new();
        for position in positions.into_iter().rev() {
            let mut message = self.queue.remove(position);
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
        let event = json!({ "Records": records.collect::<Vec<_>>() });
        let answer = dispatch_webhook::handle(&self.dispatch, &event).await.unwrap();
        let dispatch_webhook::Answer::Batch(answer) = answer else { panic!("{answer:?}") };
        for id in answer.failed() {
            let mut message = batch.remove(id).unwrap();
            message.visible_at = now().plus(VISIBILITY);
            self.queue.push(message);
        }
        true
    }

    /// Everything that can happen without waiting.
    async fn settle_down(&mut self) {
        loop {
            let relayed = self.relay().await;
            let first = self.dispatch(Lane::First).await;
            let retries = self.dispatch(Lane::Retries).await;
            if !(relayed || first || retries) {
                return;
            }
        }
    }

    /// When something will happen next by itself: a message shows, or the run of release-due that finds a wait.
    async fn next_moment(&self) -> Option<Timestamp> {
        let queued = self.queue.iter().map(|message| message.visible_at).min();
        let items = self.table.items().await;
        let waits = items.iter().filter_map(|item| item.get("due_sk")?.as_s().ok()?.split('#').next());
        let wait = waits.filter_map(Timestamp::parse).min().map(|due| {
            let minute = 60_000;
            let found_from =
                due.unix_millis().checked_sub(u64::try_from(release_due::AHEAD.as_millis()).unwrap());
            let run = found_from.unwrap().max(now().unix_millis()).div_ceil(minute).checked_mul(minute);
            Timestamp::from_unix_millis(run.unwrap()).unwrap()
        });
        [queued, wait].into_iter().flatten().min()
    }

    /// Runs until nothing is left to happen, or for so long.
    pub(crate) async fn run_for(&mut self, long: Duration) {
        let end = now().plus(long);
        self.settle_down().await;
        while let Some(moment) = self.next_moment().await.filter(|moment| *moment <= end) {
            self.go_on(moment).await;
            self.settle_down().await;
        }
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
        if now().unix_millis().is_multiple_of(60_000) {
            // A run that fails is followed by the next one.
            drop(release_due::handle(&self.release).await);
            go_on_to(now().plus(Duration::from_millis(1)));
        }
    }

    /// Lets time go on until a message waits in a queue, and takes it away.
    pub(crate) async fn lose_next_message(&mut self) {
        while self.queue.is_empty() {
            let moment = self.next_moment().await.expect("something is still to happen");
            self.go_on(moment).await;
            self.relay().await;
        }
        self.queue.clear();
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
            self.queue.push(Message { visible_at: now(), body, lane: Lane::First, receives: 0 });
        }
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.dispatch.receivers.arrivals.lock().unwrap().clone()
    }
}
