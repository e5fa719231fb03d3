//! Who is asked again, and when: one chain of questions for each refund, and none for a processor that is down.

use std::time::Duration;

use process_refund::{OPEN_FOR, SILENCES_MAX};
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::refund::{BankReference, BankReferenceKind, Outcome, Pending, Refund, State, Version};
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::fixtures;

use crate::{Context, World, failed, job, message};

#[tokio::test]
async fn a_job_about_another_question_is_stale_and_asks_nobody() {
    let (world, refund) = World::with_refund("any").await;
    let context = world.script([Outcome::Unknown]);
    let twice = vec![message("m1", 1, &job(&refund)), message("m2", 1, &job(&refund))];
    assert!(failed(&context, twice).await.is_empty());
    let once = world.refund(&refund).await;
    assert_eq!(once.turn, 1, "two messages about one question lead to one next question");
    let asked = context.processor.asked().len();
    assert!(failed(&context, vec![message("m1", 2, &job(&refund))]).await.is_empty());
    assert_eq!(context.processor.asked().len(), asked);
    assert_eq!(world.refund(&refund).await, once);
    // One that a person sends by hand names no question, and is always worked on.
    let by_hand = job(&refund).replace(",\"turn\":0", "");
    assert_ne!(by_hand, job(&refund));
    assert!(failed(&context, vec![message("m3", 1, &by_hand)]).await.is_empty());
    assert_eq!((context.processor.asked().len(), world.refund(&refund).await.turn), (asked + 1, 2));
}

#[tokio::test]
async fn a_change_by_the_owner_and_a_wait_do_not_overwrite_each_other() {
    let (world, refund) = World::with_refund("any").await;
    let context = world.script([Outcome::Pending]);
    failed(&context, vec![message("m1", 1, &job(&refund))]).await;
    let read = world.refund(&refund).await;
    failed(&context, vec![message("m2", 1, &job(&read))]).await;
    // Somebody who read the refund before that writes other metadata.
    let change = fixtures::renamed(&read, "v", fixtures::later(6_000));
    assert!(matches!(world.table.store().carry_out(&change).await, Ok(Settled::Applied)));
    let stored = world.refund(&refund).await;
    assert_eq!((stored.turn, stored.version.sequence), (2, 3));
    assert_eq!(stored.wait.map(|wait| wait.at), Some(fixtures::later(15_000)));
    // The other way round: a question that began before the metadata changed schedules the next all the same.
    let later = stored.asked_again(&Outcome::Pending, fixtures::later(9_000), 1_000);
    let old = stored.at(&Version { sequence: 2, ..stored.version.clone() });
    assert!(matches!(world.table.store().schedule(&old, later).await, Ok(Settled::Applied)));
    let stored = world.refund(&refund).await;
    assert_eq!((stored.turn, stored.version.sequence, stored.version.metadata.pairs().len()), (3, 3, 1));
}

/// So many refunds of payments at this processor, one each.
async fn refunds_at(name: ProcessorName, count: u32) -> (World, Vec<Refund>) {
    let mut world = World::new("any").await;
    let mut refunds = Vec::new();
    for number in 0..count {
        let processor = Processor::of(name, fixtures::text(&format!("bank-{number}")));
        let terms = recoup_domain::payment::Terms { processor, ..world.payment.terms() };
        world.register(fixtures::registered(&format!("pay_{number}"), terms)).await;
        refunds.push(world.reserve(&format!("key-{number}"), &fixtures::getpaid_wanted()).await);
    }
    (world, refunds)
}

#[tokio::test]
async fn a_silent_processor_is_left_alone_and_what_waits_can_be_cancelled() {
    let (world, refunds) = refunds_at(ProcessorName::Http, SILENCES_MAX + 2).await;
    let context = world.script([Outcome::Unknown]);
    for refund in &refunds {
        assert!(failed(&context, vec![message("m1", 1, &job(refund))]).await.is_empty());
    }
    assert_eq!(context.processor.asked().len(), usize::try_from(SILENCES_MAX).unwrap());
    let last = world.refund(refunds.last().unwrap()).await;
    let busy = State::Processing(Pending::Busy);
    assert_eq!((&last.version.state, last.handed_over_at), (&busy, None));
    assert_eq!((last.turn, last.postponed), (1, 1), "nobody was asked");
    let soon = OPEN_FOR + Duration::from_secs(1);
    assert_eq!(last.wait.map(|wait| wait.at), Some(fixtures::later(5_000).plus(soon)));
    let cancelled = fixtures::cancelled(&last, fixtures::later(6_000));
    assert!(matches!(world.table.store().carry_out(&cancelled).await, Ok(Settled::Applied)));
    // Those that were asked wait as ever.
    let first = world.refund(&refunds[0]).await;
    assert_eq!(first.version.state, State::Processing(Pending::OutcomeUnknown));
    assert_eq!(first.wait.map(|wait| wait.at), Some(fixtures::later(5_000).plus(Duration::from_secs(2))));
    assert_eq!(context.pace.take(), []);
}

