//! Wires `admin` to its table and to the dead-letter queues.

use admin::{Context, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, now, random};
use recoup_domain::api_key::Pepper;
use recoup_outbound::dead_letters::{DeadLetterQueues, DeadLetterUrls};
use recoup_outbound::secrets_key::SecretsKey;
use recoup_storage::{Table, TableImages};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let accounts = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let credentials = accounts.beside(settings.required("CREDENTIALS_TABLE_NAME")?);
    let seal = SecretsKey::new(aws.later(Aws::kms), &settings.required("SECRETS_KEY_ID")?, now);
    let urls = DeadLetterUrls::read(|name| settings.required(name))?;
    let dead_letters = DeadLetterQueues::new(aws.sqs(), urls);
    let pepper = settings.parsed("API_KEY_PEPPER", |text| Pepper::new(text.into_bytes()))?;
    let names = TableImages;
    let context = Context { accounts, credentials, seal, dead_letters, names, pepper, now, random };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
