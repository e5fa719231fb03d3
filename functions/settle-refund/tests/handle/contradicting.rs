//! What contradicts an end is believed only of a processor that, asked, says the same.

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Flag, Outcome, State};
use recoup_domain::wanted::Wanted;
use recoup_ports::processor::LookedUp;
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::fixtures::{self, failed, later, succeeded};
use serde_json::json;

use crate::signed::{Word, news};
use crate::{World, found};

#[tokio::test]
async fn a_success_taken_back_returns_the_money_once_the_processor_confirms_it() {
    let (world, done) = World::with_ended(succeeded()).await;
    world.context.processor.set(found(failed()));
    for outcome in ["applied", "unchanged", "unchanged"] {
        let reply = world.tell(&news(&done, Word::Failed)).await;
        assert_eq!((&reply.body["outcome"], &reply.body["status"]), (&json!(outcome), &json!("failed")));
    }
    assert_eq!(world.context.processor.asked(), 1, "what agrees with the end needs no question");
    let stored = world.refund(&done).await;
    let State::Failed(failure) = &stored.version.state else { panic!("{stored:?}") };
    // As the processor says it now, not as its notification had it.
    assert_eq!(failure.message.as_str(), "the customer's bank refused the refund");
    assert_eq!((stored.version.sequence, world.left().await), (3, 3_100));
    world.check_books().await;
}

#[tokio::test]
async fn a_success_after_a_failure_retakes_the_money_once_it_is_confirmed() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    world.polled(&refund, failed()).await.unwrap();
    assert_eq!(world.left().await, 3_100);
    world.context.processor.set(found(succeeded()));
    world.table.take_calls();
    let reply = world.tell(&news(&refund, Word::Succeeded)).await;
    assert_eq!((&reply.body["outcome"], &reply.body["status"]), (&json!("applied"), &json!("succeeded")));
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["GetItem", "TransactWriteItems"]);
    // With two ends in its history, and who made what, this refund's item has just passed 1 KB.
    assert!(calls.read_units() <= 1.0 && calls.write_units() <= 6.0, "{calls}");
    let stored = world.refund(&refund).await;
    assert_eq!((&stored.version.state, stored.flag, stored.version.sequence), (&State::Succeeded, None, 3));
    let parts = world.payment().await.routing.unwrap().refundable;
    let parts: Vec<u64> = parts.parts().map(|(_, part)| part.minor()).collect();
    assert_eq!((world.left().await, parts), (1_600, vec![100, 1_500, 0]));
    world.check_books().await;
}

#[tokio::test]
async fn lines_of_a_refund_that_succeeded_after_all_are_covered_again() {
    let world = World::with(crate::payment(ProcessorName::Stripe)).await;
    let parts = fixtures::wanted_of(&world.payment, 0, &[(fixtures::SELLER, 1_100)]);
    let wanted = Wanted { lines: vec![fixtures::whole_line("iid_2")], ..parts };
    let refund = world.reserve("key", &wanted).await;
    world.tell(&news(&refund, Word::Failed)).await;
    assert!(world.payment().await.lines.iter().all(|line| line.refundable() == line.amount));
    world.context.processor.set(found(succeeded()));
    world.tell(&news(&refund, Word::Succeeded)).await;
    let covered: Vec<bool> =
        world.payment().await.lines.iter().map(|line| line.refundable().is_zero()).collect();
    assert_eq!(covered, [false, true]);
    world.check_books().await;
}

#[tokio::test]
async fn money_that_is_gone_is_a_matter_for_a_person() {
    let (world, ended) = World::with_ended(failed()).await;
    let rest = world.take_the_rest().await;
    let payment = world.payment().await;
    world.context.processor.set(found(succeeded()));
    for _ in 0..2 {
        let reply = world.tell(&news(&ended, Word::Succeeded)).await;
        assert_eq!(reply.status, 200, "repeating it would not bring the money: {}", reply.text);
        assert_eq!((&reply.body["outcome"], &reply.body["status"]), (&json!("unchanged"), &json!("failed")));
        let stored = world.refund(&ended).await;
        assert_eq!(
            (&stored.version.state, stored.flag),
            (&ended.version.state, Some(Flag::SucceededAfterFailure))
        );
        assert_eq!(stored.version.sequence, ended.version.sequence, "nobody is told of a change");
        assert_eq!(world.payment().await, payment);
        world.check_books().await;
    }
    // The other refund fails: the money is there again, and whoever sends the news again settles the matter.
    world.polled(&rest, failed()).await.unwrap();
    let reply = world.tell(&news(&ended, Word::Succeeded)).await;
    assert_eq!((&reply.body["outcome"], &reply.body["status"]), (&json!("applied"), &json!("succeeded")));
    assert_eq!((world.refund(&ended).await.flag, world.left().await), (None, 1_600));
    world.check_books().await;
}

#[tokio::test]
async fn a_cancelled_refund_that_succeeded_all_the_same_takes_the_money_again() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let cancel = fixtures::cancelled(&refund, later(500));
    assert_eq!(world.table.store().carry_out(&cancel).await.unwrap(), Settled::Applied);
    // Never handed over, so most likely never received.
    world.context.processor.set(LookedUp::NeverReceived);
    assert_eq!(world.tell(&news(&refund, Word::Succeeded)).await.problem(), (503, "unavailable"));
    assert_eq!((world.refund(&refund).await, world.left().await), (cancel.into_refund(), 3_100));
    world.context.processor.set(found(succeeded()));
    assert_eq!(world.tell(&news(&refund, Word::Succeeded)).await.body["outcome"], "applied");
    assert_eq!((world.refund(&refund).await.version.state, world.left().await), (State::Succeeded, 1_600));
    world.check_books().await;
}

#[tokio::test]
async fn what_the_processor_does_not_confirm_was_overtaken_on_its_way() {
    for (end, word) in [(succeeded(), Word::Failed), (failed(), Word::Succeeded)] {
        // It says that the end stands, or takes everything back to pending: in both cases nothing moves.
        for says in [end.clone(), Outcome::Pending] {
            let (world, ended) = World::with_ended(end.clone()).await;
            let before = world.everything().await;
            world.context.processor.set(found(says.clone()));
            let reply = world.tell(&news(&ended, word)).await;
            let status = ended.version.state.as_str();
            assert_eq!(
                (reply.status, &reply.body["outcome"], &reply.body["status"]),
                (200, &json!("unchanged"), &json!(status)),
                "{says:?}"
            );
            assert_eq!(world.context.processor.asked(), 1);
            assert_eq!(world.everything().await, before, "{says:?}");
        }
    }
}

#[tokio::test]
async fn a_processor_that_is_silent_about_a_contradiction_is_made_to_repeat_it() {
    for (end, word, truth) in
        [(succeeded(), Word::Failed, failed()), (failed(), Word::Succeeded, succeeded())]
    {
        for silence in [found(Outcome::Unknown), LookedUp::NeverReceived] {
            let (world, ended) = World::with_ended(end.clone()).await;
            let before = world.everything().await;
            world.context.processor.set(silence);
            let reply = world.tell(&news(&ended, word)).await;
            assert_eq!(reply.problem(), (503, "unavailable"));
            assert_eq!(reply.header("retry-after"), Some("1"));
            assert_eq!(world.everything().await, before);
            world.context.processor.set(found(truth.clone()));
            assert_eq!(world.tell(&news(&ended, word)).await.body["outcome"], "applied");
            world.check_books().await;
        }
    }
}