#[tokio::test]
async fn the_sandbox_and_other_accounts_are_asked_as_ever() {
    let (world, refunds) = refunds_at(ProcessorName::Sandbox, SILENCES_MAX * 2).await;
    let context = world.script([Outcome::Unknown]);
    for refund in &refunds {
        assert!(failed(&context, vec![message("m1", 1, &job(refund))]).await.is_empty());
    }
    assert_eq!(context.processor.asked().len(), refunds.len());
}

#[tokio::test]
async fn a_success_that_fails_late_is_asked_about_once_more_by_itself() {
    let (world, refund) = World::with_refund("sandbox_fail_late").await;
    let before = world.left().await;
    let context = world.sandbox();
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    let done = world.refund(&refund).await;
    assert_eq!((&done.version.state, done.turn), (&State::Succeeded, 1));
    let wait = done.wait.unwrap();
    assert_eq!((wait.at, wait.rests), (fixtures::later(20_000), false), "the queue holds it for 15 s");
    // The first job again is stale.
    assert!(failed(&context, vec![message("m1", 2, &job(&refund))]).await.is_empty());
    assert_eq!(world.refund(&refund).await, done);
    assert!(failed(&context, vec![message("m2", 1, &job(&done))]).await.is_empty());
    let late = world.refund(&refund).await;
    assert!(matches!(late.version.state, State::Failed(_)), "{late:?}");
    assert_eq!(late.wait, None);
    assert_ne!(world.left().await, before, "its money went back");
    assert!(failed(&context, vec![message("m2", 2, &job(&done))]).await.is_empty());
    assert_eq!(world.refund(&refund).await, late);
}

#[tokio::test]
async fn any_other_success_is_the_end_of_it() {
    let (world, refund) = World::with_refund("sandbox_succeed").await;
    assert!(failed(&world.sandbox(), vec![message("m1", 1, &job(&refund))]).await.is_empty());
    let done = world.refund(&refund).await;
    assert_eq!((done.version.state, done.turn, done.wait), (State::Succeeded, 0, None));
}

/// A success whose bank has this number.
fn paid(value: Option<&str>) -> Outcome {
    let value = value.map(fixtures::text);
    let bank_reference = Some(BankReference { kind: BankReferenceKind::Arn, value });
    Outcome::Succeeded { reference: fixtures::text("re_1"), bank_reference }
}

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn the_banks_number_is_asked_for_until_it_is_there() {
    let (world, refund) = World::with_refund("any").await;
    let context = world.script([paid(None), paid(None), paid(Some("74"))]);
    for turn in 1..=2 {
        let stands = world.refund(&refund).await;
        assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
        let done = world.refund(&refund).await;
        assert_eq!((&done.version.state, done.version.sequence, done.turn), (&State::Succeeded, 2, turn));
        let wait = done.wait.unwrap();
        assert_eq!((wait.at, wait.rests), (fixtures::later(5_000).plus(DAY), true));
    }
    let stands = world.refund(&refund).await;
    assert!(failed(&context, vec![message("m1", 1, &job(&stands))]).await.is_empty());
    let done = world.refund(&refund).await;
    assert_eq!((&done.version.state, done.version.sequence, done.wait), (&State::Succeeded, 3, None));
    assert_eq!(done.version.bank_reference.unwrap().value, Some(fixtures::text("74")));
    assert_eq!(world.left().await.0, 1600, "no money moved for it");
    let asked = context.processor.asked().len();
    assert!(failed(&context, vec![message("m1", 1, &job(&world.refund(&refund).await))]).await.is_empty());
    assert_eq!(context.processor.asked().len(), asked);
}

#[tokio::test]
async fn a_bank_that_gives_no_number_is_not_asked_for_ever() {
    let (world, refund) = World::with_refund("any").await;
    let context = world.script([paid(None)]);
    assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty());
    let later = Context { now: || fixtures::later(5_000).plus(DAY.saturating_mul(15)), ..context };
    let stands = world.refund(&refund).await;
    assert!(failed(&later, vec![message("m1", 1, &job(&stands))]).await.is_empty());
    let done = world.refund(&refund).await;
    assert_eq!(
        (&done.version.state, done.wait, done.version.bank_reference),
        (&State::Succeeded, None, None)
    );
}

#[tokio::test]
async fn a_refund_that_cannot_be_read_goes_to_the_dead_letters_at_once() {
    let (world, refund) = World::with_refund("any").await;
    let item = world.table.item("refund").await;
    world.table.set_text(&item, "kind", "gift").await;
    let context = world.script([]);
    assert_eq!(failed(&context, vec![message("m1", 1, &job(&refund))]).await, ["m1"]);
    let paced = context.pace.take();
    assert_eq!(paced.iter().map(|(_, seconds)| *seconds).collect::<Vec<_>>(), [0]);
}
