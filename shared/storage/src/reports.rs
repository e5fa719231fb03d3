//! The reports of reconciliation, and the accounts they cover, which the index `by_time` lists.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use recoup_domain::ids::Tenant;
use recoup_domain::report::Report;
use recoup_ports::reports::{KeepReports, ListTenants, Listed, Reports, Tenants};
use recoup_ports::{BoxError, ReadError, WriteError};

use crate::expression::{Expression, text};
use crate::keys::{ACCOUNTS, Key, LIST_PK, LIST_SK, PK, SK, account_at, place_of_account, reports_of};
use crate::report_item::ReportItem;
use crate::table::{Item, Table, cause, key_text, unavailable, unreadable};
use crate::write::past_transactions;

fn read_report(tenant: &Tenant, item: Item) -> Result<Report, ReadError> {
    let key = format!("{} {}", key_text(&item, PK), key_text(&item, SK));
    let item: ReportItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
    Ok(item.into_report(tenant))
}

fn failed(error: impl Into<BoxError>) -> WriteError {
    WriteError::Unavailable(error.into())
}

impl Tenants for Table {
    async fn tenants(&self, behind: Option<&Tenant>, limit: u16) -> Result<Vec<Tenant>, ReadError> {
        self.listed_behind(ACCOUNTS, behind.map(place_of_account), limit, account_at).await
    }
}

impl ListTenants for Table {
    async fn list_tenant(&self, tenant: &Tenant) -> Result<Listed, WriteError> {
        let mut expression = Expression::default();
        expression.require(format!("attribute_exists({PK})"));
        expression.assign(LIST_PK, Some(text(ACCOUNTS)));
        expression.assign(LIST_SK, Some(text(place_of_account(tenant))));
        let update = self.update(&Key::account(tenant), expression);
        let Err(error) = past_transactions(|| update.clone().send()).await else { return Ok(Listed::Yes) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Listed::NoSuchAccount),
            _ => Err(failed(cause(&error))),
        }
    }
}

impl Reports for Table {
    async fn report(&self, tenant: &Tenant, date: &str) -> Result<Option<Report>, ReadError> {
        let found = self.item(&Key::report(tenant, date)).await?;
        found.map(|item| read_report(tenant, item)).transpose()
    }

    async fn latest_report(&self, tenant: &Tenant) -> Result<Option<Report>, ReadError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression(format!("{PK} = :reports"))
            .expression_attribute_values(":reports", text(reports_of(tenant)))
            // Dates sort as text.
            .scan_index_forward(false)
            .limit(1);
        let found = request.send().await.map_err(unavailable)?.items.unwrap_or_default();
        found.into_iter().next().map(|item| read_report(tenant, item)).transpose()
    }
}

impl KeepReports for Table {
    async fn keep_report(&self, report: &Report) -> Result<(), WriteError> {
        let item = serde_dynamo::to_item(ReportItem::from(report)).map_err(failed)?;
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map(|_| ()).map_err(|error| failed(cause(&error)))
    }
}
