//! Wires `update-refund` to its table.

use lambda_http::{Error, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_http::limits::Limiter;
use recoup_storage::{LimitsTable, Table};
use recoup_views::PublicUrl;
use update_refund::{Context, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let store = Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?);
    let limiter = Limiter::named(|it| settings.optional(it), |it| LimitsTable::beside(&store, it), now)?;
    let public_url = PublicUrl::new(&settings.required("PUBLIC_URL")?);
    let context = Context { store, public_url, now };
    run(service_fn(async |request| limiter.guard(request, |it| handle(&context, it)).await)).await
}
