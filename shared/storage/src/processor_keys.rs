//! The accounts' keys at their processors, sealed, in the credentials table.

use aws_sdk_dynamodb::types::ReturnValue;
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::Sealed;
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{Deleted, KeepSealedKeys, SealedKeys};
use recoup_ports::{BoxError, ReadError, WriteError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::api_keys::CredentialsTable;
use crate::keys::{Key, PK};
use crate::table::{Table, cause, key_text, unreadable};

#[derive(Serialize, Deserialize)]
struct KeysItem {
    pk: String,
    sk: String,
    sealed_secret: ByteBuf,
    set_at: String,
}

fn failed(error: impl Into<BoxError>) -> WriteError {
    WriteError::Unavailable(error.into())
}

impl SealedKeys for Table {
    async fn sealed_keys(
        &self,
        tenant: &Tenant,
        processor: ProcessorName,
    ) -> Result<Option<Sealed>, ReadError> {
        let Some(item) = self.item(&Key::processor_keys(tenant, processor)).await? else { return Ok(None) };
        let key = key_text(&item, PK).to_owned();
        let item: KeysItem = serde_dynamo::from_item(item).map_err(|error| unreadable(&key, error))?;
        Ok(Some(Sealed::new(item.sealed_secret.into_vec())))
    }
}

impl KeepSealedKeys for CredentialsTable {
    async fn keep_sealed_keys(
        &self,
        tenant: &Tenant,
        processor: ProcessorName,
        sealed: &Sealed,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let Key { pk, sk } = Key::processor_keys(tenant, processor);
        let sealed_secret = ByteBuf::from(sealed.bytes());
        let item = KeysItem { pk, sk, sealed_secret, set_at: now.rfc3339() };
        let item = serde_dynamo::to_item(item).map_err(failed)?;
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| failed(cause(&error)))
    }

    async fn delete_sealed_keys(
        &self,
        tenant: &Tenant,
        processor: ProcessorName,
    ) -> Result<Deleted, WriteError> {
        let key = Key::processor_keys(tenant, processor).attributes();
        let delete = self.table.client.delete_item().table_name(&self.table.name).set_key(Some(key));
        let gone = delete.return_values(ReturnValue::AllOld).send().await;
        let gone = gone.map_err(|error| failed(cause(&error)))?;
        Ok(if gone.attributes.is_some() { Deleted::Yes } else { Deleted::Missing })
    }
}
