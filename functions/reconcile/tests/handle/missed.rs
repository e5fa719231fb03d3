//! What Stripe refunded without us, and never told: it enters the books once, and is named only where it cannot.

use recoup_domain::enter::{Made, Reversal, enter};
use recoup_domain::ids::RefundId;
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::refund::{Flag, Judged, Origin, Outcome, Refund, Ruling, Verdict};
use recoup_domain::report::Report;
use recoup_domain::verification::Verification;
use recoup_domain::wanted::Wanted;
use recoup_ports::charges::RefundOfCharge;
use recoup_ports::payments::{KeepVerifications, Kept, Payments};
use recoup_ports::processor::LookedUp;
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::settlement::Settle;
use recoup_testing::{Fault, fixtures};
use serde_json::json;

use crate::charges::charge;
use crate::{Scripted, World, lines, two_hours_later};

fn made(reference: &str, amount: u64) -> RefundOfCharge {
    let outcome = fixtures::succeeded_as(reference);
    let (amount, reference) = (Some(fixtures::eur(amount)), fixtures::text(reference));
    let made = Made { reference, amount, outcome, reversal: Reversal::None };
    RefundOfCharge { ours: None, made }
}

fn named(id: &RefundId, one: RefundOfCharge) -> RefundOfCharge {
    RefundOfCharge { ours: Some(id.clone()), ..one }
}

fn with(outcome: Outcome, amount: Option<Money>, mut one: RefundOfCharge) -> RefundOfCharge {
    (one.made.outcome, one.made.amount) = (outcome, amount);
    one
}

impl World {
    async fn with_charge() -> Self {
        let world = Self::at(ProcessorName::Stripe, "pi_1").await;
        let pending = Payment { verification: Some(Verification::Pending), ..world.payment.clone() };
        assert_eq!(world.store.keep_verification(&pending, &world.payment).await.unwrap(), Kept::Yes);
        Self { payment: pending, ..world }
    }

    /// An audit where Stripe has refunded so much of the charge, by these refunds; what it found, and how often the
    /// charge was read and its refunds were listed.
    async fn audit_of_refunds(&self, total: u64, refunds: Option<&[RefundOfCharge]>) -> (Report, u32, u32) {
        let scripted = Scripted::default();
        let charges = scripted.charges.clone();
        charges.tell(charge(&["ch_1", "pi_1"], 3_100, total));
        charges.list(refunds.map(<[_]>::to_vec));
        let payload = json!({ "days": 2, "audit_payments": 100 });
        let report = self.run_at(scripted, two_hours_later, payload).await;
        (report, charges.take_asked(), charges.take_listed())
    }

    async fn stands(&self) -> Payment {
        self.store.payment(&self.payment.tenant, &self.payment.id).await.unwrap().unwrap()
    }

    async fn left(&self) -> u64 {
        self.stands().await.refundable.minor()
    }

    async fn made_there(&self, reference: &str) -> Option<Refund> {
        let tenant = &self.payment.tenant;
        let id = RefundId::of_processor(tenant, ProcessorName::Stripe, &fixtures::text(reference));
        self.store.refund(tenant, &id).await.unwrap()
    }
}

#[tokio::test]
async fn what_was_refunded_without_us_and_never_told_enters_the_books_once() {
    let world = World::with_charge().await;
    let ours = world.reserve_announced("key").await;
    let nobody = RefundId::from_bits(7);
    let theirs = [
        named(&ours.id, made("re_ours", 1_000)),
        made("re_1", 500),
        with(Outcome::Pending, Some(fixtures::eur(200)), made("re_2", 200)),
        with(fixtures::failed(), Some(fixtures::eur(900)), made("re_3", 900)),
        named(&nobody, made("re_4", 100)),
    ];
    let (_, asked, listed) = world.audit_of_refunds(1_800, Some(&theirs)).await;
    assert_eq!((asked, listed, world.left().await), (3, 1, 1_300));
    let entered = world.made_there("re_1").await.unwrap();
    assert_eq!((entered.origin.excess(), entered.amount), (Some(fixtures::eur(0)), fixtures::eur(500)));
    assert!(world.made_there("re_2").await.unwrap().version.state.holds_money());
    assert!(world.made_there("re_4").await.is_some(), "it names a refund that nobody has");
    for absent in ["re_3", "re_ours"] {
        assert!(world.made_there(absent).await.is_none(), "{absent}");
    }
    assert_eq!(world.stands().await.refunds.len(), 4);
    let (report, asked, listed) = world.audit_of_refunds(1_800, Some(&theirs)).await;
    assert_eq!((asked, listed, world.left().await), (1, 0, 1_300));
    let found = lines(&report.findings);
    assert!(found.iter().all(|line| !line.starts_with("total") && !line.starts_with("amount")), "{found:?}");
}

#[tokio::test]
async fn an_adopted_payment_is_verified_once_its_earlier_refunds_entered() {
    let world = World::with_charge().await;
    let theirs = [made("re_1", 1_100)];
    let (report, _, _) = world.audit_of_refunds(1_100, Some(&theirs)).await;
    assert_eq!(report.drift, 0, "{:?}", lines(&report.findings));
    let payment = world.stands().await;
    assert_eq!(payment.verification, Some(Verification::Verified(two_hours_later())));
    assert_eq!(payment.refundable, fixtures::eur(2_000));
}

