//! Bounds how often an account and a key may ask, before anything else is done for a request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lambda_http::http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::{Body, Request, Response};
use recoup_domain::limit::{FullAt, Held, Limit, Limits};
use recoup_domain::time::Timestamp;
use recoup_ports::limits::{Leased, Leases, Subject};
use recoup_ports::{BoxError, causes};

use crate::problem::Problem;
use crate::request::Caller;
use crate::respond::respond;

/// Most buckets that a process knows; the next one makes it forget them all, and each has its allowance again.
const KNOWN_MAX: usize = 1_000;
/// How long a process waits for the shared bucket. Then it goes on without: a limit must not be an outage.
const ANSWER_MAX: Duration = Duration::from_millis(250);
/// A caller that is refused is told to wait for at least so long, and until then its process asks for no tokens.
const REST: Duration = Duration::from_secs(1);

/// What this process knows of one bucket.
struct Known {
    held: Held,
    seen: FullAt,
    /// Until when no token is asked for.
    rests_until: Timestamp,
}

/// Why a process holds no token.
enum Dry {
    /// The bucket was empty a moment ago, and is not asked for so long.
    Rests(Duration),
    /// It has to ask the bucket, which it last saw like this.
    Asks(FullAt),
}

impl Known {
    fn take(&mut self, limit: Limit, now: Timestamp) -> Result<(), Dry> {
        self.held.refill(limit, now);
        if self.held.take() {
            return Ok(());
        }
        let rest = self.rests_until.since(now);
        Err(if rest.is_zero() { Dry::Asks(self.seen) } else { Dry::Rests(rest) })
    }

    /// Takes a token of what was leased; rests if that is nothing.
    fn leased(
        &mut self,
        limit: Limit,
        Leased { tokens, full_at }: Leased,
        now: Timestamp,
    ) -> Result<(), Duration> {
        self.seen = full_at;
        self.held.add(limit, tokens);
        if self.held.take() {
            return Ok(());
        }
        let wait = limit.empty_for(full_at, now).max(REST);
        self.rests_until = now.plus(wait);
        Err(wait)
    }

    /// The requests that are left, as far as this process knows, and the seconds until there are more or all again.
    fn remaining(&self, limit: Limit, now: Timestamp) -> (u32, u128) {
        let left = self.held.tokens().saturating_add(limit.left(self.seen, now)).min(limit.burst());
        let wait = match self.rests_until.since(now) {
            Duration::ZERO => self.seen.since(now),
            rest => return (0, seconds(rest)),
        };
        (left, seconds(wait))
    }
}

/// A second that has begun counts.
fn seconds(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000_000)
}

/// Bounds the requests of one process.
pub struct Limiter<L> {
    leases: L,
    limits: Limits,
    now: fn() -> Timestamp,
    known: Mutex<HashMap<Subject, Known>>,
}

/// A bucket from which a request takes a token.
struct Bucket {
    subject: Subject,
    limit: Limit,
    name: &'static str,
}

impl<L: Leases> Limiter<L> {
    /// A process that has not been asked yet.
    pub fn new(leases: L, limits: Limits, now: fn() -> Timestamp) -> Self {
        Self { leases, limits, now, known: Mutex::default() }
    }

