//! Quotes, proportional splits, metadata, cancelling and expanding.

use futures_util::future::join;
use recoup_deployed_tests::{Receiver, Stack};
use serde_json::json;

#[tokio::test]
async fn a_quote_says_what_the_create_then_does_and_writes_nothing() {
    let account = Stack::running().new_account().await;
    account.register_example("pay_quote", "sandbox_succeed").await;
    let before = account.payment("pay_quote").await;
    let wishes = [
        json!({ "payment_id": "pay_quote", "amount": 1001, "routing": { "split": "proportional" } }),
        json!({ "payment_id": "pay_quote", "amount": "5.00" }),
        json!({ "payment_id": "pay_quote", "amount": 9_999 }),
        json!({ "payment_id": "pay_quote" }),
    ];
    for wish in wishes {
        let quote = account.send("POST", "/v1/refunds/quote", &[], Some(wish.to_string())).await;
        let created = account.refund(None, wish.clone()).await;
        if created.status != 201 {
            assert_eq!(
                (quote.status, &quote.body["code"]),
                (created.status, &created.body["code"]),
                "{wish}"
            );
            assert_eq!(quote.body["detail"], created.body["detail"]);
            continue;
        }
        assert_eq!(quote.status, 200, "{:?}", quote.body);
        for field in ["amount", "amount_decimal", "currency", "kind"] {
            assert_eq!(quote.body[field], created.body[field], "{wish}");
        }
        let after = account.payment("pay_quote").await;
        assert_eq!(quote.body["refundable_amount_after"], after["refundable_amount"]);
        for index in 0..2 {
            let quoted = &quote.body["routing"]["merchants"][index]["refundable_amount_after"];
            assert_eq!(*quoted, after["routing"]["merchants"][index]["refundable_amount"]);
        }
    }
    assert_eq!(before["refundable_amount"], 3100);
}

#[tokio::test]
async fn repeated_proportional_refunds_never_strand_a_cent() {
    let account = Stack::running().new_account().await;
    account.register_example("pay_prop", "sandbox_succeed").await;
    let mut left = 3_100;
    for amount in [1, 333, 1, 1_000, 7] {
        let wish =
            json!({ "payment_id": "pay_prop", "amount": amount, "routing": { "split": "proportional" } });
        let created = account.refund(None, wish).await;
        assert_eq!(created.status, 201, "{:?}", created.body);
        let routing = &created.body["routing"];
        let merchants = routing["merchants"].as_array().unwrap();
        let parts = merchants.iter().map(|part| part["amount"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(parts + routing["platform"]["amount"].as_u64().unwrap(), amount);
        left -= amount;
        assert_eq!(account.payment("pay_prop").await["refundable_amount"], left);
    }
    let rest = account.refund(None, json!({ "payment_id": "pay_prop" })).await;
    assert_eq!((rest.status, rest.body["amount"].as_u64()), (201, Some(left)));
    assert_eq!(account.payment("pay_prop").await["routing"]["platform"]["refundable_amount"], 0);
}

#[tokio::test]
async fn metadata_are_changed_key_by_key_and_announced() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::start().await;
    account.register_plain("pay_meta", 1_000, "sandbox_succeed").await;
    let wish = json!({
        "payment_id": "pay_meta", "metadata": { "order": "1", "shop": "a" }, "urls": { "webhook": receiver.url }
    });
    let created = account.refund(None, wish).await;
    receiver.take(2).await;
    let path = format!("/v1/refunds/{}", created.text("id"));
    let change = json!({ "metadata": { "order": "2", "shop": null, "new": "x" } }).to_string();
    let changed = account.send("PATCH", &path, &[], Some(change.clone())).await;
    assert_eq!((changed.status, &changed.body["metadata"]), (200, &json!({ "order": "2", "new": "x" })));
    assert_eq!(changed.text("status"), "succeeded");
    let told = receiver.next().await;
    assert_eq!(
        (told.kind(), &told.body["data"]["metadata"]),
        ("refund.updated", &json!({ "order": "2", "new": "x" }))
    );
    // The same change again is no change.
    let again = account.send("PATCH", &path, &[], Some(change)).await;
    assert_eq!(again.body["updated_at"], changed.body["updated_at"]);
    let wrong = account.send("PATCH", &path, &[], Some(json!({ "amount": 1 }).to_string())).await;
    // What is unknown is named before what is missing.
    assert_eq!((wrong.status, wrong.text("code")), (400, "unknown_parameter"));
}

#[tokio::test]
async fn a_cancel_racing_with_processing_leaves_one_winner_and_conserves_money() {
    let account = Stack::running().new_account().await;
    account.register_example("pay_cancel", "sandbox_succeed").await;
    for number in 0..10 {
        let key = format!("cancel-{number}");
        let wish =
            json!({ "payment_id": "pay_cancel", "amount": 100, "routing": { "split": "proportional" } });
        let created = account.refund(Some(&key), wish).await;
        assert_eq!(created.status, 201, "{:?}", created.body);
        let path = format!("/v1/refunds/{}/cancel", created.text("id"));
        let cancel = || account.send("POST", &path, &[], None);
        let (one, other) = join(cancel(), cancel()).await;
        match one.status {
            200 => {
                assert_eq!((one.text("status"), other.status), ("cancelled", 200), "{:?}", other.body);
                let refund = account.refund_in(created.text("id"), "cancelled").await;
                assert_eq!(refund["has_failed"], false);
            }
            status => {
                assert_eq!((status, one.text("code")), (409, "refund_not_cancellable"));
                account.refund_in(created.text("id"), "succeeded").await;
            }
        }
        account.payment("pay_cancel").await;
    }
    let all = account.get("/v1/payments/pay_cancel/refunds?limit=100").await;
    let kept =
        all.body["data"].as_array().unwrap().iter().filter(|refund| refund["status"] == "succeeded").count();
    let left = account.payment("pay_cancel").await["refundable_amount"].as_u64().unwrap();
    assert_eq!(usize::try_from((3_100 - left) / 100).unwrap(), kept);
}

#[tokio::test]
async fn expand_shows_the_payment_beside_or_in_place_of_its_id() {
    let account = Stack::running().new_account().await;
    account.register_plain("pay_expand", 1_000, "sandbox_succeed").await;
    let created = account.refund(None, json!({ "payment_id": "pay_expand", "amount": 10 })).await;
    let path = format!("/v1/refunds/{}", created.text("id"));
    let beside = account.get(&format!("{path}?expand=payment")).await;
    assert_eq!(beside.body["payment"]["id"], "pay_expand");
    assert_eq!(beside.body["transaction_id"], "pay_expand");
    let instead = account.get(&format!("{path}?expand=transaction_id")).await;
    assert_eq!(instead.body["transaction_id"]["refundable_amount"], 990);
    let wrong = account.get(&format!("{path}?expand=everything")).await;
    assert_eq!((wrong.status, wrong.text("param")), (400, "expand"));
}
