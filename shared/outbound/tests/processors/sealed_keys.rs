//! The keys of accounts that `admin` has sealed: they come before Secrets Manager, which is not even asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use recoup_domain::ids::{AccountId, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::Sealed;
use recoup_outbound::secret_store::SecretStore;
use recoup_outbound::stored_keys::StoredKeys;
use recoup_ports::ReadError;
use recoup_ports::processor_keys::{ProcessorKeys, SealedKeys};
use recoup_ports::seals::Purpose;
use recoup_processors::adapter::AdapterAccess;
use recoup_processors::stripe::StripeAccess;
use recoup_testing::fixtures::{self, tenant};
use recoup_testing::seals::TestKey;
use serde_json::json;

use crate::logs::{listen, read};
use crate::world::{TEST_KEY, secrets};

/// Where `admin` has stored nothing.
#[derive(Clone, Debug)]
pub(crate) struct NothingSealed;

impl SealedKeys for NothingSealed {
    async fn sealed_keys(&self, _: &Tenant, _: ProcessorName) -> Result<Option<Sealed>, ReadError> {
        Ok(None)
    }
}

/// A credentials table that may be away, and counts its reads.
#[derive(Clone, Debug, Default)]
struct Credentials(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stored: HashMap<(Tenant, ProcessorName), Sealed>,
    away: bool,
    reads: usize,
}

impl SealedKeys for Credentials {
    async fn sealed_keys(
        &self,
        tenant: &Tenant,
        processor: ProcessorName,
    ) -> Result<Option<Sealed>, ReadError> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        if state.away {
            return Err(ReadError::Unavailable("away".into()));
        }
        Ok(state.stored.get(&(tenant.clone(), processor)).cloned())
    }
}

struct World {
    credentials: Credentials,
    key: TestKey,
    keys: StoredKeys<Credentials, TestKey>,
}

impl World {
    fn new(now: fn() -> recoup_domain::time::Timestamp) -> Self {
        let (credentials, key) = (Credentials::default(), TestKey::default());
        let no_client = || panic!("Secrets Manager is not needed");
        let keys = StoredKeys::new(
            credentials.clone(),
            key.clone(),
            SecretStore::new(no_client),
            "recoup/processors",
            now,
        );
        Self { credentials, key, keys }
    }

    fn stores(&self, tenant: &Tenant, processor: ProcessorName, sealed: Sealed) {
        self.credentials.0.lock().unwrap().stored.insert((tenant.clone(), processor), sealed);
    }

    fn seals(&self, tenant: &Tenant, processor: ProcessorName, secret: &str) {
        let sealed = self.key.sealed(tenant, &Purpose::Processor(processor), secret.as_bytes());
        self.stores(tenant, processor, sealed);
    }

    fn take_reads(&self) -> usize {
        std::mem::take(&mut self.credentials.0.lock().unwrap().reads)
    }
}

fn for_stripe() -> String {
    json!({"key": TEST_KEY, "signing_secrets": ["whsec_12345678"]}).to_string()
}

fn now() -> recoup_domain::time::Timestamp {
    fixtures::now()
}

#[tokio::test]
async fn sealed_keys_are_read_and_opened_once_and_secrets_manager_is_not_asked() {
    let world = World::new(now);
    world.seals(&tenant(), ProcessorName::Stripe, &for_stripe());
    let base = json!({"base_url": "https://adapter.example", "secrets": [secrets().current.reveal()]});
    world.seals(&tenant(), ProcessorName::Http, &base.to_string());
    for _ in 0..3 {
        let access = world.keys.access::<StripeAccess>(&tenant()).await.unwrap().unwrap();
        assert_eq!(access.key.reveal(), TEST_KEY);
    }
    assert_eq!((world.take_reads(), world.key.take_opens()), (1, 1));
    let access = world.keys.access::<AdapterAccess>(&tenant()).await.unwrap().unwrap();
    assert_eq!(access.secrets, secrets());
    assert_eq!((world.take_reads(), world.key.take_opens()), (1, 1));
}

#[tokio::test]
async fn sealed_keys_of_another_tenant_or_processor_do_not_open() {
    let other = Tenant { account: AccountId::from_bits(7), ..tenant() };
    for (of, processor) in [(&other, ProcessorName::Stripe), (&tenant(), ProcessorName::Http)] {
        let world = World::new(now);
        let copied = world.key.sealed(of, &Purpose::Processor(processor), for_stripe().as_bytes());
        world.stores(&tenant(), ProcessorName::Stripe, copied);
        let (log, guard) = listen();
        world.keys.access::<StripeAccess>(&tenant()).await.unwrap_err();
        drop(guard);
        let text = read(&log);
        assert!(text.contains("the sealed secret cannot be opened"), "{text}");
    }
}

/// To fall back to Secrets Manager while the table is away could use keys that were replaced.
#[tokio::test]
async fn while_the_table_or_the_key_is_away_nobody_looks_elsewhere_for_keys() {
    let world = World::new(now);
    world.seals(&tenant(), ProcessorName::Stripe, &for_stripe());
    world.key.set_away(true);
    world.keys.access::<StripeAccess>(&tenant()).await.unwrap_err();
    world.key.set_away(false);
    world.credentials.0.lock().unwrap().away = true;
    world.keys.access::<StripeAccess>(&tenant()).await.unwrap_err();
    world.credentials.0.lock().unwrap().away = false;
    assert!(world.keys.access::<StripeAccess>(&tenant()).await.unwrap().is_some());
}
