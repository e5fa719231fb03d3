//! `reconcile`, over a real table: what is lost, stuck or edited is named, and a healthy system is left alone.
#![cfg(test)]

mod announcements;
mod auditing;
mod books;
#[path = "../../../../tests/events/charges.rs"]
mod charges;
mod charging;
mod disputing;
mod healthy;
mod missed;
mod outcomes;
mod payloads;
#[path = "../../../../tests/events/seal_keys.rs"]
mod seal_keys;
mod stuck;

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use charges::Charges;
use reconcile::{Context, ReconcileError, Summary, handle};
use recoup_domain::dispute::DisputeWord;
use recoup_domain::event::Event;
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::money::Money;
use recoup_domain::payment::{Payment, Processor as PaymentProcessor, ProcessorName, Terms};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::report::{Finding, Report};
use recoup_domain::time::Timestamp;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::charges::{ChargeQuestion, ChargeRead, RefundOfCharge};
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::events::RecordEvents;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::processor::{Listed, Listing, LookedUp, Processor};
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::reports::Reports;
use recoup_ports::settlement::{Settle, Settled};
use recoup_storage::Table;
use recoup_testing::{Item, TestTable, fixtures};
use seal_keys::KeyStore;
use serde_json::{Value, json};

/// Milliseconds.
const HOUR: u64 = 3_600_000;

/// Two hours after everything happened: all of it is old enough to be judged.
fn two_hours_later() -> Timestamp {
    fixtures::later(2 * HOUR)
}

/// Half an hour after the run above.
fn soon_after() -> Timestamp {
    fixtures::later(2 * HOUR + HOUR / 2)
}

/// A processor whose answers the test chooses.
#[derive(Default)]
struct Scripted {
    looked_up: Option<LookedUp>,
    list: Option<Vec<(RefundId, Outcome, Option<Money>)>>,
    asked: Mutex<Vec<RefundId>>,
    charges: Arc<Charges>,
    disputes: Option<Vec<DisputeWord>>,
}

impl Processor for Scripted {
    async fn refund(&self, _: &Refund) -> Outcome {
        panic!("a reconciliation moves no money")
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        self.asked.lock().unwrap().push(refund.id.clone());
        self.looked_up.clone().unwrap_or(LookedUp::Stands(Outcome::Unknown))
    }

    async fn read_charge(&self, _: &ChargeQuestion) -> ChargeRead {
        self.charges.answer()
    }

    async fn refunds_of_charge(&self, _: &ChargeQuestion) -> Option<Vec<RefundOfCharge>> {
        self.charges.listed()
    }

    async fn disputes(&self, _: &ChargeQuestion, _: Timestamp) -> Option<Vec<DisputeWord>> {
        self.disputes.clone()
    }

    async fn list(&self, _: &Tenant, name: ProcessorName, _: Timestamp) -> Listing {
        let Some(list) = self.list.as_ref().filter(|_| name == ProcessorName::Stripe) else {
            return Listing::NotKept;
        };
        let listed =
            |(number, (refund, outcome, amount)): (usize, &(RefundId, Outcome, Option<Money>))| Listed {
                refund: refund.clone(),
                reference: fixtures::text(&format!("re_{number}")),
                outcome: outcome.clone(),
                amount: *amount,
            };
        Listing::Whole(list.iter().enumerate().map(listed).collect())
    }
}

/// A table with an account, a payment and its refunds.
struct World {
    table: TestTable,
    store: Table,
    seal_keys: KeyStore,
    payment: Payment,
}

impl World {
    /// The getpaid payment at this processor, under this reference.
    async fn at(name: ProcessorName, reference: &str) -> Self {
        let payment = fixtures::getpaid_payment();
        let processor = PaymentProcessor::of(name, fixtures::text(reference));
        let payment = fixtures::registered(payment.id.as_str(), Terms { processor, ..payment.terms() });
        let payment = payment.sealed(&fixtures::seal_key());
        let table = TestTable::new();
        let store = table.store();
        let account = NewAccount {
            id: payment.tenant.account.clone(),
            name: "Shop".to_owned(),
            sandbox_secret: fixtures::plain_secret(1),
            live_secret: fixtures::plain_secret(2),
            created_at: fixtures::now(),
        };
        store.create_account(&account).await.unwrap();
        assert!(matches!(store.register(&payment).await, Ok(Registered::New)));
        Self { table, store, seal_keys: KeyStore::default(), payment }
    }

