//! Wires `register-payment` to its table.

use lambda_http::{Error, run, service_fn};
use recoup_config::{Aws, Settings, now};
use recoup_http::limits::Limiter;
use recoup_outbound::{invoked::Invoked, seal_key::StoredSealKey, secret_store::SecretStore};
use recoup_storage::{LimitsTable, Table};
use recoup_views::PublicUrl;
use register_payment::{Context, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    recoup_telemetry::init();
    let settings = Settings::from_environment();
    let aws = Aws::from_settings(&settings)?;
    let store = Table::new(aws.dynamodb(), settings.required("TABLE_NAME")?);
    let limiter = Limiter::named(|it| settings.optional(it), |it| LimitsTable::beside(&store, it), now)?;
    let slots = LimitsTable::beside(&store, settings.required("LIMITS_TABLE_NAME")?);
    let secrets = SecretStore::new(aws.later(Aws::secrets));
    let seal_keys = StoredSealKey::new(secrets, settings.required("TERMS_SEAL_KEY_SECRET")?);
    let charges = Invoked::new(aws.later(Aws::lambda), settings.required("PROCESS_REFUND_FUNCTION")?);
    let public_url = PublicUrl::new(&settings.required("PUBLIC_URL")?);
    let context = Context { store, seal_keys, charges, slots, public_url, now };
    run(service_fn(async |request| limiter.guard(request, |it| handle(&context, it)).await)).await
}
