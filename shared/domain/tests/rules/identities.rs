//! Ids that cannot collide and keys that cannot be mistyped.

use proptest::prelude::*;
use recoup_domain::api_key::{ApiKey, Pepper};
use recoup_domain::ids::{AccountId, Environment, EventId, IdempotencyKey, RefundId, Tenant};
use recoup_testing::fixtures;

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

fn pepper() -> Pepper {
    Pepper::new(vec![7; Pepper::LENGTH_MIN]).unwrap()
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
        prop_assert!(read.is(&key.hash(&pepper()), &pepper()));
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
    fn a_stored_hash_knows_only_its_own_key_under_its_own_pepper(
        environment in environment(), name in any::<u128>(), secret in any::<u128>(), wrong in 1_u128..,
    ) {
        let key = ApiKey::random(environment, name, secret);
        let stored = key.hash(&pepper());
        let other_pepper = Pepper::new(vec![8; Pepper::LENGTH_MIN]).unwrap();
        prop_assert!(!ApiKey::random(environment, name, secret ^ wrong).is(&stored, &pepper()));
        prop_assert!(!key.is(&stored, &other_pepper));
    }

    #[test]
    fn a_key_is_never_printed_by_accident(key in api_key()) {
        let secret = &key.reveal()[key.reveal().len() - 33..];
        let printed = format!("{key:?}");
        prop_assert!(!printed.contains(&secret[..26]));
        prop_assert_eq!(format!("{:?}", pepper()), "Pepper(…)");
    }
}

#[test]
fn a_pepper_that_is_too_short_is_refused() {
    assert!(Pepper::new(vec![7; Pepper::LENGTH_MIN - 1]).is_none());
}
