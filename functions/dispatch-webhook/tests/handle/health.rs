//! Endpoints that fail, recover, and are switched off; and who stands in whose way.

use std::sync::atomic::{AtomicUsize, Ordering};

use recoup_domain::delivery::{GivenUp, Standing, Target};
use recoup_domain::endpoint::{DisabledReason, Endpoint, Switch};
use recoup_domain::event::Event;
use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use recoup_ports::events::RecordEvents;
use recoup_ports::jobs::WebhookJob;
use recoup_ports::settlement::Settle;
use recoup_ports::webhooks::{Deliver, Reply, SendError};
use recoup_testing::fixtures::{self, later};
use tokio::sync::Notify;

use crate::{CLOCK, World, answering, answering_in_turn, message, url};

const DAY: u64 = 24 * 3_600_000;

#[tokio::test]
async fn a_410_disables_the_endpoint_and_says_so() {
    let receiver = answering("410 Gone").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id.clone());
    world.work(&world.job(target.clone(), 1)).await;
    let stored = world.stored(&endpoint).await;
    assert!(matches!(stored.switch, Switch::Off { reason: DisabledReason::Gone, .. }));
    assert_eq!(world.delivery(&target).await.unwrap().standing, Standing::DeadLettered(GivenUp::Gone));
}

#[tokio::test]
async fn a_410_of_a_refunds_own_url_ends_its_delivery() {
    let receiver = answering("410 Gone").await;
    let world = World::new(&url(&receiver)).await;
    world.work(&world.job(Target::RefundUrl, 1)).await;
    let standing = world.delivery(&Target::RefundUrl).await.unwrap().standing;
    assert_eq!(standing, Standing::DeadLettered(GivenUp::Gone));
}

#[tokio::test]
async fn failing_is_noted_once_and_a_success_ends_it() {
    let receiver = answering_in_turn(&["500 Oops", "500 Oops", "200 OK"]).await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id.clone());
    world.work(&world.job(target.clone(), 1)).await;
    assert_eq!(world.table.take_calls().operations(), ["BatchGetItem", "UpdateItem", "PutItem"]);
    let since = world.stored(&endpoint).await.failing_since;
    assert!(since.is_some());
    world.table.take_calls();
    world.work(&world.job(target.clone(), 2)).await;
    assert_eq!(world.table.take_calls().operations(), ["BatchGetItem", "PutItem"]);
    assert_eq!(world.stored(&endpoint).await.failing_since, since);
    world.table.take_calls();
    world.work(&world.job(target, 3)).await;
    assert_eq!(world.table.take_calls().operations(), ["BatchGetItem", "PutItem", "UpdateItem"]);
    assert_eq!(world.stored(&endpoint).await, endpoint);
}

#[tokio::test]
async fn an_endpoint_is_switched_off_after_five_days_and_not_a_moment_sooner() {
    for (days_less, off) in [(1, false), (0, true)] {
        CLOCK.store(5 * DAY - days_less, Ordering::Relaxed);
        let receiver = answering("500 Oops").await;
        let world = World::new("https://unused.example.com/").await;
        let failing = Endpoint {
            failing_since: Some(fixtures::now()),
            url: TargetUrl::unchecked(url(&receiver)),
            ..fixtures::endpoint(1)
        };
        recoup_ports::endpoints::KeepEndpoints::create_endpoint(&world.store, &failing).await.unwrap();
        // The first tries of an event may have met a blip; the fourth is one too many.
        for turn in 1..=4 {
            assert_eq!(world.stored(&failing).await.switch, Switch::On);
            world.work(&world.job(Target::Endpoint(failing.id.clone()), turn)).await;
        }
        let switch = world.stored(&failing).await.switch;
        let expected = Switch::Off { reason: DisabledReason::Failing, at: later(5 * DAY) };
        assert_eq!(switch, if off { expected } else { Switch::On });
    }
}

/// Lets each delivery wait until it is allowed to end, and counts them.
#[derive(Default)]
struct Gate {
    open: Notify,
    waiting: AtomicUsize,
    passed: AtomicUsize,
    arrived: Notify,
}

impl Deliver for Gate {
    async fn deliver(&self, url: &TargetUrl, _: &Signed) -> Result<Reply, SendError> {
        if url.as_str().contains("slow") {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.arrived.notify_one();
            self.open.notified().await;
        }
        self.passed.fetch_add(1, Ordering::SeqCst);
        self.arrived.notify_one();
        Ok(Reply { status: 200, retry_after: None, head: String::new() })
    }
}

#[tokio::test]
async fn a_slow_receiver_is_waited_for_once_and_no_other_waits_for_it() {
    let world = World::sending("https://unused.example.com/", Gate::default()).await;
    world.endpoint(1, "https://slow.example.com/").await;
    world.endpoint(2, "https://quick.example.com/").await;
    let gate = &world.context.receivers;
    // Nine events for the slow one, and behind them one for the quick one.
    let job = |event: &Event, number| {
        let target = Target::Endpoint(fixtures::endpoint(number).id);
        serde_json::to_string(&WebhookJob::first(event, target)).unwrap()
    };
    let (mut records, mut refund) = (vec![message("slow0", job(&world.event(), 1))], world.refund.clone());
    for n in 1..9_u64 {
        let change = fixtures::renamed(&refund, &n.to_string(), later(n));
        world.store.carry_out(&change).await.unwrap();
        let event = Event::of_change(Some(&refund), change.to());
        world.store.record_event(&event, &[]).await.unwrap();
        records.push(message(&format!("slow{n}"), job(&event, 1)));
        refund = change.into_refund();
    }
    records.push(message("quick", job(&world.event(), 2)));
    let opening = async {
        // No attempt to the slow one ends before all of them have begun and the quick one has ended.
        while gate.passed.load(Ordering::SeqCst) < 1 || gate.waiting.load(Ordering::SeqCst) < 9 {
            gate.arrived.notified().await;
        }
        assert_eq!(gate.passed.load(Ordering::SeqCst), 1);
        gate.open.notify_waiters();
    };
    let (kept, ()) = tokio::join!(world.kept(records), opening);
    assert_eq!(kept, [""; 0]);
    assert_eq!(gate.passed.load(Ordering::SeqCst), 10);
}

#[test]
fn the_template_agrees_with_the_receipts_the_batch_and_the_time() {
    let template = include_str!("../../../../template.yaml");
    let redrive =
        format!("WebhookJobsDeadLetters.Arn, maxReceiveCount: {} }}", dispatch_webhook::RECEIVES_MAX);
    assert_eq!(template.matches(&redrive).count(), 2, "both lanes");
    let after = |text: &str, name: &str| -> usize {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let function = template.split("  DispatchWebhookFunction:").nth(1).unwrap();
    let timeout = after(function, "Timeout:");
    assert!(15 < timeout, "an attempt of 15 s in {timeout} s");
    for lane in ["WebhookJobs", "WebhookRetries"] {
        let mapping = template.split(&format!("Queue: !GetAtt {lane}.Arn")).nth(1).unwrap();
        assert!(after(mapping, "BatchSize:") <= dispatch_webhook::AT_ONCE);
        let queue = template.split(&format!("\n  {lane}:\n")).nth(1).unwrap();
        assert!(after(queue, "VisibilityTimeout:") >= 6 * timeout, "{lane}");
    }
}
