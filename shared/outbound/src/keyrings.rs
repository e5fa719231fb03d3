//! The deployment's own keyrings in the store of secrets: the pepper, and the key that signs access tokens.
//!
//! A secret's text is one key, as `CloudFormation` generates it, or the JSON that a rotation writes:
//! `{"keys": ["the current one", "the one before"], "rotated_at": "2026-11-27T00:00:00.000Z"}`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use recoup_domain::keyring::{Keyring, RingKey};
use recoup_domain::seal::SealKey;
use recoup_domain::time::Timestamp;
use recoup_ports::keyrings::{KeyringError, Keyrings, Ring, RotateKeyrings, StoredKeyring};
use recoup_ports::seal_keys::{SealKeyError, SealKeys};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::seal_key::StoredSealKey;
use crate::secret_store::SecretStore;
use crate::unread::Unread;

/// How long a keyring counts as it was read. A rotation waits for longer than this before it drops a key.
const LIFE: Duration = Duration::from_hours(1);
/// How long a keyring is left alone after it was read, or could not be, whoever asks for an unknown key.
const REST: Duration = Duration::from_mins(1);
/// One replacement, with all its tries.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Reads keyrings when they are first needed, and keeps them.
#[derive(Debug)]
pub struct StoredKeyrings {
    store: SecretStore,
    pepper: Place,
    token_signing: Place,
    seal_key: Option<StoredSealKey>,
    now: fn() -> Timestamp,
}

#[derive(Debug)]
struct Place {
    name: String,
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    keyring: Keyring,
    read_at: Timestamp,
    asked_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    keys: Vec<String>,
    rotated_at: Option<Timestamp>,
}

impl StoredKeyrings {
    /// Reads the secrets with these names or ARNs.
    pub fn new(store: SecretStore, pepper: String, token_signing: String, now: fn() -> Timestamp) -> Self {
        let place = |name| Place { name, kept: Mutex::default() };
        Self { store, pepper: place(pepper), token_signing: place(token_signing), seal_key: None, now }
    }

