//! What becomes of a refund: by its processor's word, by a word that does not come, by a cancel.

use recoup_domain::refund::{Move, Outcome, Pending, State};
use recoup_ports::payments::{Register, Registered};
use recoup_ports::refunds::Refunds;
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::{Fault, fixtures};

use crate::{World, failed, job, message, payment};

#[tokio::test]
async fn a_refund_that_the_processor_grants_succeeds() {
    let (world, refund) = World::with_refund("sandbox_succeed").await;
    let context = world.sandbox();
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    let done = world.refund(&refund).await;
    assert_eq!((&done.version.state, done.version.sequence), (&State::Succeeded, 2));
    assert_eq!(done.version.processor_reference.unwrap().as_str(), format!("sandbox_{}", refund.id));
    assert_eq!(
        (done.version.updated_at, done.handed_over_at),
        (fixtures::later(5_000), Some(fixtures::later(5_000)))
    );
    assert_eq!(world.left().await, (1600, vec![100, 1500, 0]));
    assert_eq!(context.pace.take(), []);
}

#[tokio::test]
async fn a_refund_that_the_processor_refuses_gives_everybody_his_part_back() {
    let (world, refund) = World::with_refund("sandbox_fail").await;
    let context = world.sandbox();
    assert_eq!(world.left().await, (1600, vec![100, 1500, 0]));
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    let done = world.refund(&refund).await;
    let State::Failed(failure) = done.version.state else { panic!("{done:?}") };
    assert_eq!((failure.code.as_str(), done.version.sequence), ("declined", 2));
    assert_eq!(world.left().await, (3100, vec![100, 2500, 500]));
    assert_eq!(context.pace.take(), []);
}

#[tokio::test]
async fn a_failed_refund_frees_its_lines() {
    let world = World::new("sandbox_fail").await;
    let parts = fixtures::wanted_of(&world.payment, 0, &[(fixtures::SELLER, 1100)]);
    let wanted = recoup_domain::wanted::Wanted { lines: vec![fixtures::whole_line("iid_2")], ..parts };
    let refund = world.reserve("key-1", &wanted).await;
    assert!(failed(&world.sandbox(), vec![message("m1", 1, &job(&refund))]).await.is_empty());
    // The same line may be refunded again.
    world.reserve("key-2", &wanted).await;
}

#[tokio::test]
async fn a_settled_refund_costs_three_calls() {
    for (reference, last, units) in
        [("sandbox_succeed", "UpdateItem", 2.0), ("sandbox_fail", "TransactWriteItems", 5.0)]
    {
        let (world, refund) = World::with_refund(reference).await;
        failed(&world.sandbox(), vec![message("m1", 1, &job(&refund))]).await;
        let calls = world.table.take_calls();
        assert_eq!(calls.operations(), ["GetItem", "UpdateItem", last]);
        assert!(calls.read_units() <= 1.0 && calls.write_units() <= units, "{reference}: {calls}");
    }
}

#[tokio::test]
async fn the_same_job_at_once_and_after_the_end_settles_once() {
    for reference in ["sandbox_succeed", "sandbox_fail"] {
        let (world, refund) = World::with_refund(reference).await;
        let outcome = if reference == "sandbox_fail" { fixtures::failed() } else { fixtures::succeeded() };
        let context = world.script([outcome]);
        // Twice in one batch, in two functions at once, and twice again after the end.
        let twice = || vec![message("m1", 1, &job(&refund)), message("m2", 1, &job(&refund))];
        let (one, other) = tokio::join!(failed(&context, twice()), failed(&context, twice()));
        assert!(one.is_empty() && other.is_empty(), "{reference}: {one:?} {other:?}");
        let settled = world.everything().await;
        let asked = context.processor.asked().len();
        assert!(failed(&context, twice()).await.is_empty());
        assert_eq!(world.everything().await, settled);
        assert_eq!(context.processor.asked().len(), asked, "an ended refund is not asked about");

        assert_eq!(world.refund(&refund).await.version.sequence, 2, "{reference}: one change, not two");
        let left = if reference == "sandbox_fail" { 3100 } else { 1600 };
        assert_eq!(world.left().await.0, left);
        assert!(context.processor.asked().iter().all(|id| *id == refund.id));
    }
}

#[tokio::test]
async fn no_word_from_the_processor_holds_the_money_until_there_is_one() {
    for (silence, reason, end) in [
        (Outcome::Unknown, Pending::OutcomeUnknown, fixtures::succeeded()),
        (Outcome::Pending, Pending::Processor, fixtures::succeeded()),
        (Outcome::Unknown, Pending::OutcomeUnknown, fixtures::failed()),
        (Outcome::Pending, Pending::Processor, fixtures::failed()),
    ] {
        let (world, refund) = World::with_refund("any").await;
        let context = world.script([silence.clone(), silence.clone(), silence, end.clone()]);
        for (turn, wait) in [(1, 2), (2, 10), (3, 60)] {
            let stands = world.refund(&refund).await;
            assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
            let pending = world.refund(&refund).await;
            assert_eq!((&pending.version.state, pending.version.sequence), (&State::Processing(reason), 2));
            let at = fixtures::later(5_000 + wait * 1_000);
            assert_eq!((pending.turn, pending.wait.map(|wait| wait.at)), (turn, Some(at)));
            assert_eq!(world.left().await, (1600, vec![100, 1500, 0]));
        }
        let stands = world.refund(&refund).await;
        assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
        assert_eq!(context.pace.take(), []);
        let done = world.refund(&refund).await;
        assert_eq!((done.version.sequence, done.wait), (3, None));
        let gone = end == fixtures::succeeded();
        assert_eq!(done.version.state == State::Succeeded, gone);
        assert_eq!(world.left().await.0, if gone { 1600 } else { 3100 });
        assert_eq!(context.processor.asked(), vec![refund.id; 4]);
    }
}

