//! The disputes of a payment's charge at Stripe.

use http::Method;
use recoup_domain::dispute::DisputeWord;
use recoup_domain::time::Timestamp;
use recoup_ports::charges::ChargeQuestion;
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::stripe::{StripeDisputes, disputes_path};
use tokio::time::timeout;

use super::parts::for_account;
use super::{No, Stripe};
use crate::unclear::Unclear;

impl<K: ProcessorKeys + Sync> Stripe<K> {
    pub(super) async fn disputes_of(
        &self,
        question: &ChargeQuestion,
        told_at: Timestamp,
    ) -> Option<Vec<DisputeWord>> {
        let path = disputes_path(question.reference.as_str())?;
        let unclear = Unclear::list("stripe", &question.tenant);
        let asked = timeout(self.time_limit, async {
            let key = self.key(unclear).await.map_err(No::Word)?;
            let request = self.request(&key, Method::GET, &path, String::new());
            self.ask(unclear, for_account(request, question.at.as_ref()), StripeDisputes::parse).await
        });
        match asked.await {
            Ok(Ok(disputes)) => disputes.words(told_at),
            Ok(Err(No::Refused(_) | No::SuchPayment(_) | No::Word(_))) => None,
            Err(_) => {
                unclear.late();
                None
            }
        }
    }
}