#[tokio::test]
async fn what_cannot_enter_the_books_stays_a_finding() {
    let other = Money::of_minor(1_100, Currency::parse("USD").unwrap()).unwrap();
    let unclear = [
        None,
        Some(vec![with(fixtures::succeeded(), None, made("re_1", 1_100))]),
        Some(vec![with(fixtures::succeeded(), Some(other), made("re_1", 1_100))]),
        Some(vec![with(Outcome::Unknown, Some(fixtures::eur(1_100)), made("re_1", 1_100))]),
        Some(Vec::new()),
    ];
    for theirs in unclear {
        let world = World::with_charge().await;
        let (report, _, _) = world.audit_of_refunds(1_100, theirs.as_deref()).await;
        let total = "total_differs_at_processor none: its processor has refunded 11.00; here 0.00 succeeded, and 0.00 with what is on its way";
        assert_eq!(lines(&report.findings), [total], "{theirs:?}");
        assert_eq!(world.left().await, 3_100);
    }
}

#[tokio::test]
async fn what_exceeds_the_payment_is_flagged_and_no_difference_of_the_totals() {
    let world = World::with_charge().await;
    let wanted = Wanted { external: Some(fixtures::external()), ..fixtures::wanted(&world.payment, None) };
    assert!(matches!(
        world.store.reserve(&fixtures::decided(&world.payment, &wanted, "key")).await,
        Ok(Reserved::New)
    ));
    for _ in 0..2 {
        let (report, _, _) = world.audit_of_refunds(500, Some(&[made("re_1", 500)])).await;
        let found = lines(&report.findings);
        assert!(!found.iter().any(|line| line.starts_with("total")), "{found:?}");
    }
    let entered = world.made_there("re_1").await.unwrap();
    assert_eq!(entered.origin, Origin::Processor { excess: fixtures::eur(500) });
    assert_eq!((entered.flag, world.left().await), (Some(Flag::ExceedsRefundable), 0));
}

#[tokio::test]
async fn told_by_a_notification_at_the_same_moment_it_is_one_refund() {
    let world = World::with_charge().await;
    let (store, tenant, id) = (world.table.others(), world.payment.tenant.clone(), world.payment.id.clone());
    let act = move || {
        let (store, tenant, id) = (store.clone(), tenant.clone(), id.clone());
        async move {
            let payment = store.payment(&tenant, &id).await.unwrap().unwrap();
            let reservation = enter(&payment, &made("re_1", 1_100).made, fixtures::now()).unwrap();
            drop(store.reserve(&reservation).await);
        }
    };
    world.table.fail("TransactWriteItems", 1, Fault::meanwhile(act));
    let (report, _, _) = world.audit_of_refunds(1_100, Some(&[made("re_1", 1_100)])).await;
    assert!(!lines(&report.findings).iter().any(|line| line.starts_with("total")));
    assert_eq!((world.left().await, world.stands().await.refunds.len()), (2_000, 1));
}

#[tokio::test]
async fn what_was_made_there_is_asked_about_and_not_looked_for_among_ours() {
    let world = World::with_charge().await;
    world.audit_of_refunds(1_100, Some(&[made("re_1", 1_100)])).await;
    let entered = world.made_there("re_1").await.unwrap();
    let scripted = Scripted {
        looked_up: Some(LookedUp::Stands(fixtures::succeeded_as("re_1"))),
        list: Some(Vec::new()),
        ..Scripted::default()
    };
    let payload = json!({ "days": 2, "ask_processors_days": 2 });
    let four_hours_later = || fixtures::later(4 * crate::HOUR);
    let report = world.run_at(scripted, four_hours_later, payload).await;
    let found = lines(&report.findings);
    assert!(!found.iter().any(|line| line.starts_with("missing_at_processor")), "{found:?}");
    assert_eq!((report.checked.asked, entered.version.sequence), (1, 1));
}

#[tokio::test]
async fn another_amount_is_named_until_a_person_ends_it_and_then_enters() {
    let world = World::with_charge().await;
    let ours = world.reserve_announced("key").await;
    let (reference, amount) = (fixtures::text("re_ours"), fixtures::eur(900));
    let differs = world.settle(&ours, Outcome::Differs { reference, amount }).await;
    let theirs = [named(&ours.id, made("re_ours", 900))];
    let (report, _, listed) = world.audit_of_refunds(900, Some(&theirs)).await;
    let named = "outcome_differs none: its processor has refunded 9.00 EUR, not 10.00 EUR";
    assert!(lines(&report.findings).iter().any(|line| line == named), "{:?}", lines(&report.findings));
    assert_eq!((listed, world.left().await), (0, 2_100));
    let verdict = Verdict {
        ruling: Ruling::Failed,
        operator: fixtures::text("jo"),
        reason: fixtures::text("9.00 moved"),
        reference: None,
        at: fixtures::later(9_000),
    };
    let Judged::Now(change) = differs.judged(verdict) else { panic!("it is on its way") };
    world.store.carry_out(&change).await.unwrap();
    assert_eq!(world.left().await, 3_100);
    let (report, _, _) = world.audit_of_refunds(900, Some(&theirs)).await;
    assert_eq!((world.left().await, world.refund(&ours).await.flag), (2_200, None));
    assert!(!lines(&report.findings).iter().any(|line| line.starts_with("total")));
}
