//! One charge is one payment: its names are claimed with its registration, under any race.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::payment::{Facts, Payment, Processor, ProcessorName};
use recoup_domain::verification::{Difference, Term, Verification};
use recoup_ports::audits::{AdoptPayments, Adopted};
use recoup_ports::payments::{KeepVerifications, Kept, Payments, Register, Registered};
use recoup_testing::fixtures::{facts, later, payment, payment_id, seal_key, tenant, tenant_of, text};
use recoup_testing::{Fault, TestTable};

use crate::bench::assert_operations;

/// A payment that is this charge.
fn charge(id: &str, name: ProcessorName, reference: &str) -> Payment {
    let processor = Processor::of(name, text(reference));
    Payment { processor, ..payment(id, 500) }.claiming()
}

fn stripe(id: &str) -> Payment {
    charge(id, ProcessorName::Stripe, "pi_1")
}

fn of(tenant: Tenant, payment: Payment) -> Payment {
    Payment { tenant, ..payment }
}

#[tokio::test]
async fn another_payment_of_a_charge_is_refused_with_the_one_that_has_it() {
    let table = TestTable::new();
    let store = table.store();
    assert!(matches!(store.register(&stripe("pay_1")).await, Ok(Registered::New)));
    assert_operations(&table.take_calls(), &["TransactWriteItems"]);
    for other in ["pay_2", "pay_3"] {
        let refused = store.register(&stripe(other)).await;
        assert!(matches!(&refused, Ok(Registered::ChargeTaken(holder)) if holder.as_str() == "pay_1"));
        assert!(store.payment(&tenant(), &payment_id(other)).await.unwrap().is_none());
    }
    // The same payment again is a repeat, and is told as it stands.
    let Ok(Registered::Existing(same)) = store.register(&stripe("pay_1")).await else {
        panic!("it was registered twice")
    };
    assert_eq!(*same, stripe("pay_1"));
}

