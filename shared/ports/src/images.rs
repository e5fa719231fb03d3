//! Reading the items that the table's stream carries.

use recoup_domain::refund::Refund;
use thiserror::Error;

/// An image in DynamoDB's own JSON, as the stream has it.
pub type Image = serde_json::Map<String, serde_json::Value>;

/// An image of ours that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the image {key} cannot be read: {why}")]
pub struct UnreadableImage {
    /// The item's partition key, as far as it has one.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// Reads images.
pub trait Images {
    /// The refund an image shows; `None` for an item of another kind.
    fn refund(&self, image: &Image) -> Result<Option<Refund>, UnreadableImage>;
}
