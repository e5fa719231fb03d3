//! Whoever can write the table, and a queue, makes no refund look other than it is.

use recoup_deployed_tests::{Receiver, Stack};
use recoup_domain::event::Event;
use recoup_domain::ids::{AccountId, Environment, RefundId, Tenant};
use recoup_domain::refund::{State, Version};
use recoup_ports::events::RecordEvents;
use recoup_ports::refunds::Refunds;
use serde_json::json;

#[tokio::test]
async fn a_forged_success_of_a_refund_that_failed_is_told_to_nobody() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_plain("pay_forged", 1_000, "sandbox_fail").await;
    let wanted = json!({ "payment_id": "pay_forged", "amount": 400, "urls": { "webhook": receiver.url } });
    let created = account.refund(None, wanted.clone()).await;
    let id = created.text("id").to_owned();
    account.refund_in(&id, "failed").await;
    receiver.take(2).await;

    let account_id = AccountId::try_from(account.id.as_str()).unwrap();
    let tenant = Tenant { environment: Environment::Sandbox, account: account_id };
    let refund_id = RefundId::try_from(id.as_str()).unwrap();
    let failed = stack.table().refund(&tenant, &refund_id).await.unwrap().unwrap();
    let sequence = failed.version.sequence + 1;
    let version = Version { sequence, state: State::Succeeded, ..failed.version.clone() };
    let forged = Event::of_change(None, &failed.at(&version));
    stack.table().record_event(&forged, &[]).await.unwrap();
    let job = json!({
        "environment": "sandbox", "account_id": account.id, "event_id": forged.id.as_str(), "refund_id": id,
        "target": "refund", "turn": 1,
    });
    stack.send("RECOUP_WEBHOOK_JOBS_QUEUE_URL", &job.to_string()).await;

    // What is announced behind it is the next that arrives.
    let marker = account.refund(None, wanted).await;
    for webhook in receiver.take(2).await {
        assert_eq!(webhook.body["data"]["id"], marker.text("id"));
    }
    let scope = json!({
        "days": 1, "older_than_seconds": 0, "account_id": account.id, "environment": "sandbox",
    });
    stack.reconcile(scope).await;
    let report = account.get("/v1/reports/reconciliation/latest").await.body;
    let findings = report["findings"].as_array().unwrap();
    let astray = findings.iter().filter(|finding| finding["mismatch"] == "event_astray");
    let named: Vec<_> = astray.map(|finding| finding["refund_id"].as_str()).collect();
    assert_eq!(named, [Some(id.as_str())], "{report}");
}

#[tokio::test]
async fn an_amount_raised_with_what_is_refundable_is_found_out() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    account.register_plain("pay_bent", 3_100, "sandbox_succeed").await;
    let pk = format!("sandbox#{}#payment#pay_bent", account.id);
    for name in ["amount", "refundable"] {
        stack.set_number(&pk, "payment", name, 7_000).await;
    }
    let scope = json!({
        "days": 1, "older_than_seconds": 0, "audit_payments": 100, "account_id": account.id,
        "environment": "sandbox",
    });
    let summary = stack.reconcile(scope).await;
    assert_eq!(summary["drift"], 1, "{summary}");
    let report = account.get("/v1/reports/reconciliation/latest").await.body;
    let finding = &report["findings"][0];
    assert_eq!((&finding["mismatch"], &finding["payment_id"]), (&json!("terms_changed"), &json!("pay_bent")));
}
