//! The nightly audit holds payments at Stripe against their charges, and no others.

use recoup_domain::event::Event;
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::report::Report;
use recoup_domain::verification::{Difference, Term, Verification};
use recoup_domain::wanted::Wanted;
use recoup_ports::charges::ChargeRead;
use recoup_ports::events::RecordEvents;
use recoup_ports::payments::{KeepVerifications, Kept, Payments, Register, Registered};
use recoup_ports::refunds::Reserve;
use recoup_testing::{Fault, fixtures};
use serde_json::json;

use crate::charges::charge;
use crate::{Scripted, World, lines, two_hours_later};

const NAMES: &[&str] = &["ch_1", "pi_1"];

impl World {
    /// With a payment whose processor did not answer when it was registered.
    async fn at_stripe() -> Self {
        let world = Self::at(ProcessorName::Stripe, "pi_1").await;
        let pending = Payment { verification: Some(Verification::Pending), ..world.payment.clone() };
        assert_eq!(world.store.keep_verification(&pending, &world.payment).await.unwrap(), Kept::Yes);
        Self { payment: pending, ..world }
    }

    /// An audit where the processor says this of each charge, and how often it was asked.
    async fn audit_of_charges(&self, told: ChargeRead) -> (Report, u32) {
        let scripted = Scripted::default();
        let charges = scripted.charges.clone();
        charges.tell(told);
        let payload = json!({ "days": 2, "audit_payments": 100 });
        let report = self.run_at(scripted, two_hours_later, payload).await;
        (report, charges.take_asked())
    }

    async fn verification(&self) -> Option<Verification> {
        self.store.payment(&self.payment.tenant, &self.payment.id).await.unwrap().unwrap().verification
    }
}

#[tokio::test]
async fn a_payment_is_verified_by_the_audit_and_then_only_compared() {
    let world = World::at_stripe().await;
    for _ in 0..2 {
        let (report, asked) = world.audit_of_charges(charge(NAMES, 3100, 0)).await;
        assert_eq!((report.drift, asked), (0, 1), "{:?}", lines(&report.findings));
        assert_eq!(world.verification().await, Some(Verification::Verified(two_hours_later())));
    }
    let payment = world.store.payment(&world.payment.tenant, &world.payment.id).await.unwrap().unwrap();
    assert_eq!(payment.claims, ["pi_1", "ch_1"].map(fixtures::text));
    // A run by the hour asks nobody, and neither does an audit of what is not at Stripe.
    let scripted = Scripted::default();
    let charges = scripted.charges.clone();
    world.run_at(scripted, two_hours_later, json!({ "days": 2 })).await;
    assert_eq!(charges.take_asked(), 0);
    for name in [ProcessorName::Sandbox, ProcessorName::Http] {
        let world = World::at(name, "sandbox_succeed").await;
        assert_eq!(world.audit_of_charges(charge(NAMES, 3100, 0)).await.1, 0);
        assert_eq!(world.verification().await, None);
    }
}

#[tokio::test]
async fn other_terms_at_stripe_are_named_and_a_verified_payment_stays_verified() {
    let world = World::at_stripe().await;
    let failed = Difference::new(Term::Amount, "31.00", Some("30.00"));
    let (report, _) = world.audit_of_charges(charge(NAMES, 3000, 0)).await;
    let named = "terms_differ_at_processor none: amount is 31.00 here and 30.00 there";
    assert_eq!(lines(&report.findings), [named]);
    assert_eq!(world.verification().await, Some(Verification::Failed(two_hours_later(), failed)));

    let world = World::at_stripe().await;
    world.audit_of_charges(charge(NAMES, 3100, 0)).await;
    for (told, named) in [
        (charge(NAMES, 3000, 0), named),
        (
            ChargeRead::NoSuchCharge,
            "terms_differ_at_processor none: its processor does not know pi_1 under the account's key",
        ),
    ] {
        let (report, _) = world.audit_of_charges(told).await;
        assert_eq!(lines(&report.findings).last().map(String::as_str), Some(named));
        assert!(matches!(world.verification().await, Some(Verification::Verified(_))));
    }
}

#[tokio::test]
async fn what_an_earlier_version_registered_is_named_and_stays_refundable() {
    let world = World::at(ProcessorName::Stripe, "pi_1").await;
    for (told, drift) in [(charge(NAMES, 3000, 0), 1), (ChargeRead::Unclear, 0)] {
        assert_eq!(world.audit_of_charges(told).await.0.drift, drift);
        assert_eq!(world.verification().await, None);
    }
    assert_eq!(world.audit_of_charges(charge(NAMES, 3100, 0)).await.0.drift, 0);
    assert_eq!(world.verification().await, Some(Verification::Verified(two_hours_later())));
}

