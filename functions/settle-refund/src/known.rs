//! The keys of accounts that exist. Anybody can name an account in a notification, and a look into the secret store costs
//! more than a look into the table.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use recoup_domain::ids::Tenant;
use recoup_ports::accounts::KnowTenants;
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};

/// Most tenants that are remembered. An account is never deleted, so what is remembered stays true.
const TENANTS_MAX: usize = 1_000;

/// Reads the keys of tenants that exist.
pub struct KeysOfAccounts<T, K> {
    tenants: T,
    keys: K,
    known: Mutex<HashSet<Tenant>>,
}

impl<T: KnowTenants, K> KeysOfAccounts<T, K> {
    /// These keys, for the tenants that are in the table.
    pub fn new(tenants: T, keys: K) -> Self {
        Self { tenants, keys, known: Mutex::default() }
    }

    /// The keys themselves.
    pub fn inner(&self) -> &K {
        &self.keys
    }

    async fn exists(&self, tenant: &Tenant) -> Result<bool, KeysError> {
        if self.with_known(|known| known.contains(tenant)) {
            return Ok(true);
        }
        let exists =
            self.tenants.is_tenant(tenant).await.map_err(|error| KeysError::Unavailable(error.into()))?;
        if exists {
            self.with_known(|known| {
                if known.len() >= TENANTS_MAX {
                    known.clear();
                }
                known.insert(tenant.clone())
            });
        }
        Ok(exists)
    }

    fn with_known<R>(&self, act: impl FnOnce(&mut HashSet<Tenant>) -> R) -> R {
        act(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: KnowTenants + Sync, K: ProcessorKeys + Sync> ProcessorKeys for KeysOfAccounts<T, K> {
    async fn access<A: Access>(&self, tenant: &Tenant) -> Result<Option<A>, KeysError> {
        if self.exists(tenant).await? { self.keys.access(tenant).await } else { Ok(None) }
    }
}
