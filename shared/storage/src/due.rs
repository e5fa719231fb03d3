//! The index `by_due`. Only items that wait have its keys, so it holds nothing else and needs no scan.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use recoup_domain::time::Timestamp;
use recoup_domain::waiting::GRACE;
use recoup_ports::due::{Due, Resting};
use recoup_ports::{ReadError, WriteError};

use crate::expression::{Expression, text};
use crate::keys::{BY_DUE, DUE_PK, DUE_SK, Key, PK, RESTS, SK, WOKEN_AT, due_by, due_shard, place_in_due};
use crate::table::{Item, Table, cause, key_text, unavailable};

impl Due for Table {
    async fn due(
        &self,
        shard: u8,
        behind: Option<&Resting>,
        by: Timestamp,
        limit: u16,
    ) -> Result<Vec<Resting>, ReadError> {
        let values = [(":shard", due_shard(shard)), (":by", due_by(by))];
        let values = values.map(|(name, value)| (name.to_owned(), text(value)));
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(BY_DUE)
            .key_condition_expression(format!("{DUE_PK} = :shard AND {DUE_SK} < :by"))
            .set_expression_attribute_values(Some(HashMap::from(values)))
            .set_exclusive_start_key(behind.map(|last| place(shard, last)))
            .limit(i32::from(limit));
        let found = request.send().await.map_err(unavailable)?.items.unwrap_or_default();
        let resting = |item: &Item| Resting {
            pk: key_text(item, PK).to_owned(),
            sk: key_text(item, SK).to_owned(),
            due: key_text(item, DUE_SK).to_owned(),
        };
        Ok(found.iter().map(resting).collect())
    }

    async fn wake(&self, resting: &Resting, now: Timestamp) -> Result<(), WriteError> {
        let mut expression = Expression::default();
        let due = expression.name(DUE_SK);
        let seen = expression.value(text(resting.due.as_str()));
        expression.require(format!("{due} = {seen}"));
        // It stays in the index, so that it is found again if its message is lost.
        let later = place_in_due(now.plus(GRACE), &resting.sk);
        expression.assign(DUE_SK, Some(text(later)));
        expression.assign(WOKEN_AT, Some(text(now.rfc3339())));
        expression.assign(RESTS, None);
        let key = Key { pk: resting.pk.clone(), sk: resting.sk.clone() };
        let Err(error) = self.update(&key, expression).send().await else { return Ok(()) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(WriteError::Unavailable(cause(&error))),
        }
    }
}

/// The key after which a read of the index continues.
fn place(shard: u8, last: &Resting) -> Item {
    let keys = [
        (PK, last.pk.clone()),
        (SK, last.sk.clone()),
        (DUE_PK, due_shard(shard)),
        (DUE_SK, last.due.clone()),
    ];
    keys.map(|(name, value)| (name.to_owned(), text(value))).into()
}
