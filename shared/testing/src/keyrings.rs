//! Keyrings that a test holds in its hands.

use std::sync::{Mutex, PoisonError};

use recoup_domain::keyring::Keyring;
use recoup_domain::or_abort::OrAbort;
use recoup_domain::seal::SealKey;
use recoup_ports::keyrings::{KeyringError, Keyrings, Ring, RotateKeyrings, StoredKeyring};
use recoup_ports::seal_keys::{SealKeyError, SealKeys};

use crate::fixtures::{ring_key, seal_key};

/// What the store of secrets holds: a pepper and a signing key, until it goes away. `StoredKeyrings` itself is tested
/// against an endpoint.
#[derive(Debug)]
pub struct TestKeyrings {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pepper: Keyring,
    token_signing: Keyring,
    version: u32,
    away: bool,
    reads: u32,
}

impl Default for TestKeyrings {
    fn default() -> Self {
        let (pepper, token_signing) = (Keyring::first(ring_key("p")), Keyring::first(ring_key("s")));
        Self { state: Mutex::new(State { pepper, token_signing, version: 1, away: false, reads: 0 }) }
    }
}

impl State {
    fn ring(&mut self, ring: Ring) -> Result<&mut Keyring, KeyringError> {
        if self.away {
            return Err(KeyringError("away".into()));
        }
        Ok(match ring {
            Ring::Pepper => &mut self.pepper,
            Ring::TokenSigning => &mut self.token_signing,
        })
    }
}

impl TestKeyrings {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on nothing is answered.
    pub fn go_away(&self) {
        self.with(|state| state.away = true);
    }

    /// From now on everything is answered again.
    pub fn come_back(&self) {
        self.with(|state| state.away = false);
    }

    /// Replaces a ring.
    pub fn set(&self, ring: Ring, keyring: Keyring) {
        self.with(|state| *state.ring(ring).or_abort("the store is there") = keyring);
    }

    /// A ring as it is.
    pub fn get(&self, ring: Ring) -> Keyring {
        self.with(|state| state.ring(ring).or_abort("the store is there").clone())
    }

    /// How often a ring was asked for since the last take.
    pub fn take_reads(&self) -> u32 {
        self.with(|state| std::mem::take(&mut state.reads))
    }
}

impl Keyrings for TestKeyrings {
    async fn keyring(&self, ring: Ring, _needed: Option<&str>) -> Result<Keyring, KeyringError> {
        self.with(|state| {
            state.reads += 1;
            state.ring(ring).cloned()
        })
    }
}

impl SealKeys for TestKeyrings {
    async fn seal_key(&self) -> Result<SealKey, SealKeyError> {
        self.with(|state| {
            state.reads += 1;
            if state.away { Err(SealKeyError("away".into())) } else { Ok(seal_key()) }
        })
    }
}

impl RotateKeyrings for TestKeyrings {
    async fn stored_keyring(&self, ring: Ring) -> Result<StoredKeyring, KeyringError> {
        self.with(|state| {
            let keyring = state.ring(ring)?.clone();
            Ok(StoredKeyring { keyring, version: state.version.to_string() })
        })
    }

    async fn replace_keyring(
        &self,
        ring: Ring,
        from: &StoredKeyring,
        to: &Keyring,
    ) -> Result<bool, KeyringError> {
        self.with(|state| {
            let overtaken = from.version != state.version.to_string();
            *state.ring(ring)? = if overtaken { state.ring(ring)?.clone() } else { to.clone() };
            state.version += u32::from(!overtaken);
            Ok(!overtaken)
        })
    }
}
