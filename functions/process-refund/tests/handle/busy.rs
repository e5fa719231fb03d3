//! Busy is not unknown: what was not done is asked for again soon, and nobody else waits for it.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use process_refund::{SILENCES_MAX, handle};
use recoup_domain::ids::PaymentId;
use recoup_domain::payment::{Processor as PaymentProcessor, ProcessorName, Terms};
use recoup_domain::recovery::{Shape, SplitTerms, Taken};
use recoup_domain::refund::{Outcome, Pending, Refund, State};
use recoup_domain::time::Timestamp;
use recoup_ports::direct::KeysChecked;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::refunds::Refunds;
use recoup_ports::settlement::Settle;
use recoup_testing::{Fault, fixtures};
use serde_json::json;
use tokio::sync::Notify;

use crate::{Answer, Context, World, context, failed, job, message};

const BUSY: Outcome = Outcome::Busy { retry_after: None };

#[tokio::test]
async fn what_was_never_sent_stands_on_no_step_of_the_waits() {
    let (world, refund) = World::with_refund("any").await;
    let context = world.script([BUSY, BUSY, BUSY, Outcome::Unknown, Outcome::Unknown, fixtures::succeeded()]);
    let mut waits = Vec::new();
    for _ in 0..5 {
        let stands = world.refund(&refund).await;
        assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
        let next = world.refund(&refund).await;
        let wait = next.wait.unwrap().at.since(fixtures::later(5_000)).as_secs();
        waits.push((next.version.state.pending().unwrap(), wait));
        assert_eq!(world.left().await.0, 1600, "held");
    }
    let (busy, unknown) = (Pending::Busy, Pending::OutcomeUnknown);
    assert_eq!(waits, [(busy, 1), (busy, 2), (busy, 4), (unknown, 2), (unknown, 10)]);
    let stands = world.refund(&refund).await;
    assert_eq!((stands.turn, stands.postponed, stands.version.sequence), (5, 3, 3));
    assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
    assert_eq!(world.refund(&refund).await.version.state, State::Succeeded);
}

#[tokio::test]
async fn a_key_that_is_missing_is_told_to_the_caller_and_asked_for_again() {
    let (world, refund) = World::with_refund("any").await;
    let context = world.script([Outcome::NotConfigured]);
    for _ in 0..8 {
        let stands = world.refund(&refund).await;
        assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
    }
    let stands = world.refund(&refund).await;
    assert_eq!(stands.version.state, State::Processing(Pending::NotConfigured));
    assert_eq!(stands.version.sequence, 2, "told once");
    assert_eq!(stands.wait.unwrap().at, fixtures::later(5_000 + 900_000), "a quarter of an hour");
}

/// Busy first; then it has what it was sent before, or never had it.
struct Then {
    first: Mutex<Option<Outcome>>,
    looked_up: LookedUp,
    asked: Mutex<Vec<&'static str>>,
}

impl Processor for Then {
    async fn refund(&self, _: &Refund) -> Outcome {
        self.asked.lock().unwrap().push("refund");
        self.first.lock().unwrap().take().unwrap_or_else(fixtures::succeeded)
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        self.asked.lock().unwrap().push("look_up");
        self.looked_up.clone()
    }
}

#[tokio::test]
async fn after_a_busy_answer_it_is_looked_up_before_it_is_sent_again() {
    let failed_there = LookedUp::Stands(fixtures::failed());
    for (looked_up, asked, paid) in [
        (LookedUp::NeverReceived, &["refund", "look_up", "refund"][..], true),
        (failed_there, &["refund", "look_up"][..], false),
    ] {
        let (world, refund) = World::with_refund("any").await;
        let then = Then { first: Some(BUSY).into(), looked_up, asked: Mutex::default() };
        let context = context(&world.table, then);
        for _ in 0..2 {
            let stands = world.refund(&refund).await;
            assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
        }
        assert_eq!(*context.processor.asked.lock().unwrap(), asked);
        assert_eq!(world.refund(&refund).await.version.state == State::Succeeded, paid);
    }
}

#[tokio::test]
async fn busy_after_a_job_that_was_cut_off_stays_unknown_and_is_looked_up() {
    let (world, refund) = World::with_refund("any").await;
    // It was handed over, the money moved, and the worker died.
    world.table.store().hand_over(&refund, fixtures::later(4_000)).await.unwrap();
    let then = Then {
        first: Some(BUSY).into(),
        looked_up: LookedUp::Stands(fixtures::succeeded()),
        asked: Mutex::default(),
    };
    let context = context(&world.table, then);
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    let stands = world.refund(&refund).await;
    assert_eq!(stands.version.state, State::Processing(Pending::OutcomeUnknown));
    assert_eq!((stands.turn, stands.postponed), (1, 1), "soon again");
    assert!(failed(&context, vec![message("m2", 1, &job(&stands))]).await.is_empty());
    assert_eq!(*context.processor.asked.lock().unwrap(), ["refund", "look_up"]);
    assert_eq!(world.refund(&refund).await.version.state, State::Succeeded);
}

