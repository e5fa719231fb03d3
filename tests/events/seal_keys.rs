//! A secret store that holds the key of the fixtures, or is away; it counts how often it is asked.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use recoup_domain::seal::SealKey;
use recoup_ports::seal_keys::{SealKeyError, SealKeys};
use recoup_testing::fixtures;

#[derive(Default)]
pub struct KeyStore {
    pub is_away: AtomicBool,
    pub asked: AtomicU32,
}

impl SealKeys for KeyStore {
    async fn seal_key(&self) -> Result<SealKey, SealKeyError> {
        (&self).seal_key().await
    }
}

impl SealKeys for &KeyStore {
    async fn seal_key(&self) -> Result<SealKey, SealKeyError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(SealKeyError("it does not answer".into()));
        }
        Ok(fixtures::seal_key())
    }
}
