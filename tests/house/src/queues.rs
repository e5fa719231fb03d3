//! A message in a queue is an order: only the roles that send may send, and each queue refuses everybody else.

use std::collections::BTreeSet;

use recoup_testing::routes::RESOURCES;
use serde_json::Value;

/// The roles that send: the relay, and whoever puts back what a queue gave up.
const SENDERS: [&str; 2] = ["RelayEventsRole", "AdminRole"];

fn of_type(kind: &'static str) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let found = RESOURCES.iter().filter(move |(_, resource)| resource["Type"] == kind);
    found.map(|(name, resource)| (name.as_str(), &resource["Properties"]))
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

/// The statement that keeps strangers from this queue.
fn denial(queue: &str) -> &'static Value {
    let of_queue = |policy: &&Value| list(&policy["Queues"]).iter().any(|one| *one == queue);
    let mut policies = of_type("AWS::SQS::QueuePolicy").map(|(_, policy)| policy).filter(of_queue);
    let policy =
        policies.next().unwrap_or_else(|| panic!("{queue} has no policy: anybody with rights may send"));
    // A second policy would replace the first.
    assert!(policies.next().is_none(), "{queue} has two policies");
    let statements = list(&policy["PolicyDocument"]["Statement"]);
    assert_eq!(statements.len(), 1, "{queue}");
    statements[0]
}

#[test]
fn each_queue_takes_messages_from_the_sending_roles_alone() {
    let queues: Vec<&str> = of_type("AWS::SQS::Queue").map(|(name, _)| name).collect();
    assert_eq!(queues.len(), 6);
    for queue in queues {
        let denial = denial(queue);
        assert_eq!((&denial["Effect"], &denial["Principal"]), (&"Deny".into(), &"*".into()), "{queue}");
        assert_eq!(denial["Action"], "sqs:SendMessage", "{queue}");
        assert_eq!(denial["Resource"], format!("{queue}.Arn"), "{queue}");
        let condition = denial["Condition"].as_object().unwrap();
        assert_eq!(condition.len(), 1, "{queue}");
        let excepted = list(&condition["ArnNotLike"]["aws:PrincipalArn"]);
        let mut expected: Vec<Value> = SENDERS.iter().map(|role| format!("{role}.Arn").into()).collect();
        let session = "arn:${AWS::Partition}:sts::${AWS::AccountId}:assumed-role/";
        expected.extend(SENDERS.iter().map(|role| Value::from(format!("{session}${{{role}}}/*"))));
        // The local stack's tests send by hand.
        let root = "arn:${AWS::Partition}:iam::${AWS::AccountId}:root";
        expected.push(serde_json::json!(["IsLocal", root, "AWS::NoValue"]));
        assert_eq!(excepted, expected.iter().collect::<Vec<_>>(), "{queue}");
    }
}

#[test]
fn the_roles_that_the_queues_admit_are_those_that_may_send() {
    let sends = |role: &Value| {
        let policies = list(&role["Policies"]).into_iter();
        let statements = policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
        let mut actions = statements.flat_map(|statement| list(&statement["Action"]));
        actions.any(|action| action.as_str().is_some_and(|action| action.starts_with("sqs:SendMessage")))
    };
    let senders = of_type("AWS::IAM::Role").filter(|(_, role)| sends(role)).map(|(name, _)| name);
    assert_eq!(senders.collect::<BTreeSet<_>>(), SENDERS.into());
}
