//! Journeys: events on their way through relay-events, dispatch-webhook and release-due, joined by the stream of
//! a real table and queues on a virtual clock. Each function is proven alone beside itself; here it is that
//! nothing is lost between them. And refunds on theirs through relay-events, process-refund, release-due and
//! reconcile, whatever a queue or the stream forgets.
#![cfg(test)]

mod cost;
mod lost;
mod refund_world;
mod refunds;
mod tries;
mod world;
