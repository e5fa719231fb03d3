//! Wires `relay-events` to its table and its queues.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_outbound::queues::{QueueUrls, Queues};
use recoup_storage::{Table, TableImages};
use relay_events::{Context, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let urls = QueueUrls {
        refund_jobs: settings.required("REFUND_JOBS_QUEUE_URL")?,
        webhook_jobs: settings.required("WEBHOOK_JOBS_QUEUE_URL")?,
        webhook_retries: settings.required("WEBHOOK_RETRIES_QUEUE_URL")?,
        relay_dead_letters: settings.required("RELAY_DEAD_LETTER_QUEUE_URL")?,
    };
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let context = Context { images: TableImages, store, jobs: Queues::new(aws.sqs(), urls), now };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
