//! Key shapes. The partition key of a tenant's data begins with the tenant, and each shape is written once, here.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | payment | `{environment}#{account}#payment#{payment id}` | `payment` |
//! | refund | `{environment}#{account}#refund#{refund id}` | `refund` |
//! | account | `{environment}#{account}` | `account` |
//! | API key | `key#{key id}`: the item says which tenant's | `key` |
//! | endpoint | `{environment}#{account}#endpoints` | `{endpoint id}` |
//! | event | `{environment}#{account}#events` | `{event id}` |
//! | delivery | `{environment}#{account}#events` | `{event id}#{endpoint id}`, or `#refund` for the refund's own URL |
//! | claim of a charge | `{environment}#{account}#charge#{processor}#{reference}` | `charge` |
//! | audit's place | `{environment}#{account}#audit` | `audit` |
//! | processor's keys, in the credentials table | `{environment}#{account}#processor` | `{processor}` |
//! | bucket of an account or a key, in the table of limits | `{environment}#{account}` or `key#{key id}` | `limit` |
//! | slots for questions that imports bring, in the table of limits | `{environment}#{account}` | `slots` |
//! | reconciliation report | `{environment}#{account}#reports` | `{date}`, `2026-11-22` |
//!
//! A scheduled delivery, and a refund whose processor is to be asked again, also have `due_pk` = `due#{0 to 7}` and
//! `due_sk` = `{time}#{sk}`, the keys of the index `by_due`.
//!
//! Refunds also have `list_pk` = `{environment}#{account}#refunds` and `list_sk` = `{created_at}#{refund id}`, the keys
//! of the index `by_time`; payments have `{environment}#{account}#payments` and `{created_at}#{payment id}`. Accounts
//! are in the same index, all in one partition: `list_pk` = `accounts`, `list_sk` = `{environment}#{account}`.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::delivery::Target;
use recoup_domain::ids::{AccountId, EndpointId, Environment, EventId, KeyId, PaymentId, RefundId, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::due::SHARDS;
use recoup_ports::limits::Subject;
use recoup_ports::lists::Place;

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";

pub(crate) const BY_TIME: &str = "by_time";
pub(crate) const BY_DUE: &str = "by_due";
pub(crate) const LIST_PK: &str = "list_pk";
pub(crate) const LIST_SK: &str = "list_sk";
pub(crate) const DUE_PK: &str = "due_pk";
pub(crate) const DUE_SK: &str = "due_sk";
/// The number of the attempt, or of the question to a processor, that is due.
pub(crate) const TURN: &str = "turn";
/// Whether a wait rests in the table, and when it was woken: the same attributes for refunds and deliveries.
pub(crate) const RESTS: &str = "rests";
pub(crate) const WOKEN_AT: &str = "woken_at";

pub(crate) const PAYMENT: &str = "payment";
pub(crate) const REFUND: &str = "refund";
pub(crate) const ACCOUNT: &str = "account";
pub(crate) const KEY: &str = "key";
const ENDPOINTS: &str = "endpoints";
const EVENTS: &str = "events";
const PROCESSOR: &str = "processor";
const REPORTS: &str = "reports";
const AUDIT: &str = "audit";
const LIMIT: &str = "limit";
const SLOTS: &str = "slots";
const CHARGE: &str = "charge";
/// The partition of all accounts in the index; every other partition has a `#`.
pub(crate) const ACCOUNTS: &str = "accounts";
/// Sorts after every event id and, appended to an event id, after all its receivers.
pub(crate) const AFTER_ALL_EVENTS: &str = "{";

/// A whole primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn payment(tenant: &Tenant, id: &PaymentId) -> Self {
        Self { pk: format!("{}#{PAYMENT}#{id}", prefix(tenant)), sk: PAYMENT.to_owned() }
    }

    pub(crate) fn refund(tenant: &Tenant, id: &RefundId) -> Self {
        Self { pk: format!("{}#{REFUND}#{id}", prefix(tenant)), sk: REFUND.to_owned() }
    }

    pub(crate) fn account(tenant: &Tenant) -> Self {
        Self { pk: prefix(tenant), sk: ACCOUNT.to_owned() }
    }

    pub(crate) fn api_key(id: &KeyId) -> Self {
        Self { pk: format!("{KEY}#{id}"), sk: KEY.to_owned() }
    }

    pub(crate) fn endpoint(tenant: &Tenant, id: &EndpointId) -> Self {
        Self { pk: endpoints_of(tenant), sk: id.to_string() }
    }

    pub(crate) fn event(tenant: &Tenant, id: &EventId) -> Self {
        Self { pk: events_of(tenant), sk: id.to_string() }
    }

    pub(crate) fn delivery(tenant: &Tenant, id: &EventId, target: &Target) -> Self {
        Self { pk: events_of(tenant), sk: format!("{id}#{}", target.as_str()) }
    }

    pub(crate) fn processor_keys(tenant: &Tenant, processor: ProcessorName) -> Self {
        Self { pk: format!("{}#{PROCESSOR}", prefix(tenant)), sk: processor.as_str().to_owned() }
    }

    pub(crate) fn charge(tenant: &Tenant, processor: ProcessorName, reference: &Text<255>) -> Self {
        let pk = format!("{}#{CHARGE}#{}#{}", prefix(tenant), processor.as_str(), reference.as_str());
        Self { pk, sk: CHARGE.to_owned() }
    }

    pub(crate) fn report(tenant: &Tenant, date: &str) -> Self {
        Self { pk: reports_of(tenant), sk: date.to_owned() }
    }

    pub(crate) fn audit(tenant: &Tenant) -> Self {
        Self { pk: format!("{}#{AUDIT}", prefix(tenant)), sk: AUDIT.to_owned() }
    }

    pub(crate) fn limit(subject: &Subject) -> Self {
        let pk = match subject {
            Subject::Account(tenant) => prefix(tenant),
            Subject::Key(id) => format!("{KEY}#{id}"),
        };
        Self { pk, sk: LIMIT.to_owned() }
    }

    pub(crate) fn slots(tenant: &Tenant) -> Self {
        Self { pk: prefix(tenant), sk: SLOTS.to_owned() }
    }

    /// Whether an item has this key.
    pub(crate) fn is_of(&self, item: &HashMap<String, AttributeValue>) -> bool {
        let has = |name, text: &String| item.get(name).is_some_and(|value| value.as_s() == Ok(text));
        has(PK, &self.pk) && has(SK, &self.sk)
    }

    /// The key as the SDK takes it.
    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

