//! What the queues gave up is shown by its names, and put back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lambda_runtime::Diagnostic;
use recoup_domain::delivery::Target;
use recoup_domain::ids::{EndpointId, EventId, RefundId};
use recoup_domain::time::Timestamp;
use recoup_ports::dead_letters::DeadLetterQueue::{self, RefundJobs, Relay, WebhookJobs};
use recoup_ports::jobs::{Job, Lane, PaymentJob, RefundJob, WebhookJob};
use recoup_testing::routes::RESOURCES;
use recoup_testing::{TestTable, fixtures};
use serde_json::{Value, json};

use crate::world::{Admin, admin, handle};

/// Stands in metadata: nobody but its owner may read it.
const PRIVATE: &str = "born 1 April 1980";

struct World {
    context: Admin,
}

impl World {
    fn with_clock(now: fn() -> Timestamp) -> Self {
        Self { context: admin(&TestTable::new(), now, || 1) }
    }

    fn new() -> Self {
        Self::with_clock(fixtures::now)
    }

    fn gives_up(&self, queue: DeadLetterQueue, id: &str, body: &str) {
        self.context.dead_letters.add(queue, id, body);
    }

    async fn does(&self, command: Value) -> Value {
        handle(&self.context, command).await.unwrap()
    }

    async fn refuses(&self, command: Value) -> Diagnostic {
        Diagnostic::from(handle(&self.context, command).await.unwrap_err())
    }

    fn visible(&self) -> Vec<String> {
        self.context.dead_letters.visible()
    }
}

fn refund_job(number: u128) -> RefundJob {
    RefundJob { tenant: fixtures::tenant(), refund: RefundId::from_bits(number), turn: Some(0) }
}

fn webhook_job(refund: u128) -> WebhookJob {
    let (tenant, event) = (fixtures::tenant(), EventId::from_bits(3));
    let (refund, target) = (Some(RefundId::from_bits(refund)), Target::Endpoint(EndpointId::from_bits(5)));
    WebhookJob { tenant, event, refund, target, turn: 2 }
}

fn show(queue: &str) -> Value {
    json!({ "command": "dead_letters", "queue": queue })
}

fn put_back(queue: &str) -> Value {
    json!({ "command": "put_back", "queue": queue })
}

#[tokio::test]
async fn a_dead_refund_job_is_shown_with_its_refund_and_can_be_put_back() {
    let world = World::new();
    world.gives_up(RefundJobs, "m1", &serde_json::to_string(&refund_job(2)).unwrap());
    let shown = world.does(show("refund_jobs")).await;
    let expected = json!({
        "queue": "refund_jobs",
        "approximate_count": 1,
        "more": false,
        "messages": [{
            "message_id": "m1",
            "sent_at": "2026-11-22T09:30:00.000Z",
            "receive_count": 9,
            "environment": "sandbox",
            "account_id": fixtures::tenant().account.as_str(),
            "refund_id": RefundId::from_bits(2).as_str(),
            "source_queue": "source",
        }],
    });
    assert_eq!(shown, expected);
    // Looking does not hide it from whoever wants it back.
    assert_eq!(world.visible(), ["m1"]);
    let done = world.does(put_back("refund_jobs")).await;
    assert_eq!(done, json!({ "put_back": 1, "left": 0, "skipped": [], "more": false }));
    assert_eq!(
        world.context.dead_letters.sent(),
        [Job::Refund { job: refund_job(2), delay: Duration::ZERO }]
    );
    assert!(world.visible().is_empty());
}

#[tokio::test]
async fn a_dead_question_about_a_payment_is_shown_with_it_and_put_back() {
    let world = World::new();
    let payment = fixtures::payment_id("pay_1");
    let job = PaymentJob { tenant: fixtures::tenant(), payment, turn: 3 };
    world.gives_up(RefundJobs, "m1", &serde_json::to_string(&job).unwrap());
    let shown = world.does(show("refund_jobs")).await;
    let message = &shown["messages"][0];
    assert_eq!((&message["payment_id"], &message["refund_id"]), (&json!("pay_1"), &Value::Null));
    assert_eq!(world.does(put_back("refund_jobs")).await["put_back"], 1);
    assert_eq!(world.context.dead_letters.sent(), [Job::Payment { job, delay: Duration::ZERO }]);
}

#[tokio::test]
async fn a_dead_webhook_is_shown_by_its_names_and_goes_back_to_the_retries() {
    let world = World::new();
    world.gives_up(WebhookJobs, "m1", &serde_json::to_string(&webhook_job(2)).unwrap());
    let shown = world.does(show("webhook_jobs")).await;
    let message = &shown["messages"][0];
    assert_eq!(message["refund_id"], RefundId::from_bits(2).as_str());
    assert_eq!(message["event_id"], EventId::from_bits(3).as_str());
    assert_eq!(message["target"], EndpointId::from_bits(5).as_str());
    assert!(!shown.to_string().contains(PRIVATE), "a body was shown");
    world.does(put_back("webhook_jobs")).await;
    let expected = Job::Webhook { job: webhook_job(2), lane: Lane::Retries, delay: Duration::ZERO };
    assert_eq!(world.context.dead_letters.sent(), [expected]);
}

