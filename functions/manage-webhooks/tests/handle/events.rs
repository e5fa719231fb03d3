//! One event, with what became of it, as it was at its moment.

use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, GivenUp, Target};
use recoup_domain::endpoint::DisabledReason;
use recoup_domain::event::Event;
use recoup_domain::ids::{EndpointId, EventId};
use recoup_testing::fixtures;
use recoup_views::RefundView;
use serde_json::{Value, json};
use std::time::Duration;

use crate::{World, data, set_clock, target, tried};

const DAY: u64 = 24 * 3_600_000;

#[tokio::test]
async fn an_event_tells_its_deliveries_and_their_attempts_oldest_first() {
    let world = World::new().await;
    let refund = world.refund("key-1", 0, Some("https://own.example.com/")).await;
    let event = fixtures::beginning(&refund);
    let [one, other] = [1, 2].map(|id| EndpointId::from_bits(id).to_string());
    let silence = Attempt {
        at: fixtures::later(200),
        took: Duration::from_secs(15),
        outcome: AttemptOutcome::Nothing("no answer within the time allowed".to_owned()),
    };
    let failed = tried(&event, &target(&one), 100, 500).after(silence, None, 1_000);
    world.note(&event, &failed).await;
    world.note(&event, &tried(&event, &target(&other), 150, 410)).await;
    world.note(&event, &tried(&event, &Target::RefundUrl, 50, 204)).await;

    let read = world.get(&format!("/v1/events/{}", event.id)).await;
    let from_one = |at, status: Value, answer: Value, error: Value, duration: u64| {
        json!({ "endpoint_id": one, "to": "endpoint", "at": fixtures::later(at).rfc3339(), "status": status,
            "answer": answer, "error": error, "duration_ms": duration })
    };
    let expected = json!({
        "id": event.id.as_str(), "object": "event", "type": "refund.initiated", "refund_id": refund.id.as_str(),
        "endpoint_id": null, "sequence": 1, "created_at": fixtures::now().rfc3339(),
        "by": { "kind": "api_key", "id": fixtures::by_key().id.as_str(), "name": null },
        "data": serde_json::to_value(RefundView::of(&refund, &world.context.public_url)).unwrap(),
        "deliveries": [
            { "endpoint_id": one, "to": "endpoint", "status": "scheduled", "reason": null, "tries": 2,
              "next_try_at": fixtures::later(200 + 15_000 + 300_000).rfc3339() },
            { "endpoint_id": other, "to": "endpoint", "status": "dead_lettered", "reason": "gone", "tries": 1,
              "next_try_at": null },
            { "endpoint_id": null, "to": "refund_url", "status": "delivered", "reason": null, "tries": 1,
              "next_try_at": null },
        ],
        "attempts": [
            { "endpoint_id": null, "to": "refund_url", "at": fixtures::later(50).rfc3339(), "status": 204,
              "answer": "hm", "error": null, "duration_ms": 12 },
            from_one(100, json!(500), json!("hm"), Value::Null, 12),
            { "endpoint_id": other, "to": "endpoint", "at": fixtures::later(150).rfc3339(), "status": 410,
              "answer": "hm", "error": null, "duration_ms": 12 },
            from_one(200, Value::Null, Value::Null, json!("no answer within the time allowed"), 15_000),
        ],
        "_links": { "self": { "href": format!("https://api.example.com/v1/events/{}", event.id) } },
    });
    assert_eq!((read.status, &read.body), (200, &expected));
    assert_eq!(
        *data(&world.get("/v1/events").await),
        std::slice::from_ref(&expected),
        "a list shows the same"
    );
    let of_refund = world.get(&format!("/v1/events?refund_id={}", refund.id)).await;
    assert_eq!(*data(&of_refund), [expected]);
}

