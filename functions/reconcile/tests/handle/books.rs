//! Whoever writes behind the conditions is found out, to the cent, and nothing is guessed.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::report::Remedy;
use recoup_testing::fixtures;

use crate::{World, lines, two_hours_later};

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The lines of a run after an edit of the payment's item, which must leave everything as it is.
async fn after_edit(update: &str, values: &[(&str, AttributeValue)]) -> Vec<String> {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    assert_eq!(world.run(two_hours_later).await.drift, 0);
    world.edit(&world.table.item("payment").await, update, values).await;
    let before = world.everything().await;
    let report = world.run(two_hours_later).await;
    assert_eq!(world.everything().await, before, "only a person knows what is true");
    assert!(report.findings.iter().all(|finding| finding.remedy == Remedy::None));
    assert!(report.findings.iter().all(|finding| finding.payment.as_ref() == Some(&world.payment.id)));
    lines(&report.findings)
}

#[tokio::test]
async fn an_amount_that_was_edited_is_named_to_the_cent() {
    let found = after_edit("SET refundable = :it", &[(":it", number(2101))]).await;
    let line = "amount_astray none: in total: 31.00 EUR is not 21.01 refundable + 0.00 held + 10.00 refunded";
    assert_eq!(found, [line]);
}

#[tokio::test]
async fn the_actor_whose_amount_was_edited_is_named_and_no_other() {
    let found = after_edit("SET actors[0].refundable = :it", &[(":it", number(0))]).await;
    let line =
        "amount_astray none: of the platform: 1.00 EUR is not 0.00 refundable + 0.00 held + 0.00 refunded";
    assert_eq!(found, [line]);
}

#[tokio::test]
async fn a_line_that_was_marked_by_hand_is_named() {
    let lines = AttributeValue::Ss(vec!["iid_1".to_owned()]);
    let found = after_edit("SET lines_refunded = :it", &[(":it", lines)]).await;
    assert_eq!(
        found,
        ["line_astray none: what line iid_1 has left and what refunds take of it are not its amount"]
    );
}

#[tokio::test]
async fn what_was_taken_of_a_line_by_hand_is_named() {
    let left = AttributeValue::L(vec![number(2_000), number(1_099)]);
    let found = after_edit("SET lines_left = :it", &[(":it", left)]).await;
    assert_eq!(
        found,
        ["line_astray none: what line iid_2 has left and what refunds take of it are not its amount"]
    );
}

#[tokio::test]
async fn a_refund_that_was_edited_shows_in_its_payments_books() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    world.edit(&world.table.item("refund").await, "SET amount = :it", &[(":it", number(1))]).await;
    let found = lines(&world.run(two_hours_later).await.findings);
    let line = "amount_astray none: in total: 31.00 EUR is not 21.00 refundable + 0.00 held + 0.01 refunded";
    assert_eq!(found, [line]);
}

#[tokio::test]
async fn a_payment_that_was_deleted_and_a_refund_that_was_deleted_are_named() {
    let world = World::new().await;
    let refund = world.reserve("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    world.delete(&world.table.item("payment").await).await;
    let found = lines(&world.run(two_hours_later).await.findings);
    assert_eq!(found, ["refund_astray none: the payment of this refund does not exist"]);

    let world = World::new().await;
    let deleted = world.reserve("key-1").await;
    world.delete(&world.table.item("refund").await).await;
    let left = world.reserve("key-2").await;
    world.settle(&left, fixtures::succeeded()).await;
    let report = world.run(two_hours_later).await;
    let found = lines(&report.findings);
    assert_eq!(
        found[0],
        "refund_astray none: the payment names a refund that does not exist or is not its own"
    );
    assert_eq!(report.findings[0].refund, Some(deleted.id));
    assert!(
        found[1].starts_with("amount_astray none: in total: 31.00 EUR is not 11.00 refundable"),
        "{found:?}"
    );
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_named_and_stands_in_nobodys_way() {
    let world = World::new().await;
    let bad = world.reserve("key-1").await;
    world
        .edit(
            &world.table.item("refund").await,
            "SET kind = :it",
            &[(":it", AttributeValue::S("gift".into()))],
        )
        .await;
    let stuck = world.reserve("key-2").await;
    let report = world.run(two_hours_later).await;
    let found = lines(&report.findings);
    assert!(
        found.contains(&"unreadable none: the refund's item cannot be read: unknown Kind".to_owned()),
        "{found:?}"
    );
    let job = report.findings.iter().find(|finding| finding.remedy == Remedy::SentFor).unwrap();
    assert_eq!(job.refund, Some(stuck.id));
    let unreadable = report.findings.iter().find(|finding| finding.refund.as_ref() == Some(&bad.id));
    assert!(unreadable.is_some());
}