#[tokio::test]
async fn what_nobody_can_read_is_named_but_neither_printed_nor_put_back() {
    let world = World::new();
    let own = &serde_json::to_string(&refund_job(2)).unwrap();
    let bodies = [
        PRIVATE.to_owned(),
        own.replace("rfd_", "rfd-"),
        own.replace("\"turn\":0", &format!("\"turn\":\"{PRIVATE}\"")),
    ];
    for (number, body) in bodies.iter().enumerate() {
        world.gives_up(RefundJobs, &format!("m{number}"), body);
    }
    let shown = world.does(show("refund_jobs")).await;
    for message in shown["messages"].as_array().unwrap() {
        assert!(message["problem"].as_str().unwrap().starts_with("unreadable job"), "{message}");
        assert_eq!(message["refund_id"], Value::Null);
    }
    let done = world.does(put_back("refund_jobs")).await;
    assert_eq!((&done["put_back"], &done["left"]), (&json!(0), &json!(3)));
    let skipped: Vec<&Value> =
        done["skipped"].as_array().unwrap().iter().map(|one| &one["message_id"]).collect();
    assert_eq!(skipped, ["m0", "m1", "m2"]);
    for answer in [shown, done] {
        assert!(!answer.to_string().contains("1980"), "a body was shown");
    }
    assert_eq!(world.visible().len(), 3);
}

#[tokio::test]
async fn one_refunds_messages_alone_can_be_put_back() {
    let world = World::new();
    for (id, refund) in [("m1", 2), ("m2", 9), ("m3", 2)] {
        world.gives_up(WebhookJobs, id, &serde_json::to_string(&webhook_job(refund)).unwrap());
        world.gives_up(RefundJobs, &format!("r{id}"), &serde_json::to_string(&refund_job(refund)).unwrap());
    }
    for (queue, left) in [("webhook_jobs", "m2"), ("refund_jobs", "rm2")] {
        let mut command = put_back(queue);
        command["refund_id"] = json!(RefundId::from_bits(2).as_str());
        let done = world.does(command).await;
        assert_eq!(done, json!({ "put_back": 2, "left": 1, "skipped": [], "more": false }));
        assert!(world.visible().contains(&left.to_owned()), "{left}");
    }
    assert_eq!(world.visible().len(), 2);
}

#[tokio::test]
async fn a_job_that_its_queue_does_not_take_stays_where_it_is() {
    let world = World::new();
    for id in ["m1", "m2", "m3"] {
        world.gives_up(RefundJobs, id, &serde_json::to_string(&refund_job(2)).unwrap());
    }
    world.context.dead_letters.refuse("m2");
    let done = world.does(put_back("refund_jobs")).await;
    assert_eq!((&done["put_back"], &done["left"]), (&json!(2), &json!(1)));
    assert_eq!(world.visible(), ["m2"]);
}

#[tokio::test]
async fn a_hundred_are_shown_and_it_is_said_that_there_are_more() {
    for (lie, shown, more) in [(100, 100, false), (101, 100, true), (130, 100, true)] {
        let world = World::new();
        for number in 0..lie {
            world.gives_up(
                RefundJobs,
                &format!("m{number}"),
                &serde_json::to_string(&refund_job(2)).unwrap(),
            );
        }
        let answer = world.does(show("refund_jobs")).await;
        assert_eq!(answer["messages"].as_array().unwrap().len(), shown, "of {lie}");
        assert_eq!((&answer["more"], &answer["approximate_count"]), (&json!(more), &json!(lie)));
        assert_eq!(world.visible().len(), lie);
    }
}

#[tokio::test]
async fn a_thousand_are_put_back_at_a_time_and_then_the_rest() {
    let world = World::new();
    for number in 0..1_100 {
        world.gives_up(RefundJobs, &format!("m{number}"), &serde_json::to_string(&refund_job(2)).unwrap());
    }
    let first = world.does(put_back("refund_jobs")).await;
    assert_eq!((&first["put_back"], &first["more"]), (&json!(1_010), &json!(true)));
    let second = world.does(put_back("refund_jobs")).await;
    assert_eq!((&second["put_back"], &second["more"]), (&json!(90), &json!(false)));
}

/// Each look at it is six seconds later.
fn a_clock_that_runs() -> Timestamp {
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    fixtures::later(LOOKS.fetch_add(1, Ordering::Relaxed).saturating_mul(6_000))
}

#[tokio::test]
async fn a_command_stops_in_time_and_leaves_the_rest_to_the_next() {
    let world = World::with_clock(a_clock_that_runs);
    for number in 0..100 {
        world.gives_up(RefundJobs, &format!("m{number}"), &serde_json::to_string(&refund_job(2)).unwrap());
    }
    let shown = world.does(show("refund_jobs")).await;
    assert_eq!((shown["messages"].as_array().unwrap().len(), &shown["more"]), (30, &json!(true)));
    assert_eq!(world.visible().len(), 100);
    let done = world.does(put_back("refund_jobs")).await;
    assert_eq!((&done["put_back"], &done["more"]), (&json!(30), &json!(true)));
    // It reads for 20 s, may then send its last ten (three tries of 2 s for each of three calls), and what it has read
    // is hidden for 60 s.
    let template = include_str!("../../../../template.yaml");
    let admin = template.split("Binary: admin }").nth(1).unwrap();
    assert!(admin.split("AdminRole:").next().unwrap().contains("\n      Timeout: 40\n"));
}

