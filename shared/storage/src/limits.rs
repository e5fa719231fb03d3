//! The shared buckets of tokens, in a table of their own: neither the table of refunds nor its stream sees a request.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValue;
use recoup_domain::ids::Tenant;
use recoup_domain::limit::{FullAt, Limit};
use recoup_domain::time::{Timestamp, whole_millis};
use recoup_ports::WriteError;
use recoup_ports::limits::{Leased, Leases, SLOT, Slots, Subject};

use crate::expression::{Expression, number};
use crate::keys::{Key, PK};
use crate::table::{Item, Table, cause};

const FULL_AT: &str = "full_at";
/// The attribute by which DynamoDB deletes a bucket that nobody has asked for a day: a full one, and so none.
const EXPIRES_AT: &str = "expires_at";
const LIFE_SECONDS: u64 = 86_400;
/// Until when an account's moments for questions are taken, in milliseconds since 1970.
const TAKEN_UNTIL: &str = "taken_until";
/// Longer than the slots of a million payments.
const SLOTS_LIFE_DAYS: u64 = 30;
/// Most writes of one lease: another is needed when another process has changed what the first assumed.
const TRIES_MAX: usize = 5;

/// The table of buckets.
#[derive(Clone, Debug)]
pub struct LimitsTable {
    table: Table,
}

impl LimitsTable {
    /// The table with this name, through the client of another one.
    pub fn beside(table: &Table, name: String) -> Self {
        Self { table: table.beside(name) }
    }

    /// Takes so many tokens, if the bucket is as it was assumed to be; else how it is.
    async fn take(
        &self,
        key: &Key,
        limit: Limit,
        (tokens, seen): (u32, FullAt),
        now: Timestamp,
    ) -> Result<Result<FullAt, FullAt>, WriteError> {
        let mut expression = Expression::default();
        let full_at = expression.name(FULL_AT);
        let this_moment = expression.value(number(FullAt::of(now).0));
        if seen < FullAt::of(now) {
            let latest = expression.value(number(limit.latest(now).0));
            expression.require(format!(
                "(attribute_not_exists({PK}) OR {full_at} < {this_moment} OR {full_at} > {latest})"
            ));
            expression.assign(FULL_AT, Some(number(limit.taken(FullAt::default(), tokens, now).0)));
        } else {
            // An addition, so that processes at once do not refuse each other.
            let emptiest = expression.value(number(limit.emptiest(tokens, now).0));
            let cost = expression.value(number(limit.nanos_of(tokens)));
            expression.require(format!("{full_at} BETWEEN {this_moment} AND {emptiest}"));
            expression.set(format!("{full_at} = {full_at} + {cost}"));
        }
        expression.assign(EXPIRES_AT, Some(number(now.unix_seconds().saturating_add(LIFE_SECONDS))));
        let update = self.table.update(key, expression).return_values(ReturnValue::UpdatedNew);
        match update.send().await {
            Ok(written) => Ok(Ok(read(written.attributes(), limit, now))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Err(read(failed.item(), limit, now)))
                }
                _ => Err(WriteError::Unavailable(cause(&error))),
            },
        }
    }
}

/// A bucket that is not there is full, and so is one that is not what a process writes.
fn read(item: Option<&Item>, limit: Limit, now: Timestamp) -> FullAt {
    let text = item.and_then(|item| item.get(FULL_AT)).and_then(|value| value.as_n().ok());
    let full_at = text.and_then(|text| text.parse().ok()).map(FullAt);
    full_at.filter(|full_at| *full_at <= limit.latest(now)).unwrap_or_default()
}

impl Leases for LimitsTable {
    async fn lease(
        &self,
        subject: &Subject,
        limit: Limit,
        seen: FullAt,
        now: Timestamp,
    ) -> Result<Leased, WriteError> {
        let (key, mut seen) = (Key::limit(subject), seen);
        for _ in 0..TRIES_MAX {
            let tokens = limit.lease(seen, now);
            if tokens == 0 {
                return Ok(Leased { tokens, full_at: seen });
            }
            match self.take(&key, limit, (tokens, seen), now).await? {
                Ok(full_at) => return Ok(Leased { tokens, full_at }),
                Err(full_at) => seen = full_at,
            }
        }
        Err(WriteError::Unavailable("the bucket kept changing".into()))
    }
}

impl Slots for LimitsTable {
    async fn take_slots(&self, tenant: &Tenant, count: u32, now: Timestamp) -> Result<Timestamp, WriteError> {
        let key = Key::slots(tenant);
        let taken = whole_millis(SLOT.saturating_mul(count));
        let life = LIFE_SECONDS.saturating_mul(SLOTS_LIFE_DAYS);
        let expires_at = number(now.unix_seconds().saturating_add(life));
        for _ in 0..TRIES_MAX {
            // Those that are taken before are still to come, or there are none.
            for are_ahead in [true, false] {
                let mut expression = Expression::default();
                let until = expression.name(TAKEN_UNTIL);
                let this_moment = expression.value(number(now.unix_millis()));
                if are_ahead {
                    let taken = expression.value(number(taken));
                    expression.require(format!("{until} > {this_moment}"));
                    expression.set(format!("{until} = {until} + {taken}"));
                } else {
                    expression.require(format!("attribute_not_exists({PK}) OR {until} <= {this_moment}"));
                    let first = now.unix_millis().saturating_add(taken);
                    expression.assign(TAKEN_UNTIL, Some(number(first)));
                }
                expression.assign(EXPIRES_AT, Some(expires_at.clone()));
                let update = self.table.update(&key, expression).return_values(ReturnValue::UpdatedNew);
                match update.send().await {
                    Ok(written) => return Ok(first_slot(written.attributes(), taken).unwrap_or(now)),
                    Err(error) => match error.as_service_error() {
                        Some(UpdateItemError::ConditionalCheckFailedException(_)) => {}
                        _ => return Err(WriteError::Unavailable(cause(&error))),
                    },
                }
            }
        }
        Err(WriteError::Unavailable("the slots kept changing".into()))
    }
}

fn first_slot(written: Option<&Item>, taken: u64) -> Option<Timestamp> {
    let until: u64 = written?.get(TAKEN_UNTIL)?.as_n().ok()?.parse().ok()?;
    Timestamp::from_unix_millis(until.saturating_sub(taken))
}
