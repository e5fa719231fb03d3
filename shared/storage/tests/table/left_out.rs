//! A read of many items that the table answers in parts: large items fill an answer, and a busy table leaves some out.

use recoup_domain::ids::RefundId;
use recoup_ports::payments::Register;
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::{ReadError, causes};
use recoup_storage::Table;
use recoup_testing::{Fault, TestTable, fixtures};
use serde_json::{Value, json};
use tokio::time::Instant;

/// A table with two refunds, and an answer that holds the first and leaves out the second.
async fn with_two() -> (TestTable, Table, Vec<RefundId>, Value) {
    let table = TestTable::new();
    let store = table.store();
    let mut payment = fixtures::payment("pay_1", 5_000);
    store.register(&payment).await.unwrap();
    let mut ids = Vec::new();
    for key in ["one", "two"] {
        let made = fixtures::decided(&payment, &fixtures::wanted(&payment, Some(1)), key);
        assert!(matches!(store.reserve(&made).await, Ok(Reserved::New)));
        payment = payment.after_reserving(&made.refund).unwrap();
        ids.push(made.refund.id);
    }
    let images = table.stream_records(None);
    let image = |id: &RefundId| {
        let of_it =
            |record: &&Value| record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().ends_with(id.as_str());
        images.iter().find(of_it).unwrap()["dynamodb"].clone()
    };
    let part = json!({
        "Responses": { "recoup": [image(&ids[0])["NewImage"]] },
        "UnprocessedKeys": { "recoup": { "Keys": [image(&ids[1])["Keys"]], "ConsistentRead": true } },
    });
    table.take_calls();
    (table, store, ids, part)
}

#[tokio::test(start_paused = true)]
async fn what_did_not_fit_into_an_answer_is_read_at_once() {
    let (table, store, ids, part) = with_two().await;
    for _ in 0..2 {
        table.fail("BatchGetItem", 1, Fault::Refuse(200, part.clone()));
        let started = Instant::now();
        let read = store.refunds(&fixtures::tenant(), &ids).await.unwrap().whole().unwrap();
        assert_eq!(read.iter().map(|refund| refund.id.clone()).collect::<Vec<_>>(), ids);
        assert_eq!((table.take_calls().count(), started.elapsed().as_millis()), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_never_answers_all_is_asked_a_bounded_number_of_times() {
    let (table, store, ids, part) = with_two().await;
    let nothing = json!({ "Responses": {}, "UnprocessedKeys": part["UnprocessedKeys"] });
    for answer in [part, nothing] {
        table.fail_always("BatchGetItem", Fault::Refuse(200, answer));
        let error = store.postings(&fixtures::tenant(), &ids).await.unwrap_err();
        assert!(matches!(error, ReadError::Unavailable(_)), "{}", causes(&error));
        assert!((2..=12).contains(&table.take_calls().count()));
        table.heal();
    }
}
