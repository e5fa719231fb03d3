//! API keys: what opens something is not in a table, and a key of version 0.1 moves when it is used.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::api_key::{ApiKey, Scope};
use recoup_domain::ids::{Environment, KeyId};
use recoup_domain::keyring::Keyring;
use recoup_domain::stored_key::{IpRange, Proof, StoredKey};
use recoup_ports::api_keys::{KeepKeys, Keys, Revoked, Unrenewed};
use recoup_testing::fixtures::{granting, later, now, ring_key, stored_key, tenant, text};
use recoup_testing::{Fault, Item, TestTable};

fn key() -> (ApiKey, StoredKey) {
    let key = ApiKey::random(Environment::Sandbox, 1 << 100, 2 << 100);
    let mut grants = stored_key(&key, &[Scope::PaymentsRead, Scope::RefundsWrite], &ring_key("p")).grants;
    grants.expires_at = Some(later(1_000));
    grants.ip_ranges = vec![IpRange::parse("203.0.113.0/24").unwrap()];
    let stored = StoredKey { name: Some(text("shop")), ..granting(&key, grants, &ring_key("p")) };
    (key, stored)
}

/// A key as version 0.1 stored it, in the table of refunds. Its pepper was the one that counts still.
async fn before(table: &TestTable) -> (ApiKey, StoredKey) {
    let key = ApiKey::random(Environment::Sandbox, 7, 8);
    let mut stored = stored_key(&key, &[Scope::RefundsRead], &ring_key("p"));
    let mac = recoup_domain::signing::hmac_sha256(ring_key("p").reveal().as_bytes(), &[key.reveal()]);
    let mac = hmac::Mac::finalize(mac).into_bytes().into();
    (stored.proof, stored.r#use) = (Proof { pepper: None, mac }, None);
    let of = |text: &str| AttributeValue::S(text.to_owned());
    let item: Item = HashMap::from([
        ("pk".to_owned(), of(&format!("key#{}", key.id()))),
        ("sk".to_owned(), of("key")),
        ("environment".to_owned(), of("sandbox")),
        ("account_id".to_owned(), of(tenant().account.as_str())),
        ("scopes".to_owned(), AttributeValue::L(vec![of("refunds:read")])),
        ("hash".to_owned(), AttributeValue::B(Blob::new(mac))),
        ("created_at".to_owned(), of(&now().rfc3339())),
    ]);
    table.put(item).await;
    (key, stored)
}

#[tokio::test]
async fn a_key_is_found_by_its_id_and_knows_all_that_it_grants() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.credentials();
    store.create_key(&stored).await.unwrap();
    table.take_calls();
    assert_eq!(store.key(key.id()).await.unwrap(), Some(stored));
    assert_eq!(table.take_calls().operations(), ["GetItem"]);
    assert_eq!(store.key(&KeyId::from_bits(7)).await.unwrap(), None);
    assert!(table.items().await.is_empty(), "nothing of a key is in the table of refunds");
}

#[tokio::test]
async fn of_a_key_only_its_proof_is_stored() {
    let (table, (key, stored)) = (TestTable::new(), key());
    table.credentials().create_key(&stored).await.unwrap();
    let item = table.credential_items().await.remove(0);
    let secret = &key.reveal()[key.reveal().len() - 33..];
    assert_eq!(secret.len(), 26 + 7);
    let item = format!("{item:?}");
    for hidden in [&secret[..26], &secret[26..], key.reveal()] {
        assert!(!item.contains(hidden) && !item.contains(&format!("{:?}", hidden.as_bytes())), "{item}");
    }
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_and_a_key_that_never_was_cannot_be() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.credentials();
    store.create_key(&stored).await.unwrap();
    for at in [1, 2] {
        assert_eq!(store.revoke_key(key.id(), later(at)).await.unwrap(), Revoked::Yes);
    }
    let revoked = StoredKey { revoked_at: Some(later(1)), ..stored };
    assert_eq!(store.key(key.id()).await.unwrap(), Some(revoked), "the first time is kept");
    assert_eq!(store.revoke_key(&KeyId::from_bits(7), later(3)).await.unwrap(), Revoked::NoSuchKey);
    assert_eq!(table.credential_items().await.len(), 1, "nothing was made by revoking nothing");
}

#[tokio::test]
async fn no_key_takes_the_place_of_another() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.credentials();
    store.create_key(&stored).await.unwrap();
    let other = StoredKey { name: None, ..stored.clone() };
    assert!(store.create_key(&other).await.is_err());
    assert_eq!(store.key(key.id()).await.unwrap(), Some(stored));
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_answer_was_lost_is_made_all_the_same() {
    let (table, (key, stored)) = (TestTable::new(), key());
    table.fail("PutItem", 1, Fault::LoseAnswer);
    table.credentials().create_key(&stored).await.unwrap();
    assert_eq!(table.credentials().key(key.id()).await.unwrap(), Some(stored));
}

