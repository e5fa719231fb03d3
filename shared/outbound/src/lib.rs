//! What leaves the house: messages to the queues, webhooks to receivers, requests to processors.

pub mod addresses;
mod calls;
pub mod dead_letters;
pub mod http_adapter;
pub mod keyrings;
pub mod names;
pub mod processors;
pub mod queues;
mod refused;
mod reply;
pub mod sandbox;
pub mod seal_key;
pub mod secret_store;
pub mod stored_keys;
pub mod stripe;
mod unclear;
pub mod webhooks;
