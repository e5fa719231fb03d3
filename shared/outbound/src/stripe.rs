//! Stripe: refunds of a charge or a payment intent, under our refund's id.
//!
//! Not with the crate `async-stripe` (1.0.0-rc.10): it is no release yet, brings 240,000 generated lines, and a
//! program of nothing but one refund did not link with fat LTO in 20 minutes of processor time. What we need
//! of Stripe is one POST and three GETs; what they say is read in `recoup_processors::stripe`.

mod charge;
mod disputes;
mod list;
mod parts;
mod paths;

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use recoup_domain::base_url::BaseUrl;
use recoup_domain::dispute::DisputeWord;
use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::recovery::Taken;
use recoup_domain::refund::{Failure, Outcome, Refund};
use recoup_domain::time::Timestamp;
use recoup_ports::charges::{ChargeQuestion, ChargeRead, RefundOfCharge};
use recoup_ports::direct::KeysChecked;
use recoup_ports::processor::{ANSWER_SECONDS_MAX, Listing, LookedUp, Processor};
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::stripe::{
    API_VERSION, Beside, Order, Refusal, StripeAccess, StripeKey, StripeRefund, StripeRefunds, is_name,
};
use tokio::time::timeout;
use url::form_urlencoded::Serializer;

use self::parts::for_account;
use self::paths::list_path;
use crate::calls::Calls;
use crate::unclear::Unclear;
use crate::wordless::Wordless;

const LIVE_BASE: &str = "https://api.stripe.com";
/// Stripe keeps idempotency keys "at least 24 hours". A send that may be a repeat of one longer ago than this
/// is preceded by a look-up, whoever asks for it.
const KEY_LIFE: Duration = Duration::from_hours(23);
/// Refunds of a payment that one look-up reads: so many pages, of so many each (Stripe's most). In a payment
/// with more of them, one that is not among the newest stays unknown.
const PAGES_MAX: usize = 10;
const PAGE_SIZE: usize = 100;
/// Most bytes of an answer: a page of refunds with a good deal of metadata.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Moves money at Stripe.
#[derive(Clone, Debug)]
pub struct Stripe<K> {
    keys: K,
    calls: Calls,
    base: Option<BaseUrl>,
    now: fn() -> Timestamp,
    time_limit: Duration,
}

/// What Stripe's books say.
enum Found {
    Refund(Box<StripeRefund>),
    Nothing,
    NoSuchPayment,
    NoWord(Wordless),
}

/// Why an answer is no yes.
enum No {
    /// Stripe will not do it.
    Refused(Failure),
    /// It does not know the payment, or not under this key.
    SuchPayment(Failure),
    Word(Wordless),
}

impl<K: ProcessorKeys + Sync> Stripe<K> {
    /// Speaks to Stripe's own servers; fails only if TLS cannot be set up.
    pub fn new(keys: K, now: fn() -> Timestamp) -> Result<Self, rustls::Error> {
        let time_limit = Duration::from_secs(ANSWER_SECONDS_MAX);
        Ok(Self { keys, calls: Calls::new(ANSWER_BYTES_MAX)?, base: None, now, time_limit })
    }

    /// What it speaks through.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The same at another address: a stand-in for Stripe.
    #[must_use]
    pub fn at(self, base: BaseUrl) -> Self {
        Self { base: Some(base), ..self }
    }