#[tokio::test]
async fn a_name_belongs_to_one_processor_of_one_account_in_one_environment() {
    let table = TestTable::new();
    for (number, payment) in [
        stripe("pay_1"),
        charge("pay_2", ProcessorName::Http, "pi_1"),
        charge("pay_3", ProcessorName::Stripe, "pi_2"),
        of(tenant_of(Environment::Live, 1), stripe("pay_4")),
        of(tenant_of(Environment::Sandbox, 2), stripe("pay_5")),
        // Behaviours, not charges.
        charge("pay_6", ProcessorName::Sandbox, "sandbox_succeed"),
        charge("pay_7", ProcessorName::Sandbox, "sandbox_succeed"),
    ]
    .iter()
    .enumerate()
    {
        let registered = table.store().register(payment).await;
        assert!(matches!(registered, Ok(Registered::New)), "{number}: {registered:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_payments_of_one_charge_at_once_exactly_one_is_registered() {
    for faults in [
        vec![],
        vec![Fault::conflict([false, true]), Fault::LoseAnswer, Fault::conflict([true, false])],
        vec![Fault::LoseAnswer, Fault::LoseAnswer, Fault::throttled(), Fault::conflict([true, true])],
    ] {
        let table = TestTable::new();
        for fault in faults {
            table.fail("TransactWriteItems", 1, fault);
        }
        // Two of each id: repeats race, too.
        let ids: Vec<String> = (0..8).map(|number| format!("pay_{}", number / 2)).collect();
        let store = table.store();
        let register = async |id: &String| store.register(&stripe(id)).await.unwrap();
        let done = join_all(ids.iter().map(register)).await;
        let stored: Vec<_> =
            table.items().await.into_iter().filter(|item| item["sk"].as_s().unwrap() == "payment").collect();
        assert_eq!(stored.len(), 1);
        let winner = stored[0]["pk"].as_s().unwrap().rsplit_once('#').unwrap().1.to_owned();
        assert_eq!(done.iter().filter(|one| matches!(one, Registered::New)).count(), 1);
        for (id, one) in ids.iter().zip(&done) {
            match one {
                Registered::New | Registered::Existing(_) => assert_eq!(*id, winner),
                Registered::ChargeTaken(holder) => {
                    assert_eq!(holder.as_str(), winner);
                    assert_ne!(*id, winner, "a repeat is refused by its own claim");
                }
            }
        }
    }
}

/// As a version registered it that knew no claims.
async fn unclaimed(table: &TestTable, payment: &Payment) {
    let sealed = Payment { claims: Vec::new(), ..payment.clone() }.sealed(&seal_key());
    assert!(matches!(table.others().register(&sealed).await, Ok(Registered::New)));
}

#[tokio::test]
async fn charges_of_an_earlier_version_are_claimed_once_and_shared_ones_named() {
    let table = TestTable::new();
    let store = table.store();
    unclaimed(&table, &stripe("pay_1")).await;
    unclaimed(&table, &payment("pay_0", 500)).await;
    let unsealed = async || store.unsealed(None).await.unwrap().unwrap().payments.read;
    let [found] = <[Payment; 1]>::try_from(unsealed().await).unwrap();
    assert_eq!(store.adopt(&found.claiming()).await.unwrap(), Adopted::Yes);
    assert!(unsealed().await.is_empty());
    assert_eq!(store.payment(&tenant(), &payment_id("pay_1")).await.unwrap().unwrap().claims, [text("pi_1")]);
    assert!(matches!(store.register(&stripe("pay_2")).await, Ok(Registered::ChargeTaken(_))));

    // A second payment of the charge that was there before: it keeps its seal, and is found by every walk.
    unclaimed(&table, &stripe("pay_3")).await;
    for _ in 0..2 {
        let [found] = <[Payment; 1]>::try_from(unsealed().await).unwrap();
        let adopted = store.adopt(&found.claiming()).await.unwrap();
        assert_eq!(adopted, Adopted::ChargeTaken(payment_id("pay_1")));
    }
    assert!(store.payment(&tenant(), &payment_id("pay_3")).await.unwrap().unwrap().claims.is_empty());
}

#[tokio::test]
async fn a_claim_that_cannot_be_read_is_an_error_and_no_payment() {
    let table = TestTable::new();
    let store = table.store();
    store.register(&stripe("pay_1")).await.unwrap();
    let claim = table.item("charge").await;
    let put = [("payment_id".to_owned(), AttributeValue::N("1".to_owned()))];
    table.put(claim.into_iter().chain(put).collect()).await;
    assert!(store.register(&stripe("pay_2")).await.is_err());
    assert!(store.payment(&tenant(), &payment_id("pay_2")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_verification_is_kept_with_its_claims_or_not_at_all() {
    let table = TestTable::new();
    let store = table.store();
    let registered = stripe("pay_1");
    store.register(&registered).await.unwrap();
    let told = |payment: &Payment, verification: Verification| {
        let claims = vec![text("pi_1"), text("ch_1")];
        Payment { verification: Some(verification), claims, ..payment.clone() }
    };
    let failed = Difference::new(Term::Amount, "5.00", Some("4.00"));
    table.take_calls();
    let mut seen = registered.clone();
    for verification in [
        Verification::Pending,
        Verification::Failed(later(1), failed),
        Verification::Failed(later(1), Difference::new(Term::Reference, "pi_1", None)),
        Verification::Verified(later(2)),
    ] {
        let told = told(&registered, verification);
        assert_eq!(store.keep_verification(&told, &seen).await.unwrap(), Kept::Yes);
        assert_eq!(store.payment(&tenant(), &told.id).await.unwrap(), Some(told.clone()));
        // What was said before may be written no more.
        assert_eq!(store.keep_verification(&told, &seen).await.unwrap(), Kept::Overtaken);
        seen = told;
    }
    // Another payment's other name of the same charge.
    let other = charge("pay_2", ProcessorName::Stripe, "py_2");
    store.register(&other).await.unwrap();
    let taken =
        store.keep_verification(&told(&other, Verification::Verified(later(3))), &other).await.unwrap();
    assert_eq!(taken, Kept::ChargeTaken(payment_id("pay_1")));
    assert_eq!(store.payment(&tenant(), &other.id).await.unwrap(), Some(other.clone()));
    // Its facts have moved meanwhile.
    let moved = other.moved_to(Facts { disputed: true, ..facts() }, later(4)).unwrap().unwrap();
    store.move_facts(&moved).await.unwrap();
    let late = Payment { verification: Some(Verification::Pending), ..other.clone() };
    assert_eq!(store.keep_verification(&late, &other).await.unwrap(), Kept::Overtaken);
}
