//! The team's own adapter: signed JSON to `{base}/refunds`. `docs/processors.md` tells its side of it.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::signing::sign;
use recoup_domain::time::Timestamp;
use recoup_ports::processor::{ANSWER_SECONDS_MAX, LookedUp, Processor};
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::adapter::{AdapterAccess, answer, order};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::calls::{Answered, Calls};
use crate::unclear::Unclear;

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
enum Question {
    Refund,
    LookUp,
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

    /// One signed request; `None` where no answer came, in time or at all.
    async fn ask(&self, question: Question, refund: &Refund) -> Option<Answered> {
        let unclear = Unclear::of("http", refund);
        let asked = async {
            let access = match self.keys.access(&refund.tenant).await {
                Ok(Some(access)) => access,
                Ok(None) => return unclear.for_want_of("the account has no adapter"),
                Err(_) => return unclear.for_want_of("the keys cannot be read"),
            };
            let Ok(request) = self.request(question, &access, refund) else {
                return unclear.for_want_of("the request could not be made");
            };
            self.calls.send(request).await.map_err(|error| unclear.broken(&error)).ok()
        };
        timeout(self.time_limit, asked).await.unwrap_or_else(|_| {
            unclear.late();
            None
        })
    }

    fn request(
        &self,
        question: Question,
        access: &AdapterAccess,
        refund: &Refund,
    ) -> Result<Request<String>, http::Error> {
        let (method, path, body) = match question {
            Question::Refund => (Method::POST, "refunds".to_owned(), order(refund)),
            Question::LookUp => (Method::GET, format!("refunds/{}", refund.id), String::new()),
        };
        let signed = sign(refund.id.as_str(), (self.now)(), body, &access.secrets);
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
        let answer = self.ask(Question::Refund, refund).await;
        answer.map_or(Outcome::Unknown, |answer| said(refund, &answer, &[200, 201, 202]))
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        match self.ask(Question::LookUp, refund).await {
            Some(answer) if answer.status == 404 => Unclear::of("http", refund).not_found(refund),
            Some(answer) => LookedUp::Stands(said(refund, &answer, &[200])),
            None => LookedUp::Stands(Outcome::Unknown),
        }
    }
}

/// What an answer says: only one of these statuses, in JSON exactly as documented, is clear.
fn said(refund: &Refund, answered: &Answered, statuses: &[u16]) -> Outcome {
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
    Unclear::of("http", refund).answered(why, answered.status, None);
    Outcome::Unknown
}
