//! Reading a notification and believing it: by the signature alone, and without telling strangers who is a customer.

use lambda_http::{Body, Request};
use recoup_domain::ids::Tenant;
use recoup_domain::time::Timestamp;
use recoup_http::problem::{Code, Problem};
use recoup_ports::causes;
use recoup_ports::processor_keys::{KeysError, ProcessorKeys};
use recoup_processors::adapter::{SignatureHeaders, UnverifiedNotice};
use recoup_processors::notification::{NotGenuine, Notification, Unreadable};
use recoup_processors::stripe::Event;

use crate::{Sender, unavailable};

/// Most bytes in a body: 256 KiB.
pub const BODY_BYTES_MAX: usize = 262_144;

/// What a processor says, signed by whom it should be; `None` where it is not for us.
///
/// What lacks a signature is refused before anything is read, so that the secret store is asked for nobody's sake who
/// does not even try.
pub(crate) async fn notification<K: ProcessorKeys>(
    keys: &K,
    sender: Sender,
    request: &Request,
    now: Timestamp,
) -> Result<Option<Notification>, Problem> {
    let body = text(request)?;
    match sender {
        Sender::Stripe => {
            let signature = header(request, "stripe-signature")?;
            let event = match Event::parse(body).map_err(unreadable)? {
                Event::OfRefund(event) => event,
                Event::NotForUs => {
                    tracing::info!("an event that is not for us");
                    return Ok(None);
                }
            };
            let tenant = event.tenant().clone();
            let access = keys.stripe(&tenant).await.map_err(|error| unread(&tenant, &error))?;
            let access = access.ok_or_else(|| nobody(&tenant))?;
            let verified = event.verified(&access.signing, signature, now);
            verified.map(Some).map_err(|why| not_genuine(&tenant, why))
        }
        Sender::Adapter => {
            let headers = SignatureHeaders {
                id: header(request, "webhook-id")?,
                timestamp: header(request, "webhook-timestamp")?,
                signature: header(request, "webhook-signature")?,
            };
            let notice = UnverifiedNotice::parse(body).map_err(unreadable)?;
            let tenant = notice.tenant().clone();
            let access = keys.adapter(&tenant).await.map_err(|error| unread(&tenant, &error))?;
            let access = access.ok_or_else(|| nobody(&tenant))?;
            let verified = notice.verified(&access.secrets, headers, now);
            verified.map(Some).map_err(|why| not_genuine(&tenant, why))
        }
    }
}

/// The bytes that were signed. What is no text was signed by no processor of ours.
fn text(request: &Request) -> Result<&str, Problem> {
    let bytes: &[u8] = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    if bytes.len() > BODY_BYTES_MAX {
        let detail = format!("The notification has more than {BODY_BYTES_MAX} bytes.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    std::str::from_utf8(bytes).map_err(|_| unreadable(Unreadable("it is not UTF-8")))
}

fn header<'request>(request: &'request Request, name: &str) -> Result<&'request str, Problem> {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        tracing::warn!("a notification without a signature");
        refusal(NotGenuine::Malformed)
    })
}

fn unreadable(Unreadable(why): Unreadable) -> Problem {
    tracing::warn!(why, "a notification cannot be read");
    Problem::new(Code::InvalidNotification, format!("The notification cannot be read: {why}."))
}

fn unread(tenant: &Tenant, error: &KeysError) -> Problem {
    tracing::error!(account.id = %tenant.account, environment = tenant.environment.as_str(), error = causes(error), "a notification cannot be verified");
    unavailable()
}

/// The account does not exist, or has no such processor. The sender reads what every forger reads.
fn nobody(tenant: &Tenant) -> Problem {
    tracing::warn!(account.id = %tenant.account, environment = tenant.environment.as_str(), "a notification for nobody's keys");
    refusal(NotGenuine::Forged)
}

fn not_genuine(tenant: &Tenant, why: NotGenuine) -> Problem {
    tracing::warn!(account.id = %tenant.account, environment = tenant.environment.as_str(), %why, "a notification is not genuine");
    refusal(why)
}

/// One code, and for everybody who could be guessing one sentence. Only who has the secret reads of the clock.
fn refusal(why: NotGenuine) -> Problem {
    let detail = match why {
        NotGenuine::Malformed | NotGenuine::Forged => {
            "The notification is not signed with a secret that is valid here for its account and environment."
        }
        NotGenuine::Stale => {
            "The signature is more than 300 seconds off: it is too old, or the sender's clock is wrong."
        }
    };
    Problem::new(Code::InvalidSignature, detail)
}
