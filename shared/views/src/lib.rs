//! What callers and receivers see: amounts in minor and major units, times in RFC 3339. Nothing here knows of HTTP.

mod payment;
mod refund;
pub mod webhook;

use recoup_domain::by::By;
use recoup_domain::money::Money;
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use serde::Serialize;

pub use payment::PaymentView;
pub use refund::RefundView;

/// The API's own address, from which links are made.
#[derive(Clone, Debug)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Takes the address, with or without a slash at the end.
    pub fn new(address: &str) -> Self {
        Self(address.trim_end_matches('/').to_owned())
    }

    /// A link to an object, by its collection and its id.
    pub fn link(&self, collection: &str, id: &str) -> Link {
        Link { href: format!("{}/v1/{collection}/{id}", self.0) }
    }

    fn refund(&self, refund: &Refund) -> Link {
        self.link("refunds", refund.id.as_str())
    }

    fn payment(&self, id: &str) -> Link {
        self.link("payments", id)
    }
}

/// A link in `_links`.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    href: String,
}

/// The `_links` of an object that links only to itself.
#[derive(Clone, Debug, Serialize)]
pub struct SelfLink {
    /// The object's own address.
    #[serde(rename = "self")]
    pub this: Link,
}

/// The answer to a caller that may change an object and not read it: which one it was.
#[derive(Clone, Debug, Serialize)]
pub struct Acknowledgement {
    id: String,
    object: &'static str,
    _links: SelfLink,
}

impl Acknowledgement {
    /// Names a refund.
    pub fn of_refund(refund: &Refund, public_url: &PublicUrl) -> Self {
        let this = public_url.refund(refund);
        Self { id: refund.id.to_string(), object: "refund", _links: SelfLink { this } }
    }

    /// Names a payment.
    pub fn of_payment(payment: &Payment, public_url: &PublicUrl) -> Self {
        let this = public_url.payment(payment.id.as_str());
        Self { id: payment.id.to_string(), object: "payment", _links: SelfLink { this } }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Amount {
    amount: u64,
    amount_decimal: String,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self { amount: money.minor(), amount_decimal: money.decimal() }
    }
}

/// Who did something.
#[derive(Clone, Debug, Serialize)]
pub struct ByView {
    kind: &'static str,
    id: String,
    name: Option<String>,
}

impl From<&By> for ByView {
    fn from(By { kind, id, name }: &By) -> Self {
        let name = name.as_ref().map(|name| name.as_str().into());
        Self { kind: kind.as_str(), id: id.as_str().into(), name }
    }
}
