//! Walking over every payment: through the index `by_time`, and once, for those that it lacks, through the table.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::ids::{PaymentId, Tenant};
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::seal::Seal;
use recoup_ports::audits::{AdoptPayments, Adopted, AuditPayments, Unsealed};
use recoup_ports::lists::Place;
use recoup_ports::{ReadError, WriteError};

use crate::claim_item::Claimed;
use crate::expression::{Expression, number, text};
use crate::keys::{
    Key, LIST_PK, LIST_SK, PAYMENT, PK, SK, list_sk, payment_by_time, payments_of, place_in_list,
};
use crate::payment_item::{CLAIMS, PROCESSOR, REVISION, SEAL};
use crate::table::{Item, Table, cause, key_text, read_payment, unavailable, unreadable};
use crate::write::past_transactions;

/// The `list_sk` of the last payment that was audited.
const AUDITED_TO: &str = "audited_to";
/// Items that one page of a walk through the table looks at.
const ITEMS_PER_PAGE: i32 = 500;

impl AuditPayments for Table {
    async fn payments_behind(
        &self,
        tenant: &Tenant,
        behind: Option<&Place<PaymentId>>,
        limit: u16,
    ) -> Result<Vec<Place<PaymentId>>, ReadError> {
        let behind = behind.map(list_sk);
        self.listed_behind(&payments_of(tenant), behind, limit, place_in_list).await
    }

    async fn audited_to(&self, tenant: &Tenant) -> Result<Option<Place<PaymentId>>, ReadError> {
        let Some(item) = self.item(&Key::audit(tenant)).await? else { return Ok(None) };
        let place = key_text(&item, AUDITED_TO);
        let read = place_in_list(place);
        if read.is_none() && !place.is_empty() {
            drop(unreadable(
                key_text(&item, PK),
                "audited_to is not a payment's place; the audit begins anew",
            ));
        }
        Ok(read)
    }

    async fn keep_audited_to(
        &self,
        tenant: &Tenant,
        place: Option<&Place<PaymentId>>,
    ) -> Result<(), WriteError> {
        let mut item = Key::audit(tenant).attributes();
        let place = place.map(list_sk);
        item.extend(place.map(|place| (AUDITED_TO.to_owned(), text(place))));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map(|_| ()).map_err(|error| WriteError::Unavailable(cause(&error)))
    }
}

/// The place of a walk through the table; neither key holds a space.
fn place_in_table(key: &Item) -> String {
    format!("{} {}", key_text(key, PK), key_text(key, SK))
}

fn key_at(place: &str) -> Option<Key> {
    let (pk, sk) = place.split_once(' ')?;
    Some(Key { pk: pk.to_owned(), sk: sk.to_owned() })
}

/// The seal and the place of a payment that has not changed since it was read.
fn adoption(payment: &Payment) -> Expression {
    let mut expression = Expression::default();
    let revision = expression.name(REVISION);
    let seen = expression.value(number(payment.revision));
    expression.require(format!("{revision} = {seen}"));
    if let Some(Seal(seal)) = payment.seal {
        expression.assign(SEAL, Some(AttributeValue::B(seal.to_vec().into())));
    }
    let (list, place) = payment_by_time(&payment.tenant, payment.created_at, &payment.id);
    expression.assign(LIST_PK, Some(text(list)));
    expression.assign(LIST_SK, Some(text(place)));
    expression
}

impl Table {
    /// Those of the table's next items that a filter keeps, and where the next page begins; `None` if `from` is no place.
    pub(crate) async fn kept_of_page(
        &self,
        filter: String,
        values: Option<Item>,
        from: Option<&str>,
    ) -> Result<Option<(Vec<Item>, Option<String>)>, ReadError> {
        let start = match from.map(key_at) {
            None => None,
            Some(Some(key)) => Some(key.attributes()),
            Some(None) => return Ok(None),
        };
        let scan = self.client.scan().table_name(&self.name).consistent_read(true).filter_expression(filter);
        let scan = scan.set_expression_attribute_values(values).set_exclusive_start_key(start);
        let page = scan.limit(ITEMS_PER_PAGE).send().await.map_err(unavailable)?;
        let next = page.last_evaluated_key.as_ref().map(place_in_table);
        Ok(Some((page.items.unwrap_or_default(), next)))
    }
}

impl AdoptPayments for Table {
    async fn unsealed(&self, from: Option<&str>) -> Result<Option<Unsealed>, ReadError> {
        let filter = format!(
            "{SK} = :payment AND (attribute_not_exists({SEAL}) OR attribute_not_exists({LIST_PK}) \
             OR ({PROCESSOR} <> :sandbox AND attribute_not_exists({CLAIMS})))"
        );
        let values = Item::from([
            (":payment".to_owned(), text(PAYMENT)),
            (":sandbox".to_owned(), text(ProcessorName::Sandbox.as_str())),
        ]);
        let Some((items, next)) = self.kept_of_page(filter, Some(values), from).await? else {
            return Ok(None);
        };
        let mut unsealed = Unsealed { next, ..Unsealed::default() };
        for item in items {
            let pk = key_text(&item, PK).to_owned();
            unsealed.payments.add(&pk, read_payment(item))?;
        }
        Ok(Some(unsealed))
    }

    async fn adopt(&self, payment: &Payment) -> Result<Adopted, WriteError> {
        let mut adopted = Adopted::Yes;
        if !payment.claims.is_empty() {
            match self.change_with_claims(payment, adoption(payment)).await? {
                Claimed::Yes => return Ok(Adopted::Yes),
                Claimed::Changed => return Ok(Adopted::Changed),
                Claimed::Taken(holder) => adopted = Adopted::ChargeTaken(holder),
            }
        }
        let update = self.update(&Key::payment(&payment.tenant, &payment.id), adoption(payment));
        let Err(error) = past_transactions(|| update.clone().send()).await else { return Ok(adopted) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Adopted::Changed),
            _ => Err(WriteError::Unavailable(cause(&error))),
        }
    }
}
