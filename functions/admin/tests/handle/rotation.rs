//! Rotating the pepper and the signing key.

use admin::AdminError;
use recoup_domain::api_key::ApiKey;
use recoup_ports::api_keys::Keys;
use recoup_ports::keyrings::Ring;
use recoup_testing::fixtures;
use serde_json::json;

use crate::administering::{World, text, wanting};

#[tokio::test]
async fn a_rotated_secret_is_new_and_the_one_before_still_counts() {
    for (command, ring) in [("rotate_signing_key", Ring::TokenSigning), ("rotate_pepper", Ring::Pepper)] {
        let world = World::new();
        let before = world.context.keyrings.get(ring);
        let answer = world.does(json!({"command": command})).await;
        let after = world.context.keyrings.get(ring);
        assert_eq!(after.previous.as_ref(), Some(&before.current));
        assert_ne!(after.current, before.current);
        assert_eq!(text(&answer, "current"), after.current.id());
        assert_eq!(text(&answer, "previous"), before.current.id());
        assert!(!answer.to_string().contains(after.current.reveal()));
        // A function may sign with the key before for an hour, and what it signed lives for another.
        let three_hours = fixtures::later(3 * 3_600_000).rfc3339();
        assert_eq!(text(&answer, "next_rotation_from"), three_hours);
        let refused = world.refuses(json!({"command": command})).await;
        assert!(matches!(refused, AdminError::TooSoon(_)), "{refused}");
        assert!(refused.to_string().contains(&three_hours));
    }
}

#[tokio::test]
async fn a_pepper_is_not_dropped_while_a_key_needs_it() {
    let (world, account) = World::with_account().await;
    let made = world.does(wanting(&account, "live")).await;
    let key = ApiKey::parse(text(&made, "secret")).unwrap();
    let rotate = json!({"command": "rotate_pepper"});
    world.does(rotate.clone()).await;
    let ring = world.context.keyrings.get(Ring::Pepper);
    // The rotation was long ago, but the key was not used since.
    let long_ago = recoup_domain::keyring::Keyring { rotated_at: None, ..ring };
    world.context.keyrings.set(Ring::Pepper, long_ago.clone());
    let refused = world.refuses(rotate.clone()).await;
    assert!(matches!(&refused, AdminError::Unseen(_)));
    assert!(refused.to_string().contains(&format!("would end: {}; wait", key.id())), "{refused}");
    assert_eq!(world.context.keyrings.get(Ring::Pepper), long_ago);
    // Once it was used, it can be.
    let store = world.table.credentials();
    let stored = store.key(key.id()).await.unwrap().unwrap();
    let renewed = stored.renewed(&key, &long_ago.current).unwrap();
    store.renew_key(&stored, &renewed).await.unwrap();
    world.does(rotate).await;
    assert!(renewed.is_proof_of(&key, &world.peppers()));
}

#[tokio::test]
async fn of_many_keys_that_would_end_a_few_are_named() {
    let (world, account) = World::with_account().await;
    for _ in 0..7 {
        world.does(wanting(&account, "live")).await;
    }
    let ring = world.peppers().rotated(fixtures::ring_key("q"), fixtures::now());
    let ring = recoup_domain::keyring::Keyring { rotated_at: None, ..ring };
    world.context.keyrings.set(Ring::Pepper, ring);
    let refused = world.refuses(json!({"command": "rotate_pepper"})).await.to_string();
    assert!(refused.contains("would end: 7, among them key_"), "{refused}");
    assert_eq!(refused.matches("key_").count(), 5);
}

#[tokio::test]
async fn keys_that_nobody_uses_can_be_dropped_on_purpose() {
    let (world, account) = World::with_account().await;
    world.does(wanting(&account, "live")).await;
    let ring = world.peppers().rotated(fixtures::ring_key("q"), fixtures::now());
    let ring = recoup_domain::keyring::Keyring { rotated_at: None, ..ring };
    world.context.keyrings.set(Ring::Pepper, ring.clone());
    world.does(json!({"command": "rotate_pepper", "drop_unseen": true})).await;
    assert_eq!(world.peppers().previous, Some(ring.current));
}

#[tokio::test]
async fn a_store_of_secrets_that_is_away_is_told_as_that() {
    let (world, account) = World::with_account().await;
    world.context.keyrings.go_away();
    for command in [wanting(&account, "live"), json!({"command": "rotate_pepper"})] {
        let diagnostic = lambda_runtime::Diagnostic::from(world.refuses(command).await);
        assert_eq!(diagnostic.error_type, "Unavailable");
    }
    assert!(world.table.credential_items().await.is_empty());
}