#[tokio::test]
async fn two_who_hand_over_at_once_know_of_each_other() {
    let (world, refund) = World::with_refund("any").await;
    let others = world.table.others();
    let theirs = refund.clone();
    let act = move || {
        let (others, theirs) = (others.clone(), theirs.clone());
        async move { drop(others.hand_over(&theirs, fixtures::later(4_000)).await) }
    };
    world.table.fail("GetItem", 1, Fault::meanwhile(act));
    let context = world.script([BUSY]);
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    // The other may have sent it: what we read before does not count.
    let stands = world.refund(&refund).await;
    assert_eq!(stands.version.state, State::Processing(Pending::OutcomeUnknown));
    assert_eq!(stands.handed_over_at, Some(fixtures::later(4_000)));
}

#[tokio::test]
async fn metadata_that_change_at_every_read_cost_no_second_question() {
    for outcome in [fixtures::succeeded(), fixtures::failed(), Outcome::Pending, BUSY] {
        let (world, refund) = World::with_refund("any").await;
        let changes = AtomicU64::new(0);
        let (others, id) = (world.table.others(), refund.clone());
        let changes = std::sync::Arc::new(changes);
        let act = move || {
            let (others, id, changes) = (others.clone(), id.clone(), changes.clone());
            async move {
                let stands = others.refund(&id.tenant, &id.id).await.unwrap().unwrap();
                let number = changes.fetch_add(1, Ordering::SeqCst);
                let change = fixtures::renamed(&stands, &number.to_string(), fixtures::later(5_000 + number));
                others.carry_out(&change).await.unwrap();
            }
        };
        world.table.fail("GetItem", 20, Fault::meanwhile(act));
        let context = world.script([outcome.clone()]);
        assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
        assert_eq!(context.processor.asked().len(), 1, "{outcome:?}");
        let stands = world.refund(&refund).await;
        assert_eq!(stands.version.sequence, 22, "twenty changes of metadata, and ours");
        assert_ne!(stands.version.state, State::Initiated, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_key_is_tried_when_it_is_asked_for_directly() {
    let (world, refund) = World::with_refund("any").await;
    let context = world.sandbox();
    let tenant = &refund.tenant;
    let asked = json!({ "check_processor": {
        "environment": tenant.environment.as_str(), "account_id": tenant.account.as_str(), "processor": "sandbox",
    } });
    let Answer::Checked(checked) = handle(&context, asked).await.unwrap() else {
        panic!("it was a question")
    };
    assert_eq!((checked, json!(checked)), (KeysChecked::Works, json!("works")));
    for unheard_of in
        [json!({ "check_processor": {} }), json!({ "move_money": {} }), json!("check_processor")]
    {
        assert!(handle(&context, unheard_of).await.is_err());
    }
}

/// Lets one request at a time near a charge, and turns the others away, as Stripe does. The first one stays until another
/// was turned away.
#[derive(Default)]
struct OneAtATime {
    at: Mutex<HashSet<PaymentId>>,
    turned_away: AtomicUsize,
    turning: Notify,
}

impl Processor for &OneAtATime {
    async fn refund(&self, refund: &Refund) -> Outcome {
        if !self.at.lock().unwrap().insert(refund.payment_id.clone()) {
            self.turned_away.fetch_add(1, Ordering::SeqCst);
            self.turning.notify_waiters();
            return BUSY;
        }
        let turning = self.turning.notified();
        if refund.payment_id.as_str() != "pay_other" && self.turned_away.load(Ordering::SeqCst) == 0 {
            turning.await;
        }
        // Others come while it works.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.at.lock().unwrap().remove(&refund.payment_id);
        fixtures::succeeded()
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        LookedUp::not_found(refund)
    }
}

/// Milliseconds since the fixtures' moment, and how often jitter was drawn.
static CLOCK: AtomicU64 = AtomicU64::new(0);
static DRAWN: AtomicUsize = AtomicUsize::new(0);

fn now() -> Timestamp {
    fixtures::later(CLOCK.load(Ordering::SeqCst))
}

fn jitter() -> u32 {
    let drawn = DRAWN.fetch_add(73, Ordering::SeqCst).checked_rem(201).unwrap();
    u32::try_from(drawn).unwrap().saturating_add(900)
}

#[tokio::test]
async fn thirty_refunds_of_one_charge_settle_soon_and_hold_up_nobody() {
    let mut world = World::new("any").await;
    let at = |reference: &str| Terms {
        processor: PaymentProcessor::of(ProcessorName::Http, fixtures::text(reference)),
        ..world.payment.terms()
    };
    let one = fixtures::registered("pay_one", at("bank-1"));
    let other = fixtures::registered("pay_other", at("bank-2"));
    world.register(other).await;
    let innocent = world.reserve("innocent", &fixtures::getpaid_wanted()).await;
    world.register(one).await;
    let mut waiting = vec![innocent.clone()];
    for number in 0..30 {
        let part = fixtures::wanted_of(&world.payment, 0, &[(fixtures::SELLER, 10)]);
        waiting.push(world.reserve(&format!("key-{number}"), &part).await);
    }
    let processor = OneAtATime::default();
    let processes: Vec<Context<_, _, _, _>> = (0..3)
        .map(|_| Context { now, jitter_permille: jitter, ..context(&world.table, &processor) })
        .collect();
    let mut rounds = 0;
    while !waiting.is_empty() {
        // What is due within a moment of each other meets.
        let due = |refund: &Refund| refund.wait.map_or(now(), |wait| wait.at);
        let next = waiting.iter().map(due).min().unwrap().max(now());
        CLOCK.store(u64::try_from(next.since(fixtures::now()).as_millis()).unwrap(), Ordering::SeqCst);
        let (met, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|refund| due(refund) <= now().plus(Duration::from_millis(250)));
        let messages: Vec<_> =
            met.iter().enumerate().map(|(n, refund)| message(&format!("m{n}"), 1, &job(refund))).collect();
        let batches = messages.chunks(messages.len().div_ceil(3)).zip(&processes);
        let batches = batches.map(|(batch, process)| failed(process, batch.to_vec()));
        for kept in futures_util::future::join_all(batches).await {
            assert!(kept.is_empty(), "{kept:?}");
        }
        waiting = later;
        for refund in met {
            let stands = world.refund(&refund).await;
            if stands.version.state.holds_money() {
                assert_eq!(stands.version.state, State::Processing(Pending::Busy));
                waiting.push(stands);
            }
        }
        rounds += 1;
        if rounds == 1 {
            let done = world.refund(&innocent).await;
            assert_eq!((done.version.state, done.postponed), (State::Succeeded, 0), "it waited for nobody");
        }
    }
    let turned_away = processor.turned_away.load(Ordering::SeqCst);
    assert!((1..=120).contains(&turned_away), "{turned_away} were turned away");
    let took = now().since(fixtures::now());
    assert!(took < Duration::from_secs(45), "{took:?}, {turned_away} were turned away");
    let busy = u32::try_from(turned_away).unwrap();
    assert!(busy > SILENCES_MAX || took < Duration::from_secs(10), "no circuit opened");
}

/// Pays the customer; of the actors' parts it takes those that the test says, and is busy with the others.
struct AtParts(&'static [usize]);

impl Processor for AtParts {
    async fn refund(&self, _: &Refund) -> Outcome {
        fixtures::succeeded()
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        panic!("the customer is paid")
    }

    async fn recover(&self, refund: &Refund) -> Vec<(usize, Taken)> {
        let taken = |position| {
            if self.0.contains(&position) {
                return Taken::Yes { reference: fixtures::text("trr_1") };
            }
            Taken::Busy { retry_after: Some(Duration::from_secs(7)) }
        };
        refund.open_parts().map(|part| (part.position, taken(part.position))).collect()
    }
}

#[tokio::test]
async fn an_actors_part_that_nobody_took_now_spends_no_step_of_the_waits() {
    let mut world = World::new("sandbox_succeed").await;
    let mut terms = world.payment.terms();
    terms.processor.split = Some(SplitTerms { shape: Shape::Apart, transfers: Vec::new() });
    world.register(fixtures::registered("pay_apart", terms)).await;
    let refund = world
        .reserve(
            "key",
            &fixtures::wanted_of(&world.payment, 0, &[(fixtures::SELLER, 1_000), (fixtures::SUPPLIER, 500)]),
        )
        .await;
    let mut waits = Vec::new();
    for takes in [&[][..], &[], &[1], &[1, 2]] {
        let before = world.refund(&refund).await;
        let context = context(&world.table, AtParts(takes));
        assert!(failed(&context, vec![message("m", 1, &job(&before))]).await.is_empty());
        let stands = world.refund(&refund).await;
        waits.push(stands.wait.map(|wait| wait.at.since((context.now)()).as_secs()));
        assert!(stands.turn - stands.postponed <= 1, "{stands:?}");
    }
    assert_eq!(waits, [Some(0), Some(8), Some(9), None]);
    let done = world.refund(&refund).await;
    assert!(!done.has_open_parts());
}
