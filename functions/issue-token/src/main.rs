//! Wires `issue-token` to the table of credentials and the store of secrets.

use std::convert::Infallible;

use issue_token::{Context, handle};
use lambda_http::{Error, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_outbound::keyrings::StoredKeyrings;
use recoup_outbound::secret_store::SecretStore;
use recoup_storage::{CredentialsTable, Table};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let before = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let keys = CredentialsTable::new(before.beside(settings.required("CREDENTIALS_TABLE_NAME")?), before);
    let secrets = SecretStore::new(aws.later(Aws::secrets));
    let keyrings = StoredKeyrings::named(secrets, |name| settings.required(name), now)?;
    let context = Context { keys, keyrings, now };
    run(service_fn(async |request| Ok::<_, Infallible>(handle(&context, &request).await))).await
}
