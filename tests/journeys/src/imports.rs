//! Imported payments on their way to their processor's word, whatever a queue, the stream or a worker forgets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::seal::Sealed;
use recoup_domain::verification::Verification;
use recoup_ports::charges::{ChargeQuestion, ChargeRead};
use recoup_ports::limits::{SLOT, Slots};
use recoup_ports::payments::Payments;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::fixtures;
use recoup_views::PublicUrl;
use serde_json::json;
use tokio::sync::Notify;

use crate::charges::{Charges, charge};
use crate::gateway::{Event, Reply};
use crate::seal_keys::KeyStore;
use crate::world::{World, now};

/// Knows each charge, in its own euros; at some of its questions the worker dies.
#[derive(Clone, Default)]
struct Stripe {
    asked: Arc<Mutex<HashMap<String, u32>>>,
    silent: Arc<AtomicU32>,
    kills: Arc<AtomicU32>,
    death: Arc<Mutex<Option<Arc<Notify>>>>,
}

impl Stripe {
    fn note(&self, name: &str) {
        let mut asked = self.asked.lock().unwrap();
        let count = asked.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
}

/// What was captured of a charge.
fn amount(number: u64) -> u64 {
    number.saturating_add(100)
}

impl Processor for Stripe {
    async fn refund(&self, _: &Refund) -> Outcome {
        fixtures::succeeded()
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        LookedUp::Stands(Outcome::Unknown)
    }

