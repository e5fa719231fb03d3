//! Wires `admin` to the tables, the store of secrets and the dead-letter queues.

use admin::{Context, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, now, random};
use recoup_outbound::dead_letters::{DeadLetterQueues, DeadLetterUrls};
use recoup_outbound::keyrings::StoredKeyrings;
use recoup_outbound::seal_key::StoredSealKey;
use recoup_outbound::secret_store::SecretStore;
use recoup_outbound::secrets_key::SecretsKey;
use recoup_storage::{CredentialsTable, Table, TableImages};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let (aws, table) = (Aws::from_settings(&settings)?, settings.required("TABLE_NAME")?);
    let accounts = Table::new(aws.dynamodb(), table);
    let credentials = accounts.beside(settings.required("CREDENTIALS_TABLE_NAME")?);
    let (pepper, signing) = (settings.required("PEPPER_SECRET")?, settings.required("TOKEN_SIGNING_SECRET")?);
    let secrets = SecretStore::new(aws.later(Aws::secrets));
    let seal_key = StoredSealKey::new(secrets.clone(), settings.required("TERMS_SEAL_KEY_SECRET")?);
    let keyrings = StoredKeyrings::new(secrets, pepper, signing, now).sealing(seal_key);
    let seal = SecretsKey::new(aws.later(Aws::kms), &settings.required("SECRETS_KEY_ID")?, now);
    let urls = DeadLetterUrls::read(|name| settings.required(name))?;
    let dead_letters = DeadLetterQueues::new(aws.sqs(), urls);
    let (keys, names) = (CredentialsTable::new(credentials, accounts.clone()), TableImages);
    let context = Context { accounts, keys, keyrings, seal, dead_letters, names, now, random };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
