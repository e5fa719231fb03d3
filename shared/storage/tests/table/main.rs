//! The store on a real endpoint, through the real SDK: one binary, so that there is one to link.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::float_cmp,
    reason = "a test's answer to the unforeseen is to fail"
)]

mod api_keys;
mod auditing;
mod bench;
mod budgets;
mod claiming;
mod credentials;
mod disputing;
mod due;
mod endpoints;
mod events;
mod faults_in_reserve;
mod faults_in_settle;
mod interleavings;
mod largest;
mod left_out;
mod limits;
mod lines;
mod recovering;
mod registering;
mod reports;
mod reserving;
mod sealing;
mod settling;
mod stream;
mod taking_again;
mod tenants;
mod test_budget;
mod withdrawing;
