//! The rules of refunds: pure values and decisions, no clock, no storage, no transport.
//!
//! Read [`decide`] for how a refund is created and [`refund::Refund::step`] for how it ends.

pub mod api_key;
pub mod audit;
pub mod balance;
pub mod base_url;
pub mod by;
pub mod currency;
pub mod decide;
pub mod delivery;
pub mod dispute;
pub mod endpoint;
pub mod enter;
pub mod event;
mod fingerprint;
pub mod ids;
pub mod keyring;
pub mod limit;
pub mod money;
pub mod or_abort;
pub mod payment;
pub mod recovery;
pub mod refund;
pub mod report;
pub mod seal;
pub mod sealed;
pub mod signing;
pub mod split;
pub mod stored_key;
pub mod text;
mod text_form;
pub mod time;
pub mod token;
pub mod verification;
pub mod waiting;
pub mod wanted;
