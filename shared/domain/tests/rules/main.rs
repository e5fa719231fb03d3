//! The rules of money, by property: one binary, so that there is one to link.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a test's answer to the unforeseen is to fail"
)]

mod auditing;
mod conservation;
mod deciding;
mod deliveries;
mod disputing;
mod entering;
mod events;
mod golden;
mod identities;
mod money;
mod recovering;
mod refund_steps;
mod seals;
mod signatures;
mod strategies;
