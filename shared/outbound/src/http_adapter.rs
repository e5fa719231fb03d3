//! The team's own adapter: signed JSON to `{base}/refunds`. `docs/processors.md` tells its side of it.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::recovery::Taken;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::signing::sign;
use recoup_domain::time::Timestamp;
use recoup_ports::direct::KeysChecked;
use recoup_ports::processor::{ANSWER_SECONDS_MAX, LookedUp, Processor};
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::adapter::{AdapterAccess, answer, order, parts};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::calls::{Answered, Calls};
use crate::unclear::Unclear;
use crate::wordless::Wordless;

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks an adapter to move money.
#[derive(Clone, Debug)]
pub struct HttpAdapter<K> {
    keys: K,
    calls: Calls,
    now: fn() -> Timestamp,
    time_limit: Duration,
}

/// The two questions.
#[derive(Clone, Copy, Debug)]
enum Question<'about> {
    Refund(&'about Refund),
    LookUp(&'about RefundId),
}

impl<K: ProcessorKeys + Sync> HttpAdapter<K> {
    /// Speaks to each account's own adapter; fails only if TLS cannot be set up.
    pub fn new(keys: K, now: fn() -> Timestamp) -> Result<Self, rustls::Error> {
        let time_limit = Duration::from_secs(ANSWER_SECONDS_MAX);
        Ok(Self { keys, calls: Calls::new(ANSWER_BYTES_MAX)?, now, time_limit })
    }

    /// The same over connections that are set up already.
    pub(crate) fn over(keys: K, now: fn() -> Timestamp, calls: &Calls) -> Self {
        let time_limit = Duration::from_secs(ANSWER_SECONDS_MAX);
        Self { keys, calls: calls.sharing(ANSWER_BYTES_MAX), now, time_limit }
    }

    /// The same with TLS as it is set up here: a test has a root of its own.
    #[must_use]
    pub fn with_tls(self, tls: ClientConfig) -> Self {
        Self { calls: Calls::with_tls(ANSWER_BYTES_MAX, tls), ..self }
    }

    /// The same with another limit for each question.
    #[must_use]
    pub fn within(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// One signed request.
    async fn ask(&self, question: Question<'_>, unclear: Unclear<'_>) -> Result<Answered, Wordless> {
        let asked = async {
            let access = match self.keys.access(unclear.tenant()).await {
                Ok(Some(access)) => access,
                Ok(None) => return Err(Wordless::no_key(unclear, "the account has no adapter")),
                Err(error) => return Err(Wordless::unread(unclear, &error)),
            };
            let Ok(request) = self.request(question, &access) else {
                return Err(Wordless::no_key(unclear, "the request could not be made"));
            };
            self.calls.send(request).await.map_err(|error| Wordless::broken(unclear, &error))
        };
        timeout(self.time_limit, asked).await.unwrap_or_else(|_| {
            unclear.late();
            Err(Wordless::Unknown)
        })
    }

    fn request(
        &self,
        question: Question<'_>,
        access: &AdapterAccess,
    ) -> Result<Request<String>, http::Error> {
        let (method, path, id, body) = match question {
            Question::Refund(refund) => (Method::POST, "refunds".to_owned(), &refund.id, order(refund)),
            Question::LookUp(id) => (Method::GET, format!("refunds/{id}"), id, String::new()),
        };
        let signed = sign(id.as_str(), (self.now)(), body, &access.secrets);
        Request::builder()
            .method(method)
            .uri(access.base.join(&path))
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", signed.signature)
            .body(signed.body)
    }
}

impl<K: ProcessorKeys + Sync> Processor for HttpAdapter<K> {
    async fn refund(&self, refund: &Refund) -> Outcome {
        match self.ask(Question::Refund(refund), Unclear::of("http", refund)).await {
            Ok(answer) => said(refund, &answer, &[200, 201, 202], (self.now)()),
            Err(why) => why.into(),
        }
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        let unclear = Unclear::of("http", refund);
        match self.ask(Question::LookUp(&refund.id), unclear).await {
            Ok(answer) if answer.status == 404 => unclear.not_found(refund),
            Ok(answer) => LookedUp::Stands(said(refund, &answer, &[200], (self.now)())),
            Err(why) => LookedUp::Stands(why.into()),
        }
    }

    /// Looks up a refund that there is none of: who verifies our signature answers 404.
    async fn check_key(&self, tenant: &Tenant, _name: ProcessorName) -> KeysChecked {
        match self.keys.access::<AdapterAccess>(tenant).await {
            Ok(Some(_)) => {}
            Ok(None) => return KeysChecked::Missing,
            Err(_) => return KeysChecked::Unreadable,
        }
        let nobodys = RefundId::from_bits(0);
        match self.ask(Question::LookUp(&nobodys), Unclear::list("http", tenant)).await {
            Ok(answer) if answer.status == 404 => KeysChecked::Works,
            Ok(answer) if matches!(answer.status, 401 | 403) => KeysChecked::Refused,
            Ok(_) | Err(_) => KeysChecked::Unclear,
        }
    }

    /// Nothing is asked for: the order said who gives what, and the look-up says who has given it.
    async fn recover(&self, refund: &Refund) -> Vec<(usize, Taken)> {
        let told = match self.ask(Question::LookUp(&refund.id), Unclear::of("http", refund)).await {
            Ok(answer) if answer.status == 200 => {
                answer.json().and_then(|json| parts(json, refund)).ok_or(Taken::Unknown)
            }
            Ok(answer) => Err(busy(&answer, (self.now)()).map_or(Taken::Unknown, Taken::from)),
            Err(why) => Err(why.into()),
        };
        told.unwrap_or_else(|why| refund.open_parts().map(|part| (part.position, why.clone())).collect())
    }
}

/// What an answer says: only one of these statuses, in JSON exactly as documented, is clear.
fn said(refund: &Refund, answered: &Answered, statuses: &[u16], now: Timestamp) -> Outcome {
    let unclear = Unclear::of("http", refund);
    if matches!(answered.status, 401 | 403) {
        unclear.answered("our signature is not accepted", answered.status, None);
        return Outcome::NotConfigured;
    }
    if let Some(busy) = busy(answered, now) {
        unclear.answered("it is busy, and did nothing", answered.status, None);
        return busy.into();
    }
    let why = if !statuses.contains(&answered.status) {
        "the status is not one that decides"
    } else if let Some(json) = answered.json() {
        match answer(json) {
            Some(outcome) => return outcome,
            None => "the answer is not as documented",
        }
    } else {
        "the answer is not JSON"
    };
    unclear.answered(why, answered.status, None);
    Outcome::Unknown
}

/// Whether an answer says "not now, not done".
fn busy(answered: &Answered, now: Timestamp) -> Option<Wordless> {
    let retry_after = answered.retry_after(now);
    let is_busy = answered.status == 429 || answered.status == 503 && retry_after.is_some();
    is_busy.then_some(Wordless::Busy(retry_after))
}
