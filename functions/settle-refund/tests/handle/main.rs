//! `settle-refund`, driven with the gateway's events over a real table, with signatures as the processors make them.
#![cfg(test)]

mod believing;
#[path = "../../../../tests/events/charges.rs"]
mod charges;
mod contradicting;
mod disputing;
mod doubles;
mod entering;
mod failing;
#[path = "../../../../tests/events/gateway.rs"]
mod gateway;
mod guessing;
mod ordering;
mod reading;
mod shuffling;
mod signed;

use doubles::{Books, KeyRing};
use gateway::{Event, Reply};
use recoup_domain::balance::{Balances, Posting};
use recoup_domain::payment::{Payment, Processor, ProcessorName, Terms};
use recoup_domain::refund::{Outcome, Refund, State};
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::Wanted;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::processor::LookedUp;
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::settlement::{Settle, SettleError, Settled};
use recoup_storage::Table;
use recoup_testing::{Item, TestTable, fixtures};
use settle_refund::{Context, handle};

const RECORDED: &str = include_str!("../../../../tests/events/settle-refund.json");

/// When notifications arrive.
fn now() -> Timestamp {
    fixtures::later(60_000)
}

/// The getpaid payment at this processor.
fn payment(name: ProcessorName) -> Payment {
    let payment = fixtures::getpaid_payment();
    let processor = Processor::of(name, fixtures::text("ch_1"));
    fixtures::registered(payment.id.as_str(), Terms { processor, ..payment.terms() })
}

/// A function over a table with the getpaid payment.
struct World {
    table: TestTable,
    payment: Payment,
    context: Context<Table, KeyRing, Books>,
}

impl World {
    async fn with(payment: Payment) -> Self {
        let table = TestTable::new();
        assert!(matches!(table.store().register(&payment).await, Ok(Registered::New)));
        table.take_calls();
        let (keys, processor) = (KeyRing::default(), Books::silent());
        let context = Context { store: table.store(), keys, processor, now };
        Self { table, payment, context }
    }

    /// With the getpaid partial refund, just reserved: 1000 of the seller, 500 of the supplier.
    async fn with_refund(name: ProcessorName) -> (Self, Refund) {
        let world = Self::with(payment(name)).await;
        let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
        (world, refund)
    }

    /// The same, and this has become of it.
    async fn with_ended(outcome: Outcome) -> (Self, Refund) {
        let (world, refund) = Self::with_refund(ProcessorName::Http).await;
        world.polled(&refund, outcome).await.unwrap();
        let ended = world.refund(&refund).await;
        world.table.take_calls();
        (world, ended)
    }

    async fn reserve(&self, key: &str, wanted: &Wanted) -> Refund {
        let payment = self.payment().await;
        let reservation = fixtures::decided(&payment, wanted, key);
        assert!(matches!(self.table.store().reserve(&reservation).await, Ok(Reserved::New)));
        self.table.take_calls();
        reservation.refund
    }

    /// All that is left, by another refund.
    async fn take_the_rest(&self) -> Refund {
        self.reserve("rest", &fixtures::wanted(&self.payment, None)).await
    }

    /// What process-refund writes of an answer to a question that it asked about the refund as it was then.
    async fn polled(&self, from: &Refund, outcome: Outcome) -> Result<Settled, SettleError> {
        let store = self.table.store();
        store.hand_over(from, fixtures::later(1_000)).await.unwrap();
        store.carry_out(&from.step(outcome, fixtures::later(2_000)).unwrap()).await
    }

    async fn tell(&self, event: &Event) -> Reply {
        Reply::read(event, handle(&self.context, event.request()).await)
    }

    async fn refund(&self, refund: &Refund) -> Refund {
        self.table.store().refund(&refund.tenant, &refund.id).await.unwrap().unwrap()
    }

    async fn payment(&self) -> Payment {
        self.table.store().payment(&self.payment.tenant, &self.payment.id).await.unwrap().unwrap()
    }

    async fn left(&self) -> u64 {
        self.payment().await.refundable.minor()
    }

    /// Everything that is stored.
    async fn everything(&self) -> Vec<Item> {
        let mut items = self.table.items().await;
        items.sort_by_key(|item| item["pk"].as_s().unwrap().clone());
        items
    }

    /// No cent appeared or disappeared, in total or of any actor, and lines are covered by who has the money.
    async fn check_books(&self) {
        let payment = self.payment().await;
        let refunds = self.table.store().refunds(&payment.tenant, &payment.refunds).await.unwrap().read;
        assert_eq!(refunds.len(), payment.refunds.len());
        let alive = || {
            refunds.iter().filter(|refund| {
                refund.version.state.holds_money() || refund.version.state == State::Succeeded
            })
        };
        let taken = alive().fold(self.payment.clone(), |payment, refund| {
            payment.after_reserving(refund).expect("what the refunds hold was there to take")
        });
        assert_eq!(payment.contradiction(), None);
        let lost = payment.charged_back().expect("it is no more than there was");
        assert_eq!(Some(payment.refundable), taken.refundable.minus(lost));
        let splits = payment.disputes.list.iter().filter_map(|dispute| dispute.split.as_ref());
        let left = taken.routing.map(|routing| {
            splits.fold(routing.refundable, |left, split| left.minus(split).expect("each gave what it had"))
        });
        assert_eq!(payment.routing.as_ref().map(|routing| &routing.refundable), left.as_ref());
        assert_eq!(payment.lines, taken.lines);
        let balances = Balances::of(&payment, &refunds.iter().map(Posting::from).collect::<Vec<_>>())
            .expect("the reads belong together");
        let held = refunds.iter().filter(|refund| refund.version.state.holds_money());
        let held: Vec<&Refund> = held.collect();
        assert_eq!(
            balances.total.held.minor(),
            held.iter().map(|refund| refund.taken().minor()).sum::<u64>()
        );
        for (actor, balance) in &balances.actors {
            let parts = held.iter().map(|refund| refund.split.as_ref().unwrap().part_of(actor).minor());
            assert_eq!(balance.held.minor(), parts.sum::<u64>(), "{actor:?}");
        }
    }
}

/// What a look-up finds.
fn found(outcome: Outcome) -> LookedUp {
    LookedUp::Stands(outcome)
}
