//! Reading the stream's images with the same eyes as the table's items.

use recoup_domain::refund::Refund;
use recoup_ports::images::{Image, Images, UnreadableImage};

use crate::keys::{PK, REFUND, SK};
use crate::refund_item::RefundItem;

/// Reads images of this table.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableImages;

impl Images for TableImages {
    fn refund(&self, image: &Image) -> Result<Option<Refund>, UnreadableImage> {
        let text = |name: &str| image.get(name)?.get("S")?.as_str();
        let key = text(PK).unwrap_or_default().to_owned();
        let unreadable = |why: String| UnreadableImage { key: key.clone(), why };
        let kind = text(SK).ok_or_else(|| unreadable("it has no sort key".to_owned()))?;
        if kind != REFUND {
            return Ok(None);
        }
        let image = serde_json::Value::Object(image.clone());
        let item: serde_dynamo::Item =
            serde_json::from_value(image).map_err(|error| unreadable(error.to_string()))?;
        let item: RefundItem =
            serde_dynamo::from_item(item).map_err(|error| unreadable(error.to_string()))?;
        item.into_refund().map(Some).map_err(|why| unreadable(why.to_owned()))
    }
}
