//! Wires `dispatch-webhook`.

use dispatch_webhook::{Context, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, jitter_permille, now};
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::Reach;
use recoup_storage::Table;
use recoup_views::PublicUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let context = Context {
        store: Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?),
        receivers: Webhooks::new(Reach::allowing_private(settings.flag("ALLOW_PRIVATE_WEBHOOK_TARGETS")?))?,
        public_url: PublicUrl::new(&settings.required("PUBLIC_URL")?),
        now,
        jitter_permille,
    };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, &event.payload).await)).await
}
