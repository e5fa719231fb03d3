//! Wires `read-books` to its table.

use std::convert::Infallible;

use lambda_http::{Error, run, service_fn};
use read_books::{Context, handle};
use recoup_config::{Aws, Settings};
use recoup_storage::Table;
use recoup_views::PublicUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let store = Table::new(Aws::from_settings(&settings)?.dynamodb(), settings.required("TABLE_NAME")?);
    let context = Context { store, public_url: PublicUrl::new(&settings.required("PUBLIC_URL")?) };
    run(service_fn(async |request| Ok::<_, Infallible>(handle(&context, request).await))).await
}
