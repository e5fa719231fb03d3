//! Wires `issue-token` to its table.

use std::convert::Infallible;

use issue_token::{Context, handle};
use lambda_http::{Error, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_domain::api_key::Pepper;
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let keys = Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?);
    let pepper = settings.parsed("API_KEY_PEPPER", |text| Pepper::new(text.into_bytes()))?;
    let context = Context { keys, pepper, now };
    run(service_fn(async |request| Ok::<_, Infallible>(handle(&context, &request).await))).await
}
