//! A table that does not answer, books that lack something, a refund that keeps moving: the processor repeats.

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::State;
use recoup_ports::refunds::Refunds;
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::{Fault, fixtures};
use settle_refund::{Context, STARTS_MAX, handle};

use crate::doubles::{Books, KeyRing};
use crate::gateway::Reply;
use crate::signed::{Word, news};
use crate::{World, found, now};

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_is_told_as_such_and_the_repeat_settles() {
    for (word, operation) in [
        (Word::Succeeded, "GetItem"),
        (Word::Succeeded, "UpdateItem"),
        (Word::Failed, "GetItem"),
        (Word::Failed, "TransactWriteItems"),
    ] {
        for fault in [Fault::LoseRequest, Fault::throttled(), Fault::server_error()] {
            let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
            let before = world.everything().await;
            world.table.fail_always(operation, fault);
            let reply = world.tell(&news(&refund, word)).await;
            assert_eq!(reply.problem(), (503, "unavailable"), "{operation}");
            assert_eq!(reply.header("retry-after"), Some("1"));
            world.table.heal();
            assert_eq!(world.everything().await, before);
            assert_eq!(world.tell(&news(&refund, word)).await.body["outcome"], "applied");
            world.check_books().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_contended_payment_is_waited_out_or_the_processor_repeats() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    world.table.fail("TransactWriteItems", 5, Fault::conflict([false, true]));
    assert_eq!(world.tell(&news(&refund, Word::Failed)).await.body["outcome"], "applied");
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    world.table.fail_always("TransactWriteItems", Fault::conflict([false, true]));
    assert_eq!(world.tell(&news(&refund, Word::Failed)).await.problem(), (503, "unavailable"));
    assert_eq!(world.refund(&refund).await.version.state, State::Initiated);
}

#[tokio::test]
async fn books_that_lack_the_payment_do_not_end_its_refund() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let item = world.table.item("payment").await;
    let delete = world.table.plain().delete_item().table_name(world.table.name());
    delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
    assert_eq!(world.tell(&news(&refund, Word::Failed)).await.problem(), (503, "unavailable"));
    assert_eq!(world.refund(&refund).await.version.state, State::Initiated);
    // A success needs no payment: its money left long ago.
    assert_eq!(world.tell(&news(&refund, Word::Succeeded)).await.body["outcome"], "applied");
}

#[tokio::test]
async fn a_refund_that_moves_meanwhile_is_read_again_a_bounded_number_of_times() {
    for (moves, good) in [(STARTS_MAX - 1, true), (STARTS_MAX, false)] {
        for (end, word) in [
            (None, Word::Succeeded),
            (None, Word::Failed),
            (Some(fixtures::succeeded()), Word::Failed),
            (Some(fixtures::failed()), Word::Succeeded),
        ] {
            let (world, refund) = match end.clone() {
                None => World::with_refund(ProcessorName::Http).await,
                Some(end) => World::with_ended(end).await,
            };
            let processor = Books::silent();
            let truth = if word == Word::Failed { fixtures::failed() } else { fixtures::succeeded() };
            processor.set(found(truth));
            // Just after the refund is read, somebody changes its metadata.
            let (others, named) = (world.table.others(), refund.clone());
            let rename = move || {
                let (others, named) = (others.clone(), named.clone());
                async move {
                    let stands = others.refund(&named.tenant, &named.id).await.unwrap().unwrap();
                    let number = stands.version.sequence.to_string();
                    let change = fixtures::renamed(&stands, &number, fixtures::later(3_000));
                    assert_eq!(others.carry_out(&change).await.unwrap(), Settled::Applied);
                }
            };
            world.table.fail("GetItem", moves.try_into().unwrap(), Fault::meanwhile(rename));
            let context = Context { store: world.table.store(), keys: KeyRing::default(), processor, now };
            let event = news(&refund, word);
            let reply = Reply::read(&event, handle(&context, event.request()).await);
            let stored = world.refund(&refund).await;
            if good {
                assert_eq!(reply.body["outcome"], "applied", "{}", reply.text);
                assert_eq!(stored.version.metadata.pairs().len(), 1, "no change was overwritten");
            } else {
                assert_eq!(reply.problem(), (503, "unavailable"));
                assert_eq!(stored.version.state, refund.version.state);
            }
            let asked = if end.is_some() { STARTS_MAX } else { 0 };
            assert_eq!(context.processor.asked(), asked, "each time about what it is then");
            world.check_books().await;
        }
    }
}
