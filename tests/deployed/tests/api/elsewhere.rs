//! Money that moves elsewhere, and what a person decides about a refund.

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

    /// A command of `admin` about a refund, with these fields besides.
    async fn admin(&self, command: &str, refund: &str, more: Value) -> Result<Value, String> {
        let mut fields = json!({
            "command": command, "account_id": self.account.id, "environment": "sandbox", "refund_id": refund,
            "operator": "jo",
        });
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        self.stack.admin(fields).await
    }

    async fn amounts(&self, payment: &str) -> [u64; 3] {
        let payment = self.account.payment(payment).await;
        ["refundable_amount", "held_amount", "refunded_amount"].map(|field| payment[field].as_u64().unwrap())
    }
}

#[tokio::test]
async fn what_was_paid_otherwise_is_in_the_books_until_a_person_takes_it_back() {
    let world = World::new().await;
    world.account.register_plain("pay_1", 1_000, "sandbox_succeed").await;
    let paid = json!({ "method": "bank_transfer", "reference": "SEPA-1" });
    let made =
        world.account.refund(None, json!({ "payment_id": "pay_1", "amount": 400, "external": paid })).await;
    assert_eq!((made.status, made.text("status"), made.text("origin")), (201, "succeeded", "external"));
    let id = made.text("id").to_owned();
    assert_eq!(world.amounts("pay_1").await, [600, 0, 400]);
    let failed = json!({ "outcome": "failed", "reason": "it came back" });
    for _ in 0..2 {
        let answer = world.admin("settle_refund", &id, failed.clone()).await.unwrap();
        assert_eq!((&answer["status"], &answer["sequence"]), (&json!("failed"), &json!(2)));
        assert_eq!(world.amounts("pay_1").await, [1_000, 0, 0]);
    }
    let refund = world.account.refund_in(&id, "failed").await;
    assert_eq!(
        (&refund["verdict"]["operator"], &refund["verdict"]["outcome"]),
        (&json!("jo"), &json!("failed"))
    );
}

#[tokio::test]
async fn what_no_processor_will_end_is_asked_about_and_ended_by_a_person() {
    let world = World::new().await;
    let payment = json!({
        "amount": 1_000, "currency": "EUR", "processor": { "name": "http", "reference": "bank-payment-1" },
    });
    assert_eq!(world.account.register("pay_2", payment).await.status, 201);
    let made = world.account.refund(None, json!({ "payment_id": "pay_2", "amount": 400 })).await;
    let id = made.text("id").to_owned();
    let waits = |refund: &Value| refund["pending_reason"] == "processor_not_configured";
    world.account.refund_once(&id, waits).await;
    let asked = world.admin("ask_now", &id, json!({})).await.unwrap();
    assert_eq!((&asked["status"], &asked["flag"]), (&json!("processing"), &Value::Null));
    let succeeded = json!({ "outcome": "succeeded", "reason": "seen at the bank", "reference": "bank-9" });
    let settled = world.admin("settle_refund", &id, succeeded).await.unwrap();
    assert_eq!(settled["status"], "succeeded");
    assert_eq!(world.amounts("pay_2").await, [600, 0, 400]);
    let refund = world.account.refund_in(&id, "succeeded").await;
    assert_eq!(
        (&refund["processor_reference"], &refund["processor_amount"]),
        (&json!("bank-9"), &Value::Null)
    );
    assert!(world.admin("ask_now", &id, json!({})).await.is_err(), "it has ended");
    assert_eq!(world.admin("clear_flag", &id, json!({})).await.unwrap()["flag"], Value::Null);
}
