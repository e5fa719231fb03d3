//! A client of the deployed API, a receiver of its webhooks, and the faulty proxy before AWS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test's helper fails by panicking"
)]

mod client;
pub mod faults;
mod receiver;
mod stack;

pub use client::{Account, Answer};
pub use receiver::{Receiver, Webhook};
pub use stack::Stack;
