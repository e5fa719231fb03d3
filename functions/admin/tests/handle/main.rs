//! `admin`, driven with commands.
#![cfg(test)]

mod administering;
mod dead_letters;
mod given_up;
mod keys;
mod ordering;
mod reports;
mod rotation;
mod sealing;
mod secrets;
mod settling;
mod world;
