//! What a person or the schedule may ask for.

use reconcile::{BUDGET, ReconcileError};
use recoup_outbound::sandbox::Sandbox;
use recoup_testing::routes::RESOURCES;
use serde_json::{Value, json};

use crate::{World, two_hours_later};

const TEMPLATE: &str = include_str!("../../../../template.yaml");

#[tokio::test]
async fn a_payload_that_asks_for_something_else_is_refused_and_says_why() {
    let world = World::new().await;
    for (payload, why) in [
        (json!({ "day": 2 }), "the payload cannot be read: unknown field `day`"),
        (json!({ "days": 0 }), "days must be 1 to 29"),
        (json!({ "days": 30 }), "days must be 1 to 29"),
        (json!({ "ask_processors_days": 30 }), "days must be 1 to 29"),
        (json!({ "audit_payments": 100_001 }), "audit_payments must be at most 100000"),
        (json!({ "older_than_seconds": 86_401 }), "older_than_seconds must be at most 86400"),
        (
            json!({ "account_id": "acct_01j9x4mzt5r8v3kq7w2bnd6hcg" }),
            "account_id and environment come together",
        ),
        (json!({ "account_id": "me", "environment": "live" }), "account_id and environment come together"),
        (json!("all"), "the payload cannot be read"),
    ] {
        let refused = world.run_with(Sandbox, two_hours_later, payload.clone()).await;
        let Err(error @ ReconcileError::Scope(_)) = refused else { panic!("{payload}: {refused:?}") };
        assert!(error.to_string().starts_with(why), "{payload}: {error}");
    }
}

#[tokio::test]
async fn the_schedules_of_the_template_ask_for_what_is_understood() {
    let world = World::new().await;
    let block =
        TEMPLATE.split("  ReconcileFunction:").nth(1).unwrap().split("  ReconcileRole:").next().unwrap();
    let inputs: Vec<Value> = block
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Input: '")?.strip_suffix('\''))
        .map(|input| serde_json::from_str(input).unwrap())
        .collect();
    assert_eq!(inputs.len(), 2);
    for input in inputs {
        world.run_with(Sandbox, two_hours_later, input).await.unwrap();
    }
    let timeout = block.lines().find_map(|line| line.trim().strip_prefix("Timeout: ")).unwrap();
    assert!(BUDGET.as_secs() + 60 < timeout.parse::<u64>().unwrap());
}

#[tokio::test]
async fn the_metrics_of_the_template_count_the_sentences_that_are_logged() {
    let of_type = |kind: &'static str| RESOURCES.values().filter(move |one| one["Type"] == kind);
    let filters = of_type("AWS::Logs::MetricFilter").map(|filter| &filter["Properties"]);
    let counted = |pattern: &str| filters.clone().filter(|filter| filter["FilterPattern"] == pattern).count();
    assert_eq!(counted(r#"{ $.message = "circuit opened" }"#), 1);
    // Of `reconcile` and of `dispatch-webhook`.
    assert_eq!(counted(r#"{ $.mismatch = "*" }"#), 2);
    // All functions but `release-due`, which reads keys alone, and the gateway, which has a log of its own.
    let logs = of_type("AWS::Logs::LogGroup").count();
    assert_eq!(counted(r#"{ $.message = "a stored item cannot be read" }"#), logs - 2);
}
