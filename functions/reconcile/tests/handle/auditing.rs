//! Every payment is audited, touched or not, a bounded number in each run, from where the last one ended.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::delivery::Target;
use recoup_domain::event::Event;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{State, Version};
use recoup_domain::report::Report;
use recoup_domain::time::Timestamp;
use recoup_outbound::sandbox::Sandbox;
use recoup_ports::events::RecordEvents;
use recoup_ports::payments::{Register, Registered};
use recoup_testing::{Item, fixtures};
use serde_json::json;

use crate::{Scripted, World, lines, soon_after, two_hours_later};

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

impl World {
    /// So many more payments, whose refunds nobody asks for, each registered a millisecond after the last.
    async fn untouched(&self, count: u64) {
        for number in 1..=count {
            let created_at = fixtures::later(number);
            let plain = fixtures::payment(&format!("pay_{number}"), 3100);
            let new = Payment { created_at, updated_at: created_at, ..plain }.sealed(&fixtures::seal_key());
            assert!(matches!(self.table.others().register(&new).await, Ok(Registered::New)));
        }
    }

    async fn item_of(&self, payment: &str) -> Item {
        let items = self.table.items().await;
        let is_its = |item: &Item| item["pk"].as_s().unwrap().ends_with(&format!("#payment#{payment}"));
        items.into_iter().find(is_its).unwrap()
    }

    async fn audit(&self, payments: u32) -> Report {
        self.run_at(Sandbox, two_hours_later, json!({ "days": 2, "audit_payments": payments })).await
    }
}

#[tokio::test]
async fn each_run_goes_on_where_the_last_one_ended_and_begins_anew_at_the_end() {
    let world = World::new().await;
    world.untouched(4).await;
    let mut checked = Vec::new();
    for _ in 0..4 {
        let report = world.audit(2).await;
        assert_eq!((report.drift, report.complete), (0, true), "{report:?}");
        checked.push(report.checked.payments);
    }
    // Five payments: two, two, the last one, and from the beginning.
    assert_eq!(checked, [2, 2, 1, 2]);
    assert_eq!(world.audit(10_000).await.checked.payments, 3);
    assert_eq!(world.audit(10_000).await.checked.payments, 5);
    // The hourly run audits none of them.
    assert_eq!(world.run(two_hours_later).await.checked.payments, 0);
}

#[tokio::test]
async fn a_payment_that_nobody_refunds_is_audited_in_two_reads() {
    let world = World::new().await;
    world.untouched(99).await;
    world.run(two_hours_later).await;
    world.table.take_calls();
    world.run(two_hours_later).await;
    let without = world.table.take_calls();
    world.audit(10_000).await;
    let with = world.table.take_calls();
    let (more, units) = (with.count() - without.count(), with.read_units() - without.read_units());
    // Of one tenant: where the last audit ended, twice the index, the payments. Of the other: the first two.
    assert_eq!(more, 6, "{with}");
    assert!((100.0..=110.0).contains(&units), "{units}");
}

#[tokio::test]
async fn whoever_bends_an_untouched_payment_is_found_out() {
    for (update, value, found) in [
        ("SET amount = :it, refundable = :it", number(7000), &["terms_changed"][..]),
        ("SET refundable = :it", number(3900), &["amount_astray"]),
        ("SET processor_payment = :it", text("sandbox_fail"), &["terms_changed"]),
        ("SET disputed = :it", AttributeValue::Bool(true), &["terms_changed"]),
        ("REMOVE seal", number(0), &["terms_unsealed"]),
        ("SET refundable = :it", text("much"), &["unreadable"]),
    ] {
        let world = World::new().await;
        world.untouched(3).await;
        assert_eq!(world.audit(10_000).await.drift, 0);
        let values = [(":it", value)];
        let values = if update.contains(":it") { &values[..] } else { &[] };
        world.edit(&world.item_of("pay_2").await, update, values).await;
        let before = world.everything().await;
        let report = world.audit(10_000).await;
        let kinds: Vec<_> = report.findings.iter().map(|finding| finding.mismatch.as_str()).collect();
        assert_eq!(kinds, found, "{update}: {:?}", lines(&report.findings));
        assert!(report.findings.iter().all(|one| one.payment == Some(fixtures::payment_id("pay_2"))));
        assert_eq!(world.everything().await, before, "only a person knows what is true");
    }
}

