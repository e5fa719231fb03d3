//! RFC 9457 problems: every refusal of the API, with a code a program can act on and a sentence for people.

use lambda_http::http::{HeaderValue, StatusCode};
use recoup_domain::or_abort::OrAbort;
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal $text:literal $title:literal;)+) => {
        /// What is wrong, as a program reads it.
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
                StatusCode::from_u16(status).or_abort("the statuses below are all of HTTP")
            }

            fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

codes! {
    /// The body is no JSON this API reads.
    InvalidJson = 400 "invalid_json" "The body cannot be read";
    /// A required parameter is absent.
    MissingParameter = 400 "missing_parameter" "A parameter is missing";
    /// A parameter has a value it cannot have.
    InvalidParameter = 400 "invalid_parameter" "A parameter is invalid";
    /// A parameter that does not exist.
    UnknownParameter = 400 "unknown_parameter" "A parameter is unknown";
    /// The `Idempotency-Key` header is no key.
    InvalidIdempotencyKey = 400 "invalid_idempotency_key" "The idempotency key is invalid";
    /// The body is no notification of this processor's.
    InvalidNotification = 400 "invalid_notification" "The notification cannot be read";
    /// Nobody we know signed this notification.
    InvalidSignature = 403 "invalid_signature" "The signature is not accepted";
    /// Nobody has this credential.
    InvalidCredential = 403 "invalid_credential" "The credential is not accepted";
    /// The credential lacks a scope.
    InsufficientScope = 403 "insufficient_scope" "The credential may not do this";
    /// This tenant has no such payment.
    PaymentNotFound = 404 "payment_not_found" "No such payment";
    /// This tenant has no such refund.
    RefundNotFound = 404 "refund_not_found" "No such refund";
    /// This tenant has no such webhook endpoint.
    EndpointNotFound = 404 "endpoint_not_found" "No such webhook endpoint";
    /// This tenant has no such event, or no longer.
    EventNotFound = 404 "event_not_found" "No such event";
    /// Nothing is heard from such a processor.
    ProcessorNotFound = 404 "processor_not_found" "No such processor";
    /// No report is kept of that day, or of any.
    ReportNotFound = 404 "report_not_found" "No such report";
    /// No route has such a path.
    UnknownRoute = 404 "unknown_route" "No such path";
    /// The path has routes, and none of this method.
    MethodNotAllowed = 405 "method_not_allowed" "The path does not take this method";
    /// The same key is being written right now.
    IdempotencyKeyInUse = 409 "idempotency_key_in_use" "The idempotency key is in use";
    /// The guard does not hold.
    RefundableAmountChanged = 409 "refundable_amount_changed" "Another amount is refundable";
    /// A payment cannot be registered so.
    PaymentConflict = 409 "payment_conflict" "The payment is registered otherwise";
    /// Past the point where it can be withdrawn.
    RefundNotCancellable = 409 "refund_not_cancellable" "The refund cannot be cancelled";
    /// No room for one more.
    TooManyEndpoints = 409 "too_many_endpoints" "There are too many webhook endpoints";
    /// One more rotation would break a promised overlap.
    TooManySecrets = 409 "too_many_secrets" "Too many secrets are valid";
    /// It is switched off.
    EndpointDisabled = 409 "endpoint_disabled" "The webhook endpoint is disabled";
    /// Nobody is to be told.
    NoReceiver = 409 "no_receiver" "Nobody is to be told";
    /// More than 64 KiB; of a notification, 256.
    BodyTooLarge = 413 "body_too_large" "The body is too large";
    /// Not JSON, or packed.
    UnsupportedMediaType = 415 "unsupported_media_type" "The body is not plain JSON";
    /// The key named another request.
    IdempotencyKeyReused = 422 "idempotency_key_reused" "The idempotency key was used for another request";
    /// More than is left.
    AmountExceedsRefundable = 422 "amount_exceeds_refundable" "More than is refundable";
    /// More than an actor has left.
    ActorAmountExceedsRefundable = 422 "actor_amount_exceeds_refundable" "More than an actor can give back";
    /// Not captured, or full of refunds.
    PaymentNotRefundable = 422 "payment_not_refundable" "The payment cannot be refunded";
    /// Nothing is left.
    PaymentAlreadyRefunded = 422 "payment_already_refunded" "The payment is already refunded";
    /// Only in full.
    PartialRefundNotAllowed = 422 "partial_refund_not_allowed" "Partial refunds are not allowed";
    /// Not in part yet.
    PartialRefundBeforePayout = 422 "partial_refund_before_payout" "Partial refunds wait for the payout";
    /// Who gives?
    RoutingRequired = 422 "routing_required" "Routing is required";
    /// The routing does not fit.
    RoutingMismatch = 422 "routing_mismatch" "The routing does not fit";
    /// Another currency.
    CurrencyMismatch = 422 "currency_mismatch" "The currency differs";
    /// Under dispute.
    PaymentDisputed = 422 "payment_disputed" "The payment is disputed";
    /// Too late.
    RefundWindowExpired = 422 "refund_window_expired" "The time for refunds is over";
    /// No such line.
    InvoiceDetailUnknown = 422 "invoice_detail_unknown" "No such invoice line";
    /// The line is taken.
    InvoiceDetailAlreadyRefunded = 422 "invoice_detail_already_refunded" "The invoice line is already refunded";
    /// A fault of ours.
    Internal = 500 "internal_error" "An internal fault";
    /// Come back soon.
    Unavailable = 503 "unavailable" "Temporarily unavailable";
}

/// A refusal on its way to the caller. Nothing in it comes from a cause: causes go to the log.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    param: Option<String>,
    extra: Map<String, Value>,
    /// The methods that the path takes, where this one is none of them.
    allowed: Option<String>,
    /// Whether sending the same again could do the same twice.
    uncertain: bool,
}

impl Problem {
    /// A problem with one sentence of ours.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), param: None, extra: Map::new(), allowed: None, uncertain: false }
    }

    /// Names the parameter by path.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds something that helps.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// Says that the request may have been carried out, so that it must not just be sent again.
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

    /// What is wrong.
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
            Code::IdempotencyKeyInUse | Code::Unavailable => Some(HeaderValue::from_static("1")),
            _ => None,
        }
    }

    pub(crate) fn body(&self, instance: &str, request_id: &str) -> String {
        let mut body = Map::new();
        let code = self.code.as_str();
        body.insert("type".into(), format!("urn:recoup:problem:{code}").into());
        body.insert("title".into(), self.code.title().into());
        body.insert("status".into(), self.code.status().as_u16().into());
        body.insert("detail".into(), self.detail.as_str().into());
        body.insert("instance".into(), instance.into());
        body.insert("code".into(), code.into());
        if let Some(param) = &self.param {
            body.insert("param".into(), param.as_str().into());
        }
        body.insert("request_id".into(), request_id.into());
        body.insert("retryable".into(), self.retryable().into());
        body.extend(self.extra.clone());
        Value::Object(body).to_string()
    }
}
