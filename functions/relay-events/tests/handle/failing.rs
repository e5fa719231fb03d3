//! Poison, and queues that do not take what they are sent.

use recoup_domain::wanted::Wanted;
use recoup_ports::jobs::Job;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::{Queues, World, handle, relay, relayed, relayed_by};

fn number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
}

/// The records of so many new refunds, and nothing else.
async fn new_refunds(count: u32) -> Vec<Value> {
    let world = World::new().await;
    for n in 0..count {
        let wanted = fixtures::wanted_of(&fixtures::getpaid_payment(), 0, &[(fixtures::SELLER, 100)]);
        let notes = fixtures::getpaid_wanted().notes;
        world.reserve(&format!("key-{n}"), &Wanted { notes, ..wanted }).await;
    }
    let is_refund = |record: &Value| record["dynamodb"]["Keys"]["sk"]["S"] == "refund";
    let records: Vec<_> = world.records().into_iter().filter(is_refund).collect();
    assert_eq!(records.len(), usize::try_from(count).unwrap());
    records
}

/// Ways in which a record of ours cannot be read.
fn poisoned(record: &Value) -> Vec<Value> {
    let change = |change: fn(&mut Value)| {
        let mut record = record.clone();
        change(&mut record);
        record
    };
    vec![
        change(|record| record["dynamodb"]["NewImage"]["status"] = json!({"S": "lost"})),
        change(|record| record["dynamodb"]["NewImage"]["amount"] = json!({"S": "1500"})),
        change(|record| record["dynamodb"]["NewImage"]["amount"] = json!({"N": "-1"})),
        change(|record| record["dynamodb"]["NewImage"]["pk"] = json!({"S": "live#nobody"})),
        change(|record| record["dynamodb"]["NewImage"] = json!({"nonsense": {"S": "x"}})),
        change(|record| record["dynamodb"]["NewImage"] = json!("no image")),
        change(|record| record["eventName"] = json!("UPSERT")),
        change(|record| record["eventName"] = json!("MODIFY")),
        change(|record| {
            record["eventName"] = json!("MODIFY");
            record["dynamodb"]["OldImage"] = record["dynamodb"]["NewImage"].clone();
            record["dynamodb"]["OldImage"]["sequence"] = json!({"S": "first"});
        }),
    ]
}

#[tokio::test]
async fn poison_is_buried_as_it_came_and_its_batch_goes_on() {
    let records = new_refunds(3).await;
    for poison in poisoned(&records[1]) {
        let relayed = relayed(&[records[0].clone(), poison.clone(), records[2].clone()]).await;
        assert_eq!(relayed.dead_lettered.len(), 1, "{poison}");
        assert_eq!(serde_json::from_str::<Value>(&relayed.dead_lettered[0]).unwrap(), poison);
        assert_eq!((relayed.refund_jobs(), relayed.announced().await.len()), (2, 2), "{poison}");
        assert_eq!(relayed.failed, [""; 0], "{poison}");
    }
}

#[tokio::test]
async fn poison_that_cannot_be_buried_comes_again() {
    let records = new_refunds(3).await;
    let poison = poisoned(&records[1]).remove(0);
    let context = relay(Queues { buries: false, ..Queues::default() });
    let relayed = relayed_by(&context, &[records[0].clone(), poison, records[2].clone()]).await;
    assert_eq!(relayed.failed, [number(&records[1])]);
    // What stands behind it is sent already, and will be sent again: that does no harm.
    assert_eq!(relayed.refund_jobs(), 2);
}

#[tokio::test]
async fn a_batch_that_holds_a_record_without_a_number_fails_as_a_whole() {
    let mut records = new_refunds(2).await;
    records[1]["dynamodb"].as_object_mut().unwrap().remove("SequenceNumber");
    let context = relay(Queues::default());
    assert!(handle(&context, json!({ "Records": records })).await.is_err());
    assert!(handle(&context, json!({ "records": [] })).await.is_err());
    assert!(context.jobs.sent.lock().unwrap().is_empty(), "nothing is sent that would be sent again");
}

#[tokio::test]
async fn a_job_that_is_not_taken_lets_the_stream_come_again_from_its_record() {
    let records = new_refunds(4).await;
    let takes_no_webhook: fn(&Job) -> bool = |job| matches!(job, Job::Refund { .. });
    let takes_no_refund: fn(&Job) -> bool = |job| matches!(job, Job::Webhook { .. });
    for takes in [takes_no_webhook, takes_no_refund, |_: &Job| false] {
        let context = relay(Queues { takes, ..Queues::default() });
        // The lowest alone: naming more would mean the same.
        assert_eq!(relayed_by(&context, &records).await.failed, [number(&records[0])]);
    }
}

#[tokio::test]
async fn only_the_lowest_record_that_failed_is_named() {
    let records = new_refunds(4).await;
    let second_and_fourth: fn(&Job) -> bool = |job| match job {
        Job::Refund { job, .. } => job.refund != fixtures::refund_id("key-1"),
        Job::Payment { .. } => false,
        Job::Webhook { job, .. } => job.refund.as_ref() != Some(&fixtures::refund_id("key-3")),
    };
    let context = relay(Queues { takes: second_and_fourth, ..Queues::default() });
    let relayed = relayed_by(&context, &records).await;
    assert_eq!(relayed.failed, [number(&records[1])]);
    assert_eq!((relayed.refund_jobs(), relayed.announced().await.len()), (3, 3));
}

#[tokio::test]
async fn poison_before_and_after_a_job_that_is_not_taken_is_buried_all_the_same() {
    let records = new_refunds(3).await;
    let batch = [poisoned(&records[0]).remove(0), records[1].clone(), poisoned(&records[2]).remove(6)];
    let context = relay(Queues { takes: |_| false, ..Queues::default() });
    let relayed = relayed_by(&context, &batch).await;
    assert_eq!((relayed.dead_lettered.len(), relayed.failed), (2, vec![number(&records[1])]));
}

#[tokio::test]
async fn a_batch_is_sent_in_one_go() {
    let records = new_refunds(5).await;
    let context = relay(Queues::default());
    let answer = handle(&context, json!({ "Records": records })).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(context.jobs.sent.lock().unwrap().len(), 1);
}