    async fn new() -> Self {
        Self::at(ProcessorName::Sandbox, "sandbox_succeed").await
    }

    /// The getpaid partial refund, without a URL of its own.
    async fn reserve(&self, key: &str) -> Refund {
        let payment = self.store.payment(&self.payment.tenant, &self.payment.id).await.unwrap().unwrap();
        let mut wanted = fixtures::wanted_of(&payment, 0, &[(fixtures::SELLER, 1000)]);
        wanted.notes.webhook_url = None;
        let reservation = fixtures::decided(&payment, &wanted, key);
        assert!(matches!(self.store.reserve(&reservation).await, Ok(Reserved::New)));
        reservation.refund
    }

    /// The same, and its beginning announced to nobody, as the relay does where nobody listens.
    async fn reserve_announced(&self, key: &str) -> Refund {
        let refund = self.reserve(key).await;
        self.store.record_event(&Event::of_change(None, &refund), &[]).await.unwrap();
        refund
    }

    /// What an outcome makes of a refund, a second after its last change. It is not announced.
    async fn settle_unannounced(&self, refund: &Refund, outcome: Outcome) -> Refund {
        self.store.hand_over(refund, fixtures::now()).await.unwrap();
        let refund = self.refund(refund).await;
        let change = fixtures::moved(&refund, outcome);
        assert!(matches!(self.store.carry_out(&change).await, Ok(Settled::Applied)));
        self.refund(&refund).await
    }

    /// The same, and announced to nobody, as the relay does where nobody listens.
    async fn settle(&self, refund: &Refund, outcome: Outcome) -> Refund {
        let before = self.refund(refund).await;
        let after = self.settle_unannounced(refund, outcome).await;
        self.store.record_event(&Event::of_change(Some(&before), &after), &[]).await.unwrap();
        after
    }

    async fn refund(&self, refund: &Refund) -> Refund {
        self.store.refund(&refund.tenant, &refund.id).await.unwrap().unwrap()
    }

    /// Writes an attribute past the conditions.
    async fn edit(&self, item: &Item, update: &str, values: &[(&str, AttributeValue)]) {
        let mut request = self.table.plain().update_item().table_name(self.table.name());
        for key in ["pk", "sk"] {
            request = request.key(key, item[key].clone());
        }
        for (name, value) in values {
            request = request.expression_attribute_values(*name, value.clone());
        }
        request.update_expression(update).send().await.unwrap();
    }

    async fn delete(&self, item: &Item) {
        let request = self.table.plain().delete_item().table_name(self.table.name());
        request.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
    }

    /// Every item but reports, sorted.
    async fn everything(&self) -> Vec<Item> {
        let mut items = self.table.items().await;
        items.retain(|item| !item["pk"].as_s().unwrap().ends_with("#reports"));
        items.sort_by_key(|item| (item["pk"].as_s().unwrap().clone(), item["sk"].as_s().unwrap().clone()));
        items
    }

    async fn run_with<P: Processor + Sync>(
        &self,
        processor: P,
        now: fn() -> Timestamp,
        payload: Value,
    ) -> Result<Summary, ReconcileError> {
        let (store, seal_keys) = (self.store.clone(), &self.seal_keys);
        handle(&Context { store, processor, seal_keys, now }, payload).await
    }

    /// A run at the sandbox and its report.
    async fn run(&self, now: fn() -> Timestamp) -> Report {
        self.run_at(Sandbox, now, json!({ "days": 2 })).await
    }

    async fn run_at<P: Processor + Sync>(
        &self,
        processor: P,
        now: fn() -> Timestamp,
        payload: Value,
    ) -> Report {
        let summary = self.run_with(processor, now, payload).await.unwrap();
        let report = self.store.report(&self.payment.tenant, &now().date()).await.unwrap().unwrap();
        assert_eq!((summary.drift, summary.complete), (report.drift, true));
        report
    }
}

/// A finding as a line.
fn lines(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        format!("{} {}: {}", finding.mismatch.as_str(), finding.remedy.as_str(), finding.detail.as_str())
    };
    findings.iter().map(line).collect()
}

/// The id of a refund's last change.
fn last_event(refund: &Refund) -> EventId {
    refund.event_ids().next().unwrap()
}
