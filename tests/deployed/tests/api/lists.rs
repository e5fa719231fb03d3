//! Lists: complete, stable, filtered, and an account's own.

use recoup_deployed_tests::{Account, Stack};
use serde_json::{Value, json};

/// Every page of a list, checked for its size and its cursors.
async fn pages(account: &Account, path: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = account.get(&format!("{path}{separator}limit={limit}{cursor}")).await;
        assert_eq!((page.status, page.text("object")), (200, "list"), "{:?}", page.body);
        let data = page.body["data"].as_array().unwrap().clone();
        assert!(data.len() <= limit);
        all.extend(data);
        let Some(next) = page.body["next_cursor"].as_str() else {
            assert_eq!(page.body["has_more"], false);
            return all;
        };
        cursor = format!("&cursor={next}");
    }
}

fn ids(refunds: &[Value]) -> Vec<&str> {
    refunds.iter().map(|refund| refund["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn thirty_refunds_by_seven_are_complete_and_newest_first_in_every_filter() {
    let account = Stack::running().new_account().await;
    account.register_plain("pay_a", 1_000_000, "sandbox_succeed").await;
    account.register_plain("pay_b", 1_000_000, "sandbox_fail").await;
    let mut made = Vec::new();
    for number in 0..30 {
        let payment = if number % 3 == 0 { "pay_b" } else { "pay_a" };
        let wanted = json!({ "payment_id": payment, "amount": number + 1 });
        made.push(account.refund(Some(&format!("list-{number}")), wanted).await.body);
    }
    for refund in &made {
        let status = if refund["payment_id"] == "pay_b" { "failed" } else { "succeeded" };
        account.refund_in(refund["id"].as_str().unwrap(), status).await;
    }
    made.reverse();
    // Within one millisecond the id decides, so the expectation is sorted as the list promises.
    made.sort_by(|one, other| {
        let place = |refund: &Value| (refund["created_at"].to_string(), refund["id"].to_string());
        place(other).cmp(&place(one))
    });
    let of = |payment: &str| -> Vec<Value> {
        made.iter().filter(|refund| refund["payment_id"] == payment).cloned().collect()
    };

    assert_eq!(ids(&pages(&account, "/v1/refunds", 7).await), ids(&made));
    assert_eq!(ids(&pages(&account, "/v1/refunds?status=failed", 7).await), ids(&of("pay_b")));
    assert_eq!(ids(&pages(&account, "/v1/refunds?status=succeeded", 7).await), ids(&of("pay_a")));
    assert_eq!(ids(&pages(&account, "/v1/refunds?status=cancelled", 7).await), Vec::<&str>::new());
    for path in ["/v1/refunds?payment_id=pay_b", "/v1/payments/pay_b/refunds"] {
        let listed = pages(&account, path, 7).await;
        assert_eq!(ids(&listed), ids(&of("pay_b")), "{path}");
    }
    let (from, to) = (made[20]["created_at"].as_str().unwrap(), made[5]["created_at"].as_str().unwrap());
    let between: Vec<Value> = made
        .iter()
        .filter(|refund| (from..to).contains(&refund["created_at"].as_str().unwrap()))
        .cloned()
        .collect();
    let path = format!("/v1/refunds?created_from={from}&created_to={to}");
    assert_eq!(ids(&pages(&account, &path, 7).await), ids(&between));
}

#[tokio::test]
async fn a_page_stays_where_it_was_when_new_refunds_arrive() {
    let account = Stack::running().new_account().await;
    account.register_plain("pay_stable", 10_000, "sandbox_succeed").await;
    let create = async |number: usize| {
        let wanted = json!({ "payment_id": "pay_stable", "amount": 1 });
        account.refund(Some(&format!("stable-{number}")), wanted).await.text("id").to_owned()
    };
    for number in 0..4 {
        create(number).await;
    }
    let first = account.get("/v1/refunds?limit=2").await;
    create(4).await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = account.get(&format!("/v1/refunds?limit=2&cursor={cursor}")).await;
    let mut seen = ids(first.body["data"].as_array().unwrap());
    seen.extend(ids(second.body["data"].as_array().unwrap()));
    seen.dedup();
    assert_eq!((seen.len(), second.body["has_more"].as_bool()), (4, Some(false)));
}

#[tokio::test]
async fn a_list_shows_nothing_of_other_accounts_and_refuses_unknown_filters() {
    let stack = Stack::running();
    let (mine, theirs) = (stack.new_account().await, stack.new_account().await);
    mine.register_plain("pay_list", 1_000, "sandbox_succeed").await;
    mine.refund(None, json!({ "payment_id": "pay_list", "amount": 1 })).await;
    mine.refund(None, json!({ "payment_id": "pay_list", "amount": 1 })).await;
    assert_eq!(theirs.get("/v1/refunds").await.body["data"], json!([]));
    assert_eq!(theirs.get("/v1/payments/pay_list/refunds").await.status, 404);
    assert_eq!(theirs.get("/v1/refunds?payment_id=pay_list").await.status, 404);
    // A cursor is a place, not a key: in another account it leads to that account's own refunds.
    let page = mine.get("/v1/refunds?limit=1").await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    assert_eq!(theirs.get(&format!("/v1/refunds?cursor={cursor}")).await.body["data"], json!([]));

    for (query, code, param) in [
        ("limit=0", "invalid_parameter", "limit"),
        ("limit=101", "invalid_parameter", "limit"),
        ("limit=x", "invalid_parameter", "limit"),
        ("cursor=x", "invalid_parameter", "cursor"),
        ("status=done", "invalid_parameter", "status"),
        ("created_from=yesterday", "invalid_parameter", "created_from"),
        ("colour=red", "unknown_parameter", "colour"),
    ] {
        let answer = mine.get(&format!("/v1/refunds?{query}")).await;
        assert_eq!((answer.status, answer.text("code"), answer.text("param")), (400, code, param), "{query}");
    }
}

#[tokio::test]
async fn payments_are_listed_and_a_refund_is_found_by_its_reference() {
    let account = Stack::running().new_account().await;
    for number in 0..5 {
        account.register_plain(&format!("pay_{number}"), 1_000, "sandbox_succeed").await;
    }
    let wanted = json!({ "payment_id": "pay_3", "amount": 100, "reference": "ORDER-7" });
    let sought = account.refund(Some("by-reference"), wanted).await.body;
    account
        .refund(Some("another"), json!({ "payment_id": "pay_4", "amount": 100, "reference": "ORDER-70" }))
        .await;
    let payments = pages(&account, "/v1/payments", 2).await;
    let mut seen = ids(&payments);
    seen.sort_unstable();
    assert_eq!(seen, ["pay_0", "pay_1", "pay_2", "pay_3", "pay_4"]);
    let found = pages(&account, "/v1/refunds?reference=ORDER-7", 2).await;
    assert_eq!(ids(&found), [sought["id"].as_str().unwrap()]);
}
