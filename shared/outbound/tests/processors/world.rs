//! Refunds as process-refund would have them, and the keys to the stand-ins.

use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::signing::{Secret, Secrets};
use recoup_ports::processor_keys::{
    AdapterAccess, BaseUrl, KeysError, ProcessorKeys, StripeAccess, StripeKey,
};
use recoup_testing::fixtures;

/// The keys that may never be seen outside of a header.
pub(crate) const TEST_KEY: &str = "sk_test_51SecretOfTheSandbox";
pub(crate) const LIVE_KEY: &str = "rk_live_51SecretOfLive";

pub(crate) fn secrets() -> Secrets {
    Secrets::first(Secret::new(b"SecretSharedWithTheAdapter".to_vec()).unwrap())
}

/// The keys of everybody: those of the sandbox in the sandbox.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) stripe: Option<&'static str>,
    pub(crate) adapter: Option<BaseUrl>,
    pub(crate) broken: bool,
}

impl Keys {
    pub(crate) fn to(port: u16) -> Self {
        Self { stripe: Some(TEST_KEY), adapter: Some(base(port)), broken: false }
    }
}

pub(crate) fn base(port: u16) -> BaseUrl {
    BaseUrl::parse(&format!("http://127.0.0.1:{port}/base")).unwrap()
}

impl ProcessorKeys for Keys {
    async fn stripe(&self, _: &Tenant) -> Result<Option<StripeAccess>, KeysError> {
        if self.broken {
            return Err(KeysError("the store is away".into()));
        }
        let key = self.stripe.map(|key| StripeKey::parse(key).unwrap());
        Ok(key.map(|key| StripeAccess { key, signing: Vec::new() }))
    }

    async fn adapter(&self, _: &Tenant) -> Result<Option<AdapterAccess>, KeysError> {
        if self.broken {
            return Err(KeysError("the store is away".into()));
        }
        Ok(self.adapter.clone().map(|base| AdapterAccess { base, secrets: secrets() }))
    }
}

/// A refund of 5.00 EUR that was just made; not handed over yet.
pub(crate) fn fresh(key: &str, reference: &str) -> Refund {
    let payment = fixtures::payment("pay_1", 500);
    let mut refund = fixtures::decided(&payment, &fixtures::wanted(&payment, None), key).refund;
    refund.processor.reference = fixtures::text(reference);
    refund
}

/// The same while its processor is asked for the first time.
pub(crate) fn handed_over(refund: &Refund) -> Refund {
    Refund { handed_over_at: Some(fixtures::now()), ..refund.clone() }
}

/// The same of live money.
pub(crate) fn live(refund: &Refund) -> Refund {
    let tenant = Tenant { environment: Environment::Live, ..refund.tenant.clone() };
    Refund { tenant, ..refund.clone() }
}

/// The refund as it stands once an outcome was written.
pub(crate) fn after(refund: &Refund, outcome: &Outcome) -> Refund {
    fixtures::stepped(refund, outcome.clone())
}
