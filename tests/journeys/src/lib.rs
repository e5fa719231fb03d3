//! Journeys: events on their way through relay-events, dispatch-webhook and release-due, joined by the stream of
//! a real table and queues on a virtual clock. Each function is proven alone beside itself; here it is that
//! nothing is lost between them. And refunds on theirs through relay-events, process-refund, release-due and
//! reconcile, whatever a queue or the stream forgets. And credentials that nobody has, from authorize to every route;
//! samples, from manage-webhooks through dispatch-webhook to a receiver; and the limits in front of every function.
#![cfg(test)]
#![recursion_limit = "256"]

mod buckets;
#[path = "../../events/charges.rs"]
mod charges;
mod cost;
mod door;
#[path = "../../events/gateway.rs"]
mod gateway;
mod imports;
mod limits;
mod lost;
mod queues;
mod receivers;
mod refunds;
mod samples;
mod scopes;
#[path = "../../events/seal_keys.rs"]
mod seal_keys;
mod splits;
mod telling;
mod tries;
mod world;
