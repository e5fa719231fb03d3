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

    // Two announcements, the first tries of which both fail: four arrivals, two ids.
    let arrivals = receiver.take(4).await;
    for pair in arrivals.chunks(2) {
        assert_eq!(pair[0].kind(), pair[1].kind());
        assert_eq!(pair[0].id(), pair[1].id());
        assert_eq!(pair[0].bytes, pair[1].bytes);
        for webhook in pair {
            webhook.assert_signed_by(&account.webhook_secret);
        }
    }
}

#[tokio::test]
async fn a_refund_job_that_comes_twice_changes_nothing_twice() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Twice" })).await.unwrap();
    let account_id = made["account_id"].as_str().unwrap();
    let key = json!({ "command": "create_api_key", "account_id": account_id, "environment": "sandbox" });
    let key = stack.admin(key).await.unwrap();
    let account = stack.with_authorization(Some(&format!("Bearer {}", key["secret"].as_str().unwrap())));

    for (payment, reference, status) in
        [("pay_ok", "sandbox_succeed", "succeeded"), ("pay_no", "sandbox_fail", "failed")]
    {
        account.register_plain(payment, 1_000, reference).await;
        let created = account.refund(None, json!({ "payment_id": payment, "amount": 400 })).await;
        let id = created.text("id").to_owned();
        let job = json!({ "environment": "sandbox", "account_id": account_id, "refund_id": id }).to_string();
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
async fn a_webhook_job_that_comes_twice_is_told_twice_under_one_id() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Told" })).await.unwrap();
    let mut receiver = Receiver::start().await;
    let event = "evt_00000000000000000000000001";
    let job = json!({
        "environment": "sandbox", "account_id": made["account_id"], "event_id": event,
        "refund_id": "rfd_00000000000000000000000000", "url": receiver.url,
        "body": json!({ "type": "refund.updated" }).to_string(),
    });
    stack.send("RECOUP_WEBHOOK_JOBS_QUEUE_URL", &job.to_string()).await;
    stack.send("RECOUP_WEBHOOK_JOBS_QUEUE_URL", &job.to_string()).await;
    for webhook in receiver.take(2).await {
        assert_eq!(webhook.id(), event);
        webhook.assert_signed_by(made["webhook_secrets"]["sandbox"].as_str().unwrap());
    }
}

#[tokio::test]
async fn a_message_that_nobody_can_read_ends_in_the_dead_letters_and_the_queue_goes_on() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    account.register_plain("pay_poison", 1_000, "sandbox_succeed").await;
    let poison = format!("poison {:?}", std::time::SystemTime::now());
    stack.send("RECOUP_REFUND_JOBS_QUEUE_URL", &poison).await;
    stack.send("RECOUP_WEBHOOK_JOBS_QUEUE_URL", &poison).await;
    let created = account.refund(None, json!({ "payment_id": "pay_poison" })).await;
    account.refund_in(created.text("id"), "succeeded").await;
    stack.message("RECOUP_REFUND_JOBS_DLQ_URL", |body| body == poison).await;
    stack.message("RECOUP_WEBHOOK_JOBS_DLQ_URL", |body| body == poison).await;
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
