//! Endpoints: their bound holds under races, changes overtake nobody, and their health costs nothing while it is
//! good.

use std::time::Duration;

use recoup_domain::endpoint::{DisabledReason, Endpoint, EventFilter, Switch};
use recoup_domain::event::EventType;
use recoup_domain::ids::{AccountId, Environment};
use recoup_domain::text::TargetUrl;
use recoup_ports::WriteError;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::endpoints::{Changed, Created, EndpointHealth, Endpoints, KeepEndpoints};
use recoup_ports::images::{Images, Shown};
use recoup_storage::{Table, TableImages};
use recoup_testing::fixtures::{self, later, tenant, tenant_of};
use recoup_testing::{Fault, TestTable};

use crate::bench::assert_operations;

pub(crate) async fn with_account() -> (TestTable, Table) {
    let table = TestTable::new();
    let store = table.store();
    let account = NewAccount {
        id: AccountId::from_bits(1),
        name: "n".to_owned(),
        sandbox_secret: fixtures::plain_secret(100),
        live_secret: fixtures::plain_secret(101),
        created_at: fixtures::now(),
    };
    store.create_account(&account).await.unwrap();
    table.take_calls();
    (table, store)
}

async fn with_endpoint() -> (TestTable, Table, Endpoint) {
    let (table, store) = with_account().await;
    let endpoint = fixtures::endpoint(1);
    assert_eq!(store.create_endpoint(&endpoint).await.unwrap(), Created::Yes);
    table.take_calls();
    (table, store, endpoint)
}

