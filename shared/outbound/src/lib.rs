//! What leaves the house: messages to the queues, webhooks to receivers, requests to processors.

pub mod addresses;
mod calls;
pub mod dead_letters;
pub mod http_adapter;
pub mod invoked;
mod kept;
pub mod keyrings;
mod lazy;
pub mod names;
pub mod processors;
pub mod queues;
mod refused;
mod reply;
pub mod sandbox;
pub mod seal_key;
pub mod secret_store;
pub mod secrets_key;
pub mod stored_keys;
pub mod stripe;
mod unclear;
mod unread;
pub mod webhooks;
mod wordless;