#[tokio::test]
async fn another_total_than_that_of_the_books_is_named() {
    let world = World::at_stripe().await;
    let refund = world.reserve_announced("key").await;
    let total = |there: &str, succeeded: &str| {
        format!(
            "total_differs_at_processor none: its processor has refunded {there}; here {succeeded} succeeded, and 10.00 with what is on its way"
        )
    };
    // On its way, it may be there or not.
    for there in [0, 1000] {
        let (report, _) = world.audit_of_charges(charge(NAMES, 3100, there)).await;
        let totals: Vec<_> =
            lines(&report.findings).into_iter().filter(|line| line.starts_with("total")).collect();
        assert_eq!(totals, Vec::<String>::new());
    }
    let more = world.audit_of_charges(charge(NAMES, 3100, 1500)).await.0;
    assert_eq!(lines(&more.findings).last(), Some(&total("15.00", "0.00")));
    world.settle(&refund, fixtures::succeeded()).await;
    let (same, asked) = world.audit_of_charges(charge(NAMES, 3100, 1000)).await;
    assert_eq!((same.drift, asked), (0, 1), "{:?}", lines(&same.findings));
    let (less, asked) = world.audit_of_charges(charge(NAMES, 3100, 500)).await;
    assert_eq!(lines(&less.findings).last(), Some(&total("5.00", "10.00")));
    // Once more, since a refund may have ended between two reads.
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn what_was_paid_otherwise_is_no_part_of_the_processors_total() {
    let world = World::at_stripe().await;
    let wanted = Wanted { external: Some(fixtures::external()), ..fixtures::wanted(&world.payment, None) };
    let made = fixtures::decided(&world.payment, &wanted, "key");
    world.store.reserve(&made).await.unwrap();
    world.store.record_event(&Event::of_change(None, &made.refund), &[]).await.unwrap();
    for (there, drift) in [(0, 0), (500, 1)] {
        let (report, _) = world.audit_of_charges(charge(NAMES, 3100, there)).await;
        assert_eq!(report.drift, drift, "{:?}", lines(&report.findings));
    }
}

#[tokio::test]
async fn a_refund_that_ends_between_two_reads_is_no_difference() {
    let world = World::at_stripe().await;
    let refund = world.reserve_announced("key").await;
    let store = world.table.others();
    let tenant = refund.tenant.clone();
    // The payment is read as it was before another refund was made, of which the processor knows already.
    let payment = world.payment.id.clone();
    let act = move || {
        let (store, tenant, payment) = (store.clone(), tenant.clone(), payment.clone());
        async move {
            let payment = store.payment(&tenant, &payment).await.unwrap().unwrap();
            if payment.refunds.len() < 2 {
                let wanted = fixtures::wanted_of(&payment, 0, &[(fixtures::SELLER, 500)]);
                store.reserve(&fixtures::decided(&payment, &wanted, "key-2")).await.unwrap();
            }
        }
    };
    world.table.fail("GetItem", u32::MAX, Fault::meanwhile(act));
    let (report, _) = world.audit_of_charges(charge(NAMES, 3100, 1500)).await;
    let totals: Vec<_> =
        lines(&report.findings).into_iter().filter(|line| line.starts_with("total")).collect();
    assert_eq!(totals, Vec::<String>::new());
}

#[tokio::test]
async fn a_charge_that_is_another_payments_is_named() {
    let world = World::at_stripe().await;
    let other = recoup_domain::payment::Processor::of(ProcessorName::Stripe, fixtures::text("ch_1"));
    let payment = world.payment.clone();
    let terms = recoup_domain::payment::Terms { processor: other, ..payment.terms() };
    let other = fixtures::registered("pay_other", terms).sealed(&fixtures::seal_key());
    assert!(matches!(world.store.register(&other).await, Ok(Registered::New)));
    let (report, _) = world.audit_of_charges(charge(NAMES, 3100, 0)).await;
    let mut named = lines(&report.findings);
    named.sort();
    let first = "terms_differ_at_processor none: processor.reference is ch_1 here and ";
    assert!(named[0].starts_with(first), "{named:?}");
    assert_eq!(named.len(), 2, "neither is verified: {named:?}");
}

#[tokio::test]
async fn a_processor_that_does_not_answer_is_not_asked_for_every_payment() {
    let world = World::at_stripe().await;
    for number in 0..30 {
        let reference = fixtures::text(&format!("pi_more_{number}"));
        let processor = recoup_domain::payment::Processor::of(ProcessorName::Stripe, reference);
        let terms = recoup_domain::payment::Terms { processor, ..world.payment.terms() };
        let more = fixtures::registered(&format!("pay_{number}"), terms).sealed(&fixtures::seal_key());
        assert!(matches!(world.store.register(&more).await, Ok(Registered::New)));
    }
    for silent in [ChargeRead::Unclear, ChargeRead::NotConfigured] {
        let (report, asked) = world.audit_of_charges(silent).await;
        assert_eq!((report.drift, asked, report.checked.payments), (0, 8, 31));
        assert_eq!(world.verification().await, Some(Verification::Pending));
    }
}

#[tokio::test]
async fn an_imported_payment_that_nobody_asks_about_is_verified_by_the_audit() {
    let world = World::at(ProcessorName::Sandbox, "sandbox_succeed").await;
    let stripe = |reference: &str| {
        recoup_domain::payment::Processor::of(ProcessorName::Stripe, fixtures::text(reference))
    };
    let unknown = recoup_domain::money::Money::zero(recoup_domain::money::Currency::UNKNOWN);
    let terms = recoup_domain::payment::Terms {
        amount: unknown,
        routing: None,
        lines: Vec::new(),
        processor: stripe("pi_imported"),
    };
    let imported = fixtures::registered("pay_imported", terms).awaiting(fixtures::now(), fixtures::now());
    let imported = imported.sealed(&fixtures::seal_key());
    assert!(matches!(world.store.register(&imported).await, Ok(Registered::New)));
    let stands = async || world.store.payment(&imported.tenant, &imported.id).await.unwrap().unwrap();
    world.audit_of_charges(ChargeRead::Unclear).await;
    assert_eq!(stands().await, imported, "it is still awaited");
    let (report, _) = world.audit_of_charges(charge(&["pi_imported"], 3100, 0)).await;
    assert_eq!(report.drift, 0, "{:?}", lines(&report.findings));
    let verified = stands().await;
    assert_eq!((verified.amount, verified.revision), (fixtures::eur(3100), 2));
    assert_eq!(verified.verification, Some(Verification::Verified(two_hours_later())));
    assert_eq!(
        world.audit_of_charges(charge(&["pi_imported"], 3100, 0)).await.0.drift,
        0,
        "its seal is good"
    );
}
