//! The seal of a payment: whatever no refund changes breaks it, and what refunds change does not.

use data_encoding::HEXLOWER;
use recoup_domain::ids::Environment;
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{
    CaptureStatus, Facts, Line, PartialRefunds, Payment, Payout, Processor, ProcessorName, Routing,
    Settlement,
};
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::seal::{Seal, SealKey, Sealed};
use recoup_domain::split::Split;
use recoup_domain::text::Metadata;
use recoup_testing::fixtures::{
    self, SELLER, SUPPLIER, actor_id, decided, eur, facts, getpaid_payment, getpaid_wanted, later, line_id,
    payment_id, split, tenant_of, terms, text,
};

fn key(byte: u8) -> SealKey {
    SealKey::new(vec![byte; SealKey::BYTES_MIN]).unwrap()
}

fn metadata(value: &str) -> Metadata {
    Metadata::new([("order".to_owned(), value.to_owned())].into()).unwrap()
}

/// A payment that leaves nothing out.
fn whole() -> Payment {
    let facts = Facts { refundable_until: Some(later(1)), metadata: metadata("ORD-1"), ..facts() };
    Payment { facts, ..getpaid_payment() }.sealed(&key(1))
}

fn with(change: impl FnOnce(&mut Payment)) -> Payment {
    let mut payment = whole();
    change(&mut payment);
    payment
}

fn routed(original: Split, payment: &mut Payment) {
    let refundable = payment.routing.as_ref().unwrap().refundable.clone();
    payment.routing = Some(Routing { original, refundable });
}

fn shape(shape: Shape) -> SplitTerms {
    SplitTerms { shape, transfers: vec![(actor_id(SELLER), text("tr_1"))] }
}

fn bent() -> Vec<(&'static str, Payment)> {
    let yen = Money::of_minor(3100, Currency::parse("JPY").unwrap()).unwrap();
    let line =
        |id: &str, amount| Line { id: line_id(id), amount: eur(amount), left: eur(amount), covered: false };
    let other = |name, reference: &str| Processor::of(name, text(reference));
    vec![
        ("environment", with(|it| it.tenant = tenant_of(Environment::Live, 1))),
        ("account", with(|it| it.tenant = tenant_of(Environment::Sandbox, 2))),
        ("id", with(|it| it.id = payment_id("pay_other"))),
        ("amount", with(|it| it.amount = eur(3900))),
        ("currency", with(|it| it.amount = yen)),
        ("no routing", with(|it| it.routing = None)),
        ("an actor's part", with(|it| routed(split(101, &[(SELLER, 2499), (SUPPLIER, 500)]), it))),
        ("an actor", with(|it| routed(split(100, &[("acc_x", 2500), (SUPPLIER, 500)]), it))),
        ("an actor more", {
            let split = split(100, &[(SELLER, 2500), (SUPPLIER, 500), (actor_id("z").as_str(), 0)]);
            with(|it| routed(split, it))
        }),
        ("a line's amount", with(|it| it.lines = vec![line("iid_1", 2001), line("iid_2", 1099)])),
        ("a line's id", with(|it| it.lines = vec![line("iid_3", 2000), line("iid_2", 1100)])),
        ("no lines", with(|it| it.lines.clear())),
        ("processor", with(|it| it.processor = other(ProcessorName::Stripe, "sandbox_succeed"))),
        ("reference", with(|it| it.processor = other(ProcessorName::Sandbox, "sandbox_fail"))),
        ("account at the processor", with(|it| it.processor.account = Some(text("acct_1")))),
        ("shape", with(|it| it.processor.split = Some(shape(Shape::BooksOnly)))),
        ("another shape", with(|it| it.processor.split = Some(shape(Shape::Apart)))),
        ("status", with(|it| it.facts.status = CaptureStatus::Processing)),
        ("settlement", with(|it| it.facts.settlement = Settlement::Unsettled)),
        ("payout", with(|it| it.facts.payout = Payout::NotStarted)),
        ("disputed", with(|it| it.facts.disputed = true)),
        ("partial_refunds", with(|it| it.facts.partial_refunds = PartialRefunds::FullOnly)),
        ("a later deadline", with(|it| it.facts.refundable_until = Some(later(2)))),
        ("no deadline", with(|it| it.facts.refundable_until = None)),
        ("metadata", with(|it| it.facts.metadata = metadata("ORD-2"))),
        ("no metadata", with(|it| it.facts.metadata = Metadata::default())),
        ("revision", with(|it| it.revision = 2)),
        ("created_at", with(|it| it.created_at = later(5))),
        ("who registered it", with(|it| it.registered_by = Some(fixtures::by_key()))),
        ("that it is known who registered it", {
            let payment = Payment { registered_by: Some(fixtures::by_key()), ..whole() }.sealed(&key(1));
            assert_eq!(payment.seal_under(&key(1)), Sealed::Intact);
            Payment { registered_by: None, ..payment }
        }),
        ("updated_at", with(|it| it.updated_at = later(5))),
        ("the seal itself", with(|it| it.seal = Some(Seal([0; 32])))),
        ("another payment's seal", with(|it| it.seal = fixtures::payment("p", 1).sealed(&key(1)).seal)),
    ]
}

