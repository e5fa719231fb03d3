//! `register-payment`, driven with the gateway's events over a real table.
#![cfg(test)]

mod awaiting;
mod bodies;
#[path = "../../../../tests/events/charges.rs"]
mod charges;
mod facts;
#[path = "../../../../tests/events/gateway.rs"]
mod gateway;
mod importing;
mod registering;
#[path = "../../../../tests/events/seal_keys.rs"]
mod seal_keys;
mod sealing;
mod splits;
mod verifying;

use charges::Charges;
use gateway::{Event, Reply};
use recoup_domain::payment::Payment;
use recoup_ports::payments::Payments;
use recoup_storage::{LimitsTable, Table};
use recoup_testing::{TestTable, fixtures};
use recoup_views::PublicUrl;
use register_payment::{Context, handle};
use seal_keys::KeyStore;
use serde_json::{Value, json};

const REGISTER: &str = include_str!("../../../../tests/events/register-payment.json");
/// The payment of the recorded event.
const PAYMENT: &str = "pay_926ap9a2ioesd1p0qsfjuk1bvv";

/// The recorded registration: 100 + 2500 + 500.
fn recorded() -> Event {
    Event::of_fixtures_tenant(REGISTER)
}

/// 50.00 EUR and these fields.
fn saying(fields: &Value) -> Event {
    let mut body = json!({"amount": 5000, "currency": "EUR"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    recorded().json(&body)
}

struct World {
    table: TestTable,
    context: Context<Table, KeyStore, Charges, LimitsTable>,
}

impl World {
    fn new() -> Self {
        let table = TestTable::new();
        let public_url = PublicUrl::new("https://api.example.com");
        let (store, seal_keys, charges) = (table.store(), KeyStore::default(), Charges::default());
        let slots = table.limits();
        Self { context: Context { store, seal_keys, charges, slots, public_url, now: fixtures::now }, table }
    }

    /// With a payment registered by these fields.
    async fn saying(fields: &Value) -> Self {
        let world = Self::new();
        assert_eq!(world.put(&saying(fields)).await.status, 201);
        world.table.take_calls();
        world
    }

    async fn put(&self, event: &Event) -> Reply {
        Reply::read(event, handle(&self.context, event.request()).await)
    }

    async fn payment(&self) -> Payment {
        let found = self.table.store().payment(&fixtures::tenant(), &fixtures::payment_id(PAYMENT)).await;
        found.unwrap().unwrap()
    }
}
