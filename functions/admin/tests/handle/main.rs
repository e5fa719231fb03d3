//! `admin`, driven with commands.
#![cfg(test)]

mod administering;
mod dead_letters;
mod given_up;
mod reports;
#[path = "../../../../tests/events/seal_keys.rs"]
mod seal_keys;
mod sealing;
