//! Wires `admin` to the tables, the store of secrets, the key that seals them, and the dead-letter queues.

use admin::{Context, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, now, random};
use recoup_outbound::dead_letters::{DeadLetterQueues, DeadLetterUrls};
use recoup_outbound::secrets_key::SecretsKey;
use recoup_outbound::{invoked::Invoked, keyrings::StoredKeyrings, secret_store::SecretStore};
use recoup_storage::{CredentialsTable, Table, TableImages};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let (aws, setting, names) = (Aws::from_settings(&settings)?, |name| settings.required(name), TableImages);
    let accounts = Table::new(aws.dynamodb(), setting("TABLE_NAME")?);
    let keys = CredentialsTable::new(accounts.beside(setting("CREDENTIALS_TABLE_NAME")?), accounts.clone());
    let secrets = SecretStore::new(aws.later(Aws::secrets));
    let keyrings = StoredKeyrings::named(secrets, setting, now)?.sealing(setting)?;
    let seal = SecretsKey::new(aws.later(Aws::kms), &setting("SECRETS_KEY_ID")?, now);
    let processors = Invoked::new(aws.later(Aws::lambda), setting("PROCESS_REFUND_FUNCTION")?);
    let dead_letters = DeadLetterQueues::new(aws.sqs(), DeadLetterUrls::read(setting)?);
    let context = Context { accounts, keys, keyrings, seal, dead_letters, names, processors, now, random };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event).await)).await
}
