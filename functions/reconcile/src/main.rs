//! Wires `reconcile`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use reconcile::{Context, handle};
use recoup_config::{Aws, Settings, now};
use recoup_domain::base_url::BaseUrl;
use recoup_outbound::processors::Processors;
use recoup_outbound::{seal_key::StoredSealKey, secret_store::SecretStore};
use recoup_outbound::{secrets_key::SecretsKey, stored_keys::StoredKeys};
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let secrets = SecretStore::new(aws.later(Aws::secrets));
    let sealed = store.beside(settings.required("CREDENTIALS_TABLE_NAME")?);
    let open = SecretsKey::new(aws.later(Aws::kms), &settings.required("SECRETS_KEY_ID")?, now);
    let prefix = settings.required("PROCESSOR_SECRETS_PREFIX")?;
    let keys = StoredKeys::new(sealed, open, secrets.clone(), &prefix, now);
    let stripe_at = settings.parsed_if_set("STRIPE_BASE_URL", BaseUrl::parse)?;
    let seal_keys = StoredSealKey::new(secrets, settings.required("TERMS_SEAL_KEY_SECRET")?);
    let context = Context { store, processor: Processors::new(keys, now, stripe_at)?, seal_keys, now };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