    /// A process whose settings say the limits and their table. Without limits there is no table, either.
    pub fn named<E: Into<BoxError>>(
        setting: impl Fn(&'static str) -> Result<Option<String>, E>,
        table: impl FnOnce(String) -> L,
        now: fn() -> Timestamp,
    ) -> Result<Self, BoxError> {
        let limits = match setting("LIMITS").map_err(Into::into)? {
            Some(text) => Limits::parse(&text).ok_or("LIMITS has a value that cannot be used")?,
            None => Limits::default(),
        };
        let name = setting("LIMITS_TABLE_NAME").map_err(Into::into)?;
        if limits != Limits::default() && name.is_none() {
            return Err("LIMITS_TABLE_NAME is not set".into());
        }
        Ok(Self::new(table(name.unwrap_or_default()), limits, now))
    }

    /// Has a request answered, or refuses it. Each request of a caller counts, whatever comes of it; who is nobody is
    /// refused by whoever answers.
    pub async fn guard<W>(
        &self,
        request: Request,
        answer: impl FnOnce(Request) -> W,
    ) -> Result<Response<Body>, Infallible>
    where
        W: Future<Output = Response<Body>>,
    {
        let buckets = self.buckets(&request);
        // A whole function's future is too large to move about.
        let answer = |request| Box::pin(answer(request));
        if buckets.is_empty() {
            return Ok(answer(request).await);
        }
        let mut response = match self.take(&buckets).await {
            Ok(()) => answer(request).await,
            Err(problem) => respond(&request, std::future::ready(Err(problem))).await,
        };
        self.tell(&buckets, response.headers_mut());
        Ok(response)
    }

    /// The narrower limit comes first: a key that asks too often takes nothing from its account.
    fn buckets(&self, request: &Request) -> Vec<Bucket> {
        let Limits { account, key } = self.limits;
        if account.or(key).is_none() {
            return Vec::new();
        }
        let Some((tenant, id)) = Caller::of(request).ok().map(|caller| (caller.tenant, caller.key)) else {
            return Vec::new();
        };
        let of_key = key.zip(id).map(|(limit, id)| Bucket { subject: Subject::Key(id), limit, name: "key" });
        let of_account =
            account.map(|limit| Bucket { subject: Subject::Account(tenant), limit, name: "account" });
        of_key.into_iter().chain(of_account).collect()
    }

    /// Takes a token of each bucket, or none at all.
    async fn take(&self, buckets: &[Bucket]) -> Result<(), Problem> {
        for (at, bucket) in buckets.iter().enumerate() {
            if let Err(wait) = self.take_one(bucket).await {
                for before in buckets.iter().take(at) {
                    self.with(before, |known, limit, _| known.held.add(limit, 1));
                }
                let (rate, burst) = (bucket.limit.rate(), bucket.limit.burst());
                let detail = format!(
                    "Each {} may ask {rate} times a second on average, and {burst} times at once. Nothing was done; the \
                     same request may be sent again.",
                    bucket.name
                );
                return Err(Problem::rate_limited(detail, wait));
            }
        }
        Ok(())
    }

    async fn take_one(&self, bucket: &Bucket) -> Result<(), Duration> {
        match self.with(bucket, Known::take) {
            Ok(()) => Ok(()),
            Err(Dry::Rests(rest)) => Err(rest),
            Err(Dry::Asks(seen)) => {
                let leased = self.leased(bucket, seen).await;
                self.with(bucket, |known, limit, now| known.leased(limit, leased, now))
            }
        }
    }

    /// Tokens of the shared bucket. While it does not answer, a process goes on with as many as it gets at most, and
    /// asks again when they are spent. The metric `LimitsNotCounted` in `template.yaml` counts the log message.
    async fn leased(&self, bucket: &Bucket, seen: FullAt) -> Leased {
        let Bucket { subject, limit, name } = bucket;
        let asked = self.leases.lease(subject, *limit, seen, (self.now)());
        let error = match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Ok(leased)) => return leased,
            Ok(Err(error)) => causes(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::error!(error, limit.of = name, "a limit was not counted");
        Leased { tokens: limit.allowance(), full_at: seen }
    }

    fn with<T>(&self, bucket: &Bucket, act: impl FnOnce(&mut Known, Limit, Timestamp) -> T) -> T {
        let (limit, now) = (bucket.limit, (self.now)());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX && !known.contains_key(&bucket.subject) {
            known.clear();
        }
        let first = || Known { held: Held::first(limit, now), seen: FullAt::default(), rests_until: now };
        act(known.entry(bucket.subject.clone()).or_insert_with(first), limit, now)
    }

    /// The fields of draft-ietf-httpapi-ratelimit-headers-10: what the limits are, and what is left of them.
    fn tell(&self, buckets: &[Bucket], headers: &mut HeaderMap) {
        let (mut policies, mut states) = (Vec::new(), Vec::new());
        for bucket in buckets {
            let Bucket { limit, name, .. } = bucket;
            policies.push(format!("\"{name}\";q={};w={}", limit.burst(), seconds(limit.window())));
            let (left, wait) = self.with(bucket, |known, limit, now| known.remaining(limit, now));
            states.push(format!("\"{name}\";r={left};t={wait}"));
        }
        for (name, items) in [("ratelimit-policy", policies), ("ratelimit", states)] {
            // Digits and our own names are a header's text.
            if let Ok(value) = HeaderValue::from_str(&items.join(", ")) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}