fn prefix(tenant: &Tenant) -> String {
    format!("{}#{}", tenant.environment.as_str(), tenant.account)
}

/// A refund's keys in the index `by_time`.
pub(crate) fn by_time(tenant: &Tenant, created_at: Timestamp, id: &RefundId) -> (String, String) {
    (refunds_of(tenant), list_sk(&Place { created_at, id }))
}

/// A payment's keys in the index `by_time`.
pub(crate) fn payment_by_time(tenant: &Tenant, created_at: Timestamp, id: &PaymentId) -> (String, String) {
    (payments_of(tenant), list_sk(&Place { created_at, id }))
}

/// A tenant's refunds in the index `by_time`.
pub(crate) fn refunds_of(tenant: &Tenant) -> String {
    format!("{}#refunds", prefix(tenant))
}

/// A tenant's payments in the index `by_time`.
pub(crate) fn payments_of(tenant: &Tenant) -> String {
    format!("{}#payments", prefix(tenant))
}

/// The sort key of a place in the index `by_time`.
pub(crate) fn list_sk<I: Display>(place: &Place<I>) -> String {
    format!("{}#{}", place.created_at.rfc3339(), place.id)
}

/// Reads the sort key of the index `by_time` back.
pub(crate) fn place_in_list<I: for<'a> TryFrom<&'a str>>(list_sk: &str) -> Option<Place<I>> {
    let (created_at, id) = list_sk.split_once('#')?;
    Some(Place { created_at: Timestamp::parse(created_at)?, id: I::try_from(id).ok()? })
}

/// The partition of a tenant's endpoints.
pub(crate) fn endpoints_of(tenant: &Tenant) -> String {
    format!("{}#{ENDPOINTS}", prefix(tenant))
}

/// The partition of a tenant's events.
pub(crate) fn events_of(tenant: &Tenant) -> String {
    format!("{}#{EVENTS}", prefix(tenant))
}

/// The tenant of a partition, whatever is in it.
pub(crate) fn owner_of(pk: &str) -> Option<Tenant> {
    let mut parts = pk.splitn(3, '#');
    let (environment, account) = (parts.next()?, parts.next()?);
    owner(&format!("{environment}#{account}"))
}

/// The partition of a tenant's reports.
pub(crate) fn reports_of(tenant: &Tenant) -> String {
    format!("{}#{REPORTS}", prefix(tenant))
}

/// A tenant's place among the accounts of the index `by_time`.
pub(crate) fn place_of_account(tenant: &Tenant) -> String {
    prefix(tenant)
}

/// The tenant at a place among the accounts.
pub(crate) fn account_at(list_sk: &str) -> Option<Tenant> {
    owner(list_sk)
}

/// The tenant of a partition of endpoints.
pub(crate) fn owner_of_endpoints(pk: &str) -> Option<Tenant> {
    owner(pk.strip_suffix(ENDPOINTS)?.strip_suffix('#')?)
}

/// The tenant of a partition of events.
pub(crate) fn owner_of_events(pk: &str) -> Option<Tenant> {
    owner(pk.strip_suffix(EVENTS)?.strip_suffix('#')?)
}

fn owner(prefix: &str) -> Option<Tenant> {
    let (environment, account) = prefix.split_once('#')?;
    Some(Tenant {
        environment: Environment::parse(environment)?,
        account: AccountId::try_from(account).ok()?,
    })
}

/// Reads the sort key of an event: its id, and the receiver if the item is a delivery.
pub(crate) fn event_and_target(sk: &str) -> Option<(&str, Option<&str>)> {
    if !sk.starts_with("evt_") {
        return None;
    }
    Some(sk.split_once('#').map_or((sk, None), |(id, target)| (id, Some(target))))
}

/// The keys in the index `by_due` of an item to be found at a moment.
pub(crate) fn found_in_index(at: Timestamp, key: &Key) -> (String, String) {
    let sum = key.pk.bytes().chain(key.sk.bytes()).fold(0_u8, u8::wrapping_add);
    (due_shard(sum % SHARDS), place_in_due(at, &key.sk))
}

/// The sort key of the index `by_due`.
pub(crate) fn place_in_due(at: Timestamp, sk: &str) -> String {
    format!("{}#{sk}", at.rfc3339())
}

/// A partition of the index `by_due`.
pub(crate) fn due_shard(shard: u8) -> String {
    format!("due#{shard}")
}

/// Sorts after everything due by a moment, and before everything due later.
pub(crate) fn due_by(moment: Timestamp) -> String {
    format!("{}$", moment.rfc3339())
}

/// Reads `{environment}#{account}#{kind}#{id}` back.
pub(crate) fn owner_and_id<'a>(pk: &'a str, kind: &str) -> Option<(Tenant, &'a str)> {
    let mut parts = pk.splitn(4, '#');
    let environment = Environment::parse(parts.next()?)?;
    let account = AccountId::try_from(parts.next()?).ok()?;
    if parts.next()? != kind {
        return None;
    }
    Some((Tenant { environment, account }, parts.next()?))
}
