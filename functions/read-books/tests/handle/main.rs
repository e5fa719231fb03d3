//! `read-books`, driven with the gateway's events over a real table.
#![cfg(test)]

mod expanding;
#[path = "../../../../tests/events/gateway.rs"]
mod gateway;
mod large;
mod lists;
mod payment_lists;
mod payments;
mod refunds;
mod reports;
mod unrouted;

use gateway::{Event, Reply};
use read_books::{Context, handle};
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::wanted::Wanted;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::refunds::{Reserve, Reserved};
use recoup_ports::settlement::{Settle, Settled};
use recoup_storage::Table;
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;

const GET_REFUND: &str = include_str!("../../../../tests/events/get-refund.json");
const GET_PAYMENT: &str = include_str!("../../../../tests/events/get-payment.json");

fn context<S>(store: S) -> Context<S> {
    Context { store, public_url: PublicUrl::new("https://api.example.com") }
}

/// The recorded read of a refund, for another one.
fn reading(refund: &Refund) -> Event {
    Event::of_fixtures_tenant(GET_REFUND).of_refund(refund.id.as_str())
}

/// The recorded read of a payment, for another one.
fn reading_payment(payment: &Payment) -> Event {
    Event::of_fixtures_tenant(GET_PAYMENT).of_payment(payment.id.as_str())
}

/// A function over a table that knows one payment.
struct World {
    table: TestTable,
    context: Context<Table>,
    payment: Payment,
}

impl World {
    async fn with(payment: Payment) -> Self {
        let table = TestTable::new();
        assert!(matches!(table.store().register(&payment).await, Ok(Registered::New)));
        table.take_calls();
        Self { context: context(table.store()), table, payment }
    }

    async fn get(&self, event: &Event) -> Reply {
        Reply::read(event, handle(&self.context, event.request()).await)
    }

    async fn refund(&self, key: &str, wanted: &Wanted) -> Refund {
        let store = self.table.store();
        let payment = store.payment(&self.payment.tenant, &self.payment.id).await.unwrap().unwrap();
        let reservation = fixtures::decided(&payment, wanted, key);
        assert!(matches!(store.reserve(&reservation).await, Ok(Reserved::New)));
        self.table.take_calls();
        reservation.refund
    }

    async fn settle(&self, refund: &Refund, outcome: Outcome) -> Refund {
        let store = self.table.store();
        let change = refund.step(outcome, fixtures::later(1_000)).expect("the outcome changes something");
        assert!(matches!(store.carry_out(&change).await, Ok(Settled::Applied)));
        self.table.take_calls();
        change.into_refund()
    }
}
