//! What leaves the house: messages to the queues, webhooks to receivers, requests to processors.

mod addresses;
pub mod queues;
pub mod sandbox;
pub mod webhooks;
