//! Wires `process-refund` to its table, its queue and the processors.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use process_refund::{Context, Restraints, handle};
use recoup_config::{Aws, Settings, jitter_permille, now};
use recoup_domain::base_url::BaseUrl;
use recoup_outbound::{processors::Processors, queues::Visibility, secret_store::SecretStore};
use recoup_outbound::{secrets_key::SecretsKey, stored_keys::StoredKeys};
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let sealed = store.beside(settings.required("CREDENTIALS_TABLE_NAME")?);
    let pace = Visibility::new(aws.sqs(), settings.required("REFUND_JOBS_QUEUE_URL")?);
    let open = SecretsKey::new(aws.later(Aws::kms), &settings.required("SECRETS_KEY_ID")?, now);
    let prefix = settings.required("PROCESSOR_SECRETS_PREFIX")?;
    let keys = StoredKeys::new(sealed, open, SecretStore::new(aws.later(Aws::secrets)), &prefix, now);
    let processor = Processors::new(keys, now, settings.parsed_if_set("STRIPE_BASE_URL", BaseUrl::parse)?)?;
    let context = Context { store, processor, pace, restraints: Restraints::default(), now, jitter_permille };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