#[tokio::test]
async fn an_event_shows_its_refund_as_it_was_at_that_moment() {
    let world = World::new().await;
    let first = world.refund("key-1", 0, None).await;
    let second = world.with_metadata(&first, "second", 10).await;
    let third = world.with_metadata(&second, "third", 10).await;
    let last = world.stepped(&third, fixtures::succeeded(), 20).await;
    let endpoint = EndpointId::from_bits(1).to_string();
    let changes = [(Some(&first), &second), (Some(&second), &third), (Some(&third), &last)];
    let later = changes.map(|(before, refund)| Event::of_change(before, refund));
    world.record(&later[0]).await;
    world.note(&later[1], &tried(&later[1], &target(&endpoint), 30, 204)).await;
    world.note(&later[2], &tried(&later[2], &target(&endpoint), 40, 500)).await;
    let beginning = fixtures::beginning(&last);
    let moments = [
        (&beginning, &first, "refund.initiated"),
        (&later[0], &second, "refund.updated"),
        (&later[1], &third, "refund.updated"),
        (&later[2], &last, "refund.succeeded"),
    ];
    for (event, then, kind) in moments {
        let read = world.get(&format!("/v1/events/{}", event.id)).await;
        let then = serde_json::to_value(RefundView::of(then, &world.context.public_url)).unwrap();
        // What the body of the webhook had: only the number of the change grew since.
        assert_eq!((&read.body["type"], &read.body["data"]), (&json!(kind), &then), "{}", read.text);
        assert_eq!(read.body["sequence"], then["sequence"]);
        let by = if kind == "refund.succeeded" { "processor" } else { "api_key" };
        assert_eq!(read.body["by"]["kind"], by);
    }
    let notes = world.get(&format!("/v1/events?refund_id={}", first.id)).await;
    let notes: Vec<&Value> = data(&notes).iter().map(|event| &event["data"]["metadata"]["k"]).collect();
    assert_eq!((notes[0], notes[3], notes.len()), (&json!("third"), &json!("first"), 4));
    let listed = world.get("/v1/events").await;
    let alone = world.get(&format!("/v1/events?refund_id={}", first.id)).await;
    assert_eq!(listed.body["data"], alone.body["data"]);
}

#[tokio::test]
async fn an_endpoint_that_was_switched_off_is_an_event_without_a_refund() {
    let world = World::new().await;
    let endpoint = EndpointId::from_bits(7);
    let at = fixtures::later(10);
    let event = Event::of_disabled(&fixtures::tenant(), &endpoint, DisabledReason::Failing, at);
    world.record(&event).await;
    let read = world.get(&format!("/v1/events/{}", event.id)).await;
    let fields = ["type", "refund_id", "endpoint_id", "sequence", "deliveries", "attempts"];
    let expected = json!(["endpoint.disabled", null, endpoint.as_str(), null, [], []]);
    assert_eq!(json!(fields.map(|field| read.body[field].clone())), expected);
    assert_eq!(read.body["data"]["disabled_reason"], "failing");
    assert_eq!(read.body["by"], json!({ "kind": "recoup", "id": "recoup", "name": null }));
    assert_eq!(*data(&world.get("/v1/events?type=endpoint.disabled").await), [read.body]);
}

#[tokio::test]
async fn an_unannounced_beginning_is_found_by_its_id_among_its_millisecond() {
    let world = World::new().await;
    let mut refunds = Vec::new();
    for number in 0..7 {
        refunds.push(world.refund(&format!("key-{number}"), 5, None).await);
    }
    world.refund("before", 4, None).await;
    world.refund("after", 6, None).await;
    for refund in &refunds {
        let id = fixtures::beginning(refund).id;
        let read = world.get(&format!("/v1/events/{id}")).await;
        assert_eq!((read.status, &read.body["refund_id"]), (200, &json!(refund.id.as_str())));
        assert_eq!((&read.body["deliveries"], &read.body["attempts"]), (&json!([]), &json!([])));
    }
    let not_one = EventId::earliest_at(fixtures::later(5));
    for id in [
        not_one.as_str(),
        EventId::from_bits(u128::MAX).as_str(),
        EventId::from_bits(1).as_str(),
        "evt_1",
        "x",
    ] {
        assert_eq!(world.get(&format!("/v1/events/{id}")).await.problem(), (404, "event_not_found"), "{id}");
    }
}

#[tokio::test]
async fn after_thirty_days_an_event_is_told_no_more() {
    let world = World::new().await;
    let begun = world.refund("key-1", 0, None).await;
    let ended = world.stepped(&begun, fixtures::succeeded(), 0).await;
    let recorded = Event::of_change(Some(&begun), &ended);
    world
        .note(
            &recorded,
            &Delivery::first(&recorded, Target::RefundUrl, fixtures::now()).given_up(GivenUp::Gone),
        )
        .await;
    let ids = [fixtures::beginning(&begun).id, recorded.id];
    for (millis, is_told) in [(30 * DAY - 1, true), (30 * DAY, false), (90 * DAY, false)] {
        set_clock(millis);
        let all = if is_told { 2 } else { 0 };
        for list in [
            "/v1/events".to_owned(),
            "/v1/events?created_from=2026-01-01T00:00:00Z".to_owned(),
            format!("/v1/events?refund_id={}", begun.id),
        ] {
            assert_eq!(data(&world.get(&list).await).len(), all, "{list} after {millis}");
        }
        for id in &ids {
            let status = if is_told { 200 } else { 404 };
            assert_eq!(world.get(&format!("/v1/events/{id}")).await.status, status, "after {millis}");
            let again = world.send("POST", &format!("/v1/events/{id}/redeliver"), None).await;
            assert_eq!(again.problem().0, if is_told { 409 } else { 404 }, "after {millis}");
        }
    }
}
