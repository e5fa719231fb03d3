//! The DynamoDB tables: key shapes, items, and the conditions that hold the rules.
//!
//! A read may inform a decision; only the condition of a write makes it true. Reads of the table are strongly
//! consistent, and each names its tenant, since every key of a tenant's data does.

mod accounts;
mod api_keys;
mod audits;
mod by_item;
mod claim_item;
mod credentials;
mod delivery_item;
mod dispute_item;
mod due;
mod endpoint_item;
mod endpoints;
mod event_item;
mod events;
mod expression;
mod images;
mod keys;
mod limits;
mod list;
mod payment_item;
mod plain_secrets;
mod processor_keys;
mod recovery_item;
mod refund_item;
mod register;
mod report_item;
mod reports;
mod reserve;
mod retry;
mod secret_item;
mod settle;
mod table;
mod test_budget;
mod verification_item;
mod version_item;
mod write;

pub use api_keys::CredentialsTable;
pub use images::{Image, TableImages};
pub use limits::LimitsTable;
pub use table::Table;
