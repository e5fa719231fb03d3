//! Old payments are imported, and Stripe is asked behind the answer.

use recoup_deployed_tests::Account;
use serde_json::{Value, json};

use super::{balance, refunded};

fn outcomes(answer: &Value) -> Vec<(&str, &str)> {
    let lines = answer["lines"].as_array().unwrap().iter();
    lines
        .map(|line| {
            let code = line["problem"]["code"].as_str().unwrap_or("-");
            (line["outcome"].as_str().unwrap(), code)
        })
        .collect()
}

/// Beside the payments of the test of Stripe: every charge there is of 10.00 EUR.
pub(crate) async fn are_verified_behind_the_answer(caller: &Account) {
    let at = |reference: &str| json!({ "name": "stripe", "reference": reference });
    let said = |id: &str, amount: u64, reference: &str| json!({ "id": id, "amount": amount, "currency": "EUR", "processor": at(reference) });
    let lines = [
        json!({ "id": "imp_bare", "processor": at("pi_bare") }),
        said("imp_said", 1_000, "ch_said"),
        said("imp_wrong", 999, "ch_wrong"),
        json!({ "id": "imp_none", "amount": 100 }),
        said("imp_taken", 1_000, "ch_yes"),
        json!({ "id": "imp_plain", "amount": 500, "currency": "EUR" }),
    ];
    let expected = [
        ("created", "-"),
        ("created", "-"),
        ("created", "-"),
        ("refused", "missing_parameter"),
        ("refused", "processor_reference_in_use"),
        ("created", "-"),
    ];
    let first = caller.import(&lines).await;
    assert_eq!((first.status, outcomes(&first.body)), (200, expected.to_vec()), "{:?}", first.body);
    for (id, status) in [("imp_bare", "verified"), ("imp_said", "verified"), ("imp_wrong", "failed")] {
        let shown = caller.payment_once(id, |it| it["processor_verification"]["status"] != "pending").await;
        assert_eq!(shown["processor_verification"]["status"], status, "{shown}");
    }
    let bare = caller.payment("imp_bare").await;
    assert_eq!((&bare["amount"], &bare["currency"]), (&json!(1_000), &json!("EUR")));
    let id = refunded(caller, "imp_bare", None).await;
    caller.refund_in(&id, "succeeded").await;
    assert_eq!(balance(caller, "imp_bare").await, [600, 0, 400]);
    let refused = caller.refund(None, json!({ "payment_id": "imp_wrong" })).await;
    assert_eq!((refused.status, refused.text("code")), (422, "payment_not_refundable"));
    // Sent again rightly, it is confirmed, too; what stood stays.
    let again = caller.import(&[lines[0].clone(), said("imp_wrong", 1_000, "ch_wrong")]).await;
    assert_eq!(outcomes(&again.body), [("unchanged", "-"), ("updated", "-")], "{:?}", again.body);
    caller.payment_once("imp_wrong", |it| it["processor_verification"]["status"] == "verified").await;
}

/// Five hundred lines fit into one call and its time.
#[tokio::test]
async fn five_hundred_payments_are_imported_in_one_call_and_again() {
    let account = recoup_deployed_tests::Stack::running().new_account().await;
    let line =
        |number: u64| json!({ "id": format!("old_{number}"), "amount": 100 + number, "currency": "EUR" });
    let lines: Vec<Value> = (0..500).map(line).collect();
    for outcome in ["created", "unchanged"] {
        let answer = account.import(&lines).await;
        assert_eq!((answer.status, &answer.body[outcome]), (200, &json!(500)), "{:?}", answer.body);
    }
    assert_eq!(account.payment("old_499").await["refundable_amount"], 599);
    let more: Vec<Value> = (0..501).map(line).collect();
    let refused = account.import(&more).await;
    assert_eq!((refused.status, refused.text("code")), (413, "body_too_large"));
}
