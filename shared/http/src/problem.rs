//! RFC 9457 problems: every refusal of the API, with a code for programs and a sentence for people.

use std::time::Duration;

use lambda_http::http::{HeaderValue, StatusCode};
use recoup_domain::or_abort::OrAbort;
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal $text:literal $title:literal;)+) => {
        /// The code of a problem, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// The `code` member.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Self::$name => $status),+ };
                StatusCode::from_u16(status).or_abort("every status below is an HTTP status")
            }

            fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON that this API reads.
    InvalidJson = 400 "invalid_json" "The body cannot be read";
    /// A required parameter is absent.
    MissingParameter = 400 "missing_parameter" "A parameter is missing";
    /// A parameter has a value it cannot have.
    InvalidParameter = 400 "invalid_parameter" "A parameter is invalid";
    /// There is no such parameter.
    UnknownParameter = 400 "unknown_parameter" "A parameter is unknown";
    /// The `Idempotency-Key` header does not hold a valid key.
    InvalidIdempotencyKey = 400 "invalid_idempotency_key" "The idempotency key is invalid";
    /// The body is not a notification from this processor.
    InvalidNotification = 400 "invalid_notification" "The notification cannot be read";
    /// The notification is not signed with a secret we know.
    InvalidSignature = 403 "invalid_signature" "The signature is not accepted";
    /// The credential is not accepted.
    InvalidCredential = 403 "invalid_credential" "The credential is not accepted";
    /// The credential lacks a scope.
    InsufficientScope = 403 "insufficient_scope" "The credential may not do this";
    /// This tenant has no such payment.
    PaymentNotFound = 404 "payment_not_found" "No such payment";
    /// This tenant has no such refund.
    RefundNotFound = 404 "refund_not_found" "No such refund";
    /// This tenant has no such webhook endpoint.
    EndpointNotFound = 404 "endpoint_not_found" "No such webhook endpoint";
    /// This tenant has no such event, or no longer has it.
    EventNotFound = 404 "event_not_found" "No such event";
    /// No such processor sends notifications.
    ProcessorNotFound = 404 "processor_not_found" "No such processor";
    /// There is no report for that day, or none at all.
    ReportNotFound = 404 "report_not_found" "No such report";
    /// No route has this path.
    UnknownRoute = 404 "unknown_route" "No such path";
    /// The path has routes, but none with this method.
    MethodNotAllowed = 405 "method_not_allowed" "The path does not take this method";
    /// Another request with the same key is being written.
    IdempotencyKeyInUse = 409 "idempotency_key_in_use" "The idempotency key is in use";
    /// The refundable amount is not the expected one.
    RefundableAmountChanged = 409 "refundable_amount_changed" "Another amount is refundable";
    /// The payment is registered with other facts.
    PaymentConflict = 409 "payment_conflict" "The payment is registered otherwise";
    /// The payment's processor has yet to confirm its terms.
    PaymentNotVerified = 409 "payment_not_verified" "The payment is not verified yet";
    /// Another payment is the same charge at the processor.
    ProcessorReferenceInUse = 409 "processor_reference_in_use" "Another payment has this charge";
    /// The refund can no longer be cancelled.
    RefundNotCancellable = 409 "refund_not_cancellable" "The refund cannot be cancelled";
    /// The refund has changed so often that its metadata stay as they are.
    TooManyChanges = 409 "too_many_changes" "The refund has changed too often";
    /// The account has the most endpoints it may have.
    TooManyEndpoints = 409 "too_many_endpoints" "There are too many webhook endpoints";
    /// Another rotation would break a promised overlap.
    TooManySecrets = 409 "too_many_secrets" "Too many secrets are valid";
    /// The endpoint is switched off.
    EndpointDisabled = 409 "endpoint_disabled" "The webhook endpoint is disabled";
    /// The event has no receiver.
    NoReceiver = 409 "no_receiver" "Nobody is to be told";
    /// A delivery of the event has been tried too often to be sent again.
    TooManyRedeliveries = 409 "too_many_redeliveries" "The event has been sent too often";
    /// The body has more than 64 KiB, or a notification more than 256 KiB.
    BodyTooLarge = 413 "body_too_large" "The body is too large";
    /// The body is not JSON, or is compressed.
    UnsupportedMediaType = 415 "unsupported_media_type" "The body is not plain JSON";
    /// The key was used for another request.
    IdempotencyKeyReused = 422 "idempotency_key_reused" "The idempotency key was used for another request";
    /// The amount is more than is left.
    AmountExceedsRefundable = 422 "amount_exceeds_refundable" "More than is refundable";
    /// An actor would give more than it has left.
    ActorAmountExceedsRefundable = 422 "actor_amount_exceeds_refundable" "More than an actor can give back";
    /// The payment is not captured, or has the most refunds it may have.
    PaymentNotRefundable = 422 "payment_not_refundable" "The payment cannot be refunded";
    /// Nothing is left to refund.
    PaymentAlreadyRefunded = 422 "payment_already_refunded" "The payment is already refunded";
    /// The payment can only be refunded in full.
    PartialRefundNotAllowed = 422 "partial_refund_not_allowed" "Partial refunds are not allowed";
    /// The payment cannot be refunded in part before its payout.
    PartialRefundBeforePayout = 422 "partial_refund_before_payout" "Partial refunds wait for the payout";
    /// The routing must say which actors give how much.
    RoutingRequired = 422 "routing_required" "Routing is required";
    /// The routing does not fit.
    RoutingMismatch = 422 "routing_mismatch" "The routing does not fit";
    /// The processor cannot carry the payment's split out.
    SplitNotExecutable = 422 "split_not_executable" "The split cannot be carried out";
    /// The currency is not the payment's.
    CurrencyMismatch = 422 "currency_mismatch" "The currency differs";
    /// The payment is disputed.
    PaymentDisputed = 422 "payment_disputed" "The payment is disputed";
    /// A term of the payment is not its charge's at the processor.
    TermsDifferAtProcessor = 422 "terms_differ_at_processor" "The processor says otherwise";
    /// The account has no key that works at the processor.
    ProcessorNotConfigured = 422 "processor_not_configured" "The processor's key is missing";
    /// The time for refunds is over.
    RefundWindowExpired = 422 "refund_window_expired" "The time for refunds is over";
    /// The payment has no such line.
    InvoiceDetailUnknown = 422 "invoice_detail_unknown" "No such invoice line";
    /// Another refund covers the line.
    InvoiceDetailAlreadyRefunded = 422 "invoice_detail_already_refunded" "The invoice line is already refunded";
    /// More of a line than is left of it.
    LineAmountExceedsRefundable = 422 "line_amount_exceeds_refundable" "More than is left of a line";
    /// The payment's processor makes no refund in this currency, or of this amount.
    ProcessorCannot = 422 "processor_cannot" "The processor cannot make this refund";
    /// More requests than there may be in this time.
    RateLimited = 429 "rate_limited" "Too many requests";
    /// An internal fault.
    Internal = 500 "internal_error" "An internal fault";
    /// The service cannot answer now; try again.
    Unavailable = 503 "unavailable" "Temporarily unavailable";
}

