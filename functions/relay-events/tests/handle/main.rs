//! `relay-events`, driven with what the stream of a real table tells.
#![cfg(test)]

mod announcing;
mod failing;
mod rounds;
mod telling;

use std::sync::Mutex;

use recoup_domain::event::Event;
use recoup_domain::ids::EventId;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::wanted::Wanted;
use recoup_ports::events::Events;
use recoup_ports::jobs::{Job, Jobs, SendJobError, WebhookJob};
use recoup_ports::payments::{Register, Registered};
use recoup_ports::refunds::{Reserve, Reserved};
use recoup_ports::settlement::{HandedOver, Settle, Settled};
use recoup_storage::{Table, TableImages};
use recoup_testing::{TestTable, fixtures};
use relay_events::{Context, handle};
use serde_json::{Value, json};

/// Queues that note what they take.
struct Queues {
    sent: Mutex<Vec<Vec<Job>>>,
    dead_lettered: Mutex<Vec<String>>,
    takes: fn(&Job) -> bool,
    buries: bool,
}

impl Default for Queues {
    fn default() -> Self {
        Self { sent: Mutex::default(), dead_lettered: Mutex::default(), takes: |_| true, buries: true }
    }
}

impl Jobs for Queues {
    async fn send(&self, jobs: &[Job]) -> Vec<(usize, SendJobError)> {
        let (taken, refused): (Vec<_>, Vec<_>) =
            jobs.iter().enumerate().partition(|(_, job)| (self.takes)(job));
        self.sent.lock().unwrap().push(taken.into_iter().map(|(_, job)| job.clone()).collect());
        refused.into_iter().map(|(index, _)| (index, SendJobError("busy".into()))).collect()
    }

    async fn dead_letter(&self, record: &str) -> Result<(), SendJobError> {
        if !self.buries {
            return Err(SendJobError("busy".into()));
        }
        self.dead_lettered.lock().unwrap().push(record.to_owned());
        Ok(())
    }
}

type Relay = Context<TableImages, Table, Queues>;

/// A relay to these queues, of a table where nobody has an endpoint.
fn relay(jobs: Queues) -> Relay {
    // It lives as long as the test's process.
    relay_of(Box::leak(Box::new(TestTable::new())).store(), jobs)
}

fn relay_of(store: Table, jobs: Queues) -> Relay {
    Context { images: TableImages, store, jobs, now: || fixtures::later(10_000) }
}

/// What was sent and dead-lettered for these records, and the sequence numbers from which the stream comes again.
#[derive(Debug)]
struct Relayed {
    store: Table,
    jobs: Vec<Job>,
    dead_lettered: Vec<String>,
    failed: Vec<String>,
}

impl Relayed {
    /// The type and the event id of each announcement, in the order in which they were sent.
    async fn announced(&self) -> Vec<(String, EventId)> {
        let mut announced = Vec::new();
        for job in self.webhook_jobs() {
            announced.push((self.event(job).await.r#type.as_str().to_owned(), job.event.clone()));
        }
        announced
    }

    fn webhook_jobs(&self) -> impl Iterator<Item = &WebhookJob> {
        self.jobs.iter().filter_map(|job| match job {
            Job::Webhook { job, .. } => Some(job),
            Job::Refund { .. } | Job::Payment { .. } => None,
        })
    }

    /// The event of a job, which was recorded with its receivers before the job was sent.
    async fn event(&self, job: &WebhookJob) -> Event {
        let recorded = self.store.event(&job.tenant, &job.event).await.unwrap().expect("it is recorded");
        assert!(recorded.receivers.contains(&job.target));
        recorded.event
    }

    /// How many refunds go to the processor.
    fn refund_jobs(&self) -> usize {
        self.jobs.iter().filter(|job| matches!(job, Job::Refund { .. })).count()
    }
}

async fn relayed_by(context: &Relay, records: &[Value]) -> Relayed {
    let answer = handle(context, json!({ "Records": records })).await.unwrap();
    Relayed {
        store: context.store.clone(),
        jobs: std::mem::take(&mut *context.jobs.sent.lock().unwrap()).concat(),
        dead_lettered: std::mem::take(&mut *context.jobs.dead_lettered.lock().unwrap()),
        failed: answer.failed().map(str::to_owned).collect(),
    }
}

async fn relayed(records: &[Value]) -> Relayed {
    relayed_by(&relay(Queues::default()), records).await
}

/// A table with a registered payment, and its life told by its stream.
struct World {
    table: TestTable,
    store: Table,
}

impl World {
    async fn new() -> Self {
        let table = TestTable::new();
        let store = table.store();
        assert!(matches!(store.register(&fixtures::getpaid_payment()).await, Ok(Registered::New)));
        Self { table, store }
    }

    async fn reserve(&self, key: &str, wanted: &Wanted) -> Refund {
        let reservation = fixtures::decided(&fixtures::getpaid_payment(), wanted, key);
        assert!(matches!(self.store.reserve(&reservation).await, Ok(Reserved::New)));
        reservation.refund
    }

    async fn hand_over(&self, refund: &Refund) {
        assert!(matches!(self.store.hand_over(refund, fixtures::later(500)).await, Ok(HandedOver::Yes)));
    }

    async fn settle(&self, refund: &Refund, outcome: Outcome) -> Refund {
        let change = refund.step(outcome, fixtures::later(1_000)).expect("the outcome changes something");
        assert!(matches!(self.store.carry_out(&change).await, Ok(Settled::Applied)));
        change.into_refund()
    }

    /// Every change so far, in its order.
    fn records(&self) -> Vec<Value> {
        self.table.stream_event()["Records"].as_array().unwrap().clone()
    }
}

/// Whether the template's filter lets a record through to the relay.
fn is_let_through(record: &Value) -> bool {
    let change = &record["dynamodb"];
    change["Keys"]["sk"]["S"] != "payment" || change["NewImage"]["ask_at"]["S"].is_string()
}

/// The id of a change that happened so many milliseconds after the fixtures' moment.
fn event_id(refund: &Refund, sequence: u32, millis: u64) -> EventId {
    EventId::of_change(&refund.tenant, &refund.id, sequence, fixtures::later(millis))
}
