//! Events of the deployed API: listed with their deliveries and attempts, and sent again.

use std::time::{Duration, Instant};

use recoup_deployed_tests::{Account, Receiver, Stack};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);

/// The events of a list once there are so many of them and all that were sent have arrived: the list follows the
/// deliveries within moments, and has no event of its own to wait for.
async fn settled(account: &Account, path: &str, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let list = account.get(path).await;
        assert_eq!(list.status, 200, "{:?}", list.body);
        let events = list.body["data"].as_array().unwrap();
        let deliveries = events.iter().flat_map(|event| event["deliveries"].as_array().unwrap());
        let arrived = deliveries.into_iter().all(|delivery| delivery["status"] == "delivered");
        if events.len() == count && arrived {
            return events.clone();
        }
        assert!(started.elapsed() < PATIENCE, "{path}: {:?}", list.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn refund(account: &Account, payment: &str, urls: Option<&str>) -> String {
    account.register_plain(payment, 1_000, "sandbox_succeed").await;
    let mut wanted = json!({ "payment_id": payment, "amount": 10, "metadata": { "note": "first" } });
    if let Some(url) = urls {
        wanted["urls"] = json!({ "webhook": url });
    }
    let made = account.refund(None, wanted).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    account.refund_in(made.text("id"), "succeeded").await;
    made.text("id").to_owned()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn events_tell_what_was_delivered_in_the_very_body_of_the_webhook() {
    let account = Stack::running().new_account().await;
    let mut receiver = Receiver::start().await;
    let id = refund(&account, "pay_events", Some(&receiver.url)).await;
    let told = receiver.take(2).await;
    let events = settled(&account, "/v1/events", 2).await;
    assert_eq!(kinds(&events), ["refund.succeeded", "refund.initiated"]);
    for (event, webhook) in events.iter().zip(told.iter().rev()) {
        assert_eq!(event["id"], webhook.id());
        assert_eq!(
            (&event["data"], &event["created_at"]),
            (&webhook.body["data"], &webhook.body["timestamp"])
        );
        assert_eq!(event["refund_id"], id.as_str());
        let delivery = json!({ "endpoint_id": null, "to": "refund_url", "status": "delivered", "reason": null,
            "tries": 1, "next_try_at": null });
        assert_eq!(event["deliveries"], json!([delivery]));
        assert_eq!(
            (event["attempts"].as_array().unwrap().len(), &event["attempts"][0]["status"]),
            (1, &json!(204))
        );
        let alone = account.get(&format!("/v1/events/{}", webhook.id())).await;
        assert_eq!((alone.status, &alone.body), (200, event));
    }
    let of_refund = settled(&account, &format!("/v1/events?refund_id={id}"), 2).await;
    assert_eq!(of_refund, events);
    assert_eq!(settled(&account, "/v1/events?type=refund.succeeded", 1).await, events[..1]);
}

#[tokio::test]
async fn events_of_which_nobody_was_told_are_listed_and_sent_to_who_comes_later() {
    let account = Stack::running().new_account().await;
    let id = refund(&account, "pay_silent", None).await;
    let change = json!({ "metadata": { "note": "second" } }).to_string();
    assert_eq!(account.send("PATCH", &format!("/v1/refunds/{id}"), &[], Some(change)).await.status, 200);
    let events = settled(&account, "/v1/events", 3).await;
    assert_eq!(kinds(&events), ["refund.updated", "refund.succeeded", "refund.initiated"]);
    let notes = events.iter().map(|event| event["data"]["metadata"]["note"].as_str().unwrap());
    assert_eq!(notes.collect::<Vec<_>>(), ["second", "first", "first"], "each as it was then");

    // Page by page, each exactly once.
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = account.get(&format!("/v1/events?limit=1{cursor}")).await;
        walked.extend(page.body["data"].as_array().unwrap().clone());
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(walked, events);

    let path = |event: &Value| format!("/v1/events/{}", event["id"].as_str().unwrap());
    let nobody = account.send("POST", &format!("{}/redeliver", path(&events[0])), &[], None).await;
    assert_eq!((nobody.status, nobody.text("code")), (409, "no_receiver"), "{:?}", nobody.body);

    let mut receiver = Receiver::start().await;
    let body = json!({ "url": receiver.url }).to_string();
    let made = account.send("POST", "/v1/webhook-endpoints", &[], Some(body)).await;
    let endpoint = made.text("id");
    for event in &events {
        let alone = account.get(&path(event)).await;
        assert_eq!((alone.status, &alone.body), (200, event), "also the beginning, by its id alone");
        let again = account.send("POST", &format!("{}/redeliver", path(event)), &[], None).await;
        assert_eq!(again.status, 202, "{:?}", again.body);
        assert_eq!(again.body["deliveries"][0]["endpoint_id"], endpoint);
        let told = receiver.next().await;
        told.assert_signed_by(made.text("secret"));
        assert_eq!(
            (told.id(), told.kind()),
            (event["id"].as_str().unwrap(), event["type"].as_str().unwrap())
        );
        assert_eq!(told.body["data"], event["data"]);
    }
    let events = settled(&account, "/v1/events", 3).await;
    assert!(events.iter().all(|event| event["attempts"].as_array().unwrap().len() == 1));
}

#[tokio::test]
async fn a_redelivery_is_the_same_event_told_again() {
    let account = Stack::running().new_account().await;
    let (mut one, mut other) = (Receiver::start().await, Receiver::start().await);
    let mut ids = Vec::new();
    for receiver in [&one, &other] {
        let body = json!({ "url": receiver.url, "events": ["refund.succeeded"] }).to_string();
        ids.push(account.send("POST", "/v1/webhook-endpoints", &[], Some(body)).await.text("id").to_owned());
    }
    refund(&account, "pay_resent", None).await;
    let (first, _) = (one.next().await, other.next().await);
    let list = "/v1/events?type=refund.succeeded";
    settled(&account, list, 1).await;
    let path = format!("/v1/events/{}/redeliver", first.id());
    let only = json!({ "endpoint_id": ids[0] }).to_string();
    let again = account.send("POST", &path, &[], Some(only)).await;
    assert_eq!(again.status, 202, "{:?}", again.body);
    let second = one.next().await;
    assert_eq!((second.id(), &second.bytes), (first.id(), &first.bytes));
    settled(&account, list, 1).await;
    assert_eq!(account.send("POST", &path, &[], None).await.status, 202);
    assert_eq!((one.next().await.id(), other.next().await.id()), (first.id(), first.id()));
    let events = settled(&account, list, 1).await;
    assert_eq!(events[0]["attempts"].as_array().unwrap().len(), 5, "every attempt is kept");
    let unknown =
        account.send("POST", "/v1/events/evt_00000000000000000000000000/redeliver", &[], None).await;
    assert_eq!((unknown.status, unknown.text("code")), (404, "event_not_found"));
}
