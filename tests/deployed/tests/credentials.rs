//! Who may call, and what one caller sees of another.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_deployed_tests::Stack;
use serde_json::json;

#[tokio::test]
async fn without_a_key_401_and_with_a_wrong_one_403() {
    let stack = Stack::running();
    assert_eq!(stack.with_authorization(None).get("/v1/payments/pay_1").await.status, 401);
    for wrong in ["Bearer sk_sandbox_wrong", "Basic c2s6", "nonsense", "Bearer "] {
        let answer = stack.with_authorization(Some(wrong)).get("/v1/payments/pay_1").await;
        assert!([401, 403].contains(&answer.status), "{wrong}: {}", answer.status);
    }
    let wrong = stack.with_authorization(Some("Bearer sk_sandbox_wrong")).get("/v1/payments/pay_1").await;
    assert_eq!(wrong.status, 403);
}

#[tokio::test]
async fn a_key_works_as_bearer_and_on_either_side_of_basic() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Basic" })).await.unwrap();
    let key = stack
        .admin(json!({ "command": "create_api_key", "account_id": made["account_id"], "environment": "sandbox" }))
        .await
        .unwrap();
    let key = key["secret"].as_str().unwrap();
    let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
    for authorization in [format!("Bearer {key}"), basic(format!("{key}:")), basic(format!("me:{key}"))] {
        let answer = stack.with_authorization(Some(&authorization)).get("/v1/payments/pay_1").await;
        assert_eq!((answer.status, answer.text("code")), (404, "payment_not_found"));
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_and_a_narrow_one_may_do_only_what_it_names() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Narrow" })).await.unwrap();
    let key = |scopes: serde_json::Value| json!({ "command": "create_api_key", "account_id": made["account_id"], "environment": "sandbox", "scopes": scopes });
    let narrow = stack.admin(key(json!(["refunds:read"]))).await.unwrap();
    let bearer = format!("Bearer {}", narrow["secret"].as_str().unwrap());
    let reader = stack.with_authorization(Some(&bearer));
    let refused = reader.refund(None, json!({ "payment_id": "pay_1" })).await;
    assert_eq!((refused.status, refused.text("code")), (403, "insufficient_scope"));
    let unknown = reader.get("/v1/refunds/rfd_00000000000000000000000000").await;
    assert_eq!((unknown.status, unknown.text("code")), (404, "refund_not_found"));

    // Revoked before it was ever used, so no answer of the authorizer is cached.
    let revoked = stack.admin(key(json!(["refunds:read"]))).await.unwrap();
    let done = stack.admin(json!({ "command": "revoke_api_key", "id": revoked["id"] })).await.unwrap();
    assert_eq!(done["revoked"], true);
    let bearer = format!("Bearer {}", revoked["secret"].as_str().unwrap());
    assert_eq!(stack.with_authorization(Some(&bearer)).get("/v1/payments/pay_1").await.status, 403);
}

#[tokio::test]
async fn another_accounts_objects_do_not_exist() {
    let stack = Stack::running();
    let (mine, theirs) = (stack.new_account().await, stack.new_account().await);
    mine.register_plain("pay_mine", 1_000, "sandbox_succeed").await;
    let refund = mine.refund(Some("k"), json!({ "payment_id": "pay_mine", "amount": 100 })).await;
    let path = format!("/v1/refunds/{}", refund.text("id"));
    assert_eq!(mine.get(&path).await.status, 200);
    assert_eq!(theirs.get(&path).await.status, 404);
    assert_eq!(theirs.get("/v1/payments/pay_mine").await.status, 404);
    assert_eq!(
        theirs.refund(Some("k"), json!({ "payment_id": "pay_mine", "amount": 100 })).await.status,
        404
    );
    // The same names are free to them, and the same key means another refund.
    theirs.register_plain("pay_mine", 500, "sandbox_succeed").await;
    let own = theirs.refund(Some("k"), json!({ "payment_id": "pay_mine", "amount": 100 })).await;
    assert_eq!(own.status, 201);
    assert_ne!(own.body["id"], refund.body["id"]);
}

#[tokio::test]
async fn admin_says_what_is_wrong_with_a_command() {
    let stack = Stack::running();
    let unknown = stack.admin(json!({ "command": "drop_everything" })).await.unwrap_err();
    assert!(unknown.contains("unknown variant"), "{unknown}");
    let account = "acct_00000000000000000000000000";
    let key = json!({ "command": "create_api_key", "account_id": account, "environment": "sandbox" });
    assert_eq!(stack.admin(key).await.unwrap_err(), "there is no such account");
    let key = json!({ "command": "revoke_api_key", "id": "key_00000000000000000000000000" });
    assert_eq!(stack.admin(key).await.unwrap_err(), "there is no such key");
}
