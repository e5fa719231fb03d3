//! A payment's charge at Stripe, and its refunds.

use http::Method;
use recoup_ports::charges::{ChargeQuestion, ChargeRead, RefundOfCharge};
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::stripe::{StripeRefunds, charge, charge_path, payment_parameter};
use tokio::time::timeout;

use super::parts::for_account;
use super::paths::list_path;
use super::{No, PAGES_MAX, Stripe};
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

    /// All of them, or none: with half a list, what is not in it would be missed.
    pub(super) async fn refunds_of(&self, question: &ChargeQuestion) -> Option<Vec<RefundOfCharge>> {
        let unclear = Unclear::list("stripe", &question.tenant);
        timeout(self.time_limit, self.all_refunds_of(unclear, question)).await.unwrap_or_else(|_| {
            unclear.late();
            None
        })
    }

    async fn all_refunds_of(
        &self,
        unclear: Unclear<'_>,
        question: &ChargeQuestion,
    ) -> Option<Vec<RefundOfCharge>> {
        let reference = question.reference.as_str();
        let parameter = payment_parameter(reference)?;
        let key = self.key(unclear).await.ok()?;
        let (mut all, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let path = list_path(parameter, reference, after.as_deref());
            let path = format!("{path}&expand%5B%5D=data.transfer_reversal");
            let request = self.request(&key, Method::GET, &path, String::new());
            let request = for_account(request, question.at.as_ref());
            let page = self.ask(unclear, request, StripeRefunds::parse).await.ok()?;
            for found in &page.data {
                all.push(found.of_charge(&question.tenant)?);
            }
            if !page.has_more {
                return Some(all);
            }
            after = Some(page.data.last()?.id.clone());
        }
        unclear.unread("the charge has more refunds than are read");
        None
    }
}
