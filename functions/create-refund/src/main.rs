//! Wires `create-refund` to its table.

use create_refund::{Context, handle};
use lambda_http::{Error, run, service_fn};
use recoup_config::{Aws, Settings, now, random};
use recoup_http::limits::Limiter;
use recoup_ports::webhooks::Reach;
use recoup_storage::{LimitsTable, Table};
use recoup_views::PublicUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let store = Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?);
    let limiter = Limiter::named(|it| settings.optional(it), |it| LimitsTable::beside(&store, it), now)?;
    let public_url = PublicUrl::new(&settings.required("PUBLIC_URL")?);
    let reach = Reach::allowing_private(settings.flag("ALLOW_PRIVATE_WEBHOOK_TARGETS")?);
    let context = Context { store, public_url, reach, now, random };
    run(service_fn(async |request| limiter.guard(request, |it| handle(&context, it)).await)).await
}
