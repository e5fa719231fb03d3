//! The table and its reads.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use recoup_domain::balance::Posting;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::{Payment, Processor};
use recoup_domain::refund::Refund;
use recoup_ports::payments::{Charges, Payments};
use recoup_ports::refunds::Refunds;
use recoup_ports::rows::Rows;
use recoup_ports::{BoxError, ReadError, causes, refusal, without_values};

use crate::keys::{Key, PAYMENT, PK, REFUND, SK, owner_and_id};
use crate::payment_item::PaymentItem;
use crate::refund_item::{self, POSTING, posting};
use crate::retry::Backoff;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Most keys in one `BatchGetItem`.
const KEYS_PER_READ: usize = 100;

/// The table, with the process's one client.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Table {
    /// The table with this name.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Another table, through the same client.
    #[must_use]
    pub fn beside(&self, name: String) -> Self {
        Self { client: self.client.clone(), name }
    }

    /// One item, as last written.
    pub(crate) async fn item(&self, key: &Key) -> Result<Option<Item>, ReadError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key.attributes()));
        let found = request.consistent_read(true).send().await.map_err(unavailable)?;
        Ok(found.item)
    }

    /// Those of at most 100 items that exist, as last written, in any order.
    pub(crate) async fn items(&self, keys: &[Key]) -> Result<Vec<Item>, ReadError> {
        self.parts_of_items(keys, KeysAndAttributes::builder()).await
    }

    /// The same items, as far as `part` wants of them.
    async fn parts_of_items(
        &self,
        keys: &[Key],
        part: KeysAndAttributesBuilder,
    ) -> Result<Vec<Item>, ReadError> {
        let mut wanted: Vec<Item> = keys.iter().map(Key::attributes).collect();
        let mut found = Vec::with_capacity(keys.len());
        let mut backoff = Backoff::new();
        loop {
            let asked = part.clone().set_keys(Some(wanted)).consistent_read(true).build();
            let asked = asked.map_err(|error| ReadError::Unavailable(error.into()))?;
            let request = self.client.batch_get_item().request_items(&self.name, asked);
            let mut answer = request.send().await.map_err(unavailable)?;
            let responses = answer.responses.as_mut().and_then(|tables| tables.remove(&self.name));
            // None where everything was left unprocessed.
            let responses = responses.unwrap_or_default();
            let is_busy = responses.is_empty();
            found.extend(responses);
            let left = answer.unprocessed_keys.as_mut().and_then(|tables| tables.remove(&self.name));
            match left.map(|left| left.keys).filter(|keys| !keys.is_empty()) {
                None => return Ok(found),
                // Large items fill one answer, so fewer are left each time.
                Some(left) if !is_busy && found.len() < keys.len() => wanted = left,
                // The table is busy: the keys it left out are read again, a bounded number of times.
                Some(left) if backoff.wait().await => wanted = left,
                Some(_) => return Err(ReadError::Unavailable("keys stayed unprocessed".into())),
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error by value")]
pub(crate) fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> ReadError {
    ReadError::Unavailable(cause(&error))
}

/// What is told of a call that failed: an answer may hold whatever the table holds, so nothing of it is repeated.
pub(crate) fn cause<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> BoxError {
    match error {
        SdkError::ServiceError(refused) => refusal(refused.err().code(), refused.err().message()).into(),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) => causes(error).into(),
            None => "no connection".into(),
        },
        SdkError::TimeoutError(_) => "no answer in time".into(),
        SdkError::ResponseError(_) => "the answer cannot be read".into(),
        _ => "the request could not be made".into(),
    }
}

/// The text of a key attribute, for errors and to tell items apart.
pub(crate) fn key_text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// Logs and returns the error of every row that cannot be read. The metric `UnreadableRows` in `template.yaml` counts
/// this log message.
pub(crate) fn unreadable(key: &str, why: impl std::fmt::Display) -> ReadError {
    let why = without_values(&why.to_string());
    tracing::error!(item.key = key, why, "a stored item cannot be read");
    ReadError::Unreadable { key: key.to_owned(), why }
}

pub(crate) fn read_refund(item: Item) -> Result<Refund, ReadError> {
    let key = key_text(&item, PK).to_owned();
    refund_item::from_item(item).map_err(|why| unreadable(&key, why))
}

pub(crate) fn read_payment(item: Item) -> Result<Payment, ReadError> {
    let key = key_text(&item, PK).to_owned();
    let item: PaymentItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
    item.into_payment().map_err(|why| unreadable(&key, why))
}

/// The payment and the refund among the items of one read.
pub(crate) fn sort(items: Vec<Item>) -> Result<(Option<Payment>, Option<Refund>), ReadError> {
    let (mut payment, mut refund) = (None, None);
    for item in items {
        match key_text(&item, SK) {
            PAYMENT => payment = Some(read_payment(item)?),
            REFUND => refund = Some(read_refund(item)?),
            other => return Err(unreadable(key_text(&item, PK), format_args!("unexpected kind {other}"))),
        }
    }
    Ok((payment, refund))
}

impl Payments for Table {
    async fn payment(&self, tenant: &Tenant, id: &PaymentId) -> Result<Option<Payment>, ReadError> {
        self.item(&Key::payment(tenant, id)).await?.map(read_payment).transpose()
    }

    async fn payments(&self, tenant: &Tenant, ids: &[PaymentId]) -> Result<Rows<Payment>, ReadError> {
        let mut payments = Rows::default();
        for some in ids.chunks(KEYS_PER_READ) {
            let keys: Vec<Key> = some.iter().map(|id| Key::payment(tenant, id)).collect();
            for item in self.items(&keys).await? {
                let pk = key_text(&item, PK).to_owned();
                let id = owner_and_id(&pk, PAYMENT).map_or(pk.as_str(), |(_, id)| id);
                payments.add(id, read_payment(item))?;
            }
        }
        Ok(payments)
    }
}

impl Charges for Table {
    async fn payment_of_charge(
        &self,
        tenant: &Tenant,
        charge: &Processor,
    ) -> Result<Option<PaymentId>, ReadError> {
        let key = Key::charge(tenant, charge.name, &charge.reference);
        let Some(claim) = self.item(&key).await? else { return Ok(None) };
        let id = PaymentId::try_from(key_text(&claim, "payment_id"));
        id.map(Some).map_err(|why| unreadable(&key.pk, why))
    }
}

impl Refunds for Table {
    async fn refund(&self, tenant: &Tenant, id: &RefundId) -> Result<Option<Refund>, ReadError> {
        self.item(&Key::refund(tenant, id)).await?.map(read_refund).transpose()
    }

    async fn refunds(&self, tenant: &Tenant, ids: &[RefundId]) -> Result<Rows<Refund>, ReadError> {
        let mut refunds = Rows::default();
        for some in ids.chunks(KEYS_PER_READ) {
            let keys: Vec<Key> = some.iter().map(|id| Key::refund(tenant, id)).collect();
            for item in self.items(&keys).await? {
                let pk = key_text(&item, PK).to_owned();
                let id = owner_and_id(&pk, REFUND).map_or(pk.as_str(), |(_, id)| id);
                refunds.add(id, read_refund(item))?;
            }
        }
        Ok(refunds)
    }

    async fn postings(&self, tenant: &Tenant, ids: &[RefundId]) -> Result<Rows<Posting>, ReadError> {
        let names: HashMap<String, String> =
            POSTING.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let part = KeysAndAttributes::builder()
            .projection_expression(POSTING.map(|name| format!("#{name}")).join(", "))
            .set_expression_attribute_names(Some(names));
        let mut postings = Rows::default();
        for some in ids.chunks(KEYS_PER_READ) {
            let keys: Vec<Key> = some.iter().map(|id| Key::refund(tenant, id)).collect();
            for item in self.parts_of_items(&keys, part.clone()).await? {
                let pk = key_text(&item, PK).to_owned();
                let id = owner_and_id(&pk, REFUND).map_or(pk.as_str(), |(_, id)| id);
                postings.add(id, posting(item).map_err(|why| unreadable(&pk, why)))?;
            }
        }
        Ok(postings)
    }
}