#[test]
fn whoever_bends_a_term_or_a_fact_breaks_the_seal() {
    assert_eq!(whole().seal_under(&key(1)), Sealed::Intact);
    for (what, payment) in bent() {
        assert_eq!(payment.seal_under(&key(1)), Sealed::Broken, "{what}");
    }
    assert_eq!(whole().seal_under(&key(2)), Sealed::Broken, "another key");
    assert_eq!(with(|it| it.seal = None).seal_under(&key(1)), Sealed::Absent);
}

#[test]
fn what_refunds_change_leaves_the_seal_as_it_is() {
    let payment = whole();
    let refund = decided(&payment, &getpaid_wanted(), "key-1").refund;
    let after = payment.after_reserving(&refund).unwrap();
    assert_ne!(after, payment);
    assert_eq!(after.seal_under(&key(1)), Sealed::Intact);
    let all = decided(&after, &fixtures::wanted(&after, None), "key-2").refund;
    let nothing_left = after.after_reserving(&all).unwrap();
    let marked = Payment { lines: nothing_left.lines.iter().cloned().map(marked).collect(), ..nothing_left };
    assert_eq!(marked.seal_under(&key(1)), Sealed::Intact);
}

fn marked(line: Line) -> Line {
    Line { left: eur(1), covered: true, ..line }
}

#[test]
fn newer_facts_are_not_sealed_by_themselves() {
    let payment = whole();
    let newer = Facts { disputed: true, ..payment.facts.clone() };
    let moved = payment.moved_to(newer, later(9)).unwrap().unwrap();
    assert_eq!(moved.seal_under(&key(1)), Sealed::Absent);
    assert_eq!(moved.sealed(&key(1)).seal_under(&key(1)), Sealed::Intact);
}

#[test]
fn a_key_is_long_and_is_not_printed() {
    assert_eq!(SealKey::new(vec![1; SealKey::BYTES_MIN - 1]), None);
    assert_eq!(format!("{:?}", key(65)), "SealKey(…)");
}

/// A payment is checked against the seal that an earlier version of this code stored.
#[test]
fn a_payment_has_the_seal_it_always_had() {
    let plain = fixtures::registered("pay_1", terms(500)).sealed(&key(1));
    for (payment, expected) in [
        (whole(), "5a87de45ecfe8bf5bfa633a9308c9b2013b3f47b0d3bb0335e9250278323bb1e"),
        (plain, "8813117a524d036bdb3469915bb8ad41350ab025e687599e043df56ee5f79985"),
    ] {
        assert_eq!(HEXLOWER.encode(&payment.seal.unwrap().0), expected, "{payment:?}");
    }
}
