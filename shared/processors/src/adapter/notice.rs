//! An adapter's signed notice of where a refund stands now.

use recoup_domain::ids::Tenant;
use recoup_domain::signing::{Secrets, verifies};
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::ProcessorKeys;
use serde::Deserialize;

use super::AdapterAccess;
use super::answer::{BankReferenceWire, FailureWire, PartWire, Status, outcome};
use crate::notification::{
    Message, NotGenuine, Notification, Refused, Unreadable, judge_age, keys_of, names,
};

/// What a notice says, signed with a secret of the account that it names. The signature's headers come first: the
/// secret store is not asked on behalf of a sender who does not even try.
pub(crate) async fn notification<K: ProcessorKeys>(
    keys: &K,
    message: Message<'_>,
    now: Timestamp,
) -> Result<Option<Notification>, Refused> {
    let headers = SignatureHeaders {
        id: message.signature("webhook-id")?,
        timestamp: message.signature("webhook-timestamp")?,
        signature: message.signature("webhook-signature")?,
    };
    let notice = UnverifiedNotice::parse(message.body).map_err(Refused::Unreadable)?;
    let tenant = notice.tenant().clone();
    let access: AdapterAccess = keys_of(keys, &tenant).await?;
    let verified = notice.verified(&access.secrets, headers, now);
    verified.map(Some).map_err(|why| Refused::NotGenuine(tenant, why))
}

/// What a notice claims; believed once [`UnverifiedNotice::verified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedNotice<'body> {
    body: &'body str,
    claim: Notification,
}

/// The headers of Standard Webhooks.
#[derive(Clone, Copy, Debug)]
pub struct SignatureHeaders<'request> {
    /// `webhook-id`.
    pub id: &'request str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'request str,
    /// `webhook-signature`.
    pub signature: &'request str,
}

/// An order of ours that is sent back to us has other fields, so it is no notice although we signed it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeWire {
    environment: String,
    account_id: String,
    refund_id: String,
    status: Status,
    reference: Option<String>,
    bank_reference: Option<BankReferenceWire>,
    failure: Option<FailureWire>,
    /// Allowed, as in an answer, and asked for when it is needed.
    #[serde(rename = "recovery")]
    _recovery: Option<Vec<PartWire>>,
}

impl<'body> UnverifiedNotice<'body> {
    /// Reads a body: `{environment, account_id, refund_id}` as the order had them, and what an answer says.
    pub fn parse(body: &'body str) -> Result<Self, Unreadable> {
        let NoticeWire {
            environment,
            account_id,
            refund_id,
            status,
            reference,
            bank_reference,
            failure,
            _recovery,
        } = serde_json::from_str(body).map_err(|_| Unreadable("it is no notice as documented"))?;
        let named = names(&environment, &account_id, &refund_id);
        let (tenant, refund) = named.ok_or(Unreadable("it names no refund as we do"))?;
        let outcome = outcome(status, reference, bank_reference, failure);
        let outcome = outcome.ok_or(Unreadable("its status, reference and failure do not agree"))?;
        let claim = Notification { tenant, refund, made: None, outcome, amount: None };
        Ok(Self { body, claim })
    }

    /// Whose it claims to be: whose secrets have to verify it.
    pub fn tenant(&self) -> &Tenant {
        &self.claim.tenant
    }

    /// What it says, if one of this account's secrets signed it within the last five minutes.
    pub fn verified(
        self,
        secrets: &Secrets,
        headers: SignatureHeaders<'_>,
        now: Timestamp,
    ) -> Result<Notification, NotGenuine> {
        let SignatureHeaders { id, timestamp, signature } = headers;
        let seconds: u64 = timestamp.parse().map_err(|_| NotGenuine::Malformed)?;
        let mut signing = secrets.signing(now);
        if !signing.any(|secret| verifies(secret, id, timestamp, self.body, signature)) {
            return Err(NotGenuine::Forged);
        }
        judge_age(seconds, now)?;
        Ok(self.claim)
    }
}
