//! `admin`, driven with commands.
#![cfg(test)]

mod administering;
mod dead_letters;
mod given_up;
mod reports;
mod secrets;
