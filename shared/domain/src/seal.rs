//! The seal of a payment: an HMAC over everything that no refund changes, under a key that the table's writers do not
//! have. Whoever bends a stored term cannot renew it.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::by::By;
use crate::ids::Tenant;
use crate::or_abort::OrAbort;
use crate::payment::{Facts, Line, Payment, Processor, Routing};
use crate::recovery::SplitTerms;
use crate::signing::hmac_sha256;
use crate::split::Split;
use crate::text::Text;
use crate::time::Timestamp;

/// What begins every sealed text: no other use of the key gives the same bytes.
const PURPOSE: &str = "recoup payment 1";

/// The key that seals payments, never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey(Vec<u8>);

impl SealKey {
    /// Fewest bytes of a key.
    pub const BYTES_MIN: usize = 32;

    /// The key of these bytes; `None` if they are too few.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() >= Self::BYTES_MIN).then_some(Self(bytes))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// HMAC-SHA-256 of a payment's terms and facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal(pub [u8; 32]);

/// What a payment's seal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// The terms and facts are those that were sealed.
    Intact,
    /// They are not: somebody changed them, or the seal.
    Broken,
    /// There is no seal: an earlier version registered the payment, or somebody took the seal away.
    Absent,
}

/// Feeds fields with their lengths, so that no two lists of fields give the same bytes.
struct Feed(Hmac<Sha256>);

impl Feed {
    fn field(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            let length = u64::try_from(text.len()).or_abort("a length is a u64");
            self.0.update(&length.to_be_bytes());
            self.0.update(text.as_bytes());
        }
    }

    fn number(&mut self, name: &str, value: impl Into<u64>) {
        self.field(name, &value.into().to_string());
    }

    fn time(&mut self, name: &str, at: Timestamp) {
        self.number(name, at.unix_millis());
    }

    fn tenant(&mut self, tenant: &Tenant) {
        let Tenant { environment, account } = tenant;
        self.field("environment", environment.as_str());
        self.field("account", account.as_str());
    }

    fn split(&mut self, split: &Split) {
        self.number("platform", split.platform().minor());
        for part in split.merchants() {
            self.field("merchant", part.account.as_str());
            self.number("merchant_amount", part.amount.minor());
        }
    }

    fn facts(&mut self, facts: &Facts) {
        let Facts { status, settlement, payout, disputed, partial_refunds, refundable_until, metadata } =
            facts;
        self.field("status", status.as_str());
        self.field("settlement", settlement.as_str());
        self.field("payout", payout.as_str());
        self.field("disputed", if *disputed { "true" } else { "false" });
        self.field("partial_refunds", partial_refunds.as_str());
        if let Some(until) = refundable_until {
            self.time("refundable_until", *until);
        }
        for (key, value) in metadata.pairs() {
            self.field("metadata_key", key);
            self.field("metadata_value", value);
        }
    }
}

impl Payment {
    /// The payment with its seal.
    #[must_use]
    pub fn sealed(self, key: &SealKey) -> Self {
        let seal = Seal(self.mac(key).finalize().into_bytes().into());
        Self { seal: Some(seal), ..self }
    }

    /// What the payment's seal says of its terms and facts.
    pub fn seal_under(&self, key: &SealKey) -> Sealed {
        let Some(Seal(seal)) = self.seal else { return Sealed::Absent };
        if self.mac(key).verify_slice(&seal).is_ok() { Sealed::Intact } else { Sealed::Broken }
    }

    /// Every field is named here, so that a new one cannot be forgotten: what is not sealed, whoever writes the table
    /// can bend. A new field must add nothing where it is absent, or the seals of stored payments would break.
    fn mac(&self, key: &SealKey) -> Hmac<Sha256> {
        let Self {
            tenant,
            id,
            amount,
            // What refunds change: their own books hold it.
            refundable: _,
            routing,
            lines,
            processor: Processor { name, reference, account, split },
            // Each is an item of its own, which holds it; and what was said of the terms is asked anew.
            claims: _,
            verification: _,
            facts,
            revision,
            disputes: _,
            refunds: _,
            created_at,
            registered_by,
            updated_at,
            seal: _,
        } = self;
        let mut feed = Feed(hmac_sha256(&key.0, &[PURPOSE]));
        feed.tenant(tenant);
        feed.field("id", id.as_str());
        feed.field("currency", amount.currency().code());
        feed.number("amount", amount.minor());
        if let Some(Routing { original, refundable: _ }) = routing {
            feed.split(original);
        }
        for Line { id, amount, left: _, covered: _ } in lines {
            feed.field("line", id.as_str());
            feed.number("line_amount", amount.minor());
        }
        feed.field("processor", name.as_str());
        feed.field("processor_payment", reference.as_str());
        if let Some(account) = account {
            feed.field("processor_account", account.as_str());
        }
        if let Some(SplitTerms { shape, transfers }) = split {
            feed.field("split", shape.as_str());
            for (merchant, transfer) in transfers {
                feed.field("transfer_to", merchant.as_str());
                feed.field("transfer", transfer.as_str());
            }
        }
        feed.facts(facts);
        feed.number("revision", *revision);
        feed.time("created_at", *created_at);
        if let Some(By { kind, id, name }) = registered_by {
            feed.field("registered_by_kind", kind.as_str());
            feed.field("registered_by_id", id.as_str());
            feed.field("registered_by_name", name.as_ref().map(Text::as_str).unwrap_or_default());
        }
        feed.time("updated_at", *updated_at);
        feed.0
    }
}