    async fn read_charge(&self, question: &ChargeQuestion) -> ChargeRead {
        let name = question.reference.as_str();
        self.note(name);
        let one_less = |count: &AtomicU32| {
            count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        if one_less(&self.kills) {
            let death = self.death.lock().unwrap().clone();
            death.unwrap().notify_one();
            std::future::pending::<()>().await;
        }
        if one_less(&self.silent) {
            return ChargeRead::Unclear;
        }
        let number: u64 = name.rsplit('_').next().unwrap().parse().unwrap();
        charge(&[name, &format!("ch_{number}")], amount(number), 0)
    }
}

async fn started() -> (World<Stripe>, Stripe) {
    let stripe = Stripe::default();
    let world = World::at(ProcessorName::Sandbox, "sandbox_succeed", stripe.clone()).await;
    *stripe.death.lock().unwrap() = Some(world.death.clone());
    (world, stripe)
}

/// So many charges of Stripe's, each by nothing but its name; every third with its amount, too.
async fn import(world: &World<Stripe>, count: u64) -> Reply {
    let line = |number: u64| {
        let mut line = json!({
            "id": format!("old-{number}"), "processor": {"name": "stripe", "reference": format!("pi_{number}")},
        });
        if number.is_multiple_of(3) {
            line["amount"] = json!(amount(number));
            line["currency"] = json!("EUR");
        }
        line.to_string()
    };
    let mut event = Event::of_fixtures_tenant(include_str!("../../events/register-payment.json"))
        .route("POST /v1/payments/import")
        .header("content-type", "application/x-ndjson")
        .with("/rawPath", "/v1/payments/import")
        .with("/requestContext/http/path", "/v1/payments/import")
        .with("/body", (0..count).map(line).collect::<Vec<_>>().join("\n"));
    event.0["headers"].as_object_mut().unwrap().remove("content-length");
    let context = register_payment::Context {
        store: world.store.clone(),
        seal_keys: KeyStore::default(),
        charges: Charges::default(),
        slots: world.table.limits(),
        public_url: PublicUrl::new("https://api.example.com"),
        now,
    };
    Reply::read(&event, Box::pin(register_payment::handle(&context, event.request())).await)
}

async fn payments(world: &World<Stripe>, count: u64) -> Vec<Payment> {
    let ids: Vec<_> = (0..count).map(|number| fixtures::payment_id(&format!("old-{number}"))).collect();
    world.store.payments(&fixtures::tenant(), &ids).await.unwrap().read
}

/// Each is verified, with its charge's own amount and both of its names, and nothing of it waits any more.
async fn assert_verified(world: &World<Stripe>, count: u64, what: &str) {
    let payments = payments(world, count).await;
    assert_eq!(payments.len(), usize::try_from(count).unwrap());
    for payment in payments {
        let number: u64 = payment.id.as_str().trim_start_matches("old-").parse().unwrap();
        assert!(matches!(payment.verification, Some(Verification::Verified(_))), "{what}: {payment:?}");
        assert_eq!((payment.amount, payment.claims.len()), (fixtures::eur(amount(number)), 2), "{what}");
        assert_eq!(payment.seal_under(&fixtures::seal_key()), Sealed::Intact, "{what}");
    }
    assert!(world.is_at_rest().await, "{what}");
}

#[tokio::test(start_paused = true)]
async fn imported_payments_are_verified_whatever_is_lost_doubled_or_dies() {
    for what in ["nothing", "stream", "messages", "doubled", "death", "silence"] {
        let (mut world, stripe) = started().await;
        assert_eq!(import(&world, 7).await.body["created"], 7);
        match what {
            "stream" => world.lose_stream(),
            "messages" => {
                world.relay().await;
                assert_eq!(world.lose_messages(), 7);
            }
            "doubled" => {
                world.relay().await;
                world.double_messages();
            }
            "death" => stripe.kills.store(3, Ordering::SeqCst),
            "silence" => stripe.silent.store(9, Ordering::SeqCst),
            _ => {}
        }
        world.run_for(Duration::from_hours(3)).await;
        assert_verified(&world, 7, what).await;
        // Again it changes nothing, and nobody is asked.
        stripe.asked.lock().unwrap().clear();
        assert_eq!(import(&world, 7).await.body["unchanged"], 7);
        world.run_for(Duration::from_hours(3)).await;
        assert!(stripe.asked.lock().unwrap().is_empty(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_imported_behind_many_others_waits_for_its_turn() {
    let (mut world, stripe) = started().await;
    let hours = world.table.limits().take_slots(&fixtures::tenant(), 90_000, now()).await.unwrap();
    assert_eq!(hours, now());
    assert_eq!(import(&world, 2).await.body["created"], 2);
    world.run_for(SLOT * 89_000).await;
    assert!(stripe.asked.lock().unwrap().is_empty(), "others are asked about first");
    assert!(payments(&world, 2).await.iter().all(Payment::is_unverified));
    world.run_for(SLOT * 2_000).await;
    assert_verified(&world, 2, "after two hours").await;
    assert!(stripe.asked.lock().unwrap().values().all(|asked| *asked == 1));
}

#[tokio::test(start_paused = true)]
async fn the_message_that_was_to_end_a_long_wait_may_be_lost_too() {
    let (mut world, _) = started().await;
    world.table.limits().take_slots(&fixtures::tenant(), 45_000, now()).await.unwrap();
    assert_eq!(import(&world, 1).await.body["created"], 1);
    world.processes = false;
    world.run_for(Duration::from_hours(1)).await;
    assert_eq!(world.lose_messages(), 1);
    world.processes = true;
    world.run_for(Duration::from_hours(2)).await;
    assert_verified(&world, 1, "an hour later").await;
}

#[tokio::test(start_paused = true)]
async fn an_imported_payment_costs_so_many_units_until_it_is_verified() {
    let (mut world, _) = started().await;
    world.table.take_calls();
    import(&world, 1).await;
    let registered = world.table.take_calls();
    world.run_for(Duration::from_mins(1)).await;
    let verified = world.table.take_calls();
    assert_verified(&world, 1, "a minute later").await;
    // Of the first seven, one is of the call's slots.
    assert_eq!((registered.write_units(), verified.write_units()), (7.0, 7.0), "{registered}\n{verified}");
    assert_eq!((registered.read_units(), verified.read_units()), (1.0, 1.0));
}