    /// The same, with the names under which the functions' settings have them.
    pub fn named<E>(
        store: SecretStore,
        setting: impl Fn(&'static str) -> Result<String, E>,
        now: fn() -> Timestamp,
    ) -> Result<Self, E> {
        Ok(Self::new(store, setting("PEPPER_SECRET")?, setting("TOKEN_SIGNING_SECRET")?, now))
    }

    /// The same with the key that seals payments.
    pub fn sealing<E>(self, setting: impl Fn(&'static str) -> Result<String, E>) -> Result<Self, E> {
        let seal_key = StoredSealKey::new(self.store.clone(), setting("TERMS_SEAL_KEY_SECRET")?);
        Ok(Self { seal_key: Some(seal_key), ..self })
    }

    fn place(&self, ring: Ring) -> &Place {
        match ring {
            Ring::Pepper => &self.pepper,
            Ring::TokenSigning => &self.token_signing,
        }
    }

    async fn read(&self, place: &Place) -> Result<StoredKeyring, Unread> {
        let secret =
            self.store.read(&place.name).await?.ok_or(Unread::unusable("there is no such secret"))?;
        let keyring = parse(&secret.text).ok_or(Unread::unusable("it holds no keyring"))?;
        Ok(StoredKeyring { keyring, version: secret.version })
    }
}

fn logged(ring: Ring, Unread { why, cause, .. }: Unread) -> KeyringError {
    tracing::error!(ring = ring.as_str(), why, cause, "a keyring cannot be read");
    KeyringError(why.into())
}

/// Reads a secret's text.
fn parse(text: &str) -> Option<Keyring> {
    if !text.starts_with('{') {
        return RingKey::new(text.to_owned()).map(Keyring::first);
    }
    let Text { keys, rotated_at } = serde_json::from_str(text).ok()?;
    let mut keys = keys.into_iter().map(RingKey::new);
    let current = keys.next()??;
    let previous = keys.next().map_or(Some(None), |key| key.map(Some))?;
    Some(Keyring { current, previous, rotated_at })
}

/// Writes a secret's text.
fn print(keyring: &Keyring) -> Result<String, KeyringError> {
    let keys = keyring.keys().map(|key| key.reveal().to_owned()).collect();
    serde_json::to_string(&Text { keys, rotated_at: keyring.rotated_at })
        .map_err(|error| KeyringError(error.into()))
}

impl Place {
    fn kept(&self) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

impl Keyrings for StoredKeyrings {
    async fn keyring(&self, ring: Ring, needed: Option<&str>) -> Result<Keyring, KeyringError> {
        let (place, now) = (self.place(ring), (self.now)());
        let kept = place.kept();
        if let Some(kept) = &kept {
            let suffices = needed.is_none_or(|id| kept.keyring.key(id).is_some());
            let fresh = now.since(kept.read_at) < LIFE;
            if (suffices && fresh) || now.since(kept.asked_at) < REST {
                return Ok(kept.keyring.clone());
            }
        }
        match self.read(place).await {
            Ok(StoredKeyring { keyring, .. }) => {
                place.keep(Kept { keyring: keyring.clone(), read_at: now, asked_at: now });
                Ok(keyring)
            }
            Err(unread) => {
                let away = unread.away;
                let error = logged(ring, unread);
                // While the store is away, what it said before still counts: nobody is locked out by an outage.
                let kept = kept.filter(|_| away).ok_or(error)?;
                place.keep(Kept { asked_at: now, ..kept.clone() });
                Ok(kept.keyring)
            }
        }
    }
}

impl SealKeys for StoredKeyrings {
    async fn seal_key(&self) -> Result<SealKey, SealKeyError> {
        match &self.seal_key {
            Some(key) => key.seal_key().await,
            None => Err(SealKeyError("this function seals nothing".into())),
        }
    }
}

impl RotateKeyrings for StoredKeyrings {
    async fn stored_keyring(&self, ring: Ring) -> Result<StoredKeyring, KeyringError> {
        self.read(self.place(ring)).await.map_err(|unread| logged(ring, unread))
    }

    async fn replace_keyring(
        &self,
        ring: Ring,
        from: &StoredKeyring,
        to: &Keyring,
    ) -> Result<bool, KeyringError> {
        let place = self.place(ring);
        // The new version is written under a label of its own; the label of the current one moves only if it is still
        // where it was when the keyring was read.
        let replace = async {
            let client = self.store.client();
            let written = client.put_secret_value().secret_id(&place.name).secret_string(print(to)?);
            let written = written.version_stages(PENDING).send().await;
            let written = written.map_err(|error| refused(ring, &error))?;
            let Some(version) = written.version_id else { return Err(KeyringError("no version".into())) };
            let moved = client.update_secret_version_stage().secret_id(&place.name).version_stage(CURRENT);
            let moved = moved.remove_from_version_id(&from.version).move_to_version_id(version).send().await;
            match moved {
                Ok(_) => Ok(true),
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(aws_sdk_secretsmanager::operation::update_secret_version_stage::UpdateSecretVersionStageError::is_invalid_parameter_exception) =>
                {
                    Ok(false)
                }
                Err(error) => Err(refused(ring, &error)),
            }
        };
        timeout(WRITE_LIMIT, replace).await.map_err(|_| KeyringError("too late".into()))?
    }
}

/// The label of a version that is about to become the current one.
const PENDING: &str = "AWSPENDING";
const CURRENT: &str = "AWSCURRENT";

fn refused(ring: Ring, error: &impl ProvideErrorMetadata) -> KeyringError {
    let cause = recoup_ports::refusal(error.code(), error.message());
    tracing::error!(ring = ring.as_str(), cause, "a keyring was not replaced");
    KeyringError("the secret store refused or did not answer".into())
}
