//! Reading the items that the table's stream carries, in whatever form it carries them.

use recoup_domain::delivery::Delivery;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use thiserror::Error;

/// An image of ours that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the image {key} cannot be read: {why}")]
pub struct UnreadableImage {
    /// The item's partition key, as far as it has one.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// An image that matters to those who are told of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A refund.
    Refund(Box<Refund>),
    /// An event on its way to a receiver.
    Delivery(Box<Delivery>),
    /// A receiver.
    Endpoint(Box<Endpoint>),
    /// Anything else.
    Other,
}

/// Reads images.
pub trait Images<Image> {
    /// What an image shows.
    fn shown(&self, image: &Image) -> Result<Shown, UnreadableImage>;
}

/// Whose an item is, and of what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Whose.
    pub tenant: Tenant,
    /// The refund, if it is or tells of one.
    pub refund: Option<RefundId>,
    /// The event, if it is one.
    pub event: Option<EventId>,
}

/// Names items that cannot be read.
pub trait Names<Image> {
    /// What an image, or a bare key, gives away; nothing if the key is not of ours.
    fn named(&self, image: &Image) -> Option<Named>;
}
