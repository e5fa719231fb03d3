//! Messages fail one by one.

use std::sync::{Mutex, OnceLock};

use recoup_domain::refund::{Outcome, Refund, State};
use recoup_domain::time::Timestamp;
use recoup_ports::charges::ChargeQuestion;
use recoup_ports::direct::DirectRequest;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::{Fault, fixtures};
use serde_json::{Value, json};

use crate::{Context, EVENT, World, batch, context, failed, handle, job, message};

fn again(id: &str, seconds: u32) -> (String, u32) {
    (format!("handle of {id}"), seconds)
}

#[tokio::test]
async fn an_absent_refund_and_a_body_that_is_no_job_fail_in_the_recorded_event() {
    let (world, _) = World::with_refund("sandbox_succeed").await;
    let context = world.sandbox();
    let event: Value = serde_json::from_str(EVENT).unwrap();
    let answer = batch(handle(&context, event.clone()).await.unwrap());
    let text = |index: usize, field: &str| event["Records"][index][field].as_str().unwrap().to_owned();
    let mut failed: Vec<_> = answer.failed().map(str::to_owned).collect();
    failed.sort();
    assert_eq!(failed, [text(0, "messageId"), text(1, "messageId")]);
    let handle = |index| text(index, "receiptHandle");
    assert_eq!(context.pace.take(), [(handle(0), 2), (handle(1), 0)]);
    let ids = [json!({"itemIdentifier": failed[0]}), json!({"itemIdentifier": failed[1]})];
    let mut told = serde_json::to_value(&answer).unwrap();
    told["batchItemFailures"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(told, json!({ "batchItemFailures": ids }));
}

#[tokio::test]
async fn an_unreadable_message_fails_alone_and_comes_back_until_it_is_buried() {
    let (world, refund) = World::with_refund("sandbox_succeed").await;
    let context = world.sandbox();
    let good = job(&refund);
    let forged = good.replace("rfd_", "evt_");
    let test = good.replace("sandbox", "test");
    let wrong = good.replace("\"turn\":0", "\"turn\":\"0\"");
    let messages = vec![
        message("m1", 1, "no job"),
        message("m2", 1, "{}"),
        message("m3", 9, &forged),
        message("m4", 1, &test),
        message("m5", 1, &wrong),
        message("m6", 1, &good),
    ];
    assert_eq!(failed(&context, messages).await, ["m1", "m2", "m3", "m4", "m5"]);
    assert_eq!(context.pace.take(), ["m1", "m2", "m3", "m4", "m5"].map(|id| again(id, 0)));
    assert_eq!(world.refund(&refund).await.version.state, State::Succeeded);
}

#[tokio::test]
async fn a_message_without_its_receipt_is_left_to_the_queues_own_time_out() {
    let (world, refund) = World::with_refund("sandbox_succeed").await;
    let context = world.sandbox();
    let mut bad = message("m1", 1, &job(&refund));
    bad.as_object_mut().unwrap().remove("receiptHandle");
    assert_eq!(failed(&context, vec![bad]).await, ["m1"]);
    assert_eq!(context.pace.take(), []);
    assert_eq!(world.refund(&refund).await.version.state, State::Initiated);
}

#[tokio::test]
async fn an_event_that_cannot_be_answered_in_part_fails_as_a_whole() {
    let (world, refund) = World::with_refund("sandbox_succeed").await;
    let mut nameless = message("m2", 1, &job(&refund));
    nameless.as_object_mut().unwrap().remove("messageId");
    for event in [json!({ "Records": [message("m1", 1, &job(&refund)), nameless] }), json!({})] {
        assert!(handle(&world.sandbox(), event).await.is_err());
    }
    assert_eq!(world.refund(&refund).await.version.state, State::Initiated, "nothing was begun");
}

#[tokio::test]
async fn a_refund_that_does_not_exist_is_kept_for_a_person() {
    let (world, mut refund) = World::with_refund("sandbox_succeed").await;
    refund.id = fixtures::refund_id("no-such-key");
    let context = world.sandbox();
    assert_eq!(failed(&context, vec![message("m1", 3, &job(&refund))]).await, ["m1"]);
    assert_eq!(context.pace.take(), [again("m1", 60)]);
}

#[tokio::test]
async fn another_tenants_job_finds_nothing() {
    let (world, mut refund) = World::with_refund("sandbox_succeed").await;
    let ours = refund.clone();
    refund.tenant = fixtures::tenant_of(recoup_domain::ids::Environment::Live, 1);
    assert_eq!(failed(&world.sandbox(), vec![message("m1", 1, &job(&refund))]).await, ["m1"]);
    assert_eq!(world.refund(&ours).await.version.state, State::Initiated);
}

#[tokio::test]
async fn a_queue_that_does_not_pace_a_message_keeps_it_all_the_same() {
    let (world, mut refund) = World::with_refund("any").await;
    refund.id = fixtures::refund_id("no-such-key");
    let mut context = world.script([Outcome::Unknown]);
    context.pace.broken = true;
    assert_eq!(failed(&context, vec![message("m1", 1, &job(&refund))]).await, ["m1"]);
}

#[tokio::test(start_paused = true)]
async fn one_refund_that_cannot_be_read_from_the_table_does_not_stop_the_others() {
    let world = World::new("sandbox_succeed").await;
    let mut refunds = Vec::new();
    for n in 0..10 {
        let wanted = fixtures::wanted_of(&world.payment, 0, &[(fixtures::SELLER, 100)]);
        refunds.push(world.reserve(&format!("key-{n}"), &wanted).await);
    }
    let context = world.sandbox();
    // Three tries each: whichever jobs meet them, at most two fail.
    world.table.fail("GetItem", 6, Fault::LoseRequest);
    let messages = |receives| {
        let one = |(n, refund): (usize, &Refund)| message(&format!("m{n}"), receives, &job(refund));
        refunds.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let kept = failed(&context, messages(1)).await;
    assert!(kept.len() <= 2, "{kept:?}");
    assert!(failed(&context, messages(2)).await.is_empty());
    for refund in &refunds {
        assert_eq!(world.refund(refund).await.version.state, State::Succeeded);
    }
    assert_eq!(world.left().await, (2100, vec![100, 1500, 500]));
}

/// Counts who is being asked about at once.
#[derive(Default)]
struct Busy {
    now_and_most: Mutex<(usize, usize)>,
}

impl Processor for Busy {
    async fn refund(&self, _: &Refund) -> Outcome {
        let change = |by: isize| {
            let mut counts = self.now_and_most.lock().unwrap();
            counts.0 = counts.0.checked_add_signed(by).unwrap();
            counts.1 = counts.1.max(counts.0);
        };
        change(1);
        tokio::time::sleep(std::time::Duration::from_secs(8)).await;
        change(-1);
        fixtures::succeeded()
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        LookedUp::Stands(self.refund(refund).await)
    }
}

/// A clock that goes with the paused one.
fn running() -> Timestamp {
    static BEGAN: OnceLock<tokio::time::Instant> = OnceLock::new();
    fixtures::later(5_000).plus(BEGAN.get_or_init(tokio::time::Instant::now).elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_whole_batch_at_a_slow_processor_fits_into_the_functions_time() {
    for of_one_charge in [false, true] {
        whole_batch(of_one_charge).await;
    }
}

async fn whole_batch(of_one_charge: bool) {
    let mut world = World::new("any").await;
    let mut messages = Vec::new();
    let template = include_str!("../../../../template.yaml");
    let mapping = template.split("Queue: !GetAtt RefundJobs.Arn").nth(1).unwrap();
    let size = mapping.lines().find_map(|line| line.trim().strip_prefix("BatchSize: ")).unwrap();
    for n in 0..size.parse().unwrap() {
        if !of_one_charge {
            let terms = world.payment.terms();
            world.register(fixtures::registered(&format!("pay_{n}"), terms)).await;
        }
        let wanted = fixtures::wanted_of(&world.payment, 0, &[(fixtures::SELLER, 100)]);
        let refund = world.reserve(&format!("key-{n}"), &wanted).await;
        messages.push(message(&format!("m{n}"), 1, &job(&refund)));
    }
    let context: Context<_, Busy, _, _> = Context { now: running, ..context(&world.table, Busy::default()) };
    let began = tokio::time::Instant::now();
    assert!(failed(&context, messages).await.is_empty());
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    let most = context.processor.now_and_most.lock().unwrap().1;
    assert_eq!(most > 1, !of_one_charge, "{most} at once");
    let put_off = world.everything().await.iter().filter(|item| item.contains_key("postponed")).count();
    assert_eq!(put_off > 0, of_one_charge, "{put_off} are asked about later");
}

#[tokio::test]
async fn a_charge_is_read_for_whoever_may_open_no_key() {
    let world = World::new("sandbox_succeed").await;
    let question = ChargeQuestion::new(&world.payment.tenant, &world.payment.processor);
    let asked = json!(DirectRequest::ReadCharge(question));
    let account = world.payment.tenant.account.as_str();
    let expected = json!({ "environment": "sandbox", "account_id": account, "processor": "sandbox",
                           "reference": "sandbox_succeed" });
    assert_eq!(asked["read_charge"], expected);
    let answer = handle(&world.sandbox(), asked).await.unwrap();
    assert_eq!(json!(answer), json!({ "outcome": "not_told" }));
    assert!(handle(&world.sandbox(), json!({ "read_charge": {} })).await.is_err());
}
