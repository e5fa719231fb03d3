//! The processors, over real HTTP: what every one of them keeps, and what is Stripe's or an adapter's own.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects, reason = "a test's answer to the unforeseen is to fail")]

mod adapter;
mod books;
mod charges;
mod clock;
mod contract;
mod dispatch;
mod example;
mod fake_adapter;
mod fake_stripe;
mod faults;
mod keyrings;
mod limits;
mod list;
mod logs;
mod parts;
#[path = "../tls/proof.rs"]
mod proof;
mod sandbox;
mod seal_key;
mod sealed_keys;
mod secrets_key;
mod server;
mod stored_keys;
mod stripe;
mod tls;
mod turned_away;
mod world;
