//! Webhook endpoints of the deployed API: made, told, tried out, given another secret, and switched off by a 410.

use std::time::{Duration, Instant};

use recoup_deployed_tests::{Account, Receiver, Stack, Webhook};
use serde_json::{Value, json};

const ENDPOINTS: &str = "/v1/webhook-endpoints";
/// What the table's stream, the queues and two functions need at most; a read says nothing of it, so it is asked again.
const PATIENCE: Duration = Duration::from_mins(1);

async fn post(account: &Account, path: &str, body: Value) -> recoup_deployed_tests::Answer {
    account.send("POST", path, &[], Some(body.to_string())).await
}

/// A new endpoint's path and secret.
async fn endpoint(account: &Account, body: Value) -> (String, String) {
    let made = post(account, ENDPOINTS, body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    (format!("{ENDPOINTS}/{}", made.text("id")), made.text("secret").to_owned())
}

/// Makes a refund that succeeds; its id.
async fn refund(account: &Account, payment: &str) -> String {
    account.register_plain(payment, 1_000, "sandbox_succeed").await;
    let made = account.refund(None, json!({ "payment_id": payment })).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    made.text("id").to_owned()
}

/// What a path answers once that is as it should be: what a try brought is written after its receiver has answered.
async fn until(account: &Account, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let read = account.get(path).await.body;
        if is_so(&read) {
            return read;
        }
        assert!(started.elapsed() < PATIENCE, "{path}: {read:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn kinds(webhooks: &[Webhook]) -> Vec<&str> {
    webhooks.iter().map(Webhook::kind).collect()
}

#[tokio::test]
async fn an_endpoint_hears_of_every_refund_signed_with_its_own_secret() {
    let account = Stack::running().new_account().await;
    let (mut all, mut some, mut own) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let (path, secret) = endpoint(&account, json!({ "url": all.url })).await;
    let only = json!({ "url": some.url, "events": ["refund.succeeded"], "description": "The back office" });
    let (_, other_secret) = endpoint(&account, only).await;
    let off = Receiver::start().await;
    endpoint(&account, json!({ "url": off.url, "enabled": false })).await;

    account.register_plain("pay_told", 1_000, "sandbox_succeed").await;
    let urls = json!({ "webhook": own.url });
    let made = account.refund(None, json!({ "payment_id": "pay_told", "urls": urls })).await;
    let told = all.take(2).await;
    assert_eq!(kinds(&told), ["refund.initiated", "refund.succeeded"]);
    for webhook in &told {
        webhook.assert_signed_by(&secret);
        assert_eq!(webhook.body["data"]["id"], made.body["id"]);
    }
    let heard = some.next().await;
    heard.assert_signed_by(&other_secret);
    // The same event for everybody, by its id and its bytes.
    assert_eq!((heard.id(), &heard.bytes), (told[1].id(), &told[1].bytes));
    for (webhook, told) in own.take(2).await.iter().zip(&told) {
        webhook.assert_signed_by(&account.webhook_secret);
        assert_eq!((webhook.id(), &webhook.bytes), (told.id(), &told.bytes));
    }

    let list = account.get(ENDPOINTS).await;
    assert_eq!((list.status, list.body["data"].as_array().unwrap().len()), (200, 3));
    assert!(!list.body.to_string().contains("whsec_"));
    let deleted = account.send("DELETE", &path, &[], None).await;
    assert_eq!((deleted.status, account.get(&path).await.status), (204, 404));
    assert_eq!(account.send("DELETE", &path, &[], None).await.status, 404);
}

#[tokio::test]
async fn after_a_rotation_both_secrets_verify() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::start().await;
    let (path, first) = endpoint(&account, json!({ "url": receiver.url })).await;
    let rotated = post(&account, &format!("{path}/rotate-secret"), json!({ "overlap_hours": 1 })).await;
    assert_eq!(rotated.status, 200, "{:?}", rotated.body);
    let second = rotated.text("secret");
    assert_ne!(second, first);
    refund(&account, "pay_rotated").await;
    for webhook in receiver.take(2).await {
        assert_eq!(webhook.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
        webhook.assert_signed_by(&first);
        webhook.assert_signed_by(second);
    }
    for _ in 0..2 {
        assert_eq!(account.send("POST", &format!("{path}/rotate-secret"), &[], None).await.status, 200);
    }
    let refused = account.send("POST", &format!("{path}/rotate-secret"), &[], None).await;
    assert_eq!((refused.status, refused.text("code")), (409, "too_many_secrets"), "{:?}", refused.body);
}

#[tokio::test]
async fn a_sample_says_what_came_of_it() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::answering(&[200, 500]).await;
    let body = json!({ "url": receiver.url, "enabled": false });
    let (path, secret) = endpoint(&account, body).await;
    for (status, delivered) in [(200, true), (500, false)] {
        let told = account.send("POST", &format!("{path}/test"), &[], None).await;
        assert_eq!((told.status, &told.body["status"]), (200, &json!(status)), "{:?}", told.body);
        assert_eq!(told.body["delivered"], delivered);
        let sample = receiver.next().await;
        sample.assert_signed_by(&secret);
        assert_eq!((sample.kind(), sample.id()), ("endpoint.test", told.text("event_id")));
    }
    let events = account.get("/v1/events").await;
    assert_eq!(events.body["data"], json!([]), "a sample is not kept");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_sent_nothing_more_and_others_learn_of_it() {
    let account = Stack::running().new_account().await;
    let (mut gone, mut other) = (Receiver::answering(&[410]).await, Receiver::start().await);
    let (path, _) = endpoint(&account, json!({ "url": gone.url, "events": ["refund.initiated"] })).await;
    let body = json!({ "url": other.url, "events": ["endpoint.disabled"] });
    endpoint(&account, body).await;
    refund(&account, "pay_gone").await;
    assert_eq!(gone.next().await.kind(), "refund.initiated");
    let told = other.next().await;
    let read = account.get(&path).await;
    assert_eq!(told.kind(), "endpoint.disabled");
    assert_eq!(told.body["data"]["id"], read.body["id"]);
    assert_eq!((&read.body["enabled"], read.text("disabled_reason")), (&json!(false), "gone"));
    let disabled = "/v1/events?type=endpoint.disabled";
    let events = until(&account, disabled, |list| list["data"][0].is_object()).await;
    assert_eq!(events["data"][0]["data"], told.body["data"], "{events:?}");

    let event = format!("/v1/events/{}", told.id());
    let again =
        post(&account, &format!("{event}/redeliver"), json!({ "endpoint_id": read.body["id"] })).await;
    assert_eq!((again.status, again.text("code")), (409, "endpoint_disabled"));
    let on = account.send("PATCH", &path, &[], Some(json!({ "enabled": true }).to_string())).await;
    assert_eq!((&on.body["enabled"], &on.body["disabled_reason"]), (&json!(true), &Value::Null));
    refund(&account, "pay_back").await;
    assert_eq!(gone.next().await.kind(), "refund.initiated");
}

#[tokio::test]
async fn a_failed_try_is_made_again_after_five_seconds_under_the_same_id() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::answering(&[503]).await;
    let body = json!({ "url": receiver.url, "events": ["refund.succeeded"] });
    let (path, secret) = endpoint(&account, body).await;
    refund(&account, "pay_again").await;
    let first = receiver.next().await;
    let began = Instant::now();
    let second = receiver.next().await;
    assert_eq!((first.id(), &first.bytes), (second.id(), &second.bytes));
    assert!(
        began.elapsed() >= Duration::from_secs(4),
        "five seconds but for the jitter: {:?}",
        began.elapsed()
    );
    second.assert_signed_by(&secret);
    let event = format!("/v1/events/{}", first.id());
    let read = until(&account, &event, |read| read["deliveries"][0]["status"] == "delivered").await;
    let attempts = read["attempts"].as_array().unwrap().iter();
    let statuses: Vec<&Value> = attempts.map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [&json!(503), &json!(204)]);
    assert_eq!(read["deliveries"][0]["tries"], 2);
    // A success ends the failing.
    until(&account, &path, |read| read["failing_since"].is_null()).await;
}

#[tokio::test]
async fn sixteen_endpoints_are_the_most() {
    let account = Stack::running().new_account().await;
    let body = json!({ "url": "https://receiver.invalid/" });
    for _ in 0..16 {
        endpoint(&account, body.clone()).await;
    }
    let refused = post(&account, ENDPOINTS, body).await;
    assert_eq!((refused.status, refused.text("code")), (409, "too_many_endpoints"), "{:?}", refused.body);
    for (body, code, param) in [
        (json!({}), "missing_parameter", "url"),
        (json!({ "url": "ftp://receiver.invalid/" }), "invalid_parameter", "url"),
        (json!({ "url": "https://receiver.invalid/", "events": ["a"] }), "invalid_parameter", "events[0]"),
        (json!({ "url": "https://receiver.invalid/", "secret": "x" }), "unknown_parameter", "secret"),
    ] {
        let refused = post(&account, ENDPOINTS, body).await;
        assert_eq!((refused.status, refused.text("code"), refused.text("param")), (400, code, param));
    }
}
