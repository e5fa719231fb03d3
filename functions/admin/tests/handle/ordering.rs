//! Who gives a command.

use admin::{AdminError, handle};
use lambda_runtime::{Context as Invocation, LambdaEvent};
use recoup_testing::planted;
use serde_json::{Value, json};

use crate::administering::World;

fn named() -> Value {
    json!({ "account_id": "acct_01j9x4mzt5r8v3kq7w2bnd6hcg", "environment": "sandbox" })
}

fn with(command: &str, fields: Value) -> Value {
    let mut all = fields;
    all["command"] = command.into();
    all
}

async fn given(world: &World, command: Value, invocation: Invocation) -> Result<Value, AdminError> {
    handle(&world.context, LambdaEvent::new(command, invocation)).await
}

#[tokio::test]
async fn whatever_changes_something_says_who_is_behind_it() {
    let world = World::new();
    let refund = json!({ "account_id": "a", "environment": "live", "refund_id": "r" });
    let mut settled = refund.clone();
    (settled["outcome"], settled["reason"]) = ("failed".into(), "why".into());
    let mut keys = named();
    keys["processor"] = "stripe".into();
    let mut sealed = named();
    sealed["payment_id"] = "pay_1".into();
    let mut set = keys.clone();
    set["secret"] = "{}".into();
    for command in [
        with("create_account", json!({ "name": "one" })),
        with("create_api_key", named()),
        with("create_client", named()),
        with("revoke_api_key", json!({ "id": "key_1" })),
        with("rotate_pepper", json!({})),
        with("rotate_signing_key", json!({})),
        with("rotate_webhook_secret", named()),
        with("set_processor_keys", set),
        with("delete_processor_keys", keys.clone()),
        with("put_back", json!({ "queue": "refund_jobs" })),
        with("index_accounts", json!({ "account_ids": ["acct_1"] })),
        with("settle_refund", settled),
        with("ask_now", refund.clone()),
        with("clear_flag", refund),
        with("seal_payments", json!({})),
        with("seal_secrets", json!({})),
        with("seal_payment", sealed),
    ] {
        let why = given(&world, command.clone(), Invocation::default()).await;
        assert!(matches!(why, Err(AdminError::Operator)), "{command}: {why:?}");
    }
    assert_eq!(world.table.items().await.len(), 0);
    for command in [
        with("list_accounts", json!({})),
        with("list_api_keys", named()),
        with("check_processor", keys),
        with("dead_letters", json!({ "queue": "refund_jobs" })),
        with("latest_reports", json!({})),
    ] {
        let answer = given(&world, command.clone(), Invocation::default()).await;
        assert!(!matches!(answer, Err(AdminError::Operator)), "{command}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn whom_lambda_names_is_believed_over_what_the_command_says() {
    let (world, log) = (World::new(), planted::Log::listen());
    let command = |operator: &str| with("create_account", json!({ "name": "one", "operator": operator }));
    let mut invoked = Invocation::default();
    let identity = json!({ "identityId": "eu-central-1:jo", "identityPoolId": "eu-central-1:pool" });
    invoked.identity = serde_json::from_value(identity).unwrap();
    given(&world, command("somebody"), invoked).await.unwrap();
    given(&world, command("kim"), Invocation::default()).await.unwrap();
    let said = log.text();
    assert!(said.contains("eu-central-1:jo") && said.contains("kim") && !said.contains("somebody"), "{said}");
}