    /// The same with another limit for each question.
    #[must_use]
    pub fn within(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    async fn send(&self, refund: &Refund) -> Outcome {
        let order = match Order::of(refund) {
            Ok(order) => order,
            Err(failure) => return Outcome::Failed(failure),
        };
        let key = match self.key(Unclear::of("stripe", refund)).await {
            Ok(key) => key,
            Err(why) => return why.into(),
        };
        if self.may_be_forgotten(refund) {
            match self.find(&key, refund, &order).await {
                Found::Refund(found) => return outcome(refund, &found),
                Found::Nothing => {}
                Found::NoSuchPayment => return Outcome::Unknown,
                Found::NoWord(why) => return why.into(),
            }
        }
        match self.post(&key, refund, &order).await {
            Ok(found) => outcome(refund, &found),
            Err(no) => self.settled_by(no, &key, refund, &order).await,
        }
    }

    /// A refusal counts only once Stripe's books show nothing under our id: a key that Stripe has forgotten
    /// makes our own refund of yesterday the reason why today's is refused.
    async fn settled_by(&self, no: No, key: &StripeKey, refund: &Refund, order: &Order) -> Outcome {
        let (failure, no_such_payment) = match no {
            No::Refused(failure) => (failure, false),
            No::SuchPayment(failure) => (failure, true),
            No::Word(why) => return why.into(),
        };
        match self.find(key, refund, order).await {
            Found::Refund(found) => outcome(refund, &found),
            Found::Nothing if !no_such_payment => refused(refund, failure),
            // What was handed over before this try may have moved money in the account of another key, which was
            // exchanged since: only a refund that was never asked for can fail for want of its payment.
            Found::NoSuchPayment if no_such_payment && refund.handed_over_at.is_none() => {
                refused(refund, failure)
            }
            Found::Nothing | Found::NoSuchPayment => Outcome::Unknown,
            Found::NoWord(why) => why.into(),
        }
    }

    /// The key, if it is of the tenant's own environment. A live key goes to Stripe alone, wherever the base of requests
    /// points: a stand-in is for tests.
    async fn key(&self, unclear: Unclear<'_>) -> Result<StripeKey, Wordless> {
        match self.keys.access::<StripeAccess>(unclear.tenant()).await {
            Ok(Some(access)) if access.key.environment() == Environment::Live && self.base.is_some() => {
                Err(Wordless::no_key(unclear, "a live key is not sent to a stand-in"))
            }
            Ok(Some(access)) if access.key.environment() == unclear.tenant().environment => Ok(access.key),
            Ok(Some(_)) => Err(Wordless::no_key(unclear, "the key belongs to the other environment")),
            Ok(None) => Err(Wordless::no_key(unclear, "the account has no key")),
            Err(error) => Err(Wordless::unread(unclear, &error)),
        }
    }

    fn may_be_forgotten(&self, refund: &Refund) -> bool {
        refund.handed_over_at.is_some_and(|at| (self.now)().since(at) >= KEY_LIFE)
    }

    async fn post(&self, key: &StripeKey, refund: &Refund, order: &Order) -> Result<StripeRefund, No> {
        let unclear = Unclear::of("stripe", refund);
        let request = self.post_request(key, "v1/refunds", refund.id.as_str(), &order.parameters());
        self.ask(unclear, for_account(request, refund.processor.account.as_ref()), StripeRefund::parse).await
    }

    /// The refund that carries our id: by Stripe's own name for it if we know that, else among all refunds of
    /// the payment.
    async fn find(&self, key: &StripeKey, refund: &Refund, order: &Order) -> Found {
        let unclear = Unclear::of("stripe", refund);
        if let Some(name) = refund.version.processor_reference.as_ref().filter(|name| is_name(name.as_str()))
        {
            let path = format!("v1/refunds/{}", name.as_str());
            let request = for_account(
                self.request(key, Method::GET, &path, String::new()),
                refund.processor.account.as_ref(),
            );
            return match self.ask(unclear, request, StripeRefund::parse).await {
                Ok(found) => Found::Refund(Box::new(found)),
                Err(No::Word(why)) => Found::NoWord(why),
                Err(No::Refused(_) | No::SuchPayment(_)) => Found::NoWord(Wordless::Unknown),
            };
        }
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = match self.page(key, refund, order, after.as_deref()).await {
                Ok(page) => page,
                Err(found) => return found,
            };
            let next = page.data.last().map(|last| last.id.clone());
            if let Some(found) = page.data.into_iter().find(|found| found.is_of(refund)) {
                return Found::Refund(Box::new(found));
            }
            match next {
                _ if !page.has_more => return Found::Nothing,
                Some(next) if is_name(&next) => after = Some(next),
                _ => break,
            }
        }
        unclear.unread("the payment has more refunds than are read");
        Found::NoWord(Wordless::Unknown)
    }

    async fn page(
        &self,
        key: &StripeKey,
        refund: &Refund,
        order: &Order,
        after: Option<&str>,
    ) -> Result<StripeRefunds, Found> {
        let unclear = Unclear::of("stripe", refund);
        let request = self.request(
            key,
            Method::GET,
            &list_path(order.payment_parameter, &order.payment, after),
            String::new(),
        );
        let request = for_account(request, refund.processor.account.as_ref());
        self.ask(unclear, request, StripeRefunds::parse).await.map_err(|no| match no {
            No::SuchPayment(_) => Found::NoSuchPayment,
            No::Refused(_) => Found::NoWord(Wordless::Unknown),
            No::Word(why) => Found::NoWord(why),
        })
    }

