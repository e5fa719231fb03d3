//! A ring of keys, and a processor whose books can be set.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::signing::{Secret, Secrets};
use recoup_ports::charges::{ChargeQuestion, ChargeRead, RefundOfCharge};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use recoup_processors::stripe::StripeSigningSecret;
use recoup_testing::fixtures;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::charges::Charges;

/// Who has keys: the tenant of the fixtures, its live side, and another account. Nobody else has any.
pub(crate) fn customers() -> [Tenant; 3] {
    let of = fixtures::tenant_of;
    [of(Environment::Sandbox, 1), of(Environment::Live, 1), of(Environment::Sandbox, 2)]
}

/// The secret with which Stripe signs for a tenant.
pub(crate) fn stripe_secret(tenant: &Tenant) -> StripeSigningSecret {
    let text = format!("whsec_{}_{}", tenant.environment.as_str(), tenant.account);
    StripeSigningSecret::parse(&text).unwrap()
}

/// The secret with which a tenant's own adapter signs.
pub(crate) fn adapter_secret(tenant: &Tenant) -> Secrets {
    let digest = Sha256::digest(format!("{} {}", tenant.environment.as_str(), tenant.account));
    Secrets::first(Secret::new(digest.to_vec()).unwrap())
}

/// Every customer's keys.
#[derive(Default)]
pub(crate) struct KeyRing {
    reads: AtomicUsize,
    pub(crate) broken: AtomicBool,
}

impl KeyRing {
    /// How often somebody asked for a key.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl ProcessorKeys for KeyRing {
    async fn access<A: Access>(&self, tenant: &Tenant) -> Result<Option<A>, KeysError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) {
            return Err(KeysError::Unavailable("the secret store did not answer".into()));
        }
        if !customers().contains(tenant) {
            return Ok(None);
        }
        let secret = match A::PROCESSOR {
            ProcessorName::Stripe => {
                let current = String::from_utf8(stripe_secret(tenant).bytes().to_vec()).unwrap();
                // During a rotation there are two.
                let signing = ["whsec_that_was_replaced", &current];
                json!({ "key": "sk_test_not_a_real_key", "signing_secrets": signing })
            }
            ProcessorName::Http => {
                let secret = adapter_secret(tenant).current.reveal();
                json!({ "base_url": "https://adapter.example", "secrets": [secret] })
            }
            ProcessorName::Sandbox => panic!("the sandbox has no keys"),
        };
        Ok(Some(A::parse(&secret.to_string()).unwrap()))
    }
}

/// Answers look-ups with what it was told to, and moves no money.
pub(crate) struct Books {
    found: Mutex<LookedUp>,
    asked: AtomicUsize,
    pub(crate) charges: Charges,
}

impl Books {
    /// Does not answer.
    pub(crate) fn silent() -> Self {
        Self {
            found: Mutex::new(LookedUp::Stands(Outcome::Unknown)),
            asked: AtomicUsize::new(0),
            charges: Charges::default(),
        }
    }

    pub(crate) fn set(&self, found: LookedUp) {
        *self.found.lock().unwrap() = found;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Processor for Books {
    async fn refund(&self, _: &Refund) -> Outcome {
        panic!("a notification moves no money")
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        self.asked.fetch_add(1, Ordering::Relaxed);
        // Whoever asks at the same time gets his turn.
        tokio::task::yield_now().await;
        self.found.lock().unwrap().clone()
    }

    async fn read_charge(&self, _: &ChargeQuestion) -> ChargeRead {
        self.charges.answer()
    }

    async fn refunds_of_charge(&self, _: &ChargeQuestion) -> Option<Vec<RefundOfCharge>> {
        self.charges.listed()
    }
}
