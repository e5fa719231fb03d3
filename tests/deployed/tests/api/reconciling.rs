//! The books are compared on demand: a healthy account drifts by nothing, and what was done behind everybody's back is
//! named, and put right where that is no guess.

use recoup_deployed_tests::{Account, Stack};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    account: Account,
}

impl World {
    async fn new() -> Self {
        let stack = Stack::running();
        let account = stack.new_account().await;
        Self { stack, account }
    }

    /// A refund that has succeeded, with both its events recorded.
    async fn refunded(&self, payment: &str, reference: &str) -> String {
        self.account.register_plain(payment, 1_000, reference).await;
        let created = self.account.refund(None, json!({ "payment_id": payment, "amount": 400 })).await;
        let refund = created.text("id").to_owned();
        self.account.refund_in(&refund, "succeeded").await;
        let newest = self.newest_event(&refund, "refund.succeeded").await;
        self.account.recorded(&newest).await;
        refund
    }

    /// The id of a refund's newest event, once it is of this type.
    async fn newest_event(&self, refund: &str, r#type: &str) -> String {
        for _ in 0..600 {
            let events = self.account.get(&format!("/v1/events?refund_id={refund}")).await.body;
            let newest = &events["data"][0];
            if newest["type"] == r#type {
                return newest["id"].as_str().unwrap().to_owned();
            }
        }
        panic!("no {type} of {refund}");
    }

    /// Compares this account's books now, however young.
    async fn reconcile(&self) -> Value {
        let scope = json!({
            "days": 1, "older_than_seconds": 0, "account_id": self.account.id, "environment": "sandbox",
        });
        let summary = self.stack.reconcile(scope).await;
        assert_eq!((&summary["accounts"], &summary["complete"]), (&json!(1), &json!(true)), "{summary}");
        let report = self.account.get("/v1/reports/reconciliation/latest").await;
        assert_eq!((report.status, &report.body["drift"]), (200, &summary["drift"]), "{}", report.body);
        let by_date = format!("/v1/reports/reconciliation/{}", report.text("date"));
        assert_eq!(self.account.get(&by_date).await.body["findings"], report.body["findings"]);
        report.body
    }
}

#[tokio::test]
async fn a_healthy_account_drifts_by_nothing() {
    let world = World::new().await;
    for (payment, reference) in [("pay_1", "sandbox_succeed"), ("pay_2", "sandbox_timeout_lost")] {
        world.refunded(payment, reference).await;
    }
    let report = world.reconcile().await;
    assert_eq!((&report["drift"], &report["findings"]), (&json!(0), &json!([])), "{report:#}");
    assert_eq!(report["checked"]["refunds"], 2);
}

#[tokio::test]
async fn an_amount_that_was_edited_is_named_to_the_cent_and_left_to_a_person() {
    let world = World::new().await;
    world.refunded("pay_edited", "sandbox_succeed").await;
    let pk = format!("sandbox#{}#payment#pay_edited", world.account.id);
    world.stack.set_number(&pk, "payment", "refundable", 601).await;
    let report = world.reconcile().await;
    let [finding] = report["findings"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!((&finding["mismatch"], &finding["remedy"]), (&json!("amount_astray"), &json!("none")));
    assert_eq!(finding["payment_id"], "pay_edited");
    let detail = "in total: 10.00 EUR is not 6.01 refundable + 0.00 held + 4.00 refunded";
    assert_eq!(finding["detail"], detail);
    // The administrator sees it among all accounts' reports.
    let latest = world.stack.admin(json!({ "command": "latest_reports" })).await.unwrap();
    let ours = latest["reports"].as_array().unwrap().iter();
    assert!(ours.clone().any(|report| report["account_id"] == world.account.id.as_str()), "{latest:#}");
}

#[tokio::test]
async fn a_refund_whose_job_was_lost_is_sent_for_and_ends() {
    let world = World::new().await;
    let refund = world.refunded("pay_lost", "sandbox_succeed").await;
    world.stack.undo_end(&world.account.id, &refund).await;
    let report = world.reconcile().await;
    let [finding] = report["findings"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!((&finding["mismatch"], &finding["remedy"]), (&json!("job_missing"), &json!("sent_for")));
    assert_eq!(finding["refund_id"], refund.as_str());
    world.account.refund_in(&refund, "succeeded").await;
}

#[tokio::test]
async fn a_success_that_fails_late_gives_the_money_back_within_30_s_by_itself() {
    let world = World::new().await;
    let started = std::time::Instant::now();
    let refund = world.refunded("pay_late", "sandbox_fail_late").await;
    let refund = world.account.refund_in(&refund, "failed").await;
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    assert_eq!(refund["failure"]["code"], "expired_or_closed_account");
    assert_eq!(refund["arrival_estimate"], json!(null));
    let payment = world.account.payment("pay_late").await;
    assert_eq!((&payment["refundable_amount"], &payment["refunded_amount"]), (&json!(1000), &json!(0)));
}
