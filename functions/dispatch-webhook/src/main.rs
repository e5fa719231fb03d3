//! Wires `dispatch-webhook`.

use dispatch_webhook::{Context, handle, waits};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings};
use recoup_outbound::queues::Visibility;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::Reach;
use recoup_storage::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let context = Context {
        secrets: Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?),
        receivers: Webhooks::new(Reach::allowing_private(settings.flag("ALLOW_PRIVATE_WEBHOOK_TARGETS")?))?,
        queue: Visibility::new(aws.sqs(), settings.required("WEBHOOK_JOBS_QUEUE_URL")?),
        now: recoup_config::now,
        jitter_permille: || fastrand::u32(waits::JITTER_PERMILLE),
    };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, &event.payload).await)).await
}
