//! What callers and receivers see: amounts both ways, times in RFC 3339. No request, no header, no status is known here.

mod payment;
mod refund;
pub mod webhook;

use recoup_domain::money::Money;
use recoup_domain::refund::Refund;
use serde::Serialize;

pub use payment::PaymentView;
pub use refund::RefundView;

/// The API's own address, to which links are added.
#[derive(Clone, Debug)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Takes the address, without the slash at its end.
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

/// A link of `_links`.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    href: String,
}

/// Where an object itself is found.
#[derive(Clone, Debug, Serialize)]
pub struct SelfLink {
    /// Its own address.
    #[serde(rename = "self")]
    pub this: Link,
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
