//! What the functions need from outside: one trait per need, one error enum per operation.
//!
//! `storage` and `outbound` implement the traits; a function's `main.rs` puts the two together.

pub mod accounts;
pub mod api_keys;
pub mod audits;
pub mod charges;
pub mod credentials;
pub mod dead_letters;
pub mod direct;
pub mod due;
pub mod endpoints;
pub mod events;
pub mod images;
pub mod jobs;
pub mod keyrings;
pub mod limits;
pub mod lists;
pub mod payments;
pub mod processor;
pub mod processor_keys;
pub mod refunds;
pub mod reports;
pub mod rows;
pub mod samples;
pub mod seal_keys;
pub mod seals;
pub mod settlement;
pub mod webhooks;

mod errors;

pub use errors::{BoxError, ReadError, WriteError, causes, refusal, without_values};
