//! Endpoints. The account's item counts them, in the transaction that creates or deletes one.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::endpoint::{DisabledReason, Endpoint, Switch};
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_ports::endpoints::{Changed, Created, EndpointHealth, Endpoints, KeepEndpoints};
use recoup_ports::rows::Rows;
use recoup_ports::{BoxError, ReadError, WriteError};

use crate::endpoint_item;
use crate::endpoint_item::{
    DESCRIPTION, DISABLED_AT, DISABLED_REASON, EVENTS, EndpointItem, FAILING_SINCE, REVISION, UPDATED_AT,
    URL, off,
};
use crate::expression::{Expression, number, text};
use crate::keys::{Key, PK, SK, endpoints_of};
use crate::secret_item::replace;
use crate::table::{Item, Table, cause, key_text, unavailable, unreadable};
use crate::write::{Transacted, condition_failed, past_transactions};

/// The attribute of the account's item that counts its endpoints.
const ENDPOINTS: &str = "endpoints";

pub(crate) fn read_endpoint(item: Item) -> Result<Endpoint, ReadError> {
    let key = format!("{} {}", key_text(&item, PK), key_text(&item, SK));
    endpoint_item::from_item(item).map_err(|why| unreadable(&key, why))
}

fn failed(error: impl Into<BoxError>) -> WriteError {
    WriteError::Unavailable(error.into())
}

impl Endpoints for Table {
    async fn endpoints(&self, tenant: &Tenant) -> Result<Rows<Endpoint>, ReadError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression(format!("{PK} = :endpoints"))
            .set_expression_attribute_values(Some(HashMap::from([(
                ":endpoints".to_owned(),
                text(endpoints_of(tenant)),
            )])));
        // At most 16 items of a few KB each: one page.
        let found = request.send().await.map_err(unavailable)?.items.unwrap_or_default();
        let mut endpoints = Rows::default();
        for item in found {
            let id = key_text(&item, SK).to_owned();
            endpoints.add(&id, read_endpoint(item))?;
        }
        endpoints.read.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        Ok(endpoints)
    }

    async fn endpoint(&self, tenant: &Tenant, id: &EndpointId) -> Result<Option<Endpoint>, ReadError> {
        self.item(&Key::endpoint(tenant, id)).await?.map(read_endpoint).transpose()
    }
}

/// Writes what the owner may change, and the switch.
fn change(from: &Endpoint, to: &Endpoint) -> Result<Expression, serde_dynamo::Error> {
    let mut expression = Expression::default();
    let revision = expression.name(REVISION);
    let seen = expression.value(number(from.revision));
    expression.require(format!("{revision} = {seen}"));
    expression.assign(REVISION, Some(number(to.revision)));
    expression.assign(UPDATED_AT, Some(text(to.updated_at.rfc3339())));
    expression.assign(URL, Some(text(to.url.as_str())));
    expression.assign(DESCRIPTION, to.description.as_ref().map(|one| text(one.as_str())));
    let names = to.events.names().into_iter().map(text).collect();
    expression.assign(EVENTS, Some(AttributeValue::L(names)));
    let off = off(to.switch);
    expression.assign(DISABLED_REASON, off.map(|(reason, _)| text(reason.as_str())));
    expression.assign(DISABLED_AT, off.map(|(_, at)| text(at.rfc3339())));
    // A failure recorded since the endpoint was read belongs to the old URL or switch, and is forgotten with it.
    let begins_anew = from.url != to.url || (from.switch != to.switch && to.switch == Switch::On);
    if from.failing_since != to.failing_since || (begins_anew && to.failing_since.is_none()) {
        expression.assign(FAILING_SINCE, to.failing_since.map(|since| text(since.rfc3339())));
    }
    if from.secrets != to.secrets {
        replace(&mut expression, &from.secrets, &to.secrets)?;
    }
    Ok(expression)
}

impl KeepEndpoints for Table {
    async fn create_endpoint(&self, endpoint: &Endpoint) -> Result<Created, WriteError> {
        let mut room = Expression::default();
        let count = room.name(ENDPOINTS);
        let (most, zero, one) =
            (number(Endpoint::COUNT_MAX), room.value(number(0_u32)), room.value(number(1_u32)));
        let most = room.value(most);
        room.require(format!("attribute_exists({PK})"));
        room.require(format!("(attribute_not_exists({count}) OR {count} < {most})"));
        room.set(format!("{count} = if_not_exists({count}, {zero}) + {one}"));
        let writes = vec![
            self.transact_put(serde_dynamo::to_item(EndpointItem::from(endpoint)).map_err(failed)?)
                .map_err(failed)?,
            self.transact_update(&Key::account(&endpoint.tenant), room).map_err(failed)?,
        ];
        match self.transact(writes).await {
            Transacted::Done => Ok(Created::Yes),
            // The id is 128 random bits, so an existing endpoint is this one, written by a call whose answer was lost.
            Transacted::Refused(reasons) if reasons.first().is_some_and(condition_failed) => Ok(Created::Yes),
            Transacted::Refused(_) => Ok(Created::TooMany),
            Transacted::Contended(_) => Err(failed("too many concurrent writes to the account")),
            Transacted::Failed(cause) => Err(failed(cause)),
        }
    }

