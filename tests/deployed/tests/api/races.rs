//! Many at once, on the deployed stack: exactly as many winners as fit, and no 5xx.

use futures_util::future::join_all;
use recoup_deployed_tests::{Account, Stack};
use serde_json::json;

#[tokio::test]
async fn forty_partial_refunds_at_once_leave_exactly_as_many_winners_as_fit() {
    let account = Stack::running().new_account().await;
    // 40 times 150 of 3100: exactly 20 fit.
    account.register_plain("pay_race", 3_100, "sandbox_succeed").await;
    let one = |number: usize| {
        let account: Account = account.clone();
        async move {
            let wanted = json!({ "payment_id": "pay_race", "amount": 150 });
            account.refund(Some(&format!("race-{number}")), wanted).await
        }
    };
    let answers = join_all((0..40).map(one)).await;
    let winners = answers.iter().filter(|answer| answer.status == 201).count();
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(
            (answer.status, answer.text("code")),
            (422, "amount_exceeds_refundable"),
            "{:?}",
            answer.body
        );
        assert_eq!(answer.body["refundable_amount"].as_u64().map(|left| left < 150), Some(true));
    }
    assert_eq!(winners, 20);
    assert_eq!(account.payment("pay_race").await["refundable_amount"], 100);
    for answer in answers.iter().filter(|answer| answer.status == 201) {
        account.refund_in(answer.text("id"), "succeeded").await;
    }
    let payment = account.payment("pay_race").await;
    assert_eq!(
        (payment["held_amount"].as_u64(), payment["refunded_amount"].as_u64()),
        (Some(0), Some(3_000))
    );
}

#[tokio::test]
async fn twenty_requests_at_once_with_one_key_leave_one_refund() {
    let account = Stack::running().new_account().await;
    account.register_plain("pay_key", 3_100, "sandbox_succeed").await;
    let one = |_| {
        let account: Account = account.clone();
        async move { account.refund(Some("one"), json!({ "payment_id": "pay_key", "amount": 100 })).await }
    };
    let answers = join_all((0..20).map(one)).await;
    let mut ids = Vec::new();
    let mut new = 0;
    for answer in &answers {
        match (answer.status, answer.header("idempotent-replayed")) {
            (201, "true") => ids.push(answer.text("id")),
            (201, _) => {
                new += 1;
                ids.push(answer.text("id"));
            }
            (409, _) => assert_eq!(answer.text("code"), "idempotency_key_in_use"),
            (status, _) => panic!("{status}: {:?}", answer.body),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((new, ids.len()), (1, 1));
    assert_eq!(account.payment("pay_key").await["refundable_amount"], 3_000);
}

#[tokio::test]
async fn two_full_refunds_at_once_leave_one_winner() {
    let account = Stack::running().new_account().await;
    account.register_example("pay_two", "sandbox_succeed").await;
    let one = |key: &'static str| {
        let account = account.clone();
        async move { account.refund(Some(key), json!({ "payment_id": "pay_two" })).await }
    };
    let answers = join_all([one("a"), one("b")]).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
    let lost = answers.iter().find(|answer| answer.status == 422).expect("a loser");
    assert_eq!(lost.text("code"), "payment_already_refunded");
}
