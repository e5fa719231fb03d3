//! Wires `settle-refund` to its table, the processors' keys and the processors.

use std::convert::Infallible;

use lambda_http::{Error, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_domain::base_url::BaseUrl;
use recoup_outbound::processors::Processors;
use recoup_outbound::secret_store::SecretStore;
use recoup_outbound::stored_keys::StoredKeys;
use recoup_storage::Table;
use settle_refund::{Context, KeysOfAccounts, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let (secrets, prefix) = (SecretStore::new(aws.secrets()), settings.required("PROCESSOR_SECRETS_PREFIX")?);
    let keys = StoredKeys::new(secrets, &prefix, now);
    let processor =
        Processors::new(keys.clone(), now, settings.parsed_if_set("STRIPE_BASE_URL", BaseUrl::parse)?)?;
    let keys = KeysOfAccounts::new(store.clone(), keys);
    let context = Context { store, keys, processor, now };
    run(service_fn(async |request| Ok::<_, Infallible>(handle(&context, request).await))).await
}
