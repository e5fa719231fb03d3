//! `process-refund`, driven with queue events over a real table.
#![cfg(test)]

mod batches;
mod busy;
#[path = "../../../../tests/events/charges.rs"]
mod charges;
mod crashes;
mod doubles;
mod looking_up;
mod outcomes;
#[path = "../../../../tests/events/seal_keys.rs"]
mod seal_keys;
mod terms;
mod waiting;

use doubles::{Script, Waits};
use process_refund::{Answer, Context, Restraints, handle};
use recoup_batch::BatchResponse;
use recoup_domain::payment::{Payment, Processor, ProcessorName, Terms};
use recoup_domain::refund::Refund;
use recoup_domain::wanted::Wanted;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::jobs::{Pace, RefundJob};
use recoup_ports::payments::{KeepVerifications, Payments, Register, Registered};
use recoup_ports::processor;
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::seal_keys::SealKeys;
use recoup_ports::settlement::Settle;
use recoup_storage::Table;
use recoup_testing::{Item, TestTable, fixtures};
use seal_keys::KeyStore;
use serde_json::{Value, json};

const EVENT: &str = include_str!("../../../../tests/events/process-refund.json");

/// The getpaid payment at the sandbox, whose reference says what becomes of its refunds.
fn payment(reference: &str) -> Payment {
    let payment = fixtures::getpaid_payment();
    let processor = Processor::of(ProcessorName::Sandbox, fixtures::text(reference));
    fixtures::registered(payment.id.as_str(), Terms { processor, ..payment.terms() })
}

/// One message of the recorded event, with another id, receipt and body.
fn message(id: &str, receive_count: u32, body: &str) -> Value {
    let recorded: Value = serde_json::from_str(EVENT).unwrap();
    let mut message = recorded["Records"][0].clone();
    message["messageId"] = id.into();
    message["receiptHandle"] = format!("handle of {id}").into();
    message["attributes"]["ApproximateReceiveCount"] = receive_count.to_string().into();
    message["body"] = body.into();
    message
}

fn job(refund: &Refund) -> String {
    serde_json::to_string(&RefundJob::of(refund)).unwrap()
}

/// The ids of the messages that come again, sorted.
async fn failed<S, P, V, K>(context: &Context<S, P, V, K>, messages: Vec<Value>) -> Vec<String>
where
    S: Settle + Payments + KeepVerifications + Sync,
    P: processor::Processor + Sync,
    V: Pace + Sync,
    K: SealKeys + Sync,
{
    let answer = batch(handle(context, json!({ "Records": messages })).await.unwrap());
    let mut failed: Vec<String> = answer.failed().map(str::to_owned).collect();
    failed.sort();
    failed
}

fn batch(answer: Answer) -> BatchResponse {
    match answer {
        Answer::Batch(response) => response,
        other => panic!("it was a batch: {other:?}"),
    }
}

fn context<P>(table: &TestTable, processor: P) -> Context<Table, P, Waits, KeyStore> {
    context_over(table.store(), processor)
}

fn context_over<S, P>(store: S, processor: P) -> Context<S, P, Waits, KeyStore> {
    Context {
        store,
        processor,
        pace: Waits::default(),
        seal_keys: KeyStore::default(),
        restraints: Restraints::default(),
        now: || fixtures::later(5_000),
        jitter_permille: || 1_000,
    }
}

/// A table with the getpaid payment and refunds of it that were just reserved.
struct World {
    table: TestTable,
    payment: Payment,
}

impl World {
    async fn new(reference: &str) -> Self {
        let world = Self { table: TestTable::new(), payment: payment(reference) };
        assert!(matches!(world.table.store().register(&world.payment).await, Ok(Registered::New)));
        world
    }

    /// Another payment, from now on the one that is refunded.
    async fn register(&mut self, payment: Payment) {
        assert!(matches!(self.table.store().register(&payment).await, Ok(Registered::New)));
        self.payment = payment;
    }

    async fn reserve(&self, key: &str, wanted: &Wanted) -> Refund {
        let reservation = fixtures::decided(&self.payment, wanted, key);
        assert!(matches!(self.table.store().reserve(&reservation).await, Ok(Reserved::New)));
        self.table.take_calls();
        reservation.refund
    }

    /// The getpaid partial refund: 1000 of the seller, 500 of the supplier.
    async fn with_refund(reference: &str) -> (Self, Refund) {
        let world = Self::new(reference).await;
        let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
        (world, refund)
    }

    fn sandbox(&self) -> Context<Table, Sandbox, Waits, KeyStore> {
        context(&self.table, Sandbox)
    }

    fn script<const N: usize>(
        &self,
        outcomes: [recoup_domain::refund::Outcome; N],
    ) -> Context<Table, Script, Waits, KeyStore> {
        context(&self.table, Script::new(outcomes))
    }

    async fn refund(&self, refund: &Refund) -> Refund {
        self.table.store().refund(&refund.tenant, &refund.id).await.unwrap().unwrap()
    }

    /// What is left: in total, then of each actor.
    async fn left(&self) -> (u64, Vec<u64>) {
        let payment = self.table.store().payment(&self.payment.tenant, &self.payment.id).await;
        let payment = payment.unwrap().unwrap();
        let parts = payment.routing.unwrap().refundable;
        assert_eq!(parts.total(), payment.refundable);
        (payment.refundable.minor(), parts.parts().map(|(_, part)| part.minor()).collect())
    }

    /// Everything that is stored.
    async fn everything(&self) -> Vec<Item> {
        let mut items = self.table.items().await;
        items.sort_by_key(|item| item["pk"].as_s().unwrap().clone());
        items
    }
}
