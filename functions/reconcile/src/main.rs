//! Wires `reconcile`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_outbound::sandbox::Sandbox;
use recoup_storage::Table;
use reconcile::{Context, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let store = Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?);
    let context = Context { store, processor: Sandbox, now };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
