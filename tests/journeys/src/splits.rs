//! The customer is paid, and each actor gives its part once, wherever a worker dies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recoup_domain::payment::{Processor as PaymentProcessor, ProcessorName};
use recoup_domain::recovery::{Part, PartState, Recovery, Shape, SplitTerms, Taken};
use recoup_domain::refund::{Outcome, Refund, State};
use recoup_domain::report::{Mismatch, Remedy, Report};
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::settlement::Settle;
use recoup_testing::fixtures::{self, SELLER, SUPPLIER};
use tokio::sync::Notify;

use crate::world::{World, now};

const HOUR: Duration = Duration::from_hours(1);

/// A processor that forgets every id at once: it moves money again whenever it is asked anew. What may have been asked
/// for before it looks up.
#[derive(Default)]
struct Bank {
    /// How often each actor's part was taken.
    taken: Mutex<BTreeMap<usize, u32>>,
    /// So many questions about parts find the actors without money.
    short: Mutex<u32>,
    /// The worker dies at the step of this number.
    dies_at: Option<usize>,
    steps: Mutex<usize>,
    death: Arc<Notify>,
}

impl Bank {
    async fn step(&self) {
        let step = {
            let mut steps = self.steps.lock().unwrap();
            *steps = steps.saturating_add(1);
            *steps
        };
        if Some(step) == self.dies_at {
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn take(&self, refund: &Refund, part: &Part, is_short: bool) -> Taken {
        let mut taken = self.taken.lock().unwrap();
        let times = taken.entry(part.position).or_default();
        let is_new = part.state == PartState::Open { refusals: 0, asked_at: None };
        let yes = Taken::Yes { reference: fixtures::text("taken") };
        if !is_new && *times > 0 {
            return yes;
        }
        if refund.version.state != State::Succeeded {
            return Taken::No;
        }
        if is_short {
            return Taken::Short;
        }
        *times = times.saturating_add(1);
        yes
    }
}

impl Processor for Bank {
    async fn refund(&self, _: &Refund) -> Outcome {
        self.step().await;
        self.step().await;
        fixtures::succeeded()
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        LookedUp::Stands(fixtures::succeeded())
    }

    async fn recover(&self, refund: &Refund) -> Vec<(usize, Taken)> {
        self.step().await;
        let is_short = {
            let mut short = self.short.lock().unwrap();
            let is_short = *short > 0;
            *short = short.saturating_sub(1);
            is_short
        };
        let open = refund.open_parts();
        let answers = open.map(|part| (part.position, self.take(refund, part, is_short))).collect();
        self.step().await;
        answers
    }
}

async fn at(bank: Bank) -> World<Bank> {
    let split = Some(SplitTerms { shape: Shape::Apart, transfers: Vec::new() });
    let reference = fixtures::text("bank-1");
    let at = PaymentProcessor { split, ..PaymentProcessor::of(ProcessorName::Http, reference) };
    let mut world = World::of(at, bank).await;
    world.process.processor.death = Arc::clone(&world.death);
    world
}

const PARTS: [(&str, u64); 2] = [(SELLER, 1_000), (SUPPLIER, 500)];

fn found(report: &Report) -> Vec<(Mismatch, Remedy)> {
    report.findings.iter().map(|finding| (finding.mismatch, finding.remedy)).collect()
}

fn is_recovered(refund: &Refund) -> bool {
    (1..=2).all(|position| matches!(refund.recovery_of(position), Recovery::Recovered(Some(_))))
}

#[tokio::test]
async fn an_actors_part_is_taken_once_wherever_its_worker_dies() {
    let mut steps = 0;
    for dies_at in std::iter::once(None).chain((1..=6).map(Some)) {
        let mut world = at(Bank { dies_at, short: Mutex::new(1), ..Bank::default() }).await;
        let refund = world.reserve_of("key", &PARTS).await;
        world.run_for(HOUR * 2).await;
        let done = world.refund(&refund).await;
        assert_eq!((&done.version.state, done.wait), (&State::Succeeded, None), "{dies_at:?}");
        assert!(is_recovered(&done), "{dies_at:?}: {:?}", done.recovery);
        let bank = &world.process.processor;
        assert_eq!(*bank.taken.lock().unwrap(), BTreeMap::from([(1, 1), (2, 1)]), "{dies_at:?}");
        steps = steps.max(*bank.steps.lock().unwrap());
        assert_eq!((world.reconcile(Bank::default()).await.drift, world.lose_messages()), (0, 0));
    }
    assert!(steps >= 6, "every step was one to die at: {steps}");
}

#[tokio::test]
async fn an_actor_without_money_is_reported_until_it_has_given() {
    let mut world = at(Bank { short: Mutex::new(u32::MAX), ..Bank::default() }).await;
    let refund = world.reserve_of("key", &PARTS).await;
    world.run_for(HOUR * 3).await;
    let short = world.refund(&refund).await;
    assert_eq!((&short.version.state, short.recovery_of(1)), (&State::Succeeded, Recovery::Pending));
    let report = world.reconcile(Bank::default()).await;
    assert_eq!(found(&report), [(Mismatch::NotRecovered, Remedy::None); 2]);
    assert!(report.findings[0].detail.as_str().contains("10.00 EUR is not taken from it yet"), "{report:?}");
    // Metadata change meanwhile, and the next question stays where it is.
    let metadata = recoup_domain::text::Metadata::new([("k".to_owned(), "v".to_owned())].into()).unwrap();
    let change = short.with_metadata(metadata, None, now()).unwrap();
    world.store.carry_out(&change).await.unwrap();
    *world.process.processor.short.lock().unwrap() = 0;
    world.run_for(HOUR * 12).await;
    assert!(is_recovered(&world.refund(&refund).await));
    assert_eq!(world.reconcile(Bank::default()).await.drift, 0);
}

#[tokio::test]
async fn a_refund_that_fails_late_takes_nothing_more_and_names_what_it_took() {
    for dies_at in [None, Some(3), Some(4)] {
        let mut world = at(Bank { dies_at, ..Bank::default() }).await;
        let refund = world.reserve_of("key", &PARTS).await;
        while world.relay().await || world.process().await {}
        let succeeded = world.refund(&refund).await;
        let failed = succeeded.step(fixtures::failed(), now()).unwrap();
        world.store.carry_out(&failed).await.unwrap();
        world.run_for(HOUR * 2).await;
        let done = world.refund(&refund).await;
        let is_taken = world.process.processor.taken.lock().unwrap().values().any(|times| *times > 0);
        assert_eq!((is_taken, done.wait), (dies_at != Some(3), None), "{dies_at:?}");
        let expected = if is_taken { vec![(Mismatch::NotReturned, Remedy::None); 2] } else { Vec::new() };
        let report = world.reconcile(Failing).await;
        assert_eq!(found(&report), expected, "{dies_at:?}");
        assert_eq!(matches!(done.recovery_of(1), Recovery::Recovered(_)), is_taken, "{dies_at:?}");
    }
}

/// Agrees that the refund failed.
struct Failing;

impl Processor for Failing {
    async fn refund(&self, _: &Refund) -> Outcome {
        fixtures::failed()
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        LookedUp::Stands(fixtures::failed())
    }
}

#[tokio::test]
async fn the_sandbox_rehearses_an_actor_without_money() {
    let split = Some(SplitTerms { shape: Shape::Apart, transfers: Vec::new() });
    let at = PaymentProcessor::of(ProcessorName::Sandbox, fixtures::text("sandbox_actor_short"));
    let mut world = World::of(PaymentProcessor { split, ..at }, Sandbox).await;
    let refund = world.reserve_of("key", &PARTS).await;
    while world.relay().await || world.process().await {}
    assert_eq!(world.refund(&refund).await.recovery_of(1), Recovery::Pending);
    world.run_for(Duration::from_mins(1)).await;
    assert!(is_recovered(&world.refund(&refund).await));
}

#[tokio::test]
async fn a_lost_question_about_parts_is_sent_for() {
    let mut world = at(Bank::default()).await;
    let refund = world.reserve_of("key", &PARTS).await;
    world.relay().await;
    world.process().await;
    world.lose_stream();
    world.run_for(HOUR / 2).await;
    assert_eq!(world.refund(&refund).await.recovery_of(1), Recovery::Pending);
    world.run_for(HOUR * 2).await;
    assert!(is_recovered(&world.refund(&refund).await), "release-due finds what is an hour overdue");
}
