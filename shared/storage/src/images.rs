//! Reading the stream's images with the same code as the table's items.

use recoup_domain::ids::{EventId, RefundId};
use recoup_ports::images::{Images, Named, Names, Shown, UnreadableImage};
use recoup_ports::without_values;

use crate::event_item::REFUND_ID;
use crate::keys::{
    PAYMENT, PK, REFUND, SK, event_and_target, owner_and_id, owner_of, owner_of_endpoints, owner_of_events,
};
use crate::payment_item::PaymentItem;
use crate::refund_item::ASK_AT;
use crate::table::Item;
use crate::{delivery_item, endpoint_item, refund_item};

/// An image in DynamoDB's own JSON, as the stream carries it.
pub type Image = serde_json::Map<String, serde_json::Value>;

/// Reads images of this table.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableImages;

impl Images<Image> for TableImages {
    fn shown(&self, image: &Image) -> Result<Shown, UnreadableImage> {
        let text = |name| text(image, name);
        let pk = text(PK).unwrap_or_default();
        let unreadable = |why: String| UnreadableImage { key: pk.to_owned(), why: without_values(&why) };
        let sk = text(SK).ok_or_else(|| unreadable("it has no sort key".to_owned()))?;
        let item = || item(image).map_err(unreadable);
        let shown = if sk == REFUND {
            refund_item::from_item(item()?).map(|refund| Shown::Refund(Box::new(refund)))
        } else if sk == PAYMENT && image.contains_key(ASK_AT) {
            let payment: Result<PaymentItem, _> = serde_dynamo::from_item(item()?);
            let payment =
                payment.map_err(|error| error.to_string()).and_then(|item| Ok(item.into_payment()?));
            payment.map(|payment| Shown::Payment(Box::new(payment)))
        } else if owner_of_events(pk).is_some()
            && event_and_target(sk).is_some_and(|(_, target)| target.is_some())
        {
            delivery_item::from_item(item()?).map(|delivery| Shown::Delivery(Box::new(delivery)))
        } else if owner_of_endpoints(pk).is_some() {
            endpoint_item::from_item(item()?).map(|endpoint| Shown::Endpoint(Box::new(endpoint)))
        } else {
            Ok(Shown::Other)
        };
        shown.map_err(unreadable)
    }
}

impl Names<Image> for TableImages {
    fn named(&self, image: &Image) -> Option<Named> {
        let pk = text(image, PK)?;
        let of_key = owner_and_id(pk, REFUND).map(|(_, id)| id);
        let refund = of_key.or_else(|| text(image, REFUND_ID)).and_then(|id| RefundId::try_from(id).ok());
        let event = text(image, SK).and_then(event_and_target).and_then(|(id, _)| EventId::try_from(id).ok());
        Some(Named { tenant: owner_of(pk)?, refund, event })
    }
}

fn text<'image>(image: &'image Image, name: &str) -> Option<&'image str> {
    image.get(name)?.get("S")?.as_str()
}

fn item(image: &Image) -> Result<Item, String> {
    let image = serde_json::Value::Object(image.clone());
    let item: serde_dynamo::Item = serde_json::from_value(image).map_err(|error| error.to_string())?;
    Ok(item.into())
}
