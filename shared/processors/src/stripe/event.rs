//! Stripe's signed events about refunds.

use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::processor_keys::StripeSigningSecret;
use recoup_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{StripeRefund, metadata, signature};
use crate::notification::{NotGenuine, Notification, Unreadable, names};

/// An event, before anybody has looked at its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'body> {
    /// It tells of a refund of ours.
    OfRefund(UnverifiedEvent<'body>),
    /// Any other event, or a refund that somebody made at Stripe without us: to be acknowledged, and nothing else.
    NotForUs,
}

/// What an event claims; believed once [`UnverifiedEvent::verified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedEvent<'body> {
    body: &'body str,
    claim: Notification,
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    livemode: bool,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

impl<'body> Event<'body> {
    /// Reads a body. `refund.created`, `refund.updated`, `refund.failed` and `charge.refund.updated` carry the
    /// refund itself; `charge.refunded` carries the charge, says nothing that these do not, and is not for us.
    pub fn parse(body: &'body str) -> Result<Self, Unreadable> {
        let event: Envelope =
            serde_json::from_str(body).map_err(|_| Unreadable("it is no event of Stripe's"))?;
        match event.r#type.as_str() {
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {}
            _ => return Ok(Self::NotForUs),
        }
        let refund: StripeRefund = serde_json::from_value(event.data.object)
            .map_err(|_| Unreadable("its object is no refund of Stripe's"))?;
        let Some(id) = refund.named(metadata::REFUND) else { return Ok(Self::NotForUs) };
        let environment = refund.named(metadata::ENVIRONMENT).unwrap_or_default();
        let account = refund.named(metadata::ACCOUNT).unwrap_or_default();
        let named = names(environment, account, id);
        let (tenant, id) = named.ok_or(Unreadable("it names no refund as we do"))?;
        if event.livemode != (tenant.environment == Environment::Live) {
            return Err(Unreadable("test mode and sandbox, or live mode and live, do not agree"));
        }
        let (outcome, amount) = (refund.outcome(), Some(refund.amount()));
        let claim = Notification { tenant, refund: id, outcome, amount };
        Ok(Self::OfRefund(UnverifiedEvent { body, claim }))
    }
}

impl UnverifiedEvent<'_> {
    /// Whose it claims to be: whose secrets have to verify it.
    pub fn tenant(&self) -> &Tenant {
        &self.claim.tenant
    }

    /// What it says, if one of this account's secrets signed it within the last five minutes. `header` is
    /// `Stripe-Signature`.
    pub fn verified(
        self,
        secrets: &[StripeSigningSecret],
        header: &str,
        now: Timestamp,
    ) -> Result<Notification, NotGenuine> {
        signature::verify(secrets, header, self.body, now)?;
        Ok(self.claim)
    }
}
