//! Refunds as process-refund would have them, and the keys to the stand-ins.

use recoup_domain::base_url::BaseUrl;
use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::payment::{Processor as PaymentProcessor, ProcessorName, Terms};
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::signing::{Secret, Secrets};
use recoup_ports::processor::Processor;
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use recoup_testing::fixtures::{self, SELLER, SUPPLIER};
use serde_json::json;

/// The keys that may never be seen outside of a header.
pub(crate) const TEST_KEY: &str = "sk_test_51SecretOfTheSandbox";
pub(crate) const LIVE_KEY: &str = "rk_live_51SecretOfLive";

pub(crate) fn secrets() -> Secrets {
    Secrets::first(Secret::new(b"SecretSharedWithTheAdapter".to_vec()).unwrap())
}

/// How keys differ from [`Keys::to`].
pub(crate) type Change = fn(&mut Keys);

/// The keys of everybody: those of the sandbox in the sandbox.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) stripe: Option<&'static str>,
    pub(crate) adapter: Option<String>,
    pub(crate) broken: bool,
}

impl Keys {
    pub(crate) fn to(port: u16) -> Self {
        Self { stripe: Some(TEST_KEY), adapter: Some(address(port)), broken: false }
    }
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}/base")
}

pub(crate) fn base(port: u16) -> BaseUrl {
    BaseUrl::parse(&address(port)).unwrap()
}

impl ProcessorKeys for Keys {
    async fn access<A: Access>(&self, _: &Tenant) -> Result<Option<A>, KeysError> {
        if self.broken {
            return Err(KeysError::Unavailable("the store is away".into()));
        }
        let secret = match A::PROCESSOR {
            ProcessorName::Stripe => self.stripe.map(|key| json!({ "key": key, "signing_secrets": [] })),
            ProcessorName::Http => self
                .adapter
                .as_ref()
                .map(|base| json!({ "base_url": base, "secrets": [secrets().current.reveal()] })),
            ProcessorName::Sandbox => panic!("the sandbox has no keys"),
        };
        Ok(secret.map(|secret| A::parse(&secret.to_string()).unwrap()))
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

/// A fresh refund of 4.00: 0.50 of the platform, 2.50 and 1.00 of two merchants, whose parts are taken apart.
pub(crate) fn routed(name: ProcessorName, reference: &str) -> Refund {
    let transfers = [(SELLER, "tr_seller"), (SUPPLIER, "tr_supplier")];
    let transfers = transfers.map(|(to, transfer)| (fixtures::actor_id(to), fixtures::text(transfer)));
    let processor = PaymentProcessor {
        split: Some(SplitTerms { shape: Shape::Apart, transfers: transfers.into() }),
        ..PaymentProcessor::of(name, fixtures::text(reference))
    };
    let routing = Some(fixtures::split(100, &[(SELLER, 300), (SUPPLIER, 100)]));
    let payment = fixtures::registered("pay_1", Terms { routing, processor, ..fixtures::terms(500) });
    let wanted = fixtures::wanted_of(&payment, 50, &[(SELLER, 250), (SUPPLIER, 100)]);
    fixtures::decided(&payment, &wanted, "key").refund
}

/// One more try to take the open parts, as process-refund makes it.
pub(crate) async fn tried(processor: &impl Processor, refund: &Refund) -> Refund {
    let answers = processor.recover(refund).await;
    let marked = Refund { recovery: refund.parts_asked(fixtures::now()), ..refund.clone() };
    Refund { recovery: marked.parts_after(&answers, fixtures::now()), ..marked }
}
