//! The deployed API over HTTP, as a client would drive it, and the stack from behind.
#![cfg(test)]

mod apart;
mod attribution;
mod bad_input;
mod changes;
mod credentials;
mod dead_letters;
mod duplicates;
mod elsewhere;
mod endpoints;
mod events;
mod examples;
mod features_altafinex;
mod features_getpaid;
mod features_processout;
mod features_yoco;
mod forged;
mod keys;
mod ledger;
mod limits;
mod lists;
mod main_job;
mod problems;
mod processors;
mod races;
mod reconciling;
mod reports;
