//! Who is told: endpoints that listen, and those whose turn has come again.

use std::time::Duration;

use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, GivenUp, Standing, Target};
use recoup_domain::endpoint::{DisabledReason, Endpoint, EventFilter, Switch};
use recoup_domain::event::{Event, EventType};
use recoup_domain::ids::AccountId;
use recoup_domain::refund::{Notes, Outcome, Refund};
use recoup_domain::wanted::Wanted;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::{Created, EndpointHealth, KeepEndpoints};
use recoup_ports::events::{DeliveryRecorded, Events, RecordDeliveries, Recorded};
use recoup_ports::jobs::{Job, Lane};
use recoup_testing::fixtures::{self, later, tenant};
use recoup_testing::{Calls, Fault};
use serde_json::Value;

use crate::{Queues, Relayed, World, relay_of, relayed_by};

impl World {
    async fn with_endpoints(endpoints: &[Endpoint]) -> Self {
        let world = Self::new().await;
        let account = NewAccount {
            id: AccountId::from_bits(1),
            name: "n".to_owned(),
            sandbox_secret: fixtures::plain_secret(100),
            live_secret: fixtures::plain_secret(101),
            created_at: fixtures::now(),
        };
        world.store.create_account(&account).await.unwrap();
        for endpoint in endpoints {
            assert_eq!(world.store.create_endpoint(endpoint).await.unwrap(), Created::Yes);
        }
        world
    }

    /// What is relayed of the records behind the first `seen`, and what the table was asked for it.
    async fn relayed_from(&self, seen: usize) -> (Relayed, Calls) {
        let records = self.records().split_off(seen);
        self.table.take_calls();
        let relayed = relayed_by(&relay_of(self.store.clone(), Queues::default()), &records).await;
        (relayed, self.table.take_calls())
    }

    async fn refund_without_url(&self) -> Refund {
        self.reserve("key-1", &Wanted { notes: Notes::default(), ..fixtures::getpaid_wanted() }).await
    }
}

fn hearing(number: u8, types: &[&str]) -> Endpoint {
    Endpoint { events: EventFilter::parse(types.iter().copied()).unwrap(), ..fixtures::endpoint(number) }
}

