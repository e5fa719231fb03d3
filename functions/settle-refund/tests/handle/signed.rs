//! Notifications as the processors send them, through the gateway.

use hmac::{Hmac, KeyInit, Mac};
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::Refund;
use recoup_domain::signing::{Secrets, sign};
use recoup_domain::time::Timestamp;
use recoup_processors::stripe::StripeSigningSecret;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::doubles::{adapter_secret, stripe_secret};
use crate::gateway::Event;
use crate::{RECORDED, now};

/// What a processor may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Pending,
    Succeeded,
    Failed,
}

impl Word {
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Succeeded, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// The recorded request, to this processor's route.
pub(crate) fn to(name: &str) -> Event {
    let path = format!("/v1/processors/{name}/notifications");
    Event::as_recorded(RECORDED)
        .without("/headers/stripe-signature")
        .with("/pathParameters/name", name)
        .with("/requestContext/http/path", path.as_str())
        .with("/rawPath", path)
}

/// An adapter's notice about a refund.
pub(crate) fn notice(refund: &Refund, word: Word) -> Value {
    let mut notice = json!({
        "environment": refund.tenant.environment.as_str(), "account_id": refund.tenant.account.as_str(),
        "refund_id": refund.id.as_str(), "status": word.as_str(),
    });
    match word {
        Word::Pending => {}
        Word::Succeeded => notice["reference"] = json!("bank-7"),
        Word::Failed => notice["failure"] = json!({ "code": "declined", "message": "The bank refused." }),
    }
    notice
}

/// The notice, signed with these secrets.
pub(crate) fn noticed_with(body: &str, secrets: &Secrets, at: Timestamp) -> Event {
    let signed = sign("msg_1", at, body.to_owned(), secrets);
    to("http")
        .text(body)
        .header("webhook-id", &signed.id)
        .header("webhook-timestamp", &signed.timestamp)
        .header("webhook-signature", &signed.signature)
}

/// The notice, signed by the tenant's adapter, now.
pub(crate) fn noticed(refund: &Refund, word: Word) -> Event {
    noticed_with(&notice(refund, word).to_string(), &adapter_secret(&refund.tenant), now())
}

/// Stripe's event about a refund.
pub(crate) fn event(refund: &Refund, word: Word) -> Value {
    let Tenant { environment, account } = &refund.tenant;
    let body = Event::as_recorded(RECORDED).0["body"].as_str().unwrap().to_owned();
    let mut event: Value = serde_json::from_str(&body).unwrap();
    event["livemode"] = json!(environment.as_str() == "live");
    let object = &mut event["data"]["object"];
    object["amount"] = json!(refund.amount.minor());
    object["status"] = json!(word.as_str());
    object["metadata"] = json!({
        "recoup_refund_id": refund.id.as_str(), "recoup_account_id": account.as_str(),
        "recoup_environment": environment.as_str(),
    });
    event
}

/// The event, signed with this secret.
pub(crate) fn told_with(body: &str, secret: &StripeSigningSecret, at: Timestamp) -> Event {
    let seconds = at.unix_millis() / 1_000;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let signature = mac.finalize().into_bytes();
    let signature =
        signature.iter().fold(format!("t={seconds},v1="), |header, byte| format!("{header}{byte:02x}"));
    to("stripe").text(body).header("stripe-signature", &signature)
}

/// The event, signed by Stripe for the tenant, now.
pub(crate) fn told(refund: &Refund, word: Word) -> Event {
    told_with(&event(refund, word).to_string(), &stripe_secret(&refund.tenant), now())
}

/// A genuine notification of the processor that has the refund.
pub(crate) fn news(refund: &Refund, word: Word) -> Event {
    match refund.processor.name {
        ProcessorName::Stripe => told(refund, word),
        ProcessorName::Http => noticed(refund, word),
        ProcessorName::Sandbox => panic!("the sandbox tells nothing"),
    }
}