async fn stored(store: &Table, endpoint: &Endpoint) -> Endpoint {
    store.endpoint(&endpoint.tenant, &endpoint.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_endpoint_is_read_back_as_it_was_written() {
    let (_table, store) = with_account().await;
    let plain = fixtures::endpoint(1);
    let secrets = plain.secrets.rotated(fixtures::plain_secret(9), later(5), Duration::from_mins(1)).unwrap();
    let full = Endpoint {
        description: Some(fixtures::text("the shop")),
        events: EventFilter::Only([EventType::Failed, EventType::EndpointDisabled].into()),
        secrets,
        switch: Switch::Off { reason: DisabledReason::Gone, at: later(7) },
        failing_since: Some(later(6)),
        ..fixtures::endpoint(2)
    };
    for endpoint in [&full, &plain] {
        assert_eq!(store.create_endpoint(endpoint).await.unwrap(), Created::Yes);
        assert_eq!(stored(&store, endpoint).await, *endpoint);
    }
    assert_eq!(store.endpoints(&tenant()).await.unwrap().read, [plain, full], "oldest first");
    for other in [tenant_of(Environment::Live, 1), tenant_of(Environment::Sandbox, 2)] {
        assert_eq!(store.endpoints(&other).await.unwrap().read, []);
        assert_eq!(store.endpoint(&other, &fixtures::endpoint(1).id).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_that_race_for_sixteen_places_sixteen_are_made() {
    let (_table, store) = with_account().await;
    let racing = (1..=20).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.create_endpoint(&fixtures::endpoint(number)).await.unwrap() })
    });
    let racing: Vec<_> = racing.collect();
    let mut made = 0;
    for one in racing {
        made += u32::from(one.await.unwrap() == Created::Yes);
    }
    assert_eq!(made, Endpoint::COUNT_MAX);
    let endpoints = store.endpoints(&tenant()).await.unwrap().read;
    assert_eq!(endpoints.len(), 16);
    assert_eq!(store.create_endpoint(&fixtures::endpoint(99)).await.unwrap(), Created::TooMany);
    // A place that was given back is taken again, and giving it back twice gives back one.
    let gone = &endpoints[3];
    assert_eq!(store.delete_endpoint(&gone.tenant, &gone.id).await.unwrap(), Changed::Yes);
    assert_eq!(store.delete_endpoint(&gone.tenant, &gone.id).await.unwrap(), Changed::Missing);
    assert_eq!(store.create_endpoint(&fixtures::endpoint(99)).await.unwrap(), Created::Yes);
    assert_eq!(store.create_endpoint(&fixtures::endpoint(98)).await.unwrap(), Created::TooMany);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_neither_counts_twice_nor_says_no() {
    let (table, store) = with_account().await;
    let endpoint = fixtures::endpoint(1);
    table.fail("TransactWriteItems", 1, Fault::LoseAnswer);
    assert_eq!(store.create_endpoint(&endpoint).await.unwrap(), Created::Yes);
    let account = table.items().await.into_iter().find(|item| item.contains_key("endpoints")).unwrap();
    assert_eq!(account["endpoints"].as_n().unwrap(), "1");
    let to = Endpoint { description: Some(fixtures::text("new")), ..endpoint.changed(later(60)) };
    table.fail("UpdateItem", 1, Fault::LoseAnswer);
    assert_eq!(store.change_endpoint(&endpoint, &to).await.unwrap(), Changed::Yes);
    assert_eq!(stored(&store, &endpoint).await, to);
}

#[tokio::test]
async fn a_change_that_was_decided_on_an_older_state_is_told_so() {
    let (_table, store, endpoint) = with_endpoint().await;
    let one = Endpoint { description: Some(fixtures::text("one")), ..endpoint.changed(later(60)) };
    let other =
        Endpoint { events: EventFilter::parse(["refund.failed"]).unwrap(), ..endpoint.changed(later(60)) };
    assert_eq!(store.change_endpoint(&endpoint, &one).await.unwrap(), Changed::Yes);
    assert_eq!(store.change_endpoint(&endpoint, &other).await.unwrap(), Changed::Overtaken);
    assert_eq!(stored(&store, &endpoint).await, one);
    let stranger = fixtures::endpoint(7);
    assert_eq!(
        store.change_endpoint(&stranger, &stranger.changed(later(1))).await.unwrap(),
        Changed::Missing
    );
}

#[tokio::test]
async fn a_change_in_the_way_that_nobody_can_read_is_no_other_change() {
    let (table, store, endpoint) = with_endpoint().await;
    let item = table.items().await.into_iter().find(|item| item.contains_key("url")).unwrap();
    table.set_text(&item, "created_at", "never").await;
    table.set_text(&item, "revision", "one").await;
    let refused = store.change_endpoint(&endpoint, &endpoint.changed(later(60))).await;
    assert!(matches!(refused, Err(WriteError::Unreadable { .. })), "{refused:?}");
}

#[tokio::test]
async fn secrets_are_replaced_only_by_who_saw_them() {
    let (_table, store, endpoint) = with_endpoint().await;
    let rotate = |to: u8| {
        let secrets =
            endpoint.secrets.rotated(fixtures::plain_secret(to), later(60), Duration::from_mins(1)).unwrap();
        Endpoint { secrets, ..endpoint.changed(later(60)) }
    };
    assert_eq!(store.change_endpoint(&endpoint, &rotate(2)).await.unwrap(), Changed::Yes);
    assert_eq!(store.change_endpoint(&endpoint, &rotate(3)).await.unwrap(), Changed::Overtaken);
    assert_eq!(stored(&store, &endpoint).await.secrets, rotate(2).secrets);
}

#[tokio::test]
async fn health_is_written_when_it_turns_and_not_again() {
    let (table, store, endpoint) = with_endpoint().await;
    store.record_recovered(&endpoint).await.unwrap();
    assert_operations(&table.take_calls(), &[]);
    store.record_failing(&endpoint, later(100)).await.unwrap();
    let failing = stored(&store, &endpoint).await;
    assert_eq!(failing.failing_since, Some(later(100)));
    // Whoever still has the old picture does not set the time back.
    store.record_failing(&endpoint, later(200)).await.unwrap();
    assert_eq!(stored(&store, &endpoint).await, failing);
    table.take_calls();
    store.record_failing(&failing, later(300)).await.unwrap();
    assert_operations(&table.take_calls(), &[]);
    store.record_recovered(&failing).await.unwrap();
    assert_eq!(stored(&store, &endpoint).await, endpoint);
}

#[tokio::test]
async fn what_was_learnt_of_an_old_url_says_nothing_of_a_new_one() {
    let (_table, store, endpoint) = with_endpoint().await;
    let moved = Endpoint {
        url: TargetUrl::unchecked("https://new.example.com/".to_owned()),
        ..endpoint.changed(later(60))
    };
    store.change_endpoint(&endpoint, &moved).await.unwrap();
    store.record_failing(&endpoint, later(100)).await.unwrap();
    store.switch_off(&endpoint, DisabledReason::Gone, later(100)).await.unwrap();
    assert_eq!(stored(&store, &endpoint).await, moved);
    store.delete_endpoint(&endpoint.tenant, &endpoint.id).await.unwrap();
    store.record_failing(&moved, later(100)).await.unwrap();
    store.switch_off(&moved, DisabledReason::Gone, later(100)).await.unwrap();
    assert_eq!(
        store.endpoint(&endpoint.tenant, &endpoint.id).await.unwrap(),
        None,
        "nothing comes back to life"
    );
}

#[tokio::test]
async fn a_switch_off_is_in_the_stream_as_the_table_had_it() {
    let (table, store, endpoint) = with_endpoint().await;
    store.switch_off(&endpoint, DisabledReason::Failing, later(100)).await.unwrap();
    let off = stored(&store, &endpoint).await;
    assert_eq!(off, endpoint.switched_off(DisabledReason::Failing, later(100)));
    let event = table.stream_event();
    let last = event["Records"].as_array().unwrap().last().unwrap()["dynamodb"].clone();
    let shown = |name: &str| TableImages.shown(last[name].as_object().unwrap()).unwrap();
    assert_eq!(shown("OldImage"), Shown::Endpoint(Box::new(endpoint)));
    assert_eq!(shown("NewImage"), Shown::Endpoint(Box::new(off)));
}
