//! Wires `process-refund` to its table, its queue and the processors.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use process_refund::{Circuits, Context, handle};
use recoup_config::{Aws, Settings, now};
use recoup_domain::waiting::JITTER_PERMILLE;
use recoup_outbound::queues::Visibility;
use recoup_outbound::sandbox::Sandbox;
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let pace = Visibility::new(aws.sqs(), settings.required("REFUND_JOBS_QUEUE_URL")?);
    let circuits = Circuits::default();
    let jitter_permille = || fastrand::u32(JITTER_PERMILLE);
    let context = Context { store, processor: Sandbox, pace, circuits, now, jitter_permille };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
