//! No refund is lost, whatever a queue or the stream forgets, and however long its processor is away.

use std::sync::Mutex;
use std::time::Duration;

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Pending, Refund, State};
use recoup_domain::report::{Mismatch, Remedy, Report};
use recoup_domain::time::Timestamp;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::fixtures;

use crate::world::{World, now};

const fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

fn found(report: &Report) -> Vec<(Mismatch, Remedy)> {
    report.findings.iter().map(|finding| (finding.mismatch, finding.remedy)).collect()
}

async fn at_the_sandbox(reference: &str) -> World<Sandbox> {
    World::at(ProcessorName::Sandbox, reference, Sandbox).await
}

/// The refund has ended as it should, its money is where it belongs, and nothing is astray.
async fn all_is_well(world: &mut World<Sandbox>, refund: &Refund) {
    world.run_for(hours(2)).await;
    let done = world.refund(refund).await;
    assert_eq!((&done.version.state, done.wait), (&State::Succeeded, None));
    assert_eq!(world.refundable().await, 3_000);
    assert_eq!(world.reconcile(Sandbox).await.drift, 0);
    assert_eq!(world.lose_messages(), 0);
}

#[tokio::test]
async fn an_undisturbed_refund_ends_and_nothing_is_astray() {
    for reference in ["sandbox_succeed", "sandbox_pending", "sandbox_timeout", "sandbox_timeout_lost"] {
        let mut world = at_the_sandbox(reference).await;
        let refund = world.reserve("key").await;
        all_is_well(&mut world, &refund).await;
        assert!(world.reconcile(Sandbox).await.findings.is_empty(), "{reference}");
    }
}

#[tokio::test]
async fn a_refund_whose_message_was_deleted_is_named_and_ends() {
    let mut world = at_the_sandbox("sandbox_succeed").await;
    let refund = world.reserve("key").await;
    world.relay().await;
    assert_eq!(world.lose_messages(), 1);
    world.run_for(hours(2)).await;
    assert_eq!(world.refund(&refund).await.version.state, State::Initiated);
    let report = world.reconcile(Sandbox).await;
    assert_eq!(found(&report), [(Mismatch::JobMissing, Remedy::SentFor)]);
    assert_eq!(report.findings[0].refund.as_ref(), Some(&refund.id));
    all_is_well(&mut world, &refund).await;
}

#[tokio::test]
async fn a_refund_whose_stream_batch_was_lost_is_named_and_ends() {
    let mut world = at_the_sandbox("sandbox_timeout_lost").await;
    let refund = world.reserve("key").await;
    world.lose_stream();
    world.run_for(hours(2)).await;
    assert_eq!(found(&world.reconcile(Sandbox).await), [(Mismatch::JobMissing, Remedy::SentFor)]);
    all_is_well(&mut world, &refund).await;
}

#[tokio::test]
async fn a_success_whose_stream_batch_was_lost_is_named_and_announced() {
    let mut world = at_the_sandbox("sandbox_succeed").await;
    let refund = world.reserve("key").await;
    world.relay().await;
    world.process().await;
    world.lose_stream();
    world.run_for(hours(2)).await;
    assert_eq!(found(&world.reconcile(Sandbox).await), [(Mismatch::EventMissing, Remedy::Announced)]);
    all_is_well(&mut world, &refund).await;
}

#[tokio::test]
async fn a_question_whose_message_was_lost_costs_an_hour_and_nobody_has_to_look() {
    let mut world = at_the_sandbox("sandbox_timeout").await;
    let refund = world.reserve("key").await;
    world.relay().await;
    world.process().await;
    world.relay().await;
    assert_eq!(world.lose_messages(), 1, "the second question");
    let asked_at = now();
    world.run_for(Duration::from_mins(65)).await;
    let done = world.refund(&refund).await;
    assert_eq!(done.version.state, State::Succeeded);
    assert!(done.version.updated_at >= asked_at.plus(Duration::from_mins(58)), "{done:?}");
    all_is_well(&mut world, &refund).await;
}

/// Does not answer until a moment, and then says yes to what it is asked.
struct Away {
    until: Timestamp,
    asked: Mutex<Vec<Timestamp>>,
}

impl Processor for Away {
    async fn refund(&self, _: &Refund) -> Outcome {
        self.asked.lock().unwrap().push(now());
        if now() < self.until { Outcome::Unknown } else { fixtures::succeeded() }
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        if now() < self.until {
            self.asked.lock().unwrap().push(now());
            return LookedUp::Stands(Outcome::Unknown);
        }
        LookedUp::not_found(refund)
    }
}

#[tokio::test]
async fn a_processor_that_is_away_for_a_day_is_asked_a_bounded_number_of_times() {
    let until = fixtures::now().plus(hours(24));
    let away = Away { until, asked: Mutex::default() };
    let mut world = World::at(ProcessorName::Http, "bank-1", away).await;
    let refunds = [world.reserve("key-1").await, world.reserve("key-2").await];
    world.run_for(hours(23)).await;
    for refund in &refunds {
        let waiting = world.refund(refund).await;
        assert_eq!(waiting.version.state, State::Processing(Pending::OutcomeUnknown));
    }
    assert_eq!(world.refundable().await, 2_900, "the amounts stay held");
    let asked = world.process.processor.asked.lock().unwrap().len();
    assert!((10..=20).contains(&asked), "two refunds were asked about {asked} times");
    assert_eq!(world.reconcile(Sandbox).await.drift, 0, "waiting is no mismatch");
    world.run_for(hours(24)).await;
    for refund in &refunds {
        assert_eq!(world.refund(refund).await.version.state, State::Succeeded);
    }
    assert_eq!((world.refundable().await, world.lose_messages()), (2_900, 0));
}
