//! Verifying a notification: only its signature counts, and a refusal never tells a stranger which accounts exist.

use lambda_http::{Body, Request, RequestExt};
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::time::Timestamp;
use recoup_http::problem::{Code, Problem};
use recoup_ports::causes;
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::notification::{Message, NotGenuine, Refused, Told, Unreadable};

use crate::{no_such_sender, unavailable};

/// Most bytes in a body: 256 KiB.
pub const BODY_BYTES_MAX: usize = 262_144;

/// A processor's genuine notification; `None` where it is about nothing of ours.
pub(crate) async fn notification<K: ProcessorKeys>(
    keys: &K,
    sender: ProcessorName,
    request: &Request,
    now: Timestamp,
) -> Result<Option<Told>, Problem> {
    let account = account(request)?;
    let message = Message { body: text(request)?, headers: request.headers(), account: account.as_ref() };
    let notification = recoup_processors::notification(sender, keys, message, now).await;
    if let Ok(None) = notification {
        tracing::info!("notification ignored: it is about nothing of ours");
    }
    notification.map_err(problem)
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::SendsNone => no_such_sender(),
        Refused::Unsigned => {
            tracing::warn!("notification refused: it has no signature");
            refusal(NotGenuine::Malformed)
        }
        Refused::Unreadable(why) => unreadable(why),
        Refused::KeysUnread(Tenant { account, environment }, error) => {
            let (environment, error) = (environment.as_str(), causes(&error));
            tracing::error!(account.id = %account, environment, error, "notification not verified: the keys could not be read");
            unavailable()
        }
        // The same answer as to a forger, or it would say which accounts exist.
        Refused::NoKeys(Tenant { account, environment }) => {
            let environment = environment.as_str();
            tracing::warn!(account.id = %account, environment, "notification refused: its account has no keys");
            refusal(NotGenuine::Forged)
        }
        Refused::NotGenuine(Tenant { account, environment }, why) => {
            let environment = environment.as_str();
            tracing::warn!(account.id = %account, environment, %why, "notification refused: it is not genuine");
            refusal(why)
        }
    }
}

/// The account that the sender was told to name: what was made without us carries no names of ours. Whose signature it
/// bears is decided by that account's own secrets.
fn account(request: &Request) -> Result<Option<Tenant>, Problem> {
    let query = request.query_string_parameters();
    let (environment, account) = (query.first("environment"), query.first("account_id"));
    let (environment, account) = match (environment, account) {
        (None, None) => return Ok(None),
        (environment, account) => (environment.unwrap_or_default(), account.unwrap_or_default()),
    };
    let named = Environment::parse(environment).zip(AccountId::try_from(account).ok());
    let (environment, account) =
        named.ok_or_else(|| unreadable(Unreadable("its address names no account as we do")))?;
    Ok(Some(Tenant { environment, account }))
}

/// The bytes that were signed. Every processor of ours signs text.
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
    tracing::warn!(why, "notification refused: it cannot be read");
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
