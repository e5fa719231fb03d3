//! A payment that changes between the read and the commit: the conditions hold, and it is decided again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use recoup_domain::decide::Reservation;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::{Facts, Payment, Settlement};
use recoup_ports::ReadError;
use recoup_ports::payments::{Moved, Payments, Register};
use recoup_ports::refunds::{Found, Reserve, ReserveError, Reserved};
use recoup_storage::Table;
use recoup_testing::fixtures::{self, SELLER};
use serde_json::json;

use crate::gateway::{Event, Reply};
use crate::{PAYMENT, World, asking, context, parts, plain, post, recorded, routed};
use create_refund::Context;

/// What somebody else does just before a reservation is written.
#[derive(Clone)]
enum Meanwhile {
    /// Creates a refund.
    Creates(Box<Event>),
    /// Moves the payment's facts.
    Moves(fn(&mut Facts)),
    /// Nothing.
    Nothing,
}

/// The real table, on which others are quicker.
struct Contested {
    store: Table,
    /// The first is done before the first reservation; the last one before all that follow.
    others: Mutex<Vec<Meanwhile>>,
    reservations: AtomicUsize,
}

impl Contested {
    async fn happens(&self, meanwhile: &Meanwhile) {
        match meanwhile {
            Meanwhile::Creates(event) => {
                assert_eq!(post(&context(self.store.clone()), event).await.status, 201);
            }
            Meanwhile::Moves(change) => {
                let payment = self.store.payment(&fixtures::tenant(), &fixtures::payment_id(PAYMENT)).await;
                let payment = payment.unwrap().unwrap();
                let mut facts = payment.facts.clone();
                change(&mut facts);
                let moved = payment.moved_to(facts, fixtures::later(1)).unwrap().unwrap();
                assert_eq!(self.store.move_facts(&moved).await.unwrap(), Moved::Applied);
            }
            Meanwhile::Nothing => {}
        }
    }
}

