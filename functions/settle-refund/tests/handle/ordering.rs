//! Notifications come before and after what we ask ourselves, twice, late and at once: each thing happens once.

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Pending, State, Withdrawn};
use recoup_ports::settlement::{HandedOver, Settle, Settled};
use recoup_testing::fixtures::{self, later, succeeded};

use crate::World;
use crate::gateway::Reply;
use crate::signed::{Word, news};

/// The outcome that a notification was answered with, and the status it told.
fn told(reply: &Reply) -> (&str, &str) {
    assert_eq!(reply.status, 200, "{}", reply.text);
    (reply.body["outcome"].as_str().unwrap(), reply.body["status"].as_str().unwrap())
}

#[tokio::test]
async fn news_that_is_quicker_than_the_answer_to_the_order_counts() {
    for (word, state) in
        [(Word::Succeeded, "succeeded"), (Word::Failed, "failed"), (Word::Pending, "processing")]
    {
        let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
        // process-refund has read the refund and asks; meanwhile the processor tells by itself.
        let store = world.table.store();
        assert_eq!(store.hand_over(&refund, later(1_000)).await.unwrap(), HandedOver::Yes);
        assert_eq!(told(&world.tell(&news(&refund, word)).await), ("applied", state));
        // Its answer comes, and its write starts from what it has read.
        for outcome in [Outcome::Pending, Outcome::Unknown, succeeded(), fixtures::failed()] {
            let change = refund.step(outcome, later(90_000)).unwrap();
            assert_eq!(store.carry_out(&change).await.unwrap(), Settled::Overtaken);
        }
        let stored = world.refund(&refund).await;
        assert_eq!((stored.version.state.as_str(), stored.version.sequence), (state, 2));
        // Where it looks again it finds the refund done, or goes on from there.
        if word == Word::Pending {
            assert_eq!(world.polled(&stored, succeeded()).await.unwrap(), Settled::Applied);
        }
        world.check_books().await;
    }
}

#[tokio::test]
async fn news_of_what_was_asked_for_meanwhile_is_old() {
    for (word, outcome, state) in [
        (Word::Succeeded, succeeded(), "succeeded"),
        (Word::Failed, fixtures::failed(), "failed"),
        (Word::Pending, Outcome::Pending, "processing"),
    ] {
        let (world, refund) = World::with_refund(ProcessorName::Http).await;
        world.polled(&refund, outcome).await.unwrap();
        let before = world.everything().await;
        world.table.take_calls();
        assert_eq!(told(&world.tell(&news(&refund, word)).await), ("unchanged", state));
        assert_eq!(world.table.take_calls().operations(), ["GetItem"]);
        assert_eq!(world.everything().await, before);
        assert_eq!(world.context.processor.asked(), 0);
    }
}

#[tokio::test]
async fn the_same_news_twice_counts_once() {
    for name in [ProcessorName::Stripe, ProcessorName::Http] {
        for (word, state) in
            [(Word::Succeeded, "succeeded"), (Word::Failed, "failed"), (Word::Pending, "processing")]
        {
            let (world, refund) = World::with_refund(name).await;
            let event = news(&refund, word);
            assert_eq!(told(&world.tell(&event).await), ("applied", state));
            let before = world.everything().await;
            for _ in 0..3 {
                assert_eq!(told(&world.tell(&event).await), ("unchanged", state));
            }
            assert_eq!(world.everything().await, before);
            world.check_books().await;
        }
    }
}

#[tokio::test]
async fn that_it_was_pending_is_old_news_of_a_refund_that_has_ended() {
    for (word, state) in [(Word::Succeeded, "succeeded"), (Word::Failed, "failed")] {
        let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
        assert_eq!(told(&world.tell(&news(&refund, word)).await), ("applied", state));
        let before = world.everything().await;
        assert_eq!(told(&world.tell(&news(&refund, Word::Pending)).await), ("unchanged", state));
        assert_eq!(world.everything().await, before);
        assert_eq!(world.context.processor.asked(), 0, "it contradicts nothing");
    }
}

#[tokio::test]
async fn news_ends_a_wait_and_the_next_question_with_it() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let store = world.table.store();
    let question = refund.asked_again(&Outcome::Unknown, later(2_000), 1_000);
    let pending = fixtures::moved(&refund, Outcome::Unknown).asking(question);
    assert_eq!(store.carry_out(&pending).await.unwrap(), Settled::Applied);
    // That the processor has it after all is news, and leaves the wait as it is.
    assert_eq!(told(&world.tell(&news(&refund, Word::Pending)).await), ("applied", "processing"));
    let stored = world.refund(&refund).await;
    assert_eq!(stored.version.state, State::Processing(Pending::Processor));
    assert_eq!((stored.turn, stored.wait), (1, Some(question.wait())));
    // The question that was due meanwhile schedules the next; a notification that had read before is judged anew.
    assert_eq!(
        store.schedule(&stored, stored.asked_again(&Outcome::Unknown, later(4_000), 1_000)).await.unwrap(),
        Settled::Applied
    );
    assert_eq!(told(&world.tell(&news(&refund, Word::Succeeded)).await), ("applied", "succeeded"));
    let done = world.refund(&refund).await;
    assert_eq!((done.version.state, done.wait, done.turn), (State::Succeeded, None, 2));
    assert!(!world.table.item("refund").await.contains_key("due_pk"), "nobody wakes it");
}

#[tokio::test]
async fn news_from_before_our_order_was_recorded_makes_a_cancel_too_late() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let cancel = fixtures::cancelled(&refund, later(500));
    assert_eq!(told(&world.tell(&news(&refund, Word::Pending)).await), ("applied", "processing"));
    let store = world.table.store();
    assert_eq!(store.carry_out(&cancel).await.unwrap(), Settled::Overtaken);
    assert_eq!(world.refund(&refund).await.withdraw(None, later(600)), Withdrawn::TooLate);
    assert_eq!(world.left().await, 1_600);
}

#[tokio::test]
async fn the_same_news_many_times_at_once_counts_once() {
    for name in [ProcessorName::Stripe, ProcessorName::Http] {
        for (word, left) in [(Word::Succeeded, 1_600), (Word::Failed, 3_100)] {
            let (world, refund) = World::with_refund(name).await;
            let event = news(&refund, word);
            let (a, b, c, d) =
                tokio::join!(world.tell(&event), world.tell(&event), world.tell(&event), world.tell(&event));
            let outcomes = [&a, &b, &c, &d].map(|reply| told(reply).0);
            // Whoever lost looks again, or is told that its very write was made: nobody is sent away.
            assert!(outcomes.contains(&"applied"), "{outcomes:?}");
            assert_eq!(world.refund(&refund).await.version.sequence, 2, "one change");
            assert_eq!(world.left().await, left);
            world.check_books().await;
        }
    }
}

#[tokio::test]
async fn success_and_failure_at_once_end_as_the_processor_says() {
    for (truth, state, left) in [(succeeded(), "succeeded", 1_600), (fixtures::failed(), "failed", 3_100)] {
        let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
        world.context.processor.set(crate::found(truth));
        let (success, failure) = (news(&refund, Word::Succeeded), news(&refund, Word::Failed));
        tokio::join!(world.tell(&success), world.tell(&failure), world.tell(&success), world.tell(&failure));
        assert_eq!(world.refund(&refund).await.version.state.as_str(), state);
        assert_eq!(world.left().await, left);
        world.check_books().await;
    }
}
