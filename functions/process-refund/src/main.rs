//! Wires `process-refund` to its table, its queue and the processors.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use process_refund::{Context, Restraints, handle};
use recoup_config::{Aws, Settings, jitter_permille, now};
use recoup_domain::base_url::BaseUrl;
use recoup_outbound::{processors::Processors, queues::Visibility, seal_key::StoredSealKey};
use recoup_outbound::{secret_store::SecretStore, secrets_key::SecretsKey, stored_keys::StoredKeys};
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let (settings, restraints) = (Settings::from_environment(), Restraints::default());
    let (aws, of) = (Aws::from_settings(&settings)?, |name| settings.required(name));
    let store = Table::new(aws.dynamodb(), of("TABLE_NAME")?);
    let pace = Visibility::new(aws.sqs(), of("REFUND_JOBS_QUEUE_URL")?);
    let open = SecretsKey::new(aws.later(Aws::kms), &of("SECRETS_KEY_ID")?, now);
    let (sealed, secrets) = (of("CREDENTIALS_TABLE_NAME")?, SecretStore::new(aws.later(Aws::secrets)));
    let seal_keys = StoredSealKey::new(secrets.clone(), of("TERMS_SEAL_KEY_SECRET")?);
    let keys = StoredKeys::new(store.beside(sealed), open, secrets, &of("PROCESSOR_SECRETS_PREFIX")?, now);
    let processor = Processors::new(keys, now, settings.parsed_if_set("STRIPE_BASE_URL", BaseUrl::parse)?)?;
    let context = Context { store, processor, pace, seal_keys, restraints, now, jitter_permille };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
