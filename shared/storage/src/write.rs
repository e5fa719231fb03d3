//! Writing: one update, or a transaction that is retried while other writers conflict with it.

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use recoup_ports::BoxError;

use crate::expression::Expression;
use crate::keys::{Key, PK};
use crate::retry::Backoff;
use crate::table::{Item, Table, cause};

const CONDITION_FAILED: &str = "ConditionalCheckFailed";
const CONFLICT: &str = "TransactionConflict";
const WRITE_IN_CONFLICT: &str = "TransactionConflictException";
/// Passing reasons: the same transaction may be sent again.
const PASSING: [&str; 3] = [CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"];

/// The outcome of a transaction.
pub(crate) enum Transacted {
    /// Everything is written.
    Done,
    /// A condition did not hold; the reasons are in the order of the writes.
    Refused(Vec<CancellationReason>),
    /// Other writers kept conflicting; nothing is written.
    Contended(Vec<CancellationReason>),
    /// No answer, or an unexpected one: everything or nothing may be written.
    Failed(BoxError),
}

pub(crate) fn condition_failed(reason: &CancellationReason) -> bool {
    reason.code() == Some(CONDITION_FAILED)
}

pub(crate) fn in_conflict(reason: &CancellationReason) -> bool {
    reason.code() == Some(CONFLICT)
}

/// Sends a single write again while a transaction conflicts with it, a bounded number of times.
pub(crate) async fn past_transactions<T, E, Sent>(send: impl Fn() -> Sent) -> Result<T, SdkError<E>>
where
    E: ProvideErrorMetadata,
    Sent: Future<Output = Result<T, SdkError<E>>>,
{
    let mut backoff = Backoff::new();
    loop {
        match send().await {
            // The SDK retries throttling, but not this.
            Err(error) if error.code() == Some(WRITE_IN_CONFLICT) => {
                if !backoff.wait().await {
                    return Err(error);
                }
            }
            answer => return answer,
        }
    }
}

impl Table {
    /// An update that returns the old item if its condition does not hold.
    pub(crate) fn update(&self, key: &Key, expression: Expression) -> UpdateItemFluentBuilder {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .update_expression(expression.update())
            .condition_expression(expression.condition())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (names, values) = expression.into_names_and_values();
        request.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values))
    }

    /// The same update as a part of a transaction.
    pub(crate) fn transact_update(
        &self,
        key: &Key,
        expression: Expression,
    ) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .update_expression(expression.update())
            .condition_expression(expression.condition())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (names, values) = expression.into_names_and_values();
        let update =
            update.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    /// Puts a new item, as a part of a transaction; returns the old item if there is one.
    pub(crate) fn transact_put(&self, item: Item) -> Result<TransactWriteItem, BoxError> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists({PK})"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    /// Deletes an item if it exists, as a part of a transaction.
    pub(crate) fn transact_delete(&self, key: &Key) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression(format!("attribute_exists({PK})"));
        Ok(TransactWriteItem::builder().delete(delete.build()?).build())
    }

    /// Sends a transaction until it is written or refused, or has met too many conflicts.
    ///
    /// The token is the same each time, so a write whose answer was lost is recognised, not repeated. While the
    /// first item is in conflict, nothing is concluded from the second: the first decides.
    pub(crate) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Transacted {
        let token = format!("{:032x}", fastrand::u128(..));
        let mut backoff = Backoff::new();
        loop {
            let request = self.client.transact_write_items().client_request_token(&token);
            let sent = request.set_transact_items(Some(writes.clone())).send().await;
            let Err(error) = sent else { return Transacted::Done };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons().to_vec()
                }
                Some(TransactWriteItemsError::TransactionInProgressException(_)) => Vec::new(),
                _ => return Transacted::Failed(cause(&error)),
            };
            let passing =
                |reason: &CancellationReason| reason.code().is_some_and(|code| PASSING.contains(&code));
            if reasons.first().is_some_and(condition_failed) {
                return Transacted::Refused(reasons);
            }
            if reasons.is_empty() || reasons.iter().any(passing) {
                if backoff.wait().await {
                    continue;
                }
                return Transacted::Contended(reasons);
            }
            if reasons.iter().any(condition_failed) {
                return Transacted::Refused(reasons);
            }
            return Transacted::Failed(cause(&error));
        }
    }
}
