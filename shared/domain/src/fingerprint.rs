//! What a request asked for, as 32 bytes: equal for a retry however it is spelt, different otherwise.

use sha2::{Digest, Sha256};

use crate::money::{Currency, WrittenAmount};
use crate::refund::Fingerprint;
use crate::text::{TargetUrl, Text};
use crate::wanted::{Wanted, WantedRouting};

/// Feeds fields with their lengths, so that no two lists of fields run together to the same bytes.
struct Feed(Sha256);

impl Feed {
    fn field(&mut self, name: &str, value: &str) {
        self.0.update(name);
        self.0.update([0]);
        self.0.update(value.len().to_be_bytes());
        self.0.update(value);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// `1000` and `"10.00"` EUR are one amount; what is no amount at all stays as it was written.
    fn amount(&mut self, name: &str, written: Option<&WrittenAmount>, currency: Currency) {
        let Some(written) = written else { return };
        match (written.in_currency(currency), written) {
            (Ok(money), _) => self.field(name, &money.minor().to_string()),
            (Err(_), WrittenAmount::Minor(minor)) => self.field(name, &format!("minor {minor}")),
            (Err(_), WrittenAmount::Major(text)) => self.field(name, &format!("major {text}")),
        }
    }
}

impl Wanted {
    /// The fingerprint of this wish, sent to an endpoint (method and path), about a payment in a currency.
    pub fn fingerprint(&self, endpoint: &str, currency: Currency) -> Fingerprint {
        let mut feed = Feed(Sha256::new());
        feed.field("endpoint", endpoint);
        feed.field("payment_id", self.payment_id.as_str());
        feed.amount("amount", self.amount.as_ref(), currency);
        feed.optional("currency", self.currency.map(Currency::code));
        for line in &self.lines {
            feed.field("line", line.as_str());
        }
        match &self.routing {
            None => {}
            Some(WantedRouting::Proportional) => feed.field("split", "proportional"),
            Some(WantedRouting::Parts(parts)) => {
                feed.field("routing", "");
                feed.amount("platform", parts.platform.as_ref(), currency);
                for part in &parts.merchants {
                    feed.field("merchant", part.account.as_str());
                    feed.amount("merchant_amount", Some(&part.amount), currency);
                }
            }
        }
        feed.amount("expected_refundable_amount", self.expected_refundable.as_ref(), currency);
        let notes = &self.notes;
        feed.optional("reason", notes.reason.as_ref().map(Text::as_str));
        feed.optional("information", notes.information.as_ref().map(Text::as_str));
        feed.optional("description", notes.description.as_ref().map(Text::as_str));
        feed.optional("reference", notes.reference.as_ref().map(Text::as_str));
        feed.optional("webhook", notes.webhook_url.as_ref().map(TargetUrl::as_str));
        for (key, value) in self.metadata.pairs() {
            feed.field("metadata_key", key);
            feed.field("metadata_value", value);
        }
        feed.0.finalize().into()
    }
}
