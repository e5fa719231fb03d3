//! Who did what, as everybody reads it.

use recoup_deployed_tests::Stack;
use serde_json::{Value, json};

#[tokio::test]
async fn whoever_registers_refunds_and_settles_is_named() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Who" })).await.unwrap();
    let of_it = json!({ "account_id": made["account_id"], "environment": "sandbox" });
    let of_account = |fields: Value| {
        let mut command = of_it.clone();
        command.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        command
    };
    let key =
        stack.admin(of_account(json!({ "command": "create_api_key", "name": "till 7" }))).await.unwrap();
    let other = stack.admin(of_account(json!({ "command": "create_api_key" }))).await.unwrap();
    let caller =
        |key: &Value| stack.with_authorization(Some(&format!("Bearer {}", key["secret"].as_str().unwrap())));
    let (till, other) = (caller(&key), caller(&other));
    let by = json!({ "kind": "api_key", "id": key["id"], "name": "till 7" });

    till.register_plain("pay_who", 1_000, "sandbox_succeed").await;
    assert_eq!(till.payment("pay_who").await["registered_by"], by);
    let wish = json!({ "payment_id": "pay_who", "amount": 10 });
    let first = till.refund(Some("who"), wish.clone()).await;
    assert_eq!((first.status, &first.body["created_by"]), (201, &by));
    let again = other.refund(Some("who"), wish).await;
    assert_eq!((again.status, &again.body["id"], &again.body["created_by"]), (201, &first.body["id"], &by));
    let id = first.text("id");
    till.refund_in(id, "succeeded").await;
    for (kind, by) in [
        ("refund.succeeded", json!({ "kind": "processor", "id": "sandbox", "name": null })),
        ("refund.initiated", by),
    ] {
        let listed = till.get(&format!("/v1/events?refund_id={id}&type={kind}")).await;
        assert_eq!(listed.body["data"][0]["by"], by, "{:?}", listed.body);
    }
}

#[tokio::test]
async fn a_command_that_changes_something_and_names_nobody_is_refused() {
    let command = json!({ "command": "create_account", "name": "Nobody's", "operator": null });
    let refused = Stack::running().admin(command).await.unwrap_err();
    assert!(refused.starts_with("operator must name who does this"), "{refused}");
}
