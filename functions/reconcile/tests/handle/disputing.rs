//! Disputes that no event told enter the books by the audit, once, and what lost ones took is taken.

use recoup_domain::dispute::{DisputeStatus, DisputeWord};
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::report::{Remedy, Report};
use recoup_domain::verification::Verification;
use recoup_ports::charges::{Charge, ChargeRead};
use recoup_ports::payments::{KeepDisputes, KeepVerifications, Kept, Moved, Payments};
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::{Fault, fixtures};
use serde_json::json;

use crate::charges::charge;
use crate::{Scripted, World, lines, two_hours_later};

fn disputed(is_disputed: bool) -> ChargeRead {
    let ChargeRead::Found(charge) = charge(&["ch_1", "pi_1"], 3_100, 0) else { panic!("a charge is found") };
    ChargeRead::Found(Box::new(Charge { disputed: is_disputed, ..*charge }))
}

impl World {
    async fn with_verified_charge() -> Self {
        let world = Self::at(ProcessorName::Stripe, "pi_1").await;
        let payment =
            Payment { verification: Some(Verification::Verified(fixtures::now())), ..world.payment.clone() };
        assert_eq!(world.store.keep_verification(&payment, &world.payment).await.unwrap(), Kept::Yes);
        world
    }

    /// An audit where the processor tells of these disputes.
    async fn audit_of_disputes(&self, charge: ChargeRead, words: Option<Vec<DisputeWord>>) -> Report {
        let scripted = Scripted { disputes: words, ..Scripted::default() };
        scripted.charges.tell(charge);
        self.run_at(scripted, two_hours_later, json!({ "days": 2, "audit_payments": 100 })).await
    }

    async fn stored(&self) -> Payment {
        self.store.payment(&self.payment.tenant, &self.payment.id).await.unwrap().unwrap()
    }

    async fn hear(&self, word: &DisputeWord) {
        let payment = self.stored().await;
        let next = payment.told_of_dispute(word).unwrap().unwrap();
        assert_eq!(self.store.keep_disputes(&payment, &next).await.unwrap(), Moved::Applied);
    }
}

#[tokio::test]
async fn a_dispute_that_no_event_told_is_entered_by_the_audit_once() {
    let world = World::with_verified_charge().await;
    let words = vec![
        fixtures::dispute("dp_1", DisputeStatus::Lost, 1_000, 7_200),
        fixtures::dispute("dp_2", DisputeStatus::Open, 500, 7_200),
    ];
    let report = world.audit_of_disputes(disputed(true), Some(words.clone())).await;
    let told = |number, amount, status| {
        format!(
            "dispute_missing settled: its processor says that the dispute dp_{number} of {amount} is {status}"
        )
    };
    assert_eq!(lines(&report.findings), [told(1, "10.00", "lost"), told(2, "5.00", "open")]);
    let payment = world.stored().await;
    assert_eq!((payment.refundable.minor(), payment.is_disputed()), (2_100, true));
    // What an event told before, or an earlier audit, is no news.
    let later = words.into_iter().map(|word| DisputeWord { told_at: fixtures::later(9_000_000), ..word });
    let report = world.audit_of_disputes(disputed(true), Some(later.collect())).await;
    assert_eq!((report.drift, world.stored().await), (0, payment), "{:?}", lines(&report.findings));
}

#[tokio::test]
async fn a_charge_without_disputes_and_an_unclear_answer_change_nothing() {
    let world = World::with_verified_charge().await;
    let lost = fixtures::dispute("dp_1", DisputeStatus::Lost, 1_000, 7_200);
    for (charge, words) in [(disputed(false), Some(vec![lost])), (disputed(true), None)] {
        let report = world.audit_of_disputes(charge, words).await;
        assert_eq!((report.drift, world.stored().await.disputes.list.len()), (0, 0));
    }
}

#[tokio::test]
async fn a_dispute_that_cannot_be_entered_or_written_is_named() {
    let world = World::with_verified_charge().await;
    let lost = fixtures::dispute("dp_1", DisputeStatus::Lost, 1_000, 7_200);
    let dollars = recoup_domain::money::Currency::parse("USD").unwrap();
    let amount = recoup_domain::money::Money::of_minor(1_000, dollars).unwrap();
    let foreign = DisputeWord { amount, ..lost.clone() };
    let report = world.audit_of_disputes(disputed(true), Some(vec![foreign])).await;
    let remedies = |report: &Report| report.findings.iter().map(|found| found.remedy).collect::<Vec<_>>();
    assert_eq!(remedies(&report), [Remedy::None]);
    world.table.fail("UpdateItem", 20, Fault::throttled());
    let report = world.audit_of_disputes(disputed(true), Some(vec![lost])).await;
    world.table.heal();
    assert!(remedies(&report).contains(&Remedy::Failed));
    assert_eq!(world.stored().await.refundable.minor(), 3_100);
}

#[tokio::test]
async fn what_a_failed_refund_gives_back_goes_to_the_lost_dispute() {
    let world = World::with_verified_charge().await;
    let refund = world.reserve_announced("key").await;
    world.hear(&fixtures::dispute("dp_1", DisputeStatus::Lost, 3_100, 1)).await;
    // Ten of them are held: the customer may get them twice.
    let report = world.audit_of_disputes(disputed(false), None).await;
    let excess = "the lost dispute dp_1 took 31.00, of which 10.00 was not refundable any more";
    assert!(
        lines(&report.findings).iter().any(|line| line.contains(excess)),
        "{:?}",
        lines(&report.findings)
    );
    let change = fixtures::moved(&refund, fixtures::failed());
    assert_eq!(world.store.carry_out(&change).await.unwrap(), Settled::Applied);
    assert!(world.stored().await.is_disputed());
    world.audit_of_disputes(disputed(false), None).await;
    let payment = world.stored().await;
    assert_eq!((payment.refundable.minor(), payment.charged_back().unwrap().minor()), (0, 3_100));
    assert!(!payment.is_disputed());
}
