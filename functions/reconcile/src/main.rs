//! Wires `reconcile`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use reconcile::{Context, handle};
use recoup_config::{Aws, Settings, now};
use recoup_domain::base_url::BaseUrl;
use recoup_outbound::{processors::Processors, seal_key::StoredSealKey, secret_store::SecretStore};
use recoup_outbound::{secrets_key::SecretsKey, stored_keys::StoredKeys};
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let (aws, setting) = (Aws::from_settings(&settings)?, |name| settings.required(name));
    let store = Table::new(aws.dynamodb(), setting("TABLE_NAME")?);
    let secrets = SecretStore::new(aws.later(Aws::secrets));
    let sealed = store.beside(setting("CREDENTIALS_TABLE_NAME")?);
    let open = SecretsKey::new(aws.later(Aws::kms), &setting("SECRETS_KEY_ID")?, now);
    let keys = StoredKeys::new(sealed, open, secrets.clone(), &setting("PROCESSOR_SECRETS_PREFIX")?, now);
    let stripe_at = settings.parsed_if_set("STRIPE_BASE_URL", BaseUrl::parse)?;
    let seal_keys = StoredSealKey::new(secrets, setting("TERMS_SEAL_KEY_SECRET")?);
    let context = Context { store, processor: Processors::new(keys, now, stripe_at)?, seal_keys, now };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
