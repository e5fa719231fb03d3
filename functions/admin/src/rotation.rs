//! Rotating the deployment's own secrets: the one before still counts, so nobody's access ends.

use std::time::Duration;

use recoup_domain::ids::KeyId;
use recoup_domain::keyring::RingKey;
use recoup_domain::or_abort::OrAbort;
use recoup_ports::api_keys::{KeepKeys, Unrenewed};
use recoup_ports::keyrings::{Ring, RotateKeyrings};
use serde_json::{Value, json};

use crate::{AdminError, Context};

/// The least time between two rotations of one secret. A function keeps what it read for an hour, and a token that it
/// signs in the last minute of that hour lives for another.
const ROTATION_WAIT: Duration = Duration::from_hours(3);

/// Replaces the pepper. Each key's proof is renewed when the key is next used; a key that was not used between two
/// rotations would end with the second.
pub(crate) async fn pepper<A, K: KeepKeys, R: RotateKeyrings, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    drop_unseen: bool,
) -> Result<Value, AdminError> {
    if !drop_unseen {
        let current = context.keyrings.stored_keyring(Ring::Pepper).await?.keyring.current;
        let unseen = context.keys.proven_otherwise(current.id(), (context.now)()).await?;
        if unseen.count > 0 {
            return Err(AdminError::Unseen(told(&unseen)));
        }
    }
    rotate(context, Ring::Pepper).await
}

/// The keys by their ids, or how many there are if they are too many for one sentence.
fn told(Unrenewed { count, some }: &Unrenewed) -> String {
    let ids = some.iter().map(KeyId::as_str).collect::<Vec<_>>().join(", ");
    let are_all = u64::try_from(some.len()) == Ok(*count);
    if are_all { ids } else { format!("{count}, among them {ids}") }
}

/// Replaces a secret by a new one of 256 random bits.
pub(crate) async fn rotate<A, K, R: RotateKeyrings, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    ring: Ring,
) -> Result<Value, AdminError> {
    let from = context.keyrings.stored_keyring(ring).await?;
    let now = (context.now)();
    let possible_from = from.keyring.rotated_at.map(|at| at.plus(ROTATION_WAIT));
    if let Some(possible_from) = possible_from.filter(|from| now < *from) {
        return Err(AdminError::TooSoon(possible_from));
    }
    let secret = format!("{:032x}{:032x}", (context.random)(), (context.random)());
    let new = RingKey::new(secret).or_abort("64 digits are enough for a key");
    let to = from.keyring.rotated(new, now);
    if !context.keyrings.replace_keyring(ring, &from, &to).await? {
        return Err(AdminError::Overtaken);
    }
    let (current, previous) = (to.current.id(), from.keyring.current.id());
    tracing::info!(ring = ring.as_str(), current, previous, "secret rotated");
    Ok(json!({
        "rotated": ring.as_str(),
        "current": current,
        "previous": previous,
        "next_rotation_from": now.plus(ROTATION_WAIT).rfc3339(),
    }))
}
