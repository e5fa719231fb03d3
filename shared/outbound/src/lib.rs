//! What leaves the house: messages to the queues, webhooks to receivers, requests to processors.

pub mod addresses;
pub mod names;
pub mod queues;
mod reply;
pub mod sandbox;
pub mod webhooks;
