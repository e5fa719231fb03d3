//! A processor that says otherwise is believed, once, and its list is compared with ours.

use recoup_domain::event::Event;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, State};
use recoup_domain::wanted::Wanted;
use recoup_ports::events::RecordEvents;
use recoup_ports::payments::Payments;
use recoup_ports::processor::LookedUp;
use recoup_ports::refunds::Reserve;
use recoup_testing::fixtures::{self, eur};
use serde_json::json;

use crate::{Scripted, World, lines, soon_after, two_hours_later};

async fn refundable(world: &World) -> u64 {
    let payment = world.store.payment(&world.payment.tenant, &world.payment.id).await.unwrap().unwrap();
    payment.refundable.minor()
}

#[tokio::test]
async fn a_success_that_the_processor_took_back_gives_the_money_back_once() {
    let world = World::at(ProcessorName::Sandbox, "sandbox_fail_late").await;
    let refund = world.reserve("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    assert_eq!(refundable(&world).await, 2100);
    let report = world.run(two_hours_later).await;
    assert_eq!(
        lines(&report.findings),
        ["outcome_differs settled: here it has succeeded, at its processor failed"]
    );
    let failed = world.refund(&refund).await;
    assert!(matches!(failed.version.state, State::Failed(_)));
    assert_eq!((failed.version.sequence, refundable(&world).await), (3, 3100));
    assert_eq!(world.run(soon_after).await.drift, 0);
    assert_eq!((world.refund(&refund).await, refundable(&world).await), (failed, 3100));
}

/// The sandbox would take a success back, and the list lacks it: neither ever heard of this refund.
#[tokio::test]
async fn what_was_paid_otherwise_is_looked_for_at_no_processor() {
    for (name, reference) in [(ProcessorName::Sandbox, "sandbox_fail_late"), (ProcessorName::Stripe, "pi_1")]
    {
        let world = World::at(name, reference).await;
        let wanted =
            Wanted { external: Some(fixtures::external()), ..fixtures::wanted(&world.payment, None) };
        let made = fixtures::decided(&world.payment, &wanted, "key-1");
        world.store.reserve(&made).await.unwrap();
        world.store.record_event(&Event::of_change(None, &made.refund), &[]).await.unwrap();
        let listed = Scripted { list: Some(Vec::new()), ..Scripted::default() };
        let payload = json!({ "days": 2, "ask_processors_days": 2 });
        let report = world.run_at(listed, two_hours_later, payload).await;
        assert_eq!((lines(&report.findings), report.checked.asked), (Vec::new(), 0));
    }
}

#[tokio::test]
async fn money_moved_after_a_failure_is_taken_again_or_named_to_a_person() {
    let succeeded =
        || Scripted { looked_up: Some(LookedUp::Stands(fixtures::succeeded())), ..Scripted::default() };
    let all = || json!({ "days": 2, "ask_processors_days": 2 });
    for still_there in [true, false] {
        let world = World::at(ProcessorName::Http, "bank-1").await;
        let refund = world.reserve("key-1").await;
        let failed = world.settle(&refund, fixtures::failed()).await;
        if !still_there {
            // All that the seller has is on its way again.
            for key in ["key-2", "key-3"] {
                world.reserve(key).await;
            }
        }
        let before = refundable(&world).await;
        let report = world.run_at(succeeded(), two_hours_later, all()).await;
        let stored = world.refund(&refund).await;
        if still_there {
            assert_eq!(
                lines(&report.findings),
                ["outcome_differs settled: here it has failed, at its processor succeeded"]
            );
            assert_eq!((stored.version.state, refundable(&world).await), (State::Succeeded, before - 1000));
            continue;
        }
        let found = lines(&report.findings);
        let line = "succeeded_after_failure none: here it has failed, at its processor succeeded";
        assert!(found.contains(&line.to_owned()), "{found:?}");
        assert_eq!((&stored.version.state, refundable(&world).await), (&failed.version.state, before));
        assert!(stored.flag.is_some());
        // It is named until somebody has looked.
        let again = world.run_at(succeeded(), soon_after, all()).await;
        let flagged = again.findings.iter().filter(|finding| finding.found_at == soon_after());
        assert_eq!(flagged.count(), 1);
    }
}

#[tokio::test]
async fn only_recent_ends_are_asked_about_and_unclear_answers_change_nothing() {
    let world = World::at(ProcessorName::Http, "bank-1").await;
    let refund = world.reserve("key-1").await;
    let done = world.settle(&refund, fixtures::succeeded()).await;
    for (payload, asked) in [(json!({ "days": 2 }), 0), (json!({ "days": 2, "ask_processors_days": 1 }), 1)] {
        let report = world.run_at(Scripted::default(), two_hours_later, payload).await;
        assert_eq!((report.drift, report.checked.asked), (0, asked));
    }
    let never = Scripted { looked_up: Some(LookedUp::NeverReceived), ..Scripted::default() };
    let report = world.run_at(never, two_hours_later, json!({ "ask_processors_days": 1 })).await;
    assert_eq!((report.drift, world.refund(&refund).await), (0, done));
}

#[tokio::test]
async fn a_list_shows_what_is_missing_unknown_twice_or_of_another_amount() {
    let world = World::at(ProcessorName::Stripe, "ch_1").await;
    let done = world.reserve_announced("key-1").await;
    let done = world.settle(&done, fixtures::succeeded()).await;
    let ok = || (done.id.clone(), fixtures::succeeded(), Some(eur(1000)));
    let other = fixtures::refund_id("never-made");
    let failed_there = |id: &recoup_domain::ids::RefundId| (id.clone(), fixtures::failed(), Some(eur(1000)));
    let cases = [
        (vec![ok()], vec![]),
        (vec![failed_there(&done.id), ok()], vec![]),
        (
            vec![],
            vec!["missing_at_processor none: stripe does not list it, though it said that it had succeeded"],
        ),
        (
            vec![ok(), (other, fixtures::succeeded(), None)],
            vec!["unknown_here none: stripe has made a refund of ours that we do not have"],
        ),
        (vec![ok(), ok()], vec!["twice_at_processor none: stripe lists 2 refunds under its id"]),
        (
            vec![(done.id.clone(), fixtures::succeeded(), Some(eur(999)))],
            vec!["outcome_differs none: stripe refunded 9.99, not 10.00"],
        ),
        (vec![(done.id.clone(), Outcome::Unknown, None)], vec![]),
    ];
    let before = world.everything().await;
    for (list, expected) in cases {
        let scripted = Scripted { list: Some(list), ..Scripted::default() };
        let payload = json!({ "days": 2, "ask_processors_days": 2 });
        world.run_with(scripted, two_hours_later, payload).await.unwrap();
        let report = recoup_ports::reports::Reports::report(&world.store, &done.tenant, "2026-11-22").await;
        let report = report.unwrap().unwrap();
        let latest = report.findings.len() - usize::try_from(report.drift).unwrap();
        assert_eq!(lines(&report.findings[latest..]), expected);
        assert_eq!(world.everything().await, before);
    }
    // One that failed there gives its money back.
    // The list is old news: only the processor's own word counts.
    let list = || Some(vec![failed_there(&done.id)]);
    world
        .run_at(
            Scripted { list: list(), ..Scripted::default() },
            two_hours_later,
            json!({ "ask_processors_days": 2 }),
        )
        .await;
    assert_eq!(world.refund(&done).await, done);
    let looked_up = Some(LookedUp::Stands(fixtures::failed()));
    let scripted = Scripted { list: list(), looked_up, ..Scripted::default() };
    world.run_at(scripted, two_hours_later, json!({ "ask_processors_days": 2 })).await;
    assert!(matches!(world.refund(&done).await.version.state, State::Failed(_)));
    assert_eq!(refundable(&world).await, 3100);
}

#[tokio::test]
async fn without_a_clear_list_what_ended_is_looked_up_one_by_one() {
    let world = World::at(ProcessorName::Stripe, "ch_1").await;
    let refund = world.reserve("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    let scripted = Scripted { looked_up: Some(LookedUp::Stands(fixtures::failed())), ..Scripted::default() };
    let report = world.run_at(scripted, two_hours_later, json!({ "ask_processors_days": 2 })).await;
    assert_eq!(
        lines(&report.findings),
        ["outcome_differs settled: here it has succeeded, at its processor failed"]
    );
}

#[tokio::test]
async fn a_silent_processor_is_asked_three_times_and_holds_up_nothing_else() {
    let world = World::at(ProcessorName::Http, "bank-1").await;
    for number in 0..5 {
        let reference = fixtures::text(&format!("bank-{number}-of-5"));
        let processor = recoup_domain::payment::Processor::of(ProcessorName::Http, reference);
        let terms = recoup_domain::payment::Terms { processor, ..fixtures::terms(1_000) };
        let payment = fixtures::registered(&format!("pay_{number}"), terms).sealed(&fixtures::seal_key());
        recoup_ports::payments::Register::register(&world.store, &payment).await.unwrap();
        let refund = fixtures::decided(&payment, &fixtures::wanted(&payment, None), &format!("key-{number}"));
        recoup_ports::refunds::Reserve::reserve(&world.store, &refund).await.unwrap();
        world.settle(&refund.refund, fixtures::succeeded()).await;
    }
    let report =
        world.run_at(Scripted::default(), two_hours_later, json!({ "ask_processors_days": 2 })).await;
    assert_eq!((report.checked.refunds, report.checked.asked, report.checked.payments), (5, 3, 5));
    assert_eq!((report.drift, report.complete), (0, true));
}
