//! Reading a notification and believing it: by the signature alone, and without telling strangers who is a customer.

use lambda_http::{Body, Request};
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::time::Timestamp;
use recoup_http::problem::{Code, Problem};
use recoup_ports::causes;
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::notification::{Message, NotGenuine, Notification, Refused, Unreadable};

use crate::{no_such_sender, unavailable};

/// Most bytes in a body: 256 KiB.
pub const BODY_BYTES_MAX: usize = 262_144;

/// What a processor says, signed by whom it should be; `None` where it is not for us.
pub(crate) async fn notification<K: ProcessorKeys>(
    keys: &K,
    sender: ProcessorName,
    request: &Request,
    now: Timestamp,
) -> Result<Option<Notification>, Problem> {
    let message = Message { body: text(request)?, headers: request.headers() };
    let notification = recoup_processors::notification(sender, keys, message, now).await;
    if let Ok(None) = notification {
        tracing::info!("an event that is not for us");
    }
    notification.map_err(problem)
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::SendsNone => no_such_sender(),
        Refused::Unsigned => {
            tracing::warn!("a notification without a signature");
            refusal(NotGenuine::Malformed)
        }
        Refused::Unreadable(why) => unreadable(why),
        Refused::KeysUnread(Tenant { account, environment }, error) => {
            let (environment, error) = (environment.as_str(), causes(&error));
            tracing::error!(account.id = %account, environment, error, "a notification cannot be verified");
            unavailable()
        }
        // The sender reads what every forger reads.
        Refused::NoKeys(Tenant { account, environment }) => {
            let environment = environment.as_str();
            tracing::warn!(account.id = %account, environment, "a notification for an account without keys");
            refusal(NotGenuine::Forged)
        }
        Refused::NotGenuine(Tenant { account, environment }, why) => {
            let environment = environment.as_str();
            tracing::warn!(account.id = %account, environment, %why, "a notification is not genuine");
            refusal(why)
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

fn unreadable(Unreadable(why): Unreadable) -> Problem {
    tracing::warn!(why, "a notification cannot be read");
    Problem::new(Code::InvalidNotification, format!("The notification cannot be read: {why}."))
}

/// One code, and one sentence for everybody who may be guessing. Only a sender who has the secret reads about the clock.
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
