//! Batches as Lambda delivers them.
#![cfg(test)]

use recoup_batch::{BatchResponse, Change, queue_records, stream_records};
use serde_json::{Value, json};

fn message(id: &str) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("handle of {id}"),
        "body": "{\"refund_id\":\"rfd_1\"}",
        "attributes": {
            "ApproximateReceiveCount": "3", "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:refund-jobs",
        "awsRegion": "eu-central-1",
    })
}

fn change(sequence_number: &str, name: &str) -> Value {
    json!({
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "Keys": {"pk": {"S": "a"}},
            "OldImage": {"pk": {"S": "a"}, "amount": {"N": "1"}},
            "NewImage": {"pk": {"S": "a"}, "amount": {"N": "2"}},
            "SequenceNumber": sequence_number,
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    })
}

fn without(mut record: Value, pointer: &str, field: &str) -> Value {
    record.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field);
    record
}

#[test]
fn a_message_is_read_as_it_was_received() {
    let event = json!({"Records": [message("m1")]});
    let records = queue_records(&event).unwrap();
    let record = records[0].unwrap();
    assert_eq!(record.message_id, "m1");
    assert_eq!(record.receipt_handle, "handle of m1");
    assert_eq!(record.receive_count, 3);
    assert_eq!(record.body, "{\"refund_id\":\"rfd_1\"}");
}

#[test]
fn a_bad_message_sinks_alone() {
    let spoilt =
        [("", "body"), ("", "receiptHandle"), ("", "attributes"), ("/attributes", "ApproximateReceiveCount")];
    for (pointer, field) in spoilt {
        let event =
            json!({"Records": [message("m1"), without(message("m2"), pointer, field), message("m3")]});
        let records = queue_records(&event).unwrap();
        assert_eq!(records.len(), 3, "{field}");
        assert!(records[0].is_ok() && records[2].is_ok(), "{field}");
        let bad = records[1].unwrap_err();
        assert_eq!(bad.id, "m2", "{field}");
        assert!(bad.text().contains("\"messageId\":\"m2\""), "{field}");
    }
}

#[test]
fn a_record_without_an_id_fails_the_whole_event() {
    let nameless = without(message("m2"), "", "messageId");
    assert!(queue_records(&json!({"Records": [message("m1"), nameless]})).is_err());
    let mut empty = message("m2");
    empty["messageId"] = json!("");
    assert!(queue_records(&json!({"Records": [message("m1"), empty]})).is_err());
    let nameless = without(change("2", "INSERT"), "/dynamodb", "SequenceNumber");
    assert!(stream_records(&json!({"Records": [change("1", "INSERT"), nameless]})).is_err());
}

#[test]
fn an_event_that_is_no_batch_is_an_error() {
    for event in [json!({}), json!([]), json!(null), json!({"Records": {}}), json!({"records": []})] {
        assert!(queue_records(&event).is_err(), "{event}");
        assert!(stream_records(&event).is_err(), "{event}");
    }
    assert_eq!(queue_records(&json!({"Records": []})).unwrap(), []);
}

#[test]
fn a_change_carries_the_images_it_must_have() {
    let insert = without(change("1", "INSERT"), "/dynamodb", "OldImage");
    let remove = without(change("3", "REMOVE"), "/dynamodb", "NewImage");
    let event = json!({"Records": [insert, change("2", "MODIFY"), remove]});
    let records: Vec<_> = stream_records(&event).unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(records[0].change, Change::Insert);
    assert_eq!(records[0].sequence_number, "1");
    assert!(records[0].old_image.is_none());
    assert_eq!(records[1].change, Change::Modify);
    assert_eq!(records[1].old_image.unwrap()["amount"], json!({"N": "1"}));
    assert_eq!(records[1].new_image.unwrap()["amount"], json!({"N": "2"}));
    assert_eq!(records[2].change, Change::Remove);
    assert!(records[2].new_image.is_none());
    assert!(records[2].text().contains("\"OldImage\""));
}

#[test]
fn a_bad_change_sinks_alone_and_keeps_its_text() {
    let spoilt = [
        without(change("2", "INSERT"), "/dynamodb", "NewImage"),
        without(change("2", "MODIFY"), "/dynamodb", "OldImage"),
        without(change("2", "REMOVE"), "/dynamodb", "OldImage"),
        without(change("2", "INSERT"), "", "eventName"),
        change("2", "TRUNCATE"),
    ];
    for bad in &spoilt {
        let event = json!({"Records": [change("1", "MODIFY"), bad, change("3", "MODIFY")]});
        let records = stream_records(&event).unwrap();
        assert!(records[0].is_ok() && records[2].is_ok(), "{bad}");
        let read = records[1].unwrap_err();
        assert_eq!(read.id, "2");
        assert_eq!(serde_json::from_str::<Value>(&read.text()).unwrap(), *bad);
    }
}

#[test]
fn the_answer_names_each_failed_record_and_nothing_else() {
    let answer = BatchResponse::failing(["m2".to_owned(), "m5".to_owned()]);
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(text, r#"{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m5"}]}"#);
    assert_eq!(answer.failed().collect::<Vec<_>>(), ["m2", "m5"]);
    let text = serde_json::to_string(&BatchResponse::default()).unwrap();
    assert_eq!(text, r#"{"batchItemFailures":[]}"#);
}