/// A refusal, as the caller reads it. It never holds the text of a cause: causes go to the log.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    param: Option<String>,
    extra: Map<String, Value>,
    /// The methods that the path takes, if the request's is not one of them.
    allowed: Option<String>,
    /// Whether repeating the request could do its work twice.
    uncertain: bool,
    /// Seconds after which the same request may succeed, where it is known.
    wait_seconds: Option<u64>,
}

impl Problem {
    /// A problem with a code and a sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (param, extra, allowed) = (None, Map::new(), None);
        Self { code, detail, param, extra, allowed, uncertain: false, wait_seconds: None }
    }

    /// Names the time after which the same request may succeed. A second that has begun counts, so that nobody comes too
    /// early.
    #[must_use]
    pub(crate) fn waiting(mut self, wait: Duration) -> Self {
        self.wait_seconds = u64::try_from(wait.as_millis().div_ceil(1_000).max(1)).ok();
        self
    }

    /// The problem of a caller that has asked too often, and may ask again after so long.
    pub fn rate_limited(detail: impl Into<String>, wait: Duration) -> Self {
        Self::new(Code::RateLimited, detail).waiting(wait)
    }

    /// Names the parameter by path.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds a member that helps the caller.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// Marks the problem of a request that may have been carried out, and must not simply be repeated.
    #[must_use]
    pub fn uncertain(mut self) -> Self {
        self.uncertain = true;
        self
    }

    /// Names the methods that the path takes, for the `allow` header.
    #[must_use]
    pub(crate) fn allowing(mut self, methods: String) -> Self {
        self.allowed = Some(methods);
        self
    }

    /// The `allow` header.
    pub(crate) fn allowed(&self) -> Option<HeaderValue> {
        let methods = HeaderValue::from_str(self.allowed.as_deref()?);
        Some(methods.or_abort("the methods of our routes are plain words"))
    }

    /// The problem's code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether the same request may succeed a little later.
    fn retryable(&self) -> bool {
        self.retry_after().is_some()
    }

    /// The `retry-after` header: seconds, where waiting helps.
    pub(crate) fn retry_after(&self) -> Option<HeaderValue> {
        match self.code {
            _ if self.uncertain => None,
            Code::IdempotencyKeyInUse | Code::PaymentNotVerified | Code::Unavailable | Code::RateLimited => {
                Some(HeaderValue::from(self.wait_seconds.unwrap_or(1)))
            }
            _ => None,
        }
    }

    pub(crate) fn body(&self, instance: &str, request_id: &str) -> String {
        let mut body = self.as_part();
        body.insert("type".into(), format!("urn:recoup:problem:{}", self.code.as_str()).into());
        body.insert("title".into(), self.code.title().into());
        body.insert("instance".into(), instance.into());
        body.insert("request_id".into(), request_id.into());
        Value::Object(body).to_string()
    }

    /// The problem of one part of a request, whose answer is about all of them.
    pub fn as_part(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("status".into(), self.code.status().as_u16().into());
        body.insert("detail".into(), self.detail.as_str().into());
        body.insert("code".into(), self.code.as_str().into());
        if let Some(param) = &self.param {
            body.insert("param".into(), param.as_str().into());
        }
        body.insert("retryable".into(), self.retryable().into());
        body.extend(self.extra.clone());
        body
    }
}