    fn request(
        &self,
        key: &StripeKey,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Request<String>, http::Error> {
        let url = self.base.as_ref().map_or_else(|| format!("{LIVE_BASE}/{path}"), |base| base.join(path));
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))?;
        bearer.set_sensitive(true);
        Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, bearer)
            .header("stripe-version", API_VERSION)
            .body(body)
    }

    /// What moves money, at most once under this key: never without it, or the second of two tries would move it again.
    fn post_request(
        &self,
        key: &StripeKey,
        path: &str,
        idempotency_key: &str,
        parameters: &[(String, String)],
    ) -> Result<Request<String>, http::Error> {
        let form = Serializer::new(String::new()).extend_pairs(parameters).finish();
        let mut request = self.request(key, Method::POST, path, form)?;
        request.headers_mut().insert("idempotency-key", HeaderValue::from_str(idempotency_key)?);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        Ok(request)
    }

    /// What an answer says: only a 200 in JSON that can be read is a yes.
    async fn ask<T>(
        &self,
        unclear: Unclear<'_>,
        request: Result<Request<String>, http::Error>,
        parse: fn(&[u8]) -> Option<T>,
    ) -> Result<T, No> {
        let Ok(request) = request else {
            unclear.not_asked("the request could not be made");
            return Err(No::Word(Wordless::NotConfigured));
        };
        let answer = self.calls.send(request).await;
        let answer = answer.map_err(|error| No::Word(Wordless::broken(unclear, &error)))?;
        let request_id = answer.token("request-id");
        let beside = Beside {
            should_retry: answer.token("stripe-should-retry").map(|said| said == "true"),
            replayed: answer.token("idempotent-replayed") == Some("true"),
            request_id,
        };
        let judged = match answer.json() {
            None => Err(Refusal::unread(answer.status, beside)),
            Some(json) if answer.status == 200 => {
                parse(json).ok_or(Refusal::Undecided("the answer cannot be read"))
            }
            Some(json) => Err(Refusal::of(answer.status, json, beside)),
        };
        let told = |why| unclear.answered(why, answer.status, request_id);
        judged.map_err(|refusal| match refusal {
            Refusal::Definite(failure) => No::Refused(failure),
            Refusal::NoSuchPayment(failure) => No::SuchPayment(failure),
            Refusal::Undecided(why) => {
                told(why);
                No::Word(Wordless::Unknown)
            }
            Refusal::Busy(why) => {
                told(why);
                No::Word(Wordless::Busy(answer.retry_after((self.now)())))
            }
            Refusal::KeyRefused => {
                told("the key is not accepted");
                No::Word(Wordless::NotConfigured)
            }
        })
    }
}

impl<K: ProcessorKeys + Sync> Processor for Stripe<K> {
    async fn refund(&self, refund: &Refund) -> Outcome {
        timeout(self.time_limit, self.send(refund)).await.unwrap_or_else(|_| {
            Unclear::of("stripe", refund).late();
            Outcome::Unknown
        })
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        // What cannot be said to Stripe was never said.
        let Ok(order) = Order::of(refund) else { return Unclear::of("stripe", refund).not_found(refund) };
        let found = timeout(self.time_limit, async {
            match self.key(Unclear::of("stripe", refund)).await {
                Ok(key) => self.find(&key, refund, &order).await,
                Err(why) => Found::NoWord(why),
            }
        });
        match found.await {
            Ok(Found::Refund(found)) => LookedUp::Stands(outcome(refund, &found)),
            Ok(Found::Nothing) => Unclear::of("stripe", refund).not_found(refund),
            // Perhaps under another key: a payment that Stripe does not know says nothing about its refunds.
            Ok(Found::NoSuchPayment) => LookedUp::Stands(Outcome::Unknown),
            Ok(Found::NoWord(why)) => LookedUp::Stands(why.into()),
            Err(_) => {
                Unclear::of("stripe", refund).late();
                LookedUp::Stands(Outcome::Unknown)
            }
        }
    }

    async fn recover(&self, refund: &Refund) -> Vec<(usize, Taken)> {
        self.recover_parts(refund).await
    }

    async fn read_charge(&self, question: &ChargeQuestion) -> ChargeRead {
        self.charge(question).await
    }

    async fn refunds_of_charge(&self, question: &ChargeQuestion) -> Option<Vec<RefundOfCharge>> {
        self.refunds_of(question).await
    }

    async fn disputes(&self, question: &ChargeQuestion, told_at: Timestamp) -> Option<Vec<DisputeWord>> {
        self.disputes_of(question, told_at).await
    }

    /// Reads the newest refund of all.
    async fn check_key(&self, tenant: &Tenant, _name: ProcessorName) -> KeysChecked {
        let unclear = Unclear::list("stripe", tenant);
        match self.keys.access::<StripeAccess>(tenant).await {
            Ok(Some(_)) => {}
            Ok(None) => return KeysChecked::Missing,
            Err(_) => return KeysChecked::Unreadable,
        }
        let tried = timeout(self.time_limit, async {
            let key = self.key(unclear).await.map_err(No::Word)?;
            let request = self.request(&key, Method::GET, "v1/refunds?limit=1", String::new());
            self.ask(unclear, request, StripeRefunds::parse).await
        });
        match tried.await {
            Ok(Ok(_)) => KeysChecked::Works,
            Ok(Err(No::Word(Wordless::NotConfigured))) => KeysChecked::Refused,
            Ok(Err(No::Refused(_) | No::SuchPayment(_) | No::Word(_))) | Err(_) => KeysChecked::Unclear,
        }
    }

    async fn list(&self, tenant: &Tenant, _name: ProcessorName, from: Timestamp) -> Listing {
        self.list_since(tenant, from).await
    }
}

fn refused(refund: &Refund, failure: Failure) -> Outcome {
    Unclear::of("stripe", refund).refused(&failure.said);
    Outcome::Failed(failure)
}

/// What Stripe's refund means for ours.
fn outcome(refund: &Refund, found: &StripeRefund) -> Outcome {
    let outcome = found.outcome_of(refund);
    if matches!(outcome, Outcome::Unknown | Outcome::Differs { .. }) {
        Unclear::of("stripe", refund).other();
    }
    outcome
}
