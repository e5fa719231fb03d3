//! Wires `settle-refund` to its table, the processors' keys and the processors.

use lambda_http::{Error, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_domain::base_url::BaseUrl;
use recoup_outbound::{processors::Processors, secret_store::SecretStore};
use recoup_outbound::{secrets_key::SecretsKey, stored_keys::StoredKeys};
use recoup_storage::Table;
use settle_refund::{Context, KeysOfAccounts, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let sealed = store.beside(settings.required("CREDENTIALS_TABLE_NAME")?);
    let open = SecretsKey::new(aws.later(Aws::kms), &settings.required("SECRETS_KEY_ID")?, now);
    let (secrets, prefix) = (aws.later(Aws::secrets), settings.required("PROCESSOR_SECRETS_PREFIX")?);
    let keys = StoredKeys::new(sealed, open, SecretStore::new(secrets), &prefix, now);
    let stripe_at = settings.parsed_if_set("STRIPE_BASE_URL", BaseUrl::parse)?;
    let processor = Processors::new(keys.clone(), now, stripe_at)?;
    let context = Context { keys: KeysOfAccounts::new(store.clone(), keys), store, processor, now };
    run(service_fn(async |request| Ok::<_, Error>(handle(&context, request).await))).await
}
