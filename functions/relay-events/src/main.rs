//! Wires `relay-events` to its queues.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings};
use recoup_http::view::PublicUrl;
use recoup_outbound::queues::{QueueUrls, Queues};
use recoup_storage::TableImages;
use relay_events::{Context, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let urls = QueueUrls {
        refund_jobs: settings.required("REFUND_JOBS_QUEUE_URL")?,
        webhook_jobs: settings.required("WEBHOOK_JOBS_QUEUE_URL")?,
        relay_dead_letters: settings.required("RELAY_DEAD_LETTER_QUEUE_URL")?,
    };
    let jobs = Queues::new(Aws::from_settings(&settings)?.sqs(), urls);
    let public_url = PublicUrl::new(&settings.required("PUBLIC_URL")?);
    let context = Context { images: TableImages, jobs, public_url };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, event.payload).await)).await
}
