//! Tests of an endpoint are counted one by one, however many come at once.

use recoup_domain::endpoint::Endpoint;
use recoup_ports::accounts::KnowTenants;
use recoup_ports::endpoints::{KeepEndpoints, TestBudget, Tested};
use recoup_testing::fixtures::{self, later, tenant, tenant_of};
use tokio::task::JoinSet;

use crate::endpoints::with_account;

#[tokio::test]
async fn tests_at_once_are_no_more_than_there_may_be() {
    let (_table, store) = with_account().await;
    let endpoint = fixtures::endpoint(1);
    store.create_endpoint(&endpoint).await.unwrap();
    let mut at_once = JoinSet::new();
    for _ in 0..2 * Endpoint::TESTS_MAX {
        let (store, id) = (store.clone(), endpoint.id.clone());
        at_once.spawn(async move { store.count_test(&tenant(), &id, fixtures::now()).await.unwrap() });
    }
    let told = at_once.join_all().await;
    let made = told.iter().filter(|told| **told == Tested::Yes).count();
    assert_eq!(u32::try_from(made).unwrap(), Endpoint::TESTS_MAX);
    assert!(
        told.iter().all(|told| [Tested::Yes, Tested::NotBefore(later(60_000))].contains(told)),
        "{told:?}"
    );
    let next = store.count_test(&tenant(), &endpoint.id, later(60_000)).await.unwrap();
    assert_eq!(next, Tested::Yes);
}

#[tokio::test]
async fn what_is_not_there_is_neither_tested_nor_made() {
    let (table, store) = with_account().await;
    let before = table.items().await.len();
    let id = fixtures::endpoint(1).id;
    assert_eq!(store.count_test(&tenant(), &id, fixtures::now()).await.unwrap(), Tested::Missing);
    assert_eq!(table.items().await.len(), before);
}

#[tokio::test]
async fn whether_a_tenant_exists_costs_half_a_unit() {
    let (table, store) = with_account().await;
    let other = tenant_of(recoup_domain::ids::Environment::Sandbox, 99);
    for (who, exists) in [(tenant(), true), (other, false)] {
        assert_eq!(store.is_tenant(&who).await.unwrap(), exists);
        let calls = table.take_calls();
        assert_eq!((calls.operations(), calls.read_units()), (vec!["GetItem"], 0.5));
    }
}