async fn told(relayed: &Relayed) -> Vec<(Target, Lane, EventType)> {
    let mut told = Vec::new();
    for one in &relayed.jobs {
        let Job::Webhook { job, lane, delay } = one else { continue };
        assert_eq!((job.turn, *delay), (1, Duration::ZERO));
        told.push((job.target.clone(), *lane, relayed.event(job).await.r#type));
    }
    told
}

fn target(number: u8) -> Target {
    Target::Endpoint(fixtures::endpoint(number).id)
}

#[tokio::test]
async fn an_endpoint_hears_what_it_listens_to_and_the_refunds_url_everything() {
    let off = Endpoint {
        switch: Switch::Off { reason: DisabledReason::ByOwner, at: fixtures::now() },
        ..fixtures::endpoint(4)
    };
    let failing = Endpoint { failing_since: Some(fixtures::now()), ..hearing(3, &["refund.succeeded"]) };
    let world =
        World::with_endpoints(&[fixtures::endpoint(1), hearing(2, &["refund.succeeded"]), failing, off])
            .await;
    let seen = world.records().len();
    let refund = world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    world.hand_over(&refund).await;
    world.settle(&refund, fixtures::succeeded()).await;
    let (relayed, calls) = world.relayed_from(seen).await;
    let (initiated, succeeded) = (EventType::Initiated, EventType::Succeeded);
    let expected = [
        (target(1), Lane::First, initiated),
        (Target::RefundUrl, Lane::First, initiated),
        (target(1), Lane::First, succeeded),
        (target(2), Lane::First, succeeded),
        // Who is known to fail has a lane beside the others'.
        (target(3), Lane::Retries, succeeded),
        (Target::RefundUrl, Lane::First, succeeded),
    ];
    assert_eq!(told(&relayed).await, expected);
    let expected = ["Query", "PutItem", "PutItem"];
    assert_eq!(
        calls.operations(),
        expected,
        "endpoints are read once for the batch, each event is written once"
    );
    assert!((calls.write_units() - 2.0).abs() < f64::EPSILON, "{calls}");
}

#[tokio::test]
async fn what_nobody_is_told_is_recorded_too() {
    let world = World::with_endpoints(&[hearing(1, &["refund.failed"])]).await;
    let seen = world.records().len();
    let refund = world.refund_without_url().await;
    let succeeded = world.settle(&refund, fixtures::succeeded()).await;
    let (relayed, calls) = world.relayed_from(seen).await;
    assert_eq!((relayed.refund_jobs(), told(&relayed).await), (1, vec![]));
    assert_eq!(calls.operations(), ["Query", "PutItem", "PutItem"]);
    assert!((calls.write_units() - 2.0).abs() < f64::EPSILON, "{calls}");
    for event in [Event::of_change(None, &refund), Event::of_change(Some(&refund), &succeeded)] {
        let recorded = world.store.event(&tenant(), &event.id).await.unwrap().unwrap();
        assert_eq!(recorded, Recorded { event, receivers: vec![], deliveries: vec![] });
    }
}

#[tokio::test]
async fn an_event_that_comes_again_is_told_to_those_who_were_chosen_first() {
    let world = World::with_endpoints(&[fixtures::endpoint(1)]).await;
    let seen = world.records().len();
    let refund = world.refund_without_url().await;
    let (first, _) = world.relayed_from(seen).await;
    // Meanwhile one endpoint is deleted, and another one is made.
    world.store.delete_endpoint(&tenant(), &fixtures::endpoint(1).id).await.unwrap();
    assert_eq!(world.store.create_endpoint(&fixtures::endpoint(2)).await.unwrap(), Created::Yes);
    let records: Vec<Value> = world.records().split_off(seen);
    let is_refund = |record: &Value| record["dynamodb"]["Keys"]["sk"]["S"] == "refund";
    let records: Vec<Value> = records.into_iter().filter(is_refund).collect();
    let again = relayed_by(&relay_of(world.store.clone(), Queues::default()), &records).await;
    assert_eq!(again.jobs, first.jobs);
    let recorded = world.store.event(&tenant(), &fixtures::beginning(&refund).id).await.unwrap().unwrap();
    assert_eq!(recorded.receivers, [target(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_holds_up_announcements_but_not_the_money() {
    for operation in ["Query", "PutItem"] {
        let world = World::with_endpoints(&[]).await;
        let seen = world.records().len();
        let refund = world.refund_without_url().await;
        world.settle(&refund, fixtures::succeeded()).await;
        let records = world.records().split_off(seen);
        world.table.fail_always(operation, Fault::throttled());
        let relayed = relayed_by(&relay_of(world.store.clone(), Queues::default()), &records).await;
        assert_eq!(relayed.refund_jobs(), 1, "{operation}");
        assert_eq!(relayed.failed.len(), 1, "{operation}: it comes again");
        assert_eq!(told(&relayed).await, [], "{operation}: nobody is told of what is not recorded");
        world.table.heal();
        let again = relayed_by(&relay_of(world.store.clone(), Queues::default()), &records).await;
        assert_eq!(again.failed, [""; 0]);
    }
}

fn attempt(status: u16) -> Attempt {
    let outcome = AttemptOutcome::Status { status, head: String::new() };
    Attempt { at: fixtures::now(), took: Duration::ZERO, outcome }
}

/// The jobs that follow from a delivery's writes, one after the other.
async fn jobs_after(writes: &[Delivery]) -> Vec<Job> {
    let world = World::new().await;
    let seen = world.records().len();
    let mut before = None;
    for delivery in writes {
        assert_eq!(world.store.record_delivery(before, delivery).await.unwrap(), DeliveryRecorded::Yes);
        before = Some(delivery);
    }
    let (relayed, calls) = world.relayed_from(seen).await;
    assert_eq!((relayed.failed, calls.count()), (vec![], 0));
    relayed.jobs
}

fn delivery() -> Delivery {
    let refund = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key-1").refund;
    Delivery::first(&fixtures::beginning(&refund), target(1), fixtures::now())
}

#[tokio::test]
async fn a_short_wait_goes_to_the_queue_with_what_is_left_of_it() {
    // The relay's clock stands at ten seconds after the try.
    let once = delivery().after(attempt(500), None, 1_000);
    let twice = once.after(attempt(500), None, 1_000);
    for (write, left) in [(&once, 0), (&twice, 290)] {
        let jobs = jobs_after(std::slice::from_ref(write)).await;
        let [Job::Webhook { job, lane, delay }] = jobs.as_slice() else { panic!("{jobs:?}") };
        assert_eq!((&job.target, &job.event, job.turn), (&write.target, &write.event, write.turn));
        assert_eq!((*lane, *delay), (Lane::Retries, Duration::from_secs(left)));
    }
}

#[tokio::test]
async fn a_long_wait_is_sent_when_it_is_woken_and_only_once() {
    let resting = (0..3).fold(delivery(), |one, _| one.after(attempt(500), None, 1_000));
    assert!(resting.rests);
    assert_eq!(jobs_after(std::slice::from_ref(&resting)).await, []);
    let woken = [resting.clone(), resting.woken(fixtures::now())];
    let jobs = jobs_after(&woken).await;
    let [Job::Webhook { job, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!(job.turn, 4);
    let once = resting.woken(fixtures::now());
    assert_eq!(jobs_after(&[once.clone(), once.clone()]).await.len(), 1);
    // An hour later nobody has worked on it: its message was lost.
    assert_eq!(jobs_after(&[once.clone(), once.woken(later(3_600_000))]).await.len(), 2);
}

#[tokio::test]
async fn a_redelivery_is_sent_at_once_and_what_has_ended_is_not() {
    let delivered = delivery().after(attempt(200), None, 1_000);
    let given_up = delivery().given_up(GivenUp::EndpointDeleted);
    for ended in [&delivered, &given_up] {
        assert_eq!(jobs_after(std::slice::from_ref(ended)).await, []);
        let jobs = jobs_after(&[ended.clone(), ended.again(fixtures::now())]).await;
        let [Job::Webhook { job, delay, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
        assert_eq!((job.turn, *delay), (3, Duration::ZERO));
    }
    assert!(matches!(delivered.standing, Standing::Delivered));
}

#[tokio::test]
async fn an_endpoint_switched_off_for_failing_is_announced_to_the_others() {
    for (reason, announced) in
        [(DisabledReason::Gone, true), (DisabledReason::Failing, true), (DisabledReason::ByOwner, false)]
    {
        let dead = fixtures::endpoint(1);
        let deafened = hearing(3, &["refund.failed"]);
        let world = World::with_endpoints(&[dead.clone(), fixtures::endpoint(2), deafened]).await;
        let seen = world.records().len();
        world.store.switch_off(&dead, reason, later(50)).await.unwrap();
        let (relayed, _) = world.relayed_from(seen).await;
        let expected = [(target(2), Lane::First, EventType::EndpointDisabled)];
        assert_eq!(told(&relayed).await, if announced { &expected[..] } else { &[] }, "{reason:?}");
    }
}

#[tokio::test]
async fn the_last_endpoints_own_end_is_recorded_for_who_looks() {
    let dead = fixtures::endpoint(1);
    let world = World::with_endpoints(std::slice::from_ref(&dead)).await;
    let seen = world.records().len();
    world.store.switch_off(&dead, DisabledReason::Failing, later(50)).await.unwrap();
    let (relayed, _) = world.relayed_from(seen).await;
    assert_eq!(told(&relayed).await, []);
    let event = Event::of_disabled(&tenant(), &dead.id, DisabledReason::Failing, later(50));
    assert!(world.store.event(&tenant(), &event.id).await.unwrap().is_some());
}

#[tokio::test]
async fn poison_among_deliveries_and_endpoints_is_buried_too() {
    let world = World::with_endpoints(&[fixtures::endpoint(1)]).await;
    world.store.record_delivery(None, &delivery().after(attempt(500), None, 1_000)).await.unwrap();
    world.store.record_failing(&fixtures::endpoint(1), later(1)).await.unwrap();
    let records = world.records();
    for (attribute, wrong) in [("turn", "x"), ("revision", "x")] {
        let with = |record: &&Value| record["dynamodb"]["NewImage"].get(attribute).is_some();
        let mut poison = records.iter().rfind(with).unwrap().clone();
        poison["dynamodb"]["NewImage"][attribute] = serde_json::json!({ "S": wrong });
        let relayed = relayed_by(&relay_of(world.store.clone(), Queues::default()), &[poison]).await;
        assert_eq!((relayed.dead_lettered.len(), relayed.failed.len()), (1, 0), "{attribute}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_read_holds_up_neither_money_nor_the_stream() {
    let world = World::with_endpoints(&[fixtures::endpoint(1)]).await;
    let item = world
        .table
        .items()
        .await
        .into_iter()
        .find(|item| item.contains_key("webhook_secret") && item.contains_key("url"))
        .unwrap();
    let update = world.table.plain().update_item().table_name(world.table.name());
    let update = update.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
    update.update_expression("REMOVE created_at").send().await.unwrap();
    let seen = world.records().len();
    world.refund_without_url().await;
    let (relayed, _) = world.relayed_from(seen).await;
    assert_eq!(relayed.refund_jobs(), 1);
    assert_eq!((relayed.failed.len(), relayed.dead_lettered.len()), (0, 0));
    assert_eq!(told(&relayed).await, [(target(1), Lane::First, EventType::Initiated)]);
}

/// Coming again would hold up every other record behind it.
#[tokio::test]
async fn an_event_with_unreadable_receivers_is_buried_and_the_stream_goes_on() {
    let world = World::with_endpoints(&[fixtures::endpoint(1)]).await;
    let seen = world.records().len();
    let refund = world.refund_without_url().await;
    let (first, _) = world.relayed_from(seen).await;
    assert_eq!(told(&first).await.len(), 1);
    let id = fixtures::beginning(&refund).id;
    let items = world.table.items().await;
    let item = items.iter().find(|item| item["sk"].as_s().unwrap() == id.as_str()).unwrap();
    world.table.set_text(item, "receivers", "nonsense").await;
    let is_refund = |record: &Value| record["dynamodb"]["Keys"]["sk"]["S"] == "refund";
    let records: Vec<Value> = world.records().into_iter().filter(is_refund).collect();
    let again = relayed_by(&relay_of(world.store.clone(), Queues::default()), &records).await;
    assert_eq!((again.refund_jobs(), again.jobs.len()), (1, 1));
    assert_eq!((again.dead_lettered.len(), again.failed.len()), (1, 0));
}

#[tokio::test]
async fn a_pending_refund_tells_every_step() {
    let world = World::with_endpoints(&[fixtures::endpoint(1)]).await;
    let seen = world.records().len();
    let refund = world.refund_without_url().await;
    let pending = world.settle(&refund, Outcome::Pending).await;
    world.settle(&pending, fixtures::failed()).await;
    let types: Vec<EventType> =
        told(&world.relayed_from(seen).await.0).await.into_iter().map(|(_, _, r#type)| r#type).collect();
    assert_eq!(types, [EventType::Initiated, EventType::Processing, EventType::Failed]);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_read_keeps_the_others_from_nothing() {
    let world = World::with_endpoints(&[fixtures::endpoint(1), fixtures::endpoint(2)]).await;
    let bad = fixtures::endpoint(1).id;
    let items = world.table.items().await;
    let item = items.iter().find(|item| item["sk"].as_s().unwrap() == bad.as_str()).unwrap();
    world.table.set_text(item, "created_at", "nonsense").await;
    world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    let is_refund = |record: &serde_json::Value| record["dynamodb"]["Keys"]["sk"]["S"] == "refund";
    let records: Vec<_> = world.records().into_iter().filter(is_refund).collect();
    let context = crate::relay_of(world.store.clone(), crate::Queues::default());
    let relayed = crate::relayed_by(&context, &records).await;
    let told: Vec<_> = relayed.webhook_jobs().map(|job| job.target.clone()).collect();
    // It may listen, too: its try waits in the queue until a person has put its item right.
    assert_eq!(told, [target(2), target(1), Target::RefundUrl]);
    assert_eq!((relayed.dead_lettered.len(), relayed.failed.len()), (0, 0));
}
