//! Wires `read-books` to its table.

use lambda_http::{Error, run, service_fn};
use read_books::{Context, handle};
use recoup_config::{Aws, Settings, now};
use recoup_http::limits::Limiter;
use recoup_storage::{LimitsTable, Table};
use recoup_views::PublicUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let store = Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?);
    let limiter = Limiter::named(|it| settings.optional(it), |it| LimitsTable::beside(&store, it), now)?;
    let context = Context { store, public_url: PublicUrl::new(&settings.required("PUBLIC_URL")?) };
    run(service_fn(async |request| limiter.guard(request, |it| handle(&context, it)).await)).await
}
