//! `create-refund`, driven with the gateway's events over a real table.
#![cfg(test)]

mod bodies;
mod budgets;
mod changing;
mod created;
mod external;
mod faults;
#[path = "../../../../tests/events/gateway.rs"]
mod gateway;
mod keys;
mod refusals;

use create_refund::{Context, handle};
use gateway::{Event, Reply};
use recoup_domain::ids::Tenant;
use recoup_domain::payment::Payment;
use recoup_domain::split::Split;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::refunds::Reserve;
use recoup_ports::webhooks::Reach;
use recoup_storage::Table;
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;
use serde_json::Value;

const CREATE: &str = include_str!("../../../../tests/events/create-refund.json");
const CREATE_OF_PAYMENT: &str = include_str!("../../../../tests/events/create-refund-of-payment.json");
/// The payment that the recorded events are about.
const PAYMENT: &str = "pay_926ap9a2ioesd1p0qsfjuk1bvv";

/// The getpaid payment under the id of the recorded events: 100 + 2500 + 500.
fn routed() -> Payment {
    Payment { id: fixtures::payment_id(PAYMENT), ..fixtures::getpaid_payment() }
}

/// 5000 cents without routing or lines.
fn plain() -> Payment {
    fixtures::payment(PAYMENT, 5000)
}

/// The recorded create: 1000 of the seller, 500 of the supplier, key `REFUND-123456`.
fn recorded() -> Event {
    Event::of_fixtures_tenant(CREATE)
}

/// The recorded create with another body.
fn asking(body: &Value) -> Event {
    recorded().json(body)
}

fn context<S>(store: S) -> Context<S> {
    Context {
        store,
        public_url: PublicUrl::new("https://api.example.com/"),
        reach: Reach::Public,
        now: fixtures::now,
        random: || 7,
    }
}

async fn post<S: Reserve>(context: &Context<S>, event: &Event) -> Reply {
    Reply::read(event, handle(context, event.request()).await)
}

/// A function over a table that knows one payment.
struct World {
    table: TestTable,
    context: Context<Table>,
}

impl World {
    async fn with(payment: &Payment) -> Self {
        let table = TestTable::new();
        let world = Self { context: context(table.store()), table };
        world.register(payment).await;
        world.table.take_calls();
        world
    }

    async fn register(&self, payment: &Payment) {
        assert!(matches!(self.table.store().register(payment).await, Ok(Registered::New)));
    }

    async fn post(&self, event: &Event) -> Reply {
        post(&self.context, event).await
    }

    async fn payment(&self) -> Payment {
        self.payment_of(&fixtures::tenant()).await
    }

    async fn payment_of(&self, tenant: &Tenant) -> Payment {
        let found = self.table.store().payment(tenant, &fixtures::payment_id(PAYMENT)).await;
        found.unwrap().unwrap()
    }

    /// What is left in total.
    async fn refundable(&self) -> u64 {
        self.payment().await.refundable.minor()
    }

    /// How many refunds the table holds: as items, and in the payment's own list.
    async fn refunds(&self) -> (usize, usize) {
        let items = self.table.items().await;
        let refunds = items.iter().filter(|item| item["sk"].as_s().unwrap() == "refund");
        (refunds.count(), self.payment().await.refunds.len())
    }

    /// One refund of so many cents was made, and its amount taken once.
    async fn assert_one_refund_of(&self, amount: u64) {
        let payment = self.payment().await;
        assert_eq!(self.refunds().await, (1, 1));
        assert_eq!(payment.refundable.minor(), payment.amount.minor().checked_sub(amount).unwrap());
        if let Some(routing) = payment.routing {
            assert_eq!(routing.refundable.total(), payment.refundable);
        }
    }

    /// Nothing was made, nothing taken.
    async fn assert_untouched(&self, before: &Payment) {
        assert_eq!(&self.payment().await, before);
        // The payment, and its claim to its charge.
        assert_eq!(self.table.items().await.len(), before.claims.len().saturating_add(1));
    }
}

/// The platform's part, then each merchant's.
fn parts(split: &Split) -> Vec<u64> {
    split.parts().map(|(_, part)| part.minor()).collect()
}
