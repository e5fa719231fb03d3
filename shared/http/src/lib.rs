//! The API's outer skin: strict JSON in, views (`recoup_views`) and problems out. No rule about money lives here.

pub mod accept;
pub mod endpoint;
pub mod event;
pub mod fields;
pub mod idempotency;
mod json;
pub mod limits;
pub mod list;
pub mod payment;
pub mod problem;
pub mod quote;
pub mod refund;
mod refusal;
pub mod report;
pub mod request;
pub mod respond;
pub mod route;
pub mod webhook;
