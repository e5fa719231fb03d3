//! The harness itself: it must be the table of the template, and its faults must be what they say.

use std::time::Duration;

use aws_sdk_dynamodb::types::{KeyType, StreamViewType};
use recoup_ports::ReadError;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_testing::{Answer, Fault, TestTable, fixtures, item_bytes, operators};

/// The template's lines about the table, without indentation.
fn table_of_the_template() -> Vec<&'static str> {
    let template = include_str!("../../../template.yaml");
    let lines = template.lines().skip_while(|line| *line != "  Table:").skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with("    ")).map(str::trim);
    lines.filter(|line| !line.starts_with('#')).collect()
}

#[tokio::test]
async fn the_table_is_the_one_that_the_template_describes() {
    let table = TestTable::new();
    let found = table.plain().describe_table().table_name(table.name()).send().await.unwrap().table.unwrap();
    let key = |schema: &[aws_sdk_dynamodb::types::KeySchemaElement]| {
        let line = |element: &aws_sdk_dynamodb::types::KeySchemaElement| match element.key_type() {
            KeyType::Hash => format!("- {{ AttributeName: {}, KeyType: HASH }}", element.attribute_name()),
            _ => format!("- {{ AttributeName: {}, KeyType: RANGE }}", element.attribute_name()),
        };
        schema.iter().map(line).collect::<Vec<_>>()
    };
    let stream = found.stream_specification().unwrap().stream_view_type().unwrap();
    assert_eq!(stream, &StreamViewType::NewAndOldImages);

    let mut expected: Vec<String> = Vec::new();
    expected.push("AttributeDefinitions:".to_owned());
    for name in ["pk", "sk", "list_pk", "list_sk", "due_pk", "due_sk"] {
        expected.push(format!("- {{ AttributeName: {name}, AttributeType: S }}"));
    }
    expected.push("KeySchema:".to_owned());
    expected.extend(key(found.key_schema()));
    expected.push("GlobalSecondaryIndexes:".to_owned());
    for index in found.global_secondary_indexes() {
        expected.push(format!("- IndexName: {}", index.index_name().unwrap()));
        expected.push("KeySchema:".to_owned());
        expected.extend(key(index.key_schema()));
        let projection = index.projection().unwrap().projection_type().unwrap();
        expected.push(format!("Projection: {{ ProjectionType: {} }}", projection.as_str()));
    }
    expected.push(format!("StreamSpecification: {{ StreamViewType: {} }}", stream.as_str()));
    let described = table_of_the_template();
    let start = described.iter().position(|line| *line == "AttributeDefinitions:").unwrap();
    assert_eq!(described[start..start + expected.len()], expected);
    assert_eq!(found.global_secondary_indexes().len(), 2);
}

#[tokio::test]
async fn every_request_is_counted_with_its_capacity_but_the_plain_clients() {
    let table = TestTable::new();
    let payment = fixtures::getpaid_payment();
    assert!(matches!(table.store().register(&payment).await, Ok(Registered::New)));
    table.store().payment(&payment.tenant, &payment.id).await.unwrap().unwrap();
    table.item("payment").await;
    let calls = table.take_calls();
    assert_eq!(calls.operations(), ["PutItem", "GetItem"]);
    assert_eq!((calls.read_units(), calls.write_units(), calls.index_units()), (1.0, 2.0, 1.0));
    assert_eq!(table.take_calls().count(), 0);
}

#[tokio::test]
async fn the_stream_tells_every_change_as_lambda_does() {
    let table = TestTable::new();
    let payment = fixtures::getpaid_payment();
    table.store().register(&payment).await.unwrap();
    let event = table.stream_event();
    assert_eq!(event["Records"].as_array().unwrap().len(), 1);
    assert_eq!(event["Records"][0]["eventName"], "INSERT");
    assert_eq!(event["Records"][0]["dynamodb"]["NewImage"]["refundable"]["N"], "3100");
    assert!(event["Records"][0]["dynamodb"]["SequenceNumber"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_fault_happens_as_often_as_planned_and_a_paused_clock_never_waits() {
    let table = TestTable::new();
    let payment = fixtures::getpaid_payment();
    let (real, told) = (std::time::Instant::now(), tokio::time::Instant::now());
    table.fail("PutItem", 1, Fault::AnswerTooLate);
    // The answer of the first try was lost, so the second finds what the first has written.
    assert!(matches!(table.store().register(&payment).await, Ok(Registered::Existing(_))));
    let calls = table.take_calls();
    assert_eq!(calls.0[0].answer, Answer::Lost);
    assert_eq!(calls.0[1].answer, Answer::Refused("ConditionalCheckFailedException".to_owned()));
    assert!(told.elapsed() >= Duration::from_secs(2), "the timeout has passed on the test's clock");
    assert!(real.elapsed() < Duration::from_secs(2), "and not on the wall's");

    table.fail("GetItem", 3, Fault::LoseRequest);
    let lost = table.store().payment(&payment.tenant, &payment.id).await;
    assert!(matches!(lost, Err(ReadError::Unavailable(_))));
    assert_eq!(table.take_calls().count(), 3);
    assert!(table.store().payment(&payment.tenant, &payment.id).await.unwrap().is_some());
    table.fail_always("GetItem", Fault::throttled());
    table.heal();
    assert!(table.store().payment(&payment.tenant, &payment.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_table_of_one_test_is_no_table_of_another() {
    let (one, other) = (TestTable::new(), TestTable::new());
    one.store().register(&fixtures::getpaid_payment()).await.unwrap();
    assert!(other.items().await.is_empty());
}

#[test]
fn an_items_size_follows_the_published_rules() {
    use aws_sdk_dynamodb::types::AttributeValue as V;
    let item = [
        ("text".to_owned(), V::S("äb".to_owned())),
        ("n".to_owned(), V::N("123450".to_owned())),
        ("l".to_owned(), V::L(vec![V::Bool(true), V::M([("k".to_owned(), V::Null(true))].into())])),
    ];
    // 4 + 3, 1 + (5 digits: 3) + 1, 1 + 3 + (1 + 1) + (1 + 3 + 1 + 1 + 1)
    assert_eq!(item_bytes(&item.into()), 7 + 5 + 13);
}

#[test]
fn operators_and_functions_are_counted_as_dynamodb_documents() {
    for (expression, count) in [
        ("SET a = :b + :c + :d", 2),
        ("SET #a[0].#b=#a[0].#b-:c,#d = list_append(#d, :e),#f = if_not_exists(#f, :g) REMOVE h", 3),
        ("attribute_exists(pk)", 1),
        ("#a = :b AND #c >= :d AND #e<>:f", 5),
        ("NOT contains(#a,:b) AND (attribute_not_exists(#c) OR #c = :d)", 6),
        ("#a IN (:b, :c, :d) OR #e BETWEEN :f AND :g", 3),
    ] {
        assert_eq!(operators(expression), count, "{expression}");
    }
}

#[tokio::test]
#[should_panic(expected = "ConditionExpression has 301 operators and functions")]
async fn a_request_that_dynamodb_would_refuse_fails_its_test() {
    let table = TestTable::new();
    let condition = vec!["attribute_exists(pk)"; 151].join(" AND ");
    let delete = table.plain().delete_item().table_name(table.name()).condition_expression(condition);
    drop(delete.send().await);
}