impl Reserve for Contested {
    async fn payment_and_refund(
        &self,
        tenant: &Tenant,
        payment: &PaymentId,
        refund: Option<&RefundId>,
    ) -> Result<Found, ReadError> {
        self.store.payment_and_refund(tenant, payment, refund).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, ReserveError> {
        let meanwhile = {
            self.reservations.fetch_add(1, Ordering::Relaxed);
            let mut others = self.others.lock().unwrap();
            if others.len() > 1 { others.remove(0) } else { others[0].clone() }
        };
        // In a box, because creating a refund here is what this is called from.
        Box::pin(self.happens(&meanwhile)).await;
        self.store.reserve(reservation).await
    }
}

/// What is answered to an event while others do their part, and how often it was tried to write it.
async fn meanwhile(world: &World, event: &Event, others: &[Meanwhile]) -> (Reply, usize) {
    let others = Mutex::new(others.to_vec());
    let store = Contested { store: world.table.store(), others, reservations: AtomicUsize::default() };
    let context = Context { random: || u128::MAX, ..crate::context(store) };
    let reply = post(&context, event).await;
    let reservations = context.store.reservations.load(Ordering::Relaxed);
    (reply, reservations)
}

fn creates(event: Event) -> Meanwhile {
    Meanwhile::Creates(Box::new(event))
}

fn taking(amount: u64, key: &str) -> Meanwhile {
    creates(asking(&json!({"payment_id": PAYMENT, "amount": amount})).header("idempotency-key", key))
}

fn taking_of_the_seller(amount: u64) -> Meanwhile {
    let routing = json!({"merchants": [{"id": SELLER, "amount": amount}]});
    let event = asking(&json!({"payment_id": PAYMENT, "routing": routing}));
    creates(event.header("idempotency-key", "somebody-else's"))
}

#[tokio::test]
async fn a_part_that_still_fits_is_not_even_decided_again() {
    let world = World::with(&plain()).await;
    let event = asking(&json!({"payment_id": PAYMENT, "amount": 100}));
    let others = [taking(200, "other"), Meanwhile::Nothing];
    let (reply, reservations) = meanwhile(&world, &event, &others).await;
    assert_eq!((reply.status, reservations), (201, 1));
    assert_eq!(world.refundable().await, 4700);
}

#[tokio::test]
async fn all_that_is_left_is_what_is_left_when_it_is_written() {
    let world = World::with(&routed()).await;
    let event = asking(&json!({"payment_id": PAYMENT}));
    let others = [taking_of_the_seller(300), Meanwhile::Nothing];
    let (reply, reservations) = meanwhile(&world, &event, &others).await;
    assert_eq!((reply.status, reservations), (201, 2));
    assert_eq!(reply.body["amount"], 2800);
    assert_eq!(reply.body["routing"]["merchants"][0]["amount"], 2200);
    assert_eq!(parts(&world.payment().await.routing.unwrap().refundable), [0, 0, 0]);
    assert_eq!(world.refunds().await, (2, 2));
}

#[tokio::test]
async fn what_no_longer_fits_is_refused_with_what_is_left_now() {
    let world = World::with(&plain()).await;
    let event = asking(&json!({"payment_id": PAYMENT, "amount": 4901}));
    let (reply, reservations) = meanwhile(&world, &event, &[taking(100, "other"), Meanwhile::Nothing]).await;
    assert_eq!(reply.problem(), (422, "amount_exceeds_refundable"));
    assert_eq!((&reply.body["refundable_amount"], reservations), (&json!(4900), 1));
    assert_eq!(world.refunds().await, (1, 1));

    // An actor that has less, though the total would do.
    let world = World::with(&routed()).await;
    let others = [taking_of_the_seller(1501), Meanwhile::Nothing];
    let (reply, _) = meanwhile(&world, &recorded(), &others).await;
    assert_eq!(reply.problem(), (422, "actor_amount_exceeds_refundable"));
    assert_eq!(reply.body["actors"][0]["refundable_amount"], 999);
    assert_eq!(world.refunds().await, (1, 1));
}

#[tokio::test]
async fn facts_that_change_meanwhile_are_heeded() {
    let disputed = Meanwhile::Moves(|facts| facts.disputed = true);
    let world = World::with(&plain()).await;
    let event = asking(&json!({"payment_id": PAYMENT, "amount": 100}));
    let (reply, _) = meanwhile(&world, &event, &[disputed, Meanwhile::Nothing]).await;
    assert_eq!(reply.problem(), (422, "payment_disputed"));
    assert_eq!(world.refunds().await, (0, 0));

    let unsettled = Facts { settlement: Settlement::Unsettled, ..fixtures::facts() };
    let world = World::with(&Payment { facts: unsettled, ..plain() }).await;
    let settled = Meanwhile::Moves(|facts| facts.settlement = Settlement::Settled);
    let (reply, reservations) = meanwhile(&world, &event, &[settled, Meanwhile::Nothing]).await;
    assert_eq!((reply.status, reservations), (201, 2));
    assert_eq!(reply.body["kind"], "refund");
}

#[tokio::test]
async fn a_line_that_is_taken_meanwhile_is_not_refunded_twice() {
    let lines =
        vec![(fixtures::line_id("l1"), fixtures::eur(4000)), (fixtures::line_id("l2"), fixtures::eur(1000))];
    let terms = recoup_domain::payment::Terms { lines, ..fixtures::terms(5000) };
    let world = World::with(&fixtures::registered(PAYMENT, terms)).await;
    let event = asking(&json!({"payment_id": PAYMENT, "invoice_detail_ids": ["l2"]}));
    let others = [creates(event.clone().header("idempotency-key", "other")), Meanwhile::Nothing];
    let (reply, _) = meanwhile(&world, &event, &others).await;
    assert_eq!(reply.problem(), (422, "invoice_detail_already_refunded"));
    world.assert_one_refund_of(1000).await;
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_keeps_changing_is_given_up_when_the_time_is_over() {
    for event in [
        asking(&json!({"payment_id": PAYMENT, "amount": 100})),
        asking(&json!({"payment_id": PAYMENT, "amount": 100})).without("/headers/idempotency-key"),
    ] {
        let world = World::with(&plain()).await;
        let flip = Meanwhile::Moves(|facts| {
            facts.settlement = Settlement::Settled;
            let until = facts.refundable_until.map_or(0, recoup_domain::time::Timestamp::unix_millis);
            let later = until.max(fixtures::later(0).unix_millis()).checked_add(1).unwrap();
            facts.refundable_until = recoup_domain::time::Timestamp::from_unix_millis(later);
        });
        let (reply, reservations) = meanwhile(&world, &event, &[flip]).await;
        assert_eq!(reply.problem(), (503, "unavailable"));
        assert_eq!((reply.header("retry-after"), &reply.body["retryable"]), (Some("1"), &json!(true)));
        assert!(reservations > 5, "{reservations}: it is time that ends it");
        assert_eq!((world.refunds().await, world.refundable().await), ((0, 0), 5000));
        assert_eq!(world.post(&event).await.status, 201);
    }
}

#[tokio::test]
async fn forty_proportional_refunds_at_once_are_all_made_and_add_up() {
    let world = World::with(&routed()).await;
    let context =
        Context { now: recoup_config::now, random: recoup_config::random, ..context(world.table.store()) };
    let body = json!({"payment_id": PAYMENT, "amount": 62, "routing": {"split": "proportional"}});
    let event = asking(&body);
    let posts = (0..40).map(|number| {
        let event = event.clone().header("idempotency-key", &format!("racing-{number}"));
        let context = &context;
        async move { post(context, &event).await }
    });
    let started = std::time::Instant::now();
    let replies = futures_util::future::join_all(posts).await;
    for reply in &replies {
        assert_eq!(reply.status, 201, "{}", reply.body);
        let routing = &reply.body["routing"];
        let merchants = routing["merchants"].as_array().unwrap().iter();
        let parts = merchants.chain([&routing["platform"]]).map(|part| part["amount"].as_u64().unwrap());
        assert_eq!(parts.sum::<u64>(), 62);
    }
    assert!(started.elapsed() < recoup_http::respond::WORK_MAX);
    let payment = world.payment().await;
    assert_eq!((payment.refundable.minor(), world.refunds().await), (3_100 - 40 * 62, (40, 40)));
    assert_eq!(parts(&payment.routing.unwrap().refundable).iter().sum::<u64>(), 3_100 - 40 * 62);
}

#[tokio::test]
async fn a_race_lost_to_the_same_request_is_a_replay_in_two_calls() {
    for event in [recorded(), asking(&json!({"payment_id": PAYMENT}))] {
        // In the second, what the winner took also changed the payment: the existing refund wins.
        let world = World::with(&routed()).await;
        let (reply, reservations) =
            meanwhile(&world, &event, &[creates(event.clone()), Meanwhile::Nothing]).await;
        assert_eq!((reply.status, reply.header("idempotent-replayed")), (201, Some("true")));
        assert_eq!(reservations, 1);
        // Of the four calls two are the winner's.
        let calls = world.table.take_calls();
        assert_eq!(calls.count(), 4, "{calls}");
        assert_eq!(world.refunds().await, (1, 1));
    }
}

#[tokio::test]
async fn a_race_lost_to_another_request_with_the_same_key_is_a_reused_key() {
    let world = World::with(&routed()).await;
    let winner = asking(&json!({"payment_id": PAYMENT}));
    let (reply, _) = meanwhile(&world, &recorded(), &[creates(winner), Meanwhile::Nothing]).await;
    assert_eq!(reply.problem(), (422, "idempotency_key_reused"));
    world.assert_one_refund_of(3100).await;
}