#[tokio::test]
async fn a_bent_payment_is_found_by_the_hourly_run_once_it_is_refunded() {
    let world = World::new().await;
    let refund = world.reserve_announced("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    assert_eq!(world.run(two_hours_later).await.drift, 0);
    let payment = world.table.item("payment").await;
    world.edit(&payment, "SET processor_payment = :it", &[(":it", text("pi_of_another"))]).await;
    let found = lines(&world.run(two_hours_later).await.findings);
    assert_eq!(found, ["terms_changed none: its terms or facts are not those that were sealed"]);
}

#[tokio::test]
async fn while_the_key_is_away_the_report_says_so_and_the_audit_waits() {
    let world = World::new().await;
    let refund = world.reserve_announced("key-1").await;
    world.settle(&refund, fixtures::succeeded()).await;
    world.untouched(2).await;
    world.seal_keys.is_away.store(true, Ordering::Relaxed);
    let report = world.audit(1).await;
    let line =
        "terms_unchecked none: the key that seals payments cannot be read, so their terms were not checked";
    assert_eq!(lines(&report.findings), [line]);
    assert_eq!(world.seal_keys.asked.load(Ordering::Relaxed), 1, "once in a run");

    world.seal_keys.is_away.store(false, Ordering::Relaxed);
    // The refund's own payment comes first in the list, too.
    assert_eq!([world.audit(1).await.checked.payments, world.audit(1).await.checked.payments], [1, 2]);
}

#[tokio::test]
async fn an_audit_with_refunds_reads_them_and_finds_what_does_not_add_up() {
    let world = World::new().await;
    let refund = world.reserve_announced("key-1").await;
    let refund = world.settle(&refund, fixtures::succeeded()).await;
    // A month later no run looks at the refund any more.
    let month_later = || fixtures::later(31 * 24 * crate::HOUR);
    let payload = json!({ "days": 29, "audit_payments": 10 });
    let healthy = world.run_at(Sandbox, month_later, payload.clone()).await;
    assert_eq!((healthy.drift, healthy.checked.refunds, healthy.checked.payments), (0, 0, 1));
    world.edit(&world.table.item("refund").await, "SET amount = :it", &[(":it", number(1))]).await;
    let found = lines(&world.run_at(Sandbox, month_later, payload).await.findings);
    let line = "amount_astray none: in total: 31.00 EUR is not 21.00 refundable + 0.00 held + 0.01 refunded";
    assert_eq!(found, [line], "{}", refund.id);
}

/// A run whose processor says nothing: the sandbox would contradict a failure that it did not cause.
async fn silent(world: &World, now: fn() -> Timestamp) -> Report {
    world.run_at(Scripted::default(), now, json!({ "days": 2 })).await
}

#[tokio::test]
async fn an_event_that_its_refund_contradicts_is_named_and_not_announced() {
    let world = World::new().await;
    let refund = world.reserve_announced("key-1").await;
    let failed = world.settle(&refund, fixtures::failed()).await;
    let genuine = Event::of_change(Some(&refund), &failed);
    assert_eq!(silent(&world, two_hours_later).await.drift, 0);
    // A success that never was, with somebody to hear of it.
    let version = Version { sequence: 3, state: State::Succeeded, ..failed.version.clone() };
    let forged = Event::of_change(Some(&failed), &failed.at(&version));
    world.store.record_event(&forged, &[Target::RefundUrl]).await.unwrap();
    let line = |event: &Event| {
        let id = &event.id;
        format!(
            "event_astray none: the refund's history does not bear out its recorded event {id}, which is not sent"
        )
    };
    let before = world.everything().await;
    assert_eq!(lines(&silent(&world, two_hours_later).await.findings), [line(&forged)]);
    // The failure, made a success.
    let is_its = |item: &&Item| item["sk"] == text(genuine.id.as_str());
    let row = before.iter().find(is_its).unwrap();
    world.table.set_text(row, "status", "succeeded").await;
    let report = silent(&world, soon_after).await;
    let mut found = lines(&report.findings);
    found.sort();
    found.dedup();
    let mut expected = vec![line(&forged), line(&genuine)];
    expected.sort();
    assert_eq!((report.drift, found), (2, expected));
    world.table.set_text(row, "status", "failed").await;
    assert_eq!(world.everything().await, before, "nothing was announced");
}