#[tokio::test]
async fn a_tenants_keys_are_listed_newest_first_and_nobody_elses() {
    let table = TestTable::new();
    let store = table.credentials();
    let stored = |environment, bits, at| {
        let key = ApiKey::random(environment, bits, 1);
        StoredKey { created_at: later(at), ..stored_key(&key, &[Scope::RefundsRead], &ring_key("p")) }
    };
    let of_sandbox = [3, 2, 1].map(|at| stored(Environment::Sandbox, at.into(), at));
    for key in of_sandbox.iter().chain([&stored(Environment::Live, 9, 9)]) {
        store.create_key(key).await.unwrap();
    }
    assert_eq!(store.keys_of(&tenant(), 10).await.unwrap().read, of_sandbox);
    assert_eq!(store.keys_of(&tenant(), 2).await.unwrap().read, of_sandbox[..2]);
}

#[tokio::test]
async fn a_renewed_key_is_proven_under_the_new_pepper_and_otherwise_the_same() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.credentials();
    store.create_key(&stored).await.unwrap();
    let rotated = Keyring::first(ring_key("p")).rotated(ring_key("q"), now());
    assert_eq!(store.proven_otherwise(ring_key("p").id(), now()).await.unwrap().count, 0);
    let unrenewed = store.proven_otherwise(rotated.current.id(), now()).await.unwrap();
    assert_eq!(unrenewed, Unrenewed { count: 1, some: vec![key.id().clone()] });
    let renewed = stored.renewed(&key, &rotated.current).unwrap();
    table.take_calls();
    store.renew_key(&stored, &renewed).await.unwrap();
    assert_eq!(table.take_calls().operations(), ["UpdateItem"]);
    assert_eq!(store.key(key.id()).await.unwrap(), Some(renewed.clone()));
    assert_eq!(store.proven_otherwise(rotated.current.id(), now()).await.unwrap().count, 0);
    // A late renewal from what was read before changes nothing.
    store.renew_key(&stored, &stored).await.unwrap();
    assert_eq!(store.key(key.id()).await.unwrap(), Some(renewed));
}

#[tokio::test]
async fn a_key_that_can_no_longer_be_used_is_not_waited_for() {
    let (table, (key, stored)) = (TestTable::new(), key());
    let store = table.credentials();
    store.create_key(&stored).await.unwrap();
    assert_eq!(store.proven_otherwise("another", later(999)).await.unwrap().count, 1);
    assert_eq!(store.proven_otherwise("another", later(1_000)).await.unwrap().count, 0, "it has expired");
    store.revoke_key(key.id(), now()).await.unwrap();
    assert_eq!(store.proven_otherwise("another", now()).await.unwrap().count, 0);
}

#[tokio::test]
async fn a_key_of_version_0_1_is_read_and_moves_when_it_is_used() {
    let table = TestTable::new();
    let (key, stored) = before(&table).await;
    let (store, peppers) = (table.credentials(), Keyring::first(ring_key("p")));
    assert_eq!(store.key(key.id()).await.unwrap(), Some(stored.clone()));
    assert_eq!(stored.judge(&key, &peppers, now()), Ok(()));
    let renewed = stored.renewed(&key, &peppers.current).unwrap();
    store.renew_key(&stored, &renewed).await.unwrap();
    store.renew_key(&stored, &renewed).await.unwrap();
    assert_eq!(store.key(key.id()).await.unwrap(), Some(renewed));
    // From now on, whatever the other table says counts for nothing.
    table.set_text(&table.item("key").await, "environment", "live").await;
    let found = store.key(key.id()).await.unwrap().unwrap();
    assert_eq!(found.grants.tenant, tenant());
    assert_eq!(store.keys_of(&tenant(), 10).await.unwrap().read.len(), 1);
}

#[tokio::test]
async fn a_key_of_version_0_1_is_revoked_before_and_after_it_moved() {
    for moved in [false, true] {
        let table = TestTable::new();
        let (key, stored) = before(&table).await;
        let (store, peppers) = (table.credentials(), Keyring::first(ring_key("p")));
        let renewed = stored.renewed(&key, &peppers.current).unwrap();
        if moved {
            store.renew_key(&stored, &renewed).await.unwrap();
        }
        assert_eq!(store.revoke_key(key.id(), now()).await.unwrap(), Revoked::Yes);
        // Somebody who had read it before the revocation renews it: it stays revoked.
        store.renew_key(&stored, &renewed).await.unwrap();
        let found = store.key(key.id()).await.unwrap().unwrap();
        assert_eq!(found.revoked_at, Some(now()), "moved: {moved}");
    }
}

#[tokio::test]
async fn a_proof_of_version_0_1_counts_for_nothing_among_the_credentials() {
    let table = TestTable::new();
    let (key, _) = before(&table).await;
    // Copied here by hand, under another tenant.
    let mut item = table.item("key").await;
    item.insert("environment".to_owned(), AttributeValue::S("live".to_owned()));
    table.put_credential(item).await;
    assert!(table.credentials().key(key.id()).await.is_err());
}