    async fn change_endpoint(&self, from: &Endpoint, to: &Endpoint) -> Result<Changed, WriteError> {
        let expression = change(from, to).map_err(failed)?;
        let key = Key::endpoint(&from.tenant, &from.id);
        match self.update_endpoint(&key, expression).await? {
            Updated::Yes => Ok(Changed::Yes),
            Updated::Refused(None) => Ok(Changed::Missing),
            Updated::Refused(Some(item)) => {
                // An earlier call whose answer was lost may have written the same change.
                let stored = Endpoint { failing_since: None, ..read_endpoint(item)? };
                let ours = stored == Endpoint { failing_since: None, ..to.clone() };
                Ok(if ours { Changed::Yes } else { Changed::Overtaken })
            }
        }
    }

    async fn delete_endpoint(&self, tenant: &Tenant, id: &EndpointId) -> Result<Changed, WriteError> {
        let mut fewer = Expression::default();
        let count = fewer.name(ENDPOINTS);
        let one = fewer.value(number(1_u32));
        fewer.require(format!("attribute_exists({count})"));
        fewer.set(format!("{count} = {count} - {one}"));
        let writes = vec![
            self.transact_delete(&Key::endpoint(tenant, id)).map_err(failed)?,
            self.transact_update(&Key::account(tenant), fewer).map_err(failed)?,
        ];
        match self.transact(writes).await {
            Transacted::Done => Ok(Changed::Yes),
            Transacted::Refused(_) => Ok(Changed::Missing),
            Transacted::Contended(_) => Err(failed("too many concurrent writes to the account")),
            Transacted::Failed(cause) => Err(failed(cause)),
        }
    }
}

impl EndpointHealth for Table {
    async fn record_failing(&self, endpoint: &Endpoint, now: Timestamp) -> Result<(), WriteError> {
        if endpoint.failing_since.is_some() {
            return Ok(());
        }
        let mut expression = as_seen(endpoint);
        let failing_since = expression.name(FAILING_SINCE);
        let now = expression.value(text(now.rfc3339()));
        expression.set(format!("{failing_since} = if_not_exists({failing_since}, {now})"));
        self.update_endpoint(&Key::endpoint(&endpoint.tenant, &endpoint.id), expression).await?;
        Ok(())
    }

    async fn record_recovered(&self, endpoint: &Endpoint) -> Result<(), WriteError> {
        if endpoint.failing_since.is_none() {
            return Ok(());
        }
        let mut expression = as_seen(endpoint);
        expression.assign(FAILING_SINCE, None);
        self.update_endpoint(&Key::endpoint(&endpoint.tenant, &endpoint.id), expression).await?;
        Ok(())
    }

    async fn switch_off(
        &self,
        endpoint: &Endpoint,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let expression = change(endpoint, &endpoint.switched_off(reason, now)).map_err(failed)?;
        self.update_endpoint(&Key::endpoint(&endpoint.tenant, &endpoint.id), expression).await?;
        Ok(())
    }
}

/// A condition that the owner has changed nothing: the health of an old URL says nothing about a new one.
fn as_seen(endpoint: &Endpoint) -> Expression {
    let mut expression = Expression::default();
    let revision = expression.name(REVISION);
    let seen = expression.value(number(endpoint.revision));
    expression.require(format!("{revision} = {seen}"));
    expression
}

/// What became of a conditional write of an endpoint.
pub(crate) enum Updated {
    Yes,
    Refused(Option<Item>),
}

impl Table {
    pub(crate) async fn update_endpoint(
        &self,
        key: &Key,
        expression: Expression,
    ) -> Result<Updated, WriteError> {
        let update = self.update(key, expression);
        let Err(error) = past_transactions(|| update.clone().send()).await else { return Ok(Updated::Yes) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Updated::Refused(failed.item.clone()))
            }
            _ => Err(failed(cause(&error))),
        }
    }
}