#[tokio::test]
async fn a_job_that_fails_waits_up_to_two_hours_and_not_after_its_last_receipt() {
    let (world, mut refund) = World::with_refund("any").await;
    refund.id = fixtures::refund_id("no-such-key");
    let context = world.script([Outcome::Unknown]);
    let mut waits = Vec::new();
    for receives in [1, 2, 3, 4, 5, 6, 7, 8, 99, u32::MAX] {
        failed(&context, vec![message("m1", receives, &job(&refund))]).await;
        waits.extend(context.pace.take().into_iter().map(|(_, seconds)| seconds));
    }
    assert_eq!(waits, [2, 10, 60, 300, 900, 3_600, 7_200, 0, 0, 0]);
}

#[test]
fn the_template_agrees_with_how_often_a_job_comes() {
    let template = include_str!("../../../../template.yaml");
    let redrive = format!("RefundJobsDeadLetters.Arn, maxReceiveCount: {} }}", process_refund::RECEIVES_MAX);
    assert!(template.contains(&redrive));
}

impl World {
    /// Just after the refund is read, somebody else is quicker.
    fn overtaken_by(&self, change: Move) {
        let others = self.table.others();
        let act = move || {
            let (others, change) = (others.clone(), change.clone());
            async move { assert!(matches!(others.carry_out(&change).await, Ok(Settled::Applied))) }
        };
        self.table.fail("GetItem", 1, Fault::meanwhile(act));
    }
}

#[tokio::test]
async fn a_refund_that_is_cancelled_meanwhile_never_reaches_the_processor() {
    let (world, refund) = World::with_refund("any").await;
    world.overtaken_by(fixtures::cancelled(&refund, fixtures::later(4_000)));
    let context = world.script([fixtures::succeeded()]);
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    assert_eq!(context.processor.asked(), []);
    let done = world.refund(&refund).await;
    assert_eq!((&done.version.state, done.handed_over_at), (&State::Cancelled, None));
    assert_eq!(world.left().await.0, 3100);
}

#[tokio::test]
async fn a_refund_that_somebody_else_moves_meanwhile_is_looked_at_again() {
    let (world, refund) = World::with_refund("any").await;
    world.overtaken_by(fixtures::moved(&refund, Outcome::Pending));
    let context = world.script([fixtures::succeeded()]);
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    let done = world.refund(&refund).await;
    // Initiated, processing by the other, succeeded by us: no change was overwritten.
    assert_eq!((&done.version.state, done.version.sequence), (&State::Succeeded, 3));
    assert_eq!(world.left().await.0, 1600);
}

#[tokio::test]
async fn a_payment_that_is_gone_does_not_end_its_refund() {
    let (world, refund) = World::with_refund("sandbox_fail").await;
    let item = world.table.item("payment").await;
    let delete = world.table.plain().delete_item().table_name(world.table.name());
    delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
    let context = world.sandbox();
    assert_eq!(failed(&context, vec![message("m1", 1, &job(&refund))]).await, ["m1"]);
    assert_eq!(world.refund(&refund).await.version.state, State::Initiated);
    // Once it is back, so is the money.
    let held = payment("sandbox_fail").after_reserving(&refund).unwrap();
    assert!(matches!(world.table.store().register(&held).await, Ok(Registered::New)));
    assert!(failed(&context, vec![message("m1", 2, &job(&refund))]).await.is_empty());
    assert_eq!(world.left().await.0, 3100);
}

/// An operator, or another worker's older news, ends it while the processor is asked. The money has moved or has not: the
/// processor, asked once more, knows which word is the newer.
#[tokio::test]
async fn a_success_meets_an_end_that_was_written_meanwhile() {
    for (word, status, left) in
        [(fixtures::succeeded(), "succeeded", 1_600), (fixtures::failed(), "failed", 3_100)]
    {
        let (world, refund) = World::with_refund("any").await;
        let (others, id) = (world.table.others(), refund.clone());
        let end = move || {
            let (others, id) = (others.clone(), id.clone());
            async move {
                let stands = others.refund(&id.tenant, &id.id).await.unwrap().unwrap();
                assert!(stands.handed_over_at.is_some());
                let failed = fixtures::moved(&stands, fixtures::failed());
                assert_eq!(others.carry_out(&failed).await.unwrap(), Settled::Applied);
            }
        };
        // As soon as it is handed over.
        world.table.fail("UpdateItem", 1, Fault::meanwhile(end));
        let context = world.script([fixtures::succeeded(), word]);
        assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
        assert_eq!(context.processor.asked().len(), 2);
        let done = world.refund(&refund).await;
        assert_eq!((done.version.state.as_str(), world.left().await.0), (status, left));
    }
}
