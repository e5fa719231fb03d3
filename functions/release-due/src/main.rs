//! Wires `release-due`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_storage::Table;
use release_due::{Context, handle};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let due = Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?);
    let context = Context { due, now };
    run(service_fn(async |_: LambdaEvent<Value>| handle(&context).await)).await
}
