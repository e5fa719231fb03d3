//! The secrets that sign webhooks, wherever they lie: found where they are plain, and replaced by who saw them.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use recoup_domain::delivery::Target;
use recoup_domain::ids::Tenant;
use recoup_domain::sealed::{StoredSecret, StoredSecrets};
use recoup_ports::seals::{KeepSecrets, PlainPage, PlainSecrets, Replaced};
use recoup_ports::{ReadError, WriteError};

use crate::credentials::read_secrets;
use crate::endpoints::read_endpoint;
use crate::expression::Expression;
use crate::keys::{ACCOUNT, Key, PK, SK, owner_of};
use crate::secret_item::{PLAIN, RETIRED_SECRETS, replace};
use crate::table::{Item, Table, cause, key_text, unreadable};
use crate::write::past_transactions;

/// The secrets of an account's item or of an endpoint's.
fn read(item: Item) -> Result<PlainSecrets, ReadError> {
    if key_text(&item, SK) != ACCOUNT {
        let endpoint = read_endpoint(item)?;
        let receiver = Target::Endpoint(endpoint.id);
        return Ok(PlainSecrets { tenant: endpoint.tenant, receiver, secrets: endpoint.secrets });
    }
    let pk = key_text(&item, PK).to_owned();
    let tenant = owner_of(&pk).ok_or_else(|| unreadable(&pk, "pk is not that of an account"))?;
    Ok(PlainSecrets { tenant, receiver: Target::RefundUrl, secrets: read_secrets(item)? })
}

fn is_plain(secrets: &StoredSecrets) -> bool {
    let retired = secrets.retired.iter().map(|retired| &retired.secret);
    std::iter::once(&secrets.current).chain(retired).any(|secret| matches!(secret, StoredSecret::Plain(_)))
}

impl KeepSecrets for Table {
    async fn plain_secrets(&self, from: Option<&str>) -> Result<Option<PlainPage>, ReadError> {
        let filter = format!("attribute_exists({PLAIN}) OR attribute_exists({RETIRED_SECRETS})");
        let Some((items, next)) = self.kept_of_page(filter, None, from).await? else { return Ok(None) };
        let mut page = PlainPage { next, ..PlainPage::default() };
        for item in items {
            let key = format!("{} {}", key_text(&item, PK), key_text(&item, SK));
            page.found.add(&key, read(item))?;
        }
        page.found.read.retain(|found| is_plain(&found.secrets));
        Ok(Some(page))
    }

    async fn replace_secrets(
        &self,
        tenant: &Tenant,
        receiver: &Target,
        from: &StoredSecrets,
        to: &StoredSecrets,
    ) -> Result<Replaced, WriteError> {
        let key = match receiver {
            Target::Endpoint(id) => Key::endpoint(tenant, id),
            Target::RefundUrl => Key::account(tenant),
        };
        let mut expression = Expression::default();
        replace(&mut expression, from, to).map_err(|error| WriteError::Unavailable(error.into()))?;
        let update = self.update(&key, expression);
        let Err(error) = past_transactions(|| update.clone().send()).await else { return Ok(Replaced::Yes) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let stored = failed.item.clone().map(read).transpose()?;
                // An earlier call whose answer was lost may have written the same secrets.
                let is_ours = stored.is_some_and(|stored| stored.secrets == *to);
                Ok(if is_ours { Replaced::Yes } else { Replaced::Overtaken })
            }
            _ => Err(WriteError::Unavailable(cause(&error))),
        }
    }
}
