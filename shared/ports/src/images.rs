//! Reading the item images that the table's stream carries, in whatever form it carries them.

use recoup_domain::delivery::Delivery;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use thiserror::Error;

/// An image of one of our items that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the image {key} cannot be read: {why}")]
pub struct UnreadableImage {
    /// The item's partition key, if it has one.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// What an image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A refund.
    Refund(Box<Refund>),
    /// A delivery of an event to a receiver.
    Delivery(Box<Delivery>),
    /// An endpoint.
    Endpoint(Box<Endpoint>),
    /// A payment whose processor's word is awaited.
    Payment(Box<Payment>),
    /// Anything else.
    Other,
}

/// Reads images.
pub trait Images<Image> {
    /// The item that an image holds.
    fn shown(&self, image: &Image) -> Result<Shown, UnreadableImage>;
}

/// Whose an item is, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The tenant.
    pub tenant: Tenant,
    /// The refund, if the item is or concerns one.
    pub refund: Option<RefundId>,
    /// The event, if the item is one.
    pub event: Option<EventId>,
}

/// Identifies items that cannot be read.
pub trait Names<Image> {
    /// What the key in an image, or a bare key, says; none if the key is not one of ours.
    fn named(&self, image: &Image) -> Option<Named>;
}
