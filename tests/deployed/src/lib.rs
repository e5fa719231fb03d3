//! A client of the deployed API, and a receiver of its webhooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test's helper fails by panicking"
)]

mod client;
mod receiver;
mod stack;

pub use client::{Account, Answer};
pub use receiver::{Receiver, Webhook};
pub use stack::Stack;
