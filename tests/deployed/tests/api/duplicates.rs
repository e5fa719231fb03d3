//! Duplicates, poison and a receiver that fails: what queues and streams do on an ordinary day.

use recoup_deployed_tests::{Receiver, Stack};
use serde_json::json;

#[tokio::test]
async fn a_receiver_that_fails_first_is_told_again_under_the_same_id() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::answering(&[500, 302]).await;
    account.register_plain("pay_retry", 1_000, "sandbox_succeed").await;
    let urls = json!({ "webhook": receiver.url });
    let created = account.refund(None, json!({ "payment_id": "pay_retry", "urls": urls })).await;
    assert_eq!(created.status, 201, "{:?}", created.body);

    // Two announcements, the first tries of which both fail: four arrivals, two ids, the same bytes each time.
    let mut arrivals = receiver.take(4).await;
    arrivals.sort_by(|one, other| one.id().cmp(other.id()));
    for pair in arrivals.chunks(2) {
        assert_eq!((pair[0].id(), &pair[0].bytes), (pair[1].id(), &pair[1].bytes));
        for webhook in pair {
            webhook.assert_signed_by(&account.webhook_secret);
        }
    }
    assert_ne!(arrivals[0].id(), arrivals[2].id());
}

#[tokio::test]
async fn a_refund_job_that_comes_twice_changes_nothing_twice() {
    let stack = Stack::running();
    let account = stack.new_account().await;

    for (payment, reference, status) in
        [("pay_ok", "sandbox_succeed", "succeeded"), ("pay_no", "sandbox_fail", "failed")]
    {
        account.register_plain(payment, 1_000, reference).await;
        let created = account.refund(None, json!({ "payment_id": payment, "amount": 400 })).await;
        let id = created.text("id").to_owned();
        let job = json!({ "environment": "sandbox", "account_id": account.id, "refund_id": id }).to_string();
        // Before it has ended, at once, and after.
        stack.send("RECOUP_REFUND_JOBS_QUEUE_URL", &job).await;
        stack.send("RECOUP_REFUND_JOBS_QUEUE_URL", &job).await;
        let ended = account.refund_in(&id, status).await;
        stack.send("RECOUP_REFUND_JOBS_QUEUE_URL", &job).await;
        // A job sent later and done shows that those before it have been worked on, too.
        let marker = account.refund(None, json!({ "payment_id": payment, "amount": 1 })).await;
        account.refund_in(marker.text("id"), status).await;

        let after = account.get(&format!("/v1/refunds/{id}")).await;
        assert_eq!(after.body["updated_at"], ended["updated_at"]);
        let left = if status == "succeeded" { 599 } else { 1_000 };
        assert_eq!(account.payment(payment).await["refundable_amount"], left);
    }
}

#[tokio::test]
async fn a_webhook_job_that_comes_again_after_its_delivery_is_not_told_again() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_plain("pay_told", 1_000, "sandbox_succeed").await;
    let wanted = json!({ "payment_id": "pay_told", "amount": 1, "urls": { "webhook": receiver.url } });
    account.refund(None, wanted.clone()).await;
    let told = receiver.take(2).await;
    let refund = &told[0].body["data"];
    let job = json!({
        "environment": "sandbox", "account_id": account.id, "event_id": told[0].id(), "type": told[0].kind(),
        "target": "refund", "turn": 1,
        "refund": {
            "id": refund["id"], "sequence": refund["sequence"], "status": refund["status"],
            "updated_at": refund["updated_at"],
        },
    });
    for _ in 0..2 {
        stack.send("RECOUP_WEBHOOK_JOBS_QUEUE_URL", &job.to_string()).await;
    }
    // What is announced behind them is the next that arrives.
    let marker = account.refund(None, wanted).await;
    for webhook in receiver.take(2).await {
        assert_eq!(webhook.body["data"]["id"], marker.text("id"));
    }
}

/// Half an hour is too long for a test, so the wait's end is moved into the past.
#[tokio::test]
async fn a_delivery_that_rests_in_the_table_is_found_when_due_and_sent_again() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_plain("pay_rest", 1_000, "sandbox_succeed").await;
    let urls = json!({ "webhook": receiver.url });
    account.refund(None, json!({ "payment_id": "pay_rest", "urls": urls })).await;
    let told = receiver.take(2).await;
    account.recorded(told[0].id()).await;
    let (pk, sk) = (format!("sandbox#{}#events", account.id), format!("{}#refund", told[0].id()));
    let due = "2026-01-01T00:00:00.000Z";
    let place = format!("{due}#{sk}");
    let resting =
        [("delivery", "scheduled"), ("next_try_at", due), ("due_pk", "due#0"), ("due_sk", place.as_str())];
    stack.rest(&pk, &sk, &resting).await;
    // The schedule's own run may have been quicker.
    assert!(stack.release_due().await["woken"].is_number());
    let again = receiver.take(1).await;
    assert_eq!((again[0].id(), &again[0].bytes), (told[0].id(), &told[0].bytes));
}

#[tokio::test]
async fn an_unreadable_refund_job_ends_in_the_dead_letters_and_queues_go_on() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_plain("pay_poison", 1_000, "sandbox_succeed").await;
    let poison = format!("poison {:?}", std::time::SystemTime::now());
    stack.send("RECOUP_REFUND_JOBS_QUEUE_URL", &poison).await;
    // This one is tried eight times, six minutes apart, before it is given up; it must not stand in the way.
    stack.send("RECOUP_WEBHOOK_JOBS_QUEUE_URL", &poison).await;
    let urls = json!({ "webhook": receiver.url });
    let created = account.refund(None, json!({ "payment_id": "pay_poison", "urls": urls })).await;
    account.refund_in(created.text("id"), "succeeded").await;
    receiver.take(2).await;
    stack.message("RECOUP_REFUND_JOBS_DLQ_URL", |body| body == poison).await;
}

#[tokio::test]
async fn a_stream_record_that_nobody_can_read_is_kept_and_the_stream_goes_on() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    account.register_plain("pay_stream", 1_000, "sandbox_succeed").await;
    let poison = format!("poison#{:?}", std::time::SystemTime::now());
    stack.put_item(&[("pk", &poison), ("sk", "refund")]).await;
    let created = account.refund(None, json!({ "payment_id": "pay_stream" })).await;
    account.refund_in(created.text("id"), "succeeded").await;
    stack.message("RECOUP_RELAY_DLQ_URL", |body| body.contains(poison.split('{').next().unwrap())).await;
}
