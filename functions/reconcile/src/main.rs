//! Wires `reconcile`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use reconcile::{Context, handle};
use recoup_config::{Aws, Settings, now};
use recoup_domain::base_url::BaseUrl;
use recoup_outbound::processors::Processors;
use recoup_outbound::seal_key::StoredSealKey;
use recoup_outbound::secret_store::SecretStore;
use recoup_outbound::stored_keys::StoredKeys;
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let secrets = SecretStore::new(aws.secrets());
    let keys = StoredKeys::new(secrets, &settings.required("PROCESSOR_SECRETS_PREFIX")?, now);
    let stripe_at = settings.parsed_if_set("STRIPE_BASE_URL", BaseUrl::parse)?;
    let secret_store = SecretStore::new(aws.secrets());
    let seal_keys = StoredSealKey::new(secret_store, settings.required("TERMS_SEAL_KEY_SECRET")?);
    let context = Context { store, processor: Processors::new(keys, now, stripe_at)?, seal_keys, now };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
