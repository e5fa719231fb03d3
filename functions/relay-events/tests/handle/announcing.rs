//! What is sent for which change.

use std::time::Duration;

use recoup_domain::delivery::Target;
use recoup_domain::event::{Event, EventType};
use recoup_domain::ids::AccountId;
use recoup_domain::payment::{Facts, Payment};
use recoup_domain::refund::Outcome;
use recoup_domain::verification::Verification;
use recoup_domain::wanted::Wanted;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::due::{Due, SHARDS};
use recoup_ports::jobs::{Job, Lane, RefundJob, WebhookJob};
use recoup_ports::payments::{KeepVerifications, Kept, Moved, Payments, Register};
use recoup_ports::refunds::Refunds;
use recoup_ports::settlement::Settle;
use recoup_testing::fixtures;
use serde_json::Value;

use crate::{World, event_id, relayed};

const MINUTE: Duration = Duration::from_mins(1);
const RECORDED: &str = include_str!("../../../../tests/events/relay-events.json");

#[tokio::test]
async fn the_recorded_event_sends_one_refund_job_and_one_announcement() {
    let event: Value = serde_json::from_str(RECORDED).unwrap();
    let relayed = relayed(event["Records"].as_array().unwrap()).await;
    let [Job::Refund { job, .. }, Job::Webhook { job: webhook, .. }] = relayed.jobs.as_slice() else {
        panic!("{relayed:?}")
    };
    assert_eq!(job.refund.as_str(), "rfd_473cr1y0ghbyc3m1yfbwvn3nxx");
    assert_eq!(job.tenant.account.as_str(), "acct_01j9x4mzt5r8v3kq7w2bnd6hcg");
    assert_eq!((&webhook.target, webhook.turn), (&Target::RefundUrl, 1));
    assert_eq!(relayed.event(webhook).await.r#type, EventType::Initiated);
    assert!(relayed.failed.is_empty() && relayed.dead_lettered.is_empty());
}

#[tokio::test]
async fn a_new_refund_is_sent_to_the_processor_and_announced_as_it_is() {
    let world = World::new().await;
    let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    let relayed = relayed(&world.records()).await;
    let webhook = WebhookJob::first(&Event::of_change(None, &refund), Target::RefundUrl);
    assert_eq!(webhook.event, event_id(&refund, 1, 0));
    let webhook = Job::Webhook { job: webhook, lane: Lane::First, delay: Duration::ZERO };
    let job = Job::Refund { job: RefundJob::of(&refund), delay: Duration::ZERO };
    assert_eq!(relayed.jobs, [job, webhook]);
}

#[tokio::test]
async fn what_was_paid_otherwise_is_announced_and_nobody_is_asked() {
    let world = World::new().await;
    let wanted = Wanted { external: Some(fixtures::external()), ..fixtures::getpaid_wanted() };
    let refund = world.reserve("key-1", &wanted).await;
    let relayed = relayed(&world.records()).await;
    let webhook = WebhookJob::first(&Event::of_change(None, &refund), Target::RefundUrl);
    assert_eq!(relayed.event(&webhook).await.r#type, EventType::Succeeded);
    assert_eq!(relayed.jobs, [Job::Webhook { job: webhook, lane: Lane::First, delay: Duration::ZERO }]);
}

#[tokio::test]
async fn a_refund_without_a_url_is_announced_to_nobody() {
    let world = World::new().await;
    let wanted = Wanted { notes: recoup_domain::refund::Notes::default(), ..fixtures::getpaid_wanted() };
    let refund = world.reserve("key-1", &wanted).await;
    world.hand_over(&refund).await;
    world.settle(&refund, fixtures::succeeded()).await;
    let relayed = relayed(&world.records()).await;
    assert_eq!((relayed.refund_jobs(), relayed.jobs.len()), (1, 1));
}

#[tokio::test]
async fn a_handed_over_refund_sends_nothing() {
    let world = World::new().await;
    let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    let before = world.records().len();
    world.hand_over(&refund).await;
    let records = world.records().split_off(before);
    assert_eq!(records.len(), 1);
    assert_eq!(relayed(&records).await.jobs, []);
}

#[tokio::test]
async fn a_due_question_is_sent_once_and_a_resting_one_once_it_is_woken() {
    let world = World::new().await;
    let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    world.hand_over(&refund).await;
    let mut seen = world.records().len();
    let mut news = || {
        let records = world.records().split_off(seen);
        seen += records.len();
        records.into_iter().filter(crate::is_let_through).collect::<Vec<_>>()
    };
    let asks = |relayed: crate::Relayed| {
        let jobs = relayed.jobs.into_iter();
        let asks = jobs.filter_map(|job| match job {
            Job::Refund { job, delay } => Some((job.turn, delay.as_secs())),
            Job::Payment { .. } | Job::Webhook { .. } => None,
        });
        asks.collect::<Vec<_>>()
    };
    // The first question brought no end: the next one a minute after its time, which is that of the relay.
    let question = refund.asked_after(fixtures::later(10_000), MINUTE);
    let pending = fixtures::moved(&refund, Outcome::Pending).asking(question);
    world.store.carry_out(&pending).await.unwrap();
    let records = news();
    assert_eq!(asks(relayed(&records).await), [(Some(1), 60)]);
    assert_eq!(relayed(&records).await.announced().await.len(), 1);
    // Metadata change: nothing is asked for again.
    let changed = fixtures::renamed(pending.to(), "v", fixtures::later(20_000));
    world.store.carry_out(&changed).await.unwrap();
    assert_eq!(asks(relayed(&news()).await), []);
    // A long wait rests in the table and is announced to nobody.
    let resting = changed.to().asked_after(fixtures::later(10_000), 60 * MINUTE);
    world.store.schedule(changed.to(), resting).await.unwrap();
    assert_eq!(relayed(&news()).await.jobs, []);
    // Woken, it is sent with the rest of its wait; woken once more, because that message was lost, again.
    for at in [20_000, 30_000] {
        let resting = world.store.refund(&refund.tenant, &refund.id).await.unwrap().unwrap();
        let woken = resting.sent_for(fixtures::later(at));
        world.store.schedule(&resting, woken).await.unwrap();
        assert_eq!(asks(relayed(&news()).await), [(Some(2), 3_600)]);
    }
    // The end asks for nothing.
    let stands = world.store.refund(&refund.tenant, &refund.id).await.unwrap().unwrap();
    world.settle(&stands, fixtures::succeeded()).await;
    let end = relayed(&news()).await;
    assert_eq!((end.announced().await.len(), asks(end)), (1, vec![]));
}

#[tokio::test]
async fn an_outcome_is_announced_exactly_once() {
    for (outcome, announced) in [
        (fixtures::succeeded(), "refund.succeeded"),
        (fixtures::failed(), "refund.failed"),
        (Outcome::Pending, "refund.processing"),
        (Outcome::Unknown, "refund.processing"),
    ] {
        let world = World::new().await;
        let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
        world.hand_over(&refund).await;
        let before = world.records().len();
        let settled = world.settle(&refund, outcome).await;
        let relayed = relayed(&world.records().split_off(before)).await;
        assert_eq!(relayed.announced().await, [(announced.to_owned(), event_id(&refund, 2, 1_000))]);
        let [Job::Webhook { job, .. }] = relayed.jobs.as_slice() else { panic!("{relayed:?}") };
        assert_eq!(relayed.event(job).await, Event::of_change(Some(&refund), &settled));
    }
}

#[tokio::test]
async fn a_whole_life_is_announced_in_its_order_each_change_under_its_own_id() {
    let world = World::new().await;
    let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    world.hand_over(&refund).await;
    let processing = world.settle(&refund, Outcome::Unknown).await;
    let succeeded = world.settle(&processing, fixtures::succeeded()).await;
    world.settle(&succeeded, fixtures::failed()).await;
    let relayed = relayed(&world.records()).await;
    let expected = [(0, "initiated"), (1_000, "processing"), (1_000, "succeeded"), (1_000, "failed")];
    let expected: Vec<_> = (1..)
        .zip(expected)
        .map(|(n, (at, status))| (format!("refund.{status}"), event_id(&refund, n, at)))
        .collect();
    assert_eq!(relayed.announced().await, expected);
    assert_eq!(relayed.refund_jobs(), 1);
}

#[tokio::test]
async fn records_that_come_twice_and_out_of_order_send_the_same_events() {
    let world = World::new().await;
    let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    world.hand_over(&refund).await;
    world.settle(&refund, fixtures::failed()).await;
    let records = world.records();
    let once = relayed(&records).await;
    let twice_and_reversed: Vec<_> = records.iter().chain(&records).rev().cloned().collect();
    let mut again = relayed(&twice_and_reversed).await.jobs;
    assert_eq!(again.len(), 2 * once.jobs.len());
    // The very same jobs.
    for job in &once.jobs {
        let copies = again.iter().filter(|other| *other == job).count();
        assert_eq!(copies, 2, "{job:?}");
    }
    again.retain(|job| !once.jobs.contains(job));
    assert_eq!(again, []);
}

#[tokio::test]
async fn one_record_at_a_time_sends_what_all_at_once_send() {
    let world = World::new().await;
    for n in 0..3 {
        let wanted = fixtures::wanted_of(&fixtures::getpaid_payment(), 0, &[(fixtures::SELLER, 100)]);
        let notes = fixtures::getpaid_wanted().notes;
        let refund = world.reserve(&format!("key-{n}"), &Wanted { notes, ..wanted }).await;
        world.settle(&refund, fixtures::succeeded()).await;
    }
    let records = world.records();
    let together = relayed(&records).await;
    assert_eq!((together.refund_jobs(), together.announced().await.len()), (3, 6));
    let mut alone = Vec::new();
    for record in &records {
        alone.extend(relayed(std::slice::from_ref(record)).await.jobs);
    }
    assert_eq!(alone, together.jobs);
}

#[tokio::test]
async fn what_is_no_refund_sends_nothing() {
    let world = World::new().await;
    let payment = fixtures::getpaid_payment();
    let facts = recoup_domain::payment::Facts { disputed: true, ..payment.facts.clone() };
    let moved = payment.moved_to(facts, fixtures::later(1)).unwrap().unwrap();
    assert_eq!(world.store.move_facts(&moved).await.unwrap(), Moved::Applied);
    let account = NewAccount {
        id: AccountId::from_bits(9),
        name: "n".to_owned(),
        sandbox_secret: fixtures::plain_secret(7),
        live_secret: fixtures::plain_secret(8),
        created_at: fixtures::now(),
    };
    world.store.create_account(&account).await.unwrap();
    let records = world.records();
    assert!(records.len() >= 4);
    let relayed = relayed(&records).await;
    assert!(
        relayed.jobs.is_empty() && relayed.dead_lettered.is_empty() && relayed.failed.is_empty(),
        "{relayed:?}"
    );
}

#[tokio::test]
async fn a_deleted_refund_sends_nothing() {
    let world = World::new().await;
    world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    let before = world.records().len();
    let item = world.table.item("refund").await;
    let delete = world.table.plain().delete_item().table_name(world.table.name());
    delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
    let records = world.records().split_off(before);
    assert_eq!(records[0]["eventName"], "REMOVE");
    let relayed = relayed(&records).await;
    assert!(
        relayed.jobs.is_empty() && relayed.dead_lettered.is_empty() && relayed.failed.is_empty(),
        "{relayed:?}"
    );
}

#[tokio::test]
async fn a_payment_whose_processor_is_awaited_is_asked_about_at_its_time() {
    let world = World::new().await;
    let store = world.table.store();
    let of = |id: &str, after: Duration| {
        fixtures::payment(id, 900).awaiting(fixtures::now().plus(after), fixtures::now())
    };
    let (soon, late) = (of("pay_soon", MINUTE), of("pay_late", MINUTE * 60));
    let mut seen = world.records().len();
    for payment in [&soon, &late] {
        store.register(payment).await.unwrap();
    }
    let mut fresh = || {
        let records = world.records().split_off(seen);
        seen += records.len();
        records.into_iter().filter(crate::is_let_through).collect::<Vec<_>>()
    };
    let asks = |relayed: crate::Relayed| {
        let jobs = relayed.jobs.into_iter();
        let asks = jobs.map(|job| match job {
            Job::Payment { job, delay } => (job.payment.to_string(), job.turn, delay.as_secs()),
            other => panic!("{other:?}"),
        });
        asks.collect::<Vec<_>>()
    };
    // The relay's clock is ten seconds on. A long wait rests in the table.
    assert_eq!(asks(relayed(&fresh()).await), [("pay_soon".to_owned(), 0, 50)]);
    // Newer facts change nothing about it.
    let facts = Facts { disputed: true, ..soon.facts.clone() };
    let moved = soon.moved_to(facts, fixtures::now()).unwrap().unwrap();
    assert_eq!(store.move_facts(&moved).await.unwrap(), Moved::Applied);
    assert_eq!(asks(relayed(&fresh()).await), []);
    // It is woken, and its message is sent; without an answer comes the next question.
    for shard in 0..SHARDS {
        for resting in store.due(shard, None, late.created_at.plus(MINUTE * 60), 10).await.unwrap() {
            store.wake(&resting, fixtures::now().plus(MINUTE * 60)).await.unwrap();
        }
    }
    let hour = asks(relayed(&fresh()).await);
    assert_eq!(hour, [("pay_late".to_owned(), 0, 3_590)]);
    let woken = store.payment(&late.tenant, &late.id).await.unwrap().unwrap();
    let Some(Verification::Awaited(awaited)) = woken.verification else { panic!("{woken:?}") };
    let again = Verification::Awaited(awaited.again(fixtures::later(10_000), 1_000));
    let again = Payment { verification: Some(again), ..woken.clone() };
    assert_eq!(store.keep_verification(&again, &woken).await.unwrap(), Kept::Yes);
    assert_eq!(asks(relayed(&fresh()).await), [("pay_late".to_owned(), 1, 10)]);
    // Once it has spoken, nobody is asked.
    let verified = Payment { verification: Some(Verification::Verified(fixtures::now())), ..again.clone() };
    assert_eq!(store.keep_verification(&verified, &again).await.unwrap(), Kept::Yes);
    assert_eq!(asks(relayed(&fresh()).await), []);
}
