//! Ids that cannot collide and keys that cannot be mistyped.

use proptest::prelude::*;
use recoup_domain::api_key::{ApiKey, Refused, Scope};
use recoup_domain::ids::{AccountId, Environment, EventId, IdempotencyKey, RefundId, Tenant};
use recoup_domain::keyring::Keyring;
use recoup_domain::stored_key::{IpRange, StoredKey};
use recoup_testing::fixtures::{self, ring_key, stored_key};

fn environment() -> impl Strategy<Value = Environment> {
    prop::sample::select(vec![Environment::Sandbox, Environment::Live])
}

fn tenant() -> impl Strategy<Value = Tenant> {
    // Few accounts, so that two draws are often the same.
    (environment(), 0_u128..3)
        .prop_map(|(environment, account)| Tenant { environment, account: AccountId::from_bits(account) })
}

fn key() -> impl Strategy<Value = IdempotencyKey> {
    prop_oneof!["[!-~]{1,255}", "[ab]{1,2}"].prop_map(|text| IdempotencyKey::try_from(text.as_str()).unwrap())
}

fn api_key() -> impl Strategy<Value = ApiKey> {
    (environment(), any::<u128>(), any::<u128>())
        .prop_map(|(environment, name, secret)| ApiKey::random(environment, name, secret))
}

fn peppers(letter: &str) -> Keyring {
    Keyring::first(ring_key(letter))
}

proptest! {
    #[test]
    fn one_key_of_one_tenant_means_one_refund_and_no_other(
        one in (tenant(), key()), other in (tenant(), key()),
    ) {
        let id = RefundId::of_key(&one.0, &one.1);
        prop_assert_eq!(&id, &RefundId::of_key(&one.0, &one.1));
        prop_assert_eq!(id == RefundId::of_key(&other.0, &other.1), one == other);
        prop_assert_eq!(RefundId::try_from(id.as_str()), Ok(id));
    }

    #[test]
    fn the_same_key_in_the_sandbox_live_or_another_account_is_another_refund(key in key(), account in any::<u128>()) {
        let of = |environment, account| {
            RefundId::of_key(&Tenant { environment, account: AccountId::from_bits(account) }, &key)
        };
        let here = of(Environment::Sandbox, account);
        prop_assert_ne!(&here, &of(Environment::Live, account));
        prop_assert_ne!(&here, &of(Environment::Sandbox, account ^ 1));
    }

    #[test]
    fn a_change_has_one_event_id_however_often_it_is_announced(
        one in (tenant(), key(), 1_u32..4), other in (tenant(), key(), 1_u32..4),
    ) {
        let event = |(tenant, key, sequence): &(Tenant, IdempotencyKey, u32)| {
            EventId::of_change(tenant, &RefundId::of_key(tenant, key), *sequence, fixtures::now())
        };
        prop_assert_eq!(event(&one), event(&one));
        prop_assert_eq!(event(&one) == event(&other), one == other);
    }

    #[test]
    fn a_key_is_read_back_as_it_was_shown(key in api_key()) {
        let read = ApiKey::parse(key.reveal()).unwrap();
        prop_assert_eq!(read.reveal(), key.reveal());
        prop_assert_eq!(read.id(), key.id());
        prop_assert_eq!(read.environment(), key.environment());
    }

    #[test]
    fn one_wrong_character_anywhere_in_a_key_is_refused(
        key in api_key(), place in any::<prop::sample::Index>(), typed in "[ -~]",
    ) {
        let mut text: Vec<char> = key.reveal().chars().collect();
        let place = place.index(text.len());
        let typed = typed.chars().next().unwrap();
        prop_assume!(text[place] != typed);
        text[place] = typed;
        prop_assert!(ApiKey::parse(&text.into_iter().collect::<String>()).is_none());
    }

    #[test]
    fn a_key_with_a_character_lost_doubled_or_swapped_is_refused(
        key in api_key(), place in any::<prop::sample::Index>(),
    ) {
        let text: Vec<char> = key.reveal().chars().collect();
        let place = place.index(text.len() - 1);
        let (mut lost, mut doubled, mut swapped) = (text.clone(), text.clone(), text.clone());
        lost.remove(place);
        doubled.insert(place, text[place]);
        swapped.swap(place, place + 1);
        prop_assert!(ApiKey::parse(&lost.into_iter().collect::<String>()).is_none());
        prop_assert!(ApiKey::parse(&doubled.into_iter().collect::<String>()).is_none());
        if swapped != text {
            prop_assert!(ApiKey::parse(&swapped.into_iter().collect::<String>()).is_none());
        }
    }

    #[test]
    fn a_proof_is_that_of_one_key_under_one_pepper(
        environment in environment(), name in any::<u128>(), secret in any::<u128>(), wrong in 1_u128..,
    ) {
        let key = ApiKey::random(environment, name, secret);
        let stored = stored_key(&key, &[Scope::RefundsRead], &ring_key("p"));
        prop_assert!(stored.is_proof_of(&key, &peppers("p")));
        prop_assert!(!stored.is_proof_of(&ApiKey::random(environment, name, secret ^ wrong), &peppers("p")));
        prop_assert!(!stored.is_proof_of(&key, &peppers("q")));
    }

    #[test]
    fn a_key_is_never_printed_by_accident(key in api_key()) {
        let secret = &key.reveal()[key.reveal().len() - 33..];
        let printed = format!("{key:?}");
        prop_assert!(!printed.contains(&secret[..26]));
    }
}

