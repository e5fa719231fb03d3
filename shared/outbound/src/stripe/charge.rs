//! A payment's charge at Stripe.

use http::Method;
use recoup_ports::charges::{ChargeQuestion, ChargeRead};
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::stripe::{charge, charge_path};
use tokio::time::timeout;

use super::parts::for_account;
use super::{No, Stripe};
use crate::unclear::Unclear;
use crate::wordless::Wordless;

impl<K: ProcessorKeys + Sync> Stripe<K> {
    pub(super) async fn charge(&self, question: &ChargeQuestion) -> ChargeRead {
        let unclear = Unclear::list("stripe", &question.tenant);
        timeout(self.time_limit, self.charge_read(unclear, question)).await.unwrap_or_else(|_| {
            unclear.late();
            ChargeRead::Unclear
        })
    }

    async fn charge_read(&self, unclear: Unclear<'_>, question: &ChargeQuestion) -> ChargeRead {
        // What is no name of Stripe's was never charged there.
        let Some(path) = charge_path(question.reference.as_str()) else { return ChargeRead::NoSuchCharge };
        let asked = async {
            let key = self.key(unclear).await.map_err(No::Word)?;
            let request = self.request(&key, Method::GET, &path, String::new());
            self.ask(unclear, for_account(request, question.at.as_ref()), charge).await
        };
        match asked.await {
            Ok(charge) => ChargeRead::Found(Box::new(charge)),
            Err(No::SuchPayment(_)) => ChargeRead::NoSuchCharge,
            Err(No::Word(Wordless::NotConfigured)) => ChargeRead::NotConfigured,
            Err(No::Refused(_) | No::Word(Wordless::Unknown | Wordless::Busy(_))) => ChargeRead::Unclear,
        }
    }
}
