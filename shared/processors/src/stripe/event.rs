//! Stripe's signed events about refunds and disputes.

use recoup_domain::ids::{Environment, RefundId, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::ProcessorKeys;
use serde::Deserialize;
use serde_json::Value;

use super::dispute::StripeDispute;
use super::{StripeAccess, StripeRefund, StripeSigningSecret, metadata, signature};
use crate::notification::{Message, NotGenuine, Notification, Refused, Told, Unreadable, keys_of, names};

/// What an event of Stripe's says, signed with a secret of the account that it names. The signature's header comes
/// first: the secret store is not asked on behalf of a sender who does not even try.
pub(crate) async fn notification<K: ProcessorKeys>(
    keys: &K,
    message: Message<'_>,
    now: Timestamp,
) -> Result<Option<Told>, Refused> {
    let signature = message.signature("stripe-signature")?;
    let event = UnverifiedEvent::parse(message.body, message.account).map_err(Refused::Unreadable)?;
    let Some(event) = event else { return Ok(None) };
    let tenant = event.tenant().clone();
    let access: StripeAccess = keys_of(keys, &tenant).await?;
    let verified = event.verified(&access.signing, signature, now);
    verified.map(Some).map_err(|why| Refused::NotGenuine(tenant, why))
}

/// What an event claims; believed once [`UnverifiedEvent::verified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedEvent<'body> {
    body: &'body str,
    claim: Told,
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    created: Option<u64>,
    livemode: bool,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

impl<'body> UnverifiedEvent<'body> {
    /// Reads a body; `None` where it is about nothing of ours, nor of the account to whose address it was sent.
    /// `refund.created`, `refund.updated`, `refund.failed` and `charge.refund.updated` carry the refund itself, and the
    /// events of `charge.dispute` the dispute; `charge.refunded` carries the charge and adds nothing to them.
    pub fn parse(body: &'body str, account: Option<&Tenant>) -> Result<Option<Self>, Unreadable> {
        let event: Envelope =
            serde_json::from_str(body).map_err(|_| Unreadable("it is no event of Stripe's"))?;
        let livemode = event.livemode;
        let claim = match event.r#type.as_str() {
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
                event.refund(account)?.map(|refund| Told::Refund(Box::new(refund)))
            }
            "charge.dispute.created"
            | "charge.dispute.updated"
            | "charge.dispute.closed"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated" => event.dispute(account)?,
            _ => None,
        };
        let Some(claim) = claim else { return Ok(None) };
        if livemode != (claim.tenant().environment == Environment::Live) {
            return Err(Unreadable("test mode and sandbox, or live mode and live, do not agree"));
        }
        Ok(Some(Self { body, claim }))
    }

    /// Whose it claims to be: whose secrets have to verify it.
    pub fn tenant(&self) -> &Tenant {
        self.claim.tenant()
    }

    /// What it says, if one of this account's secrets signed it within the last five minutes. `header` is
    /// `Stripe-Signature`.
    pub fn verified(
        self,
        secrets: &[StripeSigningSecret],
        header: &str,
        now: Timestamp,
    ) -> Result<Told, NotGenuine> {
        signature::verify(secrets, header, self.body, now)?;
        Ok(self.claim)
    }
}

impl Envelope {
    fn refund(self, account: Option<&Tenant>) -> Result<Option<Notification>, Unreadable> {
        let refund: StripeRefund = serde_json::from_value(self.data.object)
            .map_err(|_| Unreadable("its object is no refund of Stripe's"))?;
        let made = refund.made();
        let (tenant, id) = match (refund.named(metadata::REFUND), &made, account) {
            (Some(id), ..) => {
                // What is missing is no name of ours, and refused as such.
                let environment = refund.named(metadata::ENVIRONMENT).unwrap_or_default();
                let account = refund.named(metadata::ACCOUNT).unwrap_or_default();
                names(environment, account, id).ok_or(Unreadable("it names no refund as we do"))?
            }
            // Somebody made it at Stripe: it names nobody, so the address has to.
            (None, Some(made), Some(account)) => (
                account.clone(),
                RefundId::of_processor(account, ProcessorName::Stripe, &made.made.reference),
            ),
            (None, ..) => return Ok(None),
        };
        // Two accounts may share one of Stripe's: each hears of the other's refunds, too.
        if account.is_some_and(|account| *account != tenant) {
            return Ok(None);
        }
        let (outcome, amount) = (refund.outcome(), Some(refund.amount()));
        Ok(Some(Notification { tenant, refund: id, made, outcome, amount }))
    }

    /// A dispute names nobody, so the address has to.
    fn dispute(self, account: Option<&Tenant>) -> Result<Option<Told>, Unreadable> {
        let Some(account) = account else { return Ok(None) };
        let dispute: StripeDispute = serde_json::from_value(self.data.object)
            .map_err(|_| Unreadable("its object is no dispute of Stripe's"))?;
        let told_at =
            self.created.and_then(|seconds| Timestamp::from_unix_millis(seconds.checked_mul(1_000)?));
        let told_at = told_at.ok_or(Unreadable("it was created at no time"))?;
        Ok(Some(Told::Dispute(account.clone(), dispute.notice(told_at))))
    }
}
