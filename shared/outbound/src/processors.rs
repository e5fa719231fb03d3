//! Every processor behind one port: the payment's `processor.name` says who is asked.

use std::time::Duration;

use recoup_domain::base_url::BaseUrl;
use recoup_domain::dispute::DisputeWord;
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::recovery::Taken;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::time::Timestamp;
use recoup_ports::charges::{ChargeQuestion, ChargeRead, RefundOfCharge};
use recoup_ports::direct::KeysChecked;
use recoup_ports::processor::{Listing, LookedUp, Processor};
use recoup_ports::processor_keys::ProcessorKeys;

use crate::http_adapter::HttpAdapter;
use crate::sandbox::Sandbox;
use crate::stripe::Stripe;

/// Asks each refund's own processor.
#[derive(Clone, Debug)]
pub struct Processors<K> {
    stripe: Stripe<K>,
    adapter: HttpAdapter<K>,
}

impl<K: ProcessorKeys + Clone + Sync> Processors<K> {
    /// Speaks to all of them with these keys, and to Stripe at its own address unless another is given; fails only
    /// if TLS cannot be set up.
    pub fn new(keys: K, now: fn() -> Timestamp, stripe_at: Option<BaseUrl>) -> Result<Self, rustls::Error> {
        let stripe = Stripe::new(keys.clone(), now)?;
        let stripe = match stripe_at {
            Some(base) => stripe.at(base),
            None => stripe,
        };
        let adapter = HttpAdapter::over(keys, now, stripe.calls());
        Ok(Self { stripe, adapter })
    }
}

impl<K: ProcessorKeys + Sync> Processor for Processors<K> {
    async fn refund(&self, refund: &Refund) -> Outcome {
        match refund.processor.name {
            ProcessorName::Sandbox => Sandbox.refund(refund).await,
            ProcessorName::Stripe => self.stripe.refund(refund).await,
            ProcessorName::Http => self.adapter.refund(refund).await,
        }
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        match refund.processor.name {
            ProcessorName::Sandbox => Sandbox.look_up(refund).await,
            ProcessorName::Stripe => self.stripe.look_up(refund).await,
            ProcessorName::Http => self.adapter.look_up(refund).await,
        }
    }

    async fn recover(&self, refund: &Refund) -> Vec<(usize, Taken)> {
        match refund.processor.name {
            ProcessorName::Sandbox => Sandbox.recover(refund).await,
            ProcessorName::Stripe => self.stripe.recover(refund).await,
            ProcessorName::Http => self.adapter.recover(refund).await,
        }
    }

    fn asked_once_more_after(&self, refund: &Refund) -> Option<Duration> {
        match refund.processor.name {
            ProcessorName::Sandbox => Sandbox.asked_once_more_after(refund),
            ProcessorName::Stripe | ProcessorName::Http => None,
        }
    }

    async fn disputes(&self, question: &ChargeQuestion, told_at: Timestamp) -> Option<Vec<DisputeWord>> {
        match question.processor {
            ProcessorName::Stripe => self.stripe.disputes(question, told_at).await,
            ProcessorName::Sandbox | ProcessorName::Http => None,
        }
    }

    async fn read_charge(&self, question: &ChargeQuestion) -> ChargeRead {
        match question.processor {
            ProcessorName::Stripe => self.stripe.read_charge(question).await,
            ProcessorName::Sandbox | ProcessorName::Http => ChargeRead::NotTold,
        }
    }

    async fn refunds_of_charge(&self, question: &ChargeQuestion) -> Option<Vec<RefundOfCharge>> {
        match question.processor {
            ProcessorName::Stripe => self.stripe.refunds_of_charge(question).await,
            ProcessorName::Sandbox | ProcessorName::Http => None,
        }
    }

    async fn check_key(&self, tenant: &Tenant, name: ProcessorName) -> KeysChecked {
        match name {
            ProcessorName::Sandbox => KeysChecked::Works,
            ProcessorName::Stripe => self.stripe.check_key(tenant, name).await,
            ProcessorName::Http => self.adapter.check_key(tenant, name).await,
        }
    }

    async fn list(&self, tenant: &Tenant, name: ProcessorName, from: Timestamp) -> Listing {
        match name {
            ProcessorName::Stripe => self.stripe.list(tenant, name, from).await,
            ProcessorName::Sandbox | ProcessorName::Http => Listing::NotKept,
        }
    }
}