#[tokio::test]
async fn a_queue_that_fails_is_told_and_hides_nothing() {
    let world = World::new();
    for number in 0..30 {
        world.gives_up(RefundJobs, &format!("m{number}"), &serde_json::to_string(&refund_job(2)).unwrap());
    }
    world.context.dead_letters.fail_after(2);
    assert_eq!(world.refuses(show("refund_jobs")).await.error_type, "Unavailable");
    assert_eq!(world.refuses(put_back("refund_jobs")).await.error_type, "Unavailable");
    assert_eq!(world.visible().len(), 30);
    // What was put back before the fault is told.
    world.context.dead_letters.fail_after(1);
    let done = world.does(put_back("refund_jobs")).await;
    assert_eq!((&done["put_back"], &done["more"]), (&json!(10), &json!(true)));
    assert_eq!(world.visible().len(), 20);
}

#[tokio::test]
async fn what_the_relay_buried_is_named_as_far_as_its_record_tells() {
    let world = World::new();
    let job = refund_job(2);
    let pk = format!("sandbox#{}#refund#{}", job.tenant.account, job.refund);
    let keys = json!({ "pk": { "S": pk }, "sk": { "S": "refund" } });
    let image = json!({ "pk": { "S": pk }, "sk": { "S": "refund" }, "note": { "S": PRIVATE } });
    let record =
        json!({ "eventName": "INSERT", "dynamodb": { "Keys": keys, "NewImage": image } }).to_string();
    let cut = record[..record.find(PRIVATE).unwrap() + 4].to_owned();
    let note = json!({
        "requestContext": { "condition": "RetryAttemptsExhausted" },
        "DDBStreamBatchInfo": {
            "shardId": "shardId-1", "startSequenceNumber": "8", "endSequenceNumber": "9", "batchSize": 2,
        },
    });
    for (id, body) in
        [("whole", record), ("cut", cut), ("note", note.to_string()), ("text", PRIVATE.to_owned())]
    {
        world.gives_up(Relay, id, &body);
    }
    let shown = world.does(show("relay")).await;
    assert!(!shown.to_string().contains("born"), "a body was shown");
    let message = |id: &str| {
        let mut messages = shown["messages"].as_array().unwrap().iter();
        messages.find(|message| message["message_id"] == id).unwrap().clone()
    };
    for id in ["whole", "cut"] {
        let message = message(id);
        assert_eq!(message["refund_id"], job.refund.as_str(), "{id}");
        assert_eq!(
            (&message["environment"], message["account_id"].as_str()),
            (&json!("sandbox"), Some(job.tenant.account.as_str()))
        );
    }
    assert!(message("note")["problem"].as_str().unwrap().starts_with("a batch of the stream"));
    let place = json!({ "shard_id": "shardId-1", "first_sequence_number": "8", "last_sequence_number": "9", "records": 2 });
    assert_eq!(message("note")["batch"], place);
    assert_eq!(message("text")["problem"], "it names no item of this table");

    let refused = world.refuses(put_back("relay")).await;
    assert_eq!(refused.error_type, "InvalidCommand");
    assert!(refused.error_message.contains("reconcile"), "{}", refused.error_message);
    assert_eq!(world.visible().len(), 4);
}

#[tokio::test]
async fn a_queue_or_a_refund_that_does_not_exist_is_told() {
    let world = World::new();
    let mut of_nobody = put_back("refund_jobs");
    of_nobody["refund_id"] = json!("rfd_1");
    for (command, told) in [
        (show("refunds"), "refunds"),
        (put_back("webhook_retries"), "webhook_retries"),
        (of_nobody, "refund_id must be rfd_"),
    ] {
        let refused = world.refuses(command).await;
        assert_eq!(refused.error_type, "InvalidCommand");
        assert!(refused.error_message.contains(told), "{}", refused.error_message);
    }
}

#[test]
fn an_alarm_watches_every_dead_letter_queue() {
    let queues: Vec<&str> = RESOURCES.keys().filter_map(|name| name.strip_suffix("DeadLetters")).collect();
    assert_eq!(queues, ["RefundJobs", "Relay", "WebhookJobs"]);
    for queue in queues {
        let alarm = &RESOURCES[&format!("{queue}DeadLettersAlarm")]["Properties"];
        let watched = format!("{queue}DeadLetters.QueueName");
        assert_eq!(alarm["Dimensions"], json!([{ "Name": "QueueName", "Value": watched }]));
        assert_eq!(alarm["MetricName"], "ApproximateNumberOfMessagesVisible", "{queue}");
        assert_eq!((&alarm["Threshold"], &alarm["Period"]), (&json!(0), &json!(60)), "{queue}");
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold", "{queue}");
    }
}
