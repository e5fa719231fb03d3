//! A payment's charge at Stripe.

use http::Method;
use recoup_ports::charges::{ChargeQuestion, ChargeRead};
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::stripe::{Refusal, charge, charge_path};
use tokio::time::timeout;

use super::{Stripe, judged};
use crate::unclear::Unclear;

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
        let Some(key) = self.key(unclear, &question.tenant).await else { return ChargeRead::NotConfigured };
        let request = self.request(&key, Method::GET, &path, String::new());
        let Some(answer) = self.ask(unclear, request).await else { return ChargeRead::Unclear };
        match judged(unclear, &answer, charge) {
            Ok(charge) => ChargeRead::Found(Box::new(charge)),
            Err(Refusal::NoSuchPayment(_)) => ChargeRead::NoSuchCharge,
            Err(Refusal::Definite(_) | Refusal::Undecided(_)) => ChargeRead::Unclear,
        }
    }
}