/// A key, and ways to make more of what is stored of it.
fn raised(stored: &StoredKey) -> Vec<StoredKey> {
    let with = |change: fn(&mut StoredKey)| {
        let mut stored = stored.clone();
        change(&mut stored);
        stored
    };
    vec![
        with(|stored| stored.grants.tenant.account = AccountId::from_bits(2)),
        with(|stored| stored.grants.tenant.environment = Environment::Live),
        with(|stored| stored.grants.scopes.push(Scope::RefundsWrite)),
        with(|stored| stored.grants.expires_at = None),
        with(|stored| stored.grants.expires_at = Some(fixtures::later(2))),
        with(|stored| stored.grants.ip_ranges.clear()),
        with(|stored| stored.grants.ip_ranges = vec![IpRange::parse("0.0.0.0/0").unwrap()]),
        with(|stored| stored.proof.pepper = None),
    ]
}

#[test]
fn who_writes_the_table_cannot_make_a_key_grant_more() {
    let key = ApiKey::random(Environment::Sandbox, 1, 2);
    let mut grants = stored_key(&key, &[Scope::RefundsRead], &ring_key("p")).grants;
    grants.expires_at = Some(fixtures::later(1));
    grants.ip_ranges = vec![IpRange::parse("203.0.113.0/24").unwrap()];
    let stored = fixtures::granting(&key, grants, &ring_key("p"));
    assert_eq!(stored.judge(&key, &peppers("p"), fixtures::now()), Ok(()));
    for raised in raised(&stored) {
        let verdict = raised.judge(&key, &peppers("p"), fixtures::now());
        assert_eq!(verdict, Err(Refused::Unknown), "{raised:?}");
    }
}

#[test]
fn a_key_ends_when_it_expires_and_when_it_is_revoked() {
    let key = ApiKey::random(Environment::Sandbox, 1, 2);
    let mut grants = stored_key(&key, &[Scope::RefundsRead], &ring_key("p")).grants;
    grants.expires_at = Some(fixtures::later(1));
    let stored = fixtures::granting(&key, grants, &ring_key("p"));
    assert_eq!(stored.judge(&key, &peppers("p"), fixtures::now()), Ok(()));
    assert_eq!(stored.judge(&key, &peppers("p"), fixtures::later(1)), Err(Refused::Expired));
    let revoked = StoredKey { revoked_at: Some(fixtures::now()), ..stored };
    assert_eq!(revoked.judge(&key, &peppers("p"), fixtures::now()), Err(Refused::Unknown));
}

#[test]
fn a_key_is_renewed_once_under_the_newest_pepper() {
    let key = ApiKey::random(Environment::Sandbox, 1, 2);
    let stored = stored_key(&key, &[Scope::RefundsRead], &ring_key("p"));
    assert_eq!(stored.renewed(&key, &peppers("p").current), None);
    let rotated = peppers("p").rotated(ring_key("q"), fixtures::now());
    // Version 0.1 did not say what a key is used for.
    let before = StoredKey { r#use: None, ..stored };
    let renewed = before.renewed(&key, &rotated.current).unwrap();
    assert_eq!(renewed.r#use, Some(key.r#use()));
    assert_eq!(renewed.judge(&key, &peppers("q"), fixtures::now()), Ok(()));
    assert_eq!(renewed.renewed(&key, &rotated.current), None);
}

#[test]
fn a_range_of_addresses_is_a_network_and_not_a_prefix_of_letters() {
    let admits = |range: &str, address: &str| IpRange::parse(range).unwrap().contains(address);
    assert!(admits("203.0.113.0/24", "203.0.113.255"));
    assert!(!admits("203.0.113.0/24", "203.0.114.0"));
    assert!(admits("2001:db8::/32", "2001:db8:1::1"));
    assert!(!admits("203.0.113.0/24", "2001:db8::1"));
    assert!(!admits("0.0.0.0/0", "elsewhere"));
    for text in ["", "203.0.113.7", "203.0.113.0/33", "all"] {
        assert_eq!(IpRange::parse(text), None, "{text}");
    }
    let mut grants = stored_key(&ApiKey::random(Environment::Live, 1, 2), &[], &ring_key("p")).grants;
    assert!(grants.admits_address(None));
    grants.ip_ranges = vec![IpRange::parse("203.0.113.0/24").unwrap()];
    assert!(grants.admits_address(Some("203.0.113.7")));
    assert!(!grants.admits_address(Some("203.0.112.7")) && !grants.admits_address(None));
}
