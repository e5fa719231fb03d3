//! How a payment's split is carried out is said, or follows from how it was paid, and is fixed.

use recoup_domain::recovery::Shape;
use recoup_domain::seal::Sealed;
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::registering::live;
use crate::{World, saying};

/// 50.00 EUR routed to so many merchants, of whom so many were paid by a transfer.
fn routed(merchants: usize, transfers: usize, processor: &Value) -> Value {
    let part = if merchants == 1 { 5_000 } else { 2_500 };
    let merchants: Vec<Value> = (0..merchants)
        .map(|number| {
            let mut merchant = json!({ "account_id": format!("acc_{number}"), "amount": part });
            if number < transfers {
                merchant["transfer"] = json!(format!("tr_{number}"));
            }
            merchant
        })
        .collect();
    json!({ "routing": { "merchants": merchants }, "processor": processor })
}

fn stripe(more: &Value) -> Value {
    let mut processor = json!({ "name": "stripe", "reference": "ch_1" });
    processor.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    processor
}

#[tokio::test]
async fn what_stripe_can_carry_out_is_registered_so() {
    let direct = json!({ "account": "acct_1" });
    for (merchants, transfers, more, shape) in [
        (1, 0, json!({}), Shape::Destination),
        (1, 1, json!({}), Shape::Apart),
        (2, 2, json!({ "split": "executed" }), Shape::Apart),
        (1, 0, direct, Shape::Direct),
        (2, 0, json!({ "split": "books_only" }), Shape::BooksOnly),
    ] {
        let world = World::new();
        let event = live(saying(&routed(merchants, transfers, &stripe(&more))));
        let reply = world.put(&event).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        assert_eq!(reply.body["processor"]["split"], shape.as_said());
        let transfer = if transfers > 0 { json!("tr_0") } else { Value::Null };
        assert_eq!(reply.body["routing"]["merchants"][0]["transfer"], transfer);
        let again = world.put(&event).await;
        assert_eq!(
            (again.status, &again.body),
            (200, &reply.body),
            "it comes back from the table as it went in"
        );
    }
}

#[tokio::test]
async fn what_stripe_cannot_carry_out_is_refused_or_stands_in_the_books() {
    for (merchants, transfers, more) in [
        (2, 0, json!({})),
        (2, 1, json!({ "split": "executed" })),
        (2, 0, json!({ "account": "acct_1" })),
        (1, 1, json!({ "account": "acct_1" })),
    ] {
        let world = World::new();
        let event = || saying(&routed(merchants, transfers, &stripe(&more)));
        let reply = world.put(&live(event())).await;
        assert_eq!(reply.problem(), (422, "split_not_executable"), "{more}");
        assert!(world.table.items().await.is_empty());
        let rehearsed = world.put(&event()).await;
        if more["split"] == "executed" {
            assert_eq!(rehearsed.problem(), (422, "split_not_executable"));
        } else {
            assert_eq!(
                (rehearsed.status, &rehearsed.body["processor"]["split"]),
                (201, &json!("books_only"))
            );
        }
    }
}

#[tokio::test]
async fn names_that_are_none_of_stripes_and_words_without_a_routing_are_refused() {
    let adapter = json!({ "name": "http", "reference": "bank-1", "account": "acct_1" });
    let mut transfer = routed(1, 1, &stripe(&json!({})));
    transfer["routing"]["merchants"][0]["transfer"] = json!("tr_1/reversals");
    for (fields, param) in [
        (json!({ "processor": stripe(&json!({ "account": "acct_1/x" })) }), "processor.account"),
        (json!({ "processor": adapter }), "processor.account"),
        (json!({ "processor": stripe(&json!({ "split": "books_only" })) }), "processor.split"),
        (json!({ "processor": stripe(&json!({ "split": "halved" })) }), "processor.split"),
        (transfer, "routing.merchants[0].transfer"),
    ] {
        let reply = World::new().put(&saying(&fields)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{fields}");
        assert_eq!(reply.body["param"], param);
    }
}

#[tokio::test]
async fn how_a_split_is_carried_out_is_fixed_and_what_is_omitted_stays() {
    let fields = routed(2, 2, &stripe(&json!({})));
    let world = World::saying(&fields).await;
    for same in [routed(2, 0, &stripe(&json!({}))), routed(2, 1, &stripe(&json!({ "split": "executed" })))] {
        assert_eq!(world.put(&saying(&same)).await.status, 200, "{same}");
    }
    let mut other = fields.clone();
    other["routing"]["merchants"][0]["transfer"] = json!("tr_9");
    for other in [
        other,
        routed(2, 2, &stripe(&json!({ "split": "books_only" }))),
        routed(2, 2, &stripe(&json!({ "account": "acct_1" }))),
    ] {
        assert_eq!(world.put(&saying(&other)).await.problem(), (409, "payment_conflict"), "{other}");
    }
    let payment = world.payment().await;
    assert_eq!(payment.seal_under(&fixtures::seal_key()), Sealed::Intact);
    let mut bent = payment.clone();
    bent.processor.split.as_mut().unwrap().transfers[1].1 = fixtures::text("tr_9");
    assert_eq!(bent.seal_under(&fixtures::seal_key()), Sealed::Broken);
}

/// Registered before there was a word for it: nothing was ever taken from its actors.
#[tokio::test]
async fn what_an_earlier_version_registered_stands_in_the_books() {
    let world = World::new();
    let mut payment = fixtures::getpaid_payment();
    payment.id = fixtures::payment_id(crate::PAYMENT);
    let store = world.table.store();
    recoup_ports::payments::Register::register(&store, &payment.sealed(&fixtures::seal_key())).await.unwrap();
    for (said, status) in
        [(json!({}), 200), (json!({ "split": "books_only" }), 200), (json!({ "split": "executed" }), 409)]
    {
        let mut processor = json!({ "name": "sandbox", "reference": "sandbox_succeed" });
        processor.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let reply = world.put(&saying(&json!({ "amount": 3100, "processor": processor }))).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        if status == 200 {
            assert_eq!(reply.body["processor"]["split"], "books_only");
        }
    }
}
