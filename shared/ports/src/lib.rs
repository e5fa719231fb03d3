//! What the functions need from the world: one trait per need, one error enum per operation.
//!
//! Implemented in `storage` and `outbound`; a function's `main.rs` joins the two.

pub mod credentials;
pub mod dead_letters;
pub mod due;
pub mod endpoints;
pub mod events;
pub mod images;
pub mod jobs;
pub mod lists;
pub mod payments;
pub mod processor;
pub mod processor_keys;
pub mod refunds;
pub mod reports;
pub mod rows;
pub mod settlement;
pub mod webhooks;

mod errors;

pub use errors::{BoxError, ReadError, WriteError, causes};
