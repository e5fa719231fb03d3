//! Wires `manage-webhooks` to its table, to the key that seals and to the sender of samples.

use lambda_http::{Error, run, service_fn};
use manage_webhooks::{Context, handle};
use recoup_config::{Aws, Settings, now, random};
use recoup_http::limits::Limiter;
use recoup_outbound::{invoked::Invoked, secrets_key::SecretsKey};
use recoup_ports::webhooks::Reach;
use recoup_storage::{LimitsTable, Table};
use recoup_views::PublicUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let limiter = Limiter::named(|it| settings.optional(it), |it| LimitsTable::beside(&store, it), now)?;
    let seal = SecretsKey::new(aws.later(Aws::kms), &settings.required("SECRETS_KEY_ID")?, now);
    let samples = Invoked::new(aws.later(Aws::lambda), settings.required("DISPATCH_WEBHOOK_FUNCTION")?);
    let public_url = PublicUrl::new(&settings.required("PUBLIC_URL")?);
    let reach = Reach::allowing_private(settings.flag("ALLOW_PRIVATE_WEBHOOK_TARGETS")?);
    let context = Context { store, samples, seal, public_url, reach, now, random };
    run(service_fn(async |request| limiter.guard(request, |it| handle(&context, it)).await)).await
}
