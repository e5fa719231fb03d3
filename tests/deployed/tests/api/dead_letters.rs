//! What the queues gave up: an administrator sees whose it is, and puts it back with one command.

use recoup_deployed_tests::{Receiver, Stack};
use serde_json::{Value, json};

/// The message that is about this, once no other test is looking at it: who reads hides for a moment.
async fn shown(stack: &Stack, queue: &str, about: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..20 {
        last = stack.admin(json!({ "command": "dead_letters", "queue": queue })).await.unwrap();
        assert_eq!(last["queue"], queue);
        if let Some(found) = last["messages"].as_array().unwrap().iter().find(|message| about(message)) {
            return found.clone();
        }
    }
    panic!("not shown: {last:#}");
}

/// Puts back what is given up of one refund, once no other test is looking at it.
async fn put_back(stack: &Stack, queue: &str, refund: &str) -> Value {
    let command = json!({ "command": "put_back", "queue": queue, "refund_id": refund });
    for _ in 0..20 {
        let done = stack.admin(command.clone()).await.unwrap();
        if done["put_back"] != 0 {
            return done;
        }
    }
    panic!("nothing of {refund} was put back");
}

#[tokio::test]
async fn a_refund_whose_job_was_given_up_is_shown_put_back_and_ends() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    account.register_plain("pay_given_up", 1_000, "sandbox_succeed").await;
    let created = account.refund(None, json!({ "payment_id": "pay_given_up", "amount": 400 })).await;
    let refund = created.text("id").to_owned();
    account.refund_in(&refund, "succeeded").await;
    // Seven hours of a processor's silence are too long for a test: its end is undone behind everybody's back, and
    // its job is where such a silence would have brought it.
    stack.undo_end(&account.id, &refund).await;
    let job = json!({ "environment": "sandbox", "account_id": account.id, "refund_id": refund }).to_string();
    stack.send("RECOUP_REFUND_JOBS_DLQ_URL", &job).await;
    let poison = format!("unreadable {:?}", std::time::SystemTime::now());
    stack.send("RECOUP_REFUND_JOBS_DLQ_URL", &poison).await;

    let message = shown(&stack, "refund_jobs", |message| message["refund_id"] == refund.as_str()).await;
    assert_eq!((&message["environment"], &message["account_id"]), (&json!("sandbox"), &json!(account.id)));
    assert!(message["sent_at"].is_string() && message["receive_count"].is_u64(), "{message}");
    let unreadable = shown(&stack, "refund_jobs", |message| message["problem"].is_string()).await;
    assert_eq!(unreadable["refund_id"], Value::Null);
    assert_eq!(account.get(&format!("/v1/refunds/{refund}")).await.text("status"), "initiated");

    let done = put_back(&stack, "refund_jobs", &refund).await;
    assert_eq!(done["put_back"], 1, "{done}");
    account.refund_in(&refund, "succeeded").await;
    let payment = account.payment("pay_given_up").await;
    assert_eq!((&payment["refundable_amount"], &payment["refunded_amount"]), (&json!(600), &json!(400)));

    // Putting back everything leaves what cannot be read, and says so.
    let rest = stack.admin(json!({ "command": "put_back", "queue": "refund_jobs" })).await.unwrap();
    assert!(!rest["skipped"].as_array().unwrap().is_empty(), "{rest}");
    stack.message("RECOUP_REFUND_JOBS_DLQ_URL", |body| body == poison).await;
}

#[tokio::test]
async fn a_dead_webhook_is_shown_by_its_event_and_tried_among_the_retries() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_plain("pay_untold", 1_000, "sandbox_succeed").await;
    let urls = json!({ "webhook": receiver.url });
    account.refund(None, json!({ "payment_id": "pay_untold", "urls": urls })).await;
    let told = receiver.take(2).await.remove(0);
    let refund = &told.body["data"];
    // The job of a receiver that came later, as it would be had the table not answered eight times.
    let endpoint = json!({ "url": receiver.url });
    let endpoint = account.send("POST", "/v1/webhook-endpoints", &[], Some(endpoint.to_string())).await;
    let (event, target) = (told.id(), endpoint.text("id"));
    // A field of another version is ignored, and shown to nobody.
    let job = json!({
        "environment": "sandbox", "account_id": account.id, "event_id": event, "refund_id": refund["id"],
        "target": target, "turn": 1, "metadata": { "note": "for its owner alone" },
    });
    stack.send("RECOUP_WEBHOOK_JOBS_DLQ_URL", &job.to_string()).await;
    let message = shown(&stack, "webhook_jobs", |message| message["event_id"] == event).await;
    assert_eq!((&message["refund_id"], &message["target"]), (&refund["id"], &json!(target)));
    assert!(!message.to_string().contains("owner alone"), "{message}");
    put_back(&stack, "webhook_jobs", refund["id"].as_str().unwrap()).await;
    assert_eq!(receiver.take(1).await[0].id(), event);
}

#[tokio::test]
async fn what_the_stream_could_not_tell_is_shown_and_nobody_can_put_it_back() {
    let stack = Stack::running();
    let account_id = stack.new_account().await.id;
    let refund = format!("rfd_{}", "7".repeat(26));
    // An item of no version of this program: the stream brings it, and relay-events buries it.
    let pk = format!("sandbox#{account_id}#refund#{refund}");
    stack.put_item(&[("pk", &pk), ("sk", "refund")]).await;
    let message = shown(&stack, "relay", |message| message["account_id"] == account_id.as_str()).await;
    assert_eq!((&message["refund_id"], &message["environment"]), (&json!(refund), &json!("sandbox")));
    let refused = stack.admin(json!({ "command": "put_back", "queue": "relay" })).await.unwrap_err();
    assert!(refused.contains("reconcile"), "{refused}");
}
