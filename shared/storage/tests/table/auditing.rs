//! Every payment of a tenant in turn, and those that an earlier version registered.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::ids::{Environment, PaymentId, Tenant};
use recoup_domain::payment::{Facts, Payment};
use recoup_domain::seal::Sealed;
use recoup_ports::audits::{AdoptPayments, Adopted, AuditPayments};
use recoup_ports::lists::Place;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_testing::TestTable;
use recoup_testing::fixtures::{
    self, facts, getpaid_payment, later, payment, payment_id, seal_key, tenant, tenant_of,
};

use crate::bench::{Bench, assert_operations};

/// Payments registered one after the other, a millisecond apart.
async fn register(table: &TestTable, of: &Tenant, ids: std::ops::Range<u64>) {
    for number in ids {
        let created_at = later(number);
        let plain = payment(&format!("pay_{number}"), 500);
        let new =
            Payment { tenant: of.clone(), created_at, updated_at: created_at, ..plain }.sealed(&seal_key());
        assert!(matches!(table.others().register(&new).await, Ok(Registered::New)));
    }
}

fn ids(places: &[Place<PaymentId>]) -> Vec<&str> {
    places.iter().map(|place| PaymentId::as_str(&place.id)).collect()
}

/// Takes away what an earlier version did not write.
async fn as_before(table: &TestTable, id: &str, attributes: &str) {
    let pk = format!("sandbox#{}#payment#{id}", tenant().account);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = table.plain().update_item().table_name(table.name()).key("pk", text(&pk));
    let update = update.key("sk", text("payment")).update_expression(format!("REMOVE {attributes}"));
    update.send().await.unwrap();
}

#[tokio::test]
async fn payments_are_walked_oldest_first_page_by_page_and_each_tenant_alone() {
    let table = TestTable::new();
    register(&table, &tenant(), 0..5).await;
    register(&table, &tenant_of(Environment::Live, 1), 7..9).await;
    let store = table.store();
    let first = store.payments_behind(&tenant(), None, 3).await.unwrap();
    assert_eq!(ids(&first), ["pay_0", "pay_1", "pay_2"]);
    let rest = store.payments_behind(&tenant(), first.last(), 3).await.unwrap();
    assert_eq!(ids(&rest), ["pay_3", "pay_4"]);
    let none = store.payments_behind(&tenant(), rest.last(), 3).await.unwrap();
    assert!(none.is_empty());
    let live = store.payments_behind(&tenant_of(Environment::Live, 1), None, 3).await.unwrap();
    assert_eq!(ids(&live), ["pay_7", "pay_8"]);
    assert!(store.payments_behind(&tenant_of(Environment::Live, 2), None, 3).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_an_audit_ended_is_kept_for_each_tenant_and_can_begin_anew() {
    let table = TestTable::new();
    let store = table.store();
    assert_eq!(store.audited_to(&tenant()).await.unwrap(), None);
    let place = Place { created_at: later(5), id: payment_id("a.plain:one-_") };
    store.keep_audited_to(&tenant(), Some(&place)).await.unwrap();
    assert_eq!(store.audited_to(&tenant()).await.unwrap(), Some(place));
    assert_eq!(store.audited_to(&tenant_of(Environment::Live, 1)).await.unwrap(), None);
    store.keep_audited_to(&tenant(), None).await.unwrap();
    assert_eq!(store.audited_to(&tenant()).await.unwrap(), None);
}

#[tokio::test]
async fn a_seal_is_read_back_with_what_it_seals_and_moves_with_the_facts() {
    let bench = Bench::with(getpaid_payment().sealed(&seal_key())).await;
    assert_eq!(bench.stored_payment().await.seal_under(&seal_key()), Sealed::Intact);
    let newer = Facts { disputed: true, refundable_until: Some(later(9)), ..facts() };
    let moved = bench.payment.moved_to(newer, later(3)).unwrap().unwrap().sealed(&seal_key());
    bench.store.move_facts(&moved).await.unwrap();
    assert_eq!(bench.stored_payment().await, moved);
    let granted = fixtures::decided(&bench.payment, &fixtures::getpaid_wanted(), "key");
    drop(bench.reserve(&granted).await.unwrap());
    assert_eq!(bench.stored_payment().await.seal_under(&seal_key()), Sealed::Intact);
}

#[tokio::test]
async fn what_an_earlier_version_registered_is_found_adopted_and_then_walked() {
    let table = TestTable::new();
    register(&table, &tenant(), 0..4).await;
    as_before(&table, "pay_1", "seal, list_pk, list_sk").await;
    as_before(&table, "pay_2", "list_pk, list_sk").await;
    let store = table.store();
    assert_eq!(ids(&store.payments_behind(&tenant(), None, 9).await.unwrap()), ["pay_0", "pay_3"]);

    let found = store.unsealed(None).await.unwrap().unwrap();
    assert!(found.next.is_none() && found.payments.unreadable.is_empty());
    let mut found = found.payments.read;
    found.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["pay_1", "pay_2"]);
    table.take_calls();
    for payment in found {
        assert_eq!(store.adopt(&payment.sealed(&seal_key())).await.unwrap(), Adopted::Yes);
    }
    let calls = table.take_calls();
    assert_operations(&calls, &["UpdateItem", "UpdateItem"]);
    assert_eq!((calls.write_units(), calls.index_units()), (4.0, 2.0), "{calls}");
    assert_eq!(
        ids(&store.payments_behind(&tenant(), None, 9).await.unwrap()),
        ["pay_0", "pay_1", "pay_2", "pay_3"]
    );
    let adopted = store.payment(&tenant(), &payment_id("pay_1")).await.unwrap().unwrap();
    assert_eq!(adopted.seal_under(&seal_key()), Sealed::Intact);
    assert!(store.unsealed(None).await.unwrap().unwrap().payments.read.is_empty());
}

#[tokio::test]
async fn a_payment_that_changed_since_it_was_read_is_not_adopted() {
    let table = TestTable::new();
    register(&table, &tenant(), 1..2).await;
    as_before(&table, "pay_1", "seal, list_pk, list_sk").await;
    let store = table.store();
    let read = store.payment(&tenant(), &payment_id("pay_1")).await.unwrap().unwrap();
    let moved = read.moved_to(Facts { disputed: true, ..facts() }, later(9)).unwrap().unwrap();
    store.move_facts(&moved).await.unwrap();
    assert_eq!(store.adopt(&read.sealed(&seal_key())).await.unwrap(), Adopted::Changed);
    assert_eq!(store.payment(&tenant(), &payment_id("pay_1")).await.unwrap().unwrap(), moved);
}

#[tokio::test]
async fn a_walk_through_the_table_goes_on_where_its_page_ended() {
    let table = TestTable::new();
    // More items than one page looks at.
    register(&table, &tenant(), 0..600).await;
    for id in ["pay_0", "pay_599"] {
        as_before(&table, id, "seal, list_pk, list_sk").await;
    }
    let store = table.store();
    let (mut found, mut pages, mut from) = (Vec::new(), 0, None);
    loop {
        let page = store.unsealed(from.as_deref()).await.unwrap().unwrap();
        pages += 1;
        found.extend(page.payments.read.into_iter().map(|payment| payment.id.to_string()));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    found.sort();
    assert_eq!((pages, found), (2, vec!["pay_0".to_owned(), "pay_599".to_owned()]));
    assert!(store.unsealed(Some("anything")).await.unwrap().is_none());
}
