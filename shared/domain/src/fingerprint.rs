//! The fingerprint of a request: 32 bytes, equal for a retry however it is written, different for any other request.

use sha2::{Digest, Sha256};

use crate::money::{Currency, WrittenAmount};
use crate::refund::{External, Fingerprint, Notes};
use crate::text::{TargetUrl, Text};
use crate::wanted::{Wanted, WantedLine, WantedPart, WantedParts, WantedRouting};

/// Hashes fields with their lengths, so that no two lists of fields give the same bytes.
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

    /// `1000` and `"10.00"` EUR are the same amount; what is not an amount is hashed as it was written.
    fn amount(&mut self, name: &str, written: Option<&WrittenAmount>, currency: Currency) {
        let Some(written) = written else { return };
        match (written.in_currency(currency), written) {
            (Ok(money), _) => self.field(name, &money.minor().to_string()),
            (Err(_), WrittenAmount::Minor(minor)) => self.field(name, &format!("minor {minor}")),
            (Err(_), WrittenAmount::Major(text)) => self.field(name, &format!("major {text}")),
        }
    }

    fn routing(&mut self, routing: Option<&WantedRouting>, currency: Currency) {
        match routing {
            None => {}
            Some(WantedRouting::Proportional) => self.field("split", "proportional"),
            Some(WantedRouting::Parts(WantedParts { platform, merchants })) => {
                self.field("routing", "");
                self.amount("platform", platform.as_ref(), currency);
                for WantedPart { account, amount } in merchants {
                    self.field("merchant", account.as_str());
                    self.amount("merchant_amount", Some(amount), currency);
                }
            }
        }
    }

    fn notes(&mut self, notes: &Notes) {
        let Notes { reason, information, description, reference, webhook_url } = notes;
        self.optional("reason", reason.as_ref().map(Text::as_str));
        self.optional("information", information.as_ref().map(Text::as_str));
        self.optional("description", description.as_ref().map(Text::as_str));
        self.optional("reference", reference.as_ref().map(Text::as_str));
        self.optional("webhook", webhook_url.as_ref().map(TargetUrl::as_str));
    }
}

impl Wanted {
    /// The fingerprint of this request to an API endpoint (method and path), for a payment in a currency.
    ///
    /// Every field is named here, so that a new one cannot be forgotten: two requests that differ only in that field
    /// would pass for one. A new field must add nothing where it is absent, or replays of stored refunds would no
    /// longer match.
    pub fn fingerprint(&self, endpoint: &str, currency: Currency) -> Fingerprint {
        let Self {
            payment_id,
            amount,
            currency: wanted_currency,
            lines,
            routing,
            expected_refundable,
            external,
            notes,
            metadata,
        } = self;
        let mut feed = Feed(Sha256::new());
        feed.field("endpoint", endpoint);
        feed.field("payment_id", payment_id.as_str());
        feed.amount("amount", amount.as_ref(), currency);
        feed.optional("currency", wanted_currency.map(Currency::code));
        for WantedLine { id, amount } in lines {
            feed.field("line", id.as_str());
            feed.amount("line_amount", amount.as_ref(), currency);
        }
        feed.routing(routing.as_ref(), currency);
        feed.amount("expected_refundable_amount", expected_refundable.as_ref(), currency);
        if let Some(External { method, reference }) = external {
            feed.field("external_method", method.as_str());
            feed.optional("external_reference", reference.as_ref().map(Text::as_str));
        }
        feed.notes(notes);
        for (key, value) in metadata.pairs() {
            feed.field("metadata_key", key);
            feed.field("metadata_value", value);
        }
        feed.0.finalize().into()
    }
}
