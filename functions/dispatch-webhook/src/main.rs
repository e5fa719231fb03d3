//! Wires `dispatch-webhook`.

use dispatch_webhook::{Context, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use recoup_config::{Aws, Settings, jitter_permille, now};
use recoup_outbound::secrets_key::SecretsKey;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::Reach;
use recoup_storage::Table;
use recoup_views::PublicUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let receivers = Webhooks::new(Reach::allowing_private(settings.flag("ALLOW_PRIVATE_WEBHOOK_TARGETS")?))?;
    let open = SecretsKey::new(aws.later(Aws::kms), &settings.required("SECRETS_KEY_ID")?, now);
    let public_url = PublicUrl::new(&settings.required("PUBLIC_URL")?);
    let context = Context { store, receivers, open, public_url, now, jitter_permille };
    run(service_fn(async |event: LambdaEvent<_>| handle(&context, &event.payload).await)).await
}
