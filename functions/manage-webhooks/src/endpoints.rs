//! Endpoints: creating, listing, reading, changing and deleting them, and rotating their secrets.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::sealed::{StoredSecret, StoredSecrets};
use recoup_domain::signing::{Secret, Secrets, TooManySecrets};
use recoup_http::endpoint::{EndpointView, named, not_found, unknown_outcome};
use recoup_http::list::{Entries, Parameters};
use recoup_http::problem::{Code, Problem};
use recoup_http::request;
use recoup_http::respond::Answer;
use recoup_ports::endpoints::{Changed, Created};
use recoup_ports::lists::Place;
use recoup_ports::rows::Rows;
use recoup_ports::seals::{Purpose, Seal, sealed};

use crate::{Context, Store, body};

/// Most attempts at one change; another is needed when the endpoint has changed meanwhile.
const TRIES_MAX: usize = 5;

impl<S, P, K> Context<S, P, K> {
    fn secret(&self) -> Secret {
        Secret::of_256_bits([(self.random)(), (self.random)()])
    }

    fn view(&self, endpoint: &Endpoint) -> EndpointView {
        EndpointView::of(endpoint, &self.public_url, (self.now)())
    }
}

impl<S, P, K: Seal> Context<S, P, K> {
    /// The endpoint's secrets as they may be stored.
    async fn sealed(&self, endpoint: &Endpoint) -> Result<StoredSecrets, Problem> {
        let purpose = Purpose::Endpoint(endpoint.id.clone());
        Ok(sealed(&self.seal, &endpoint.tenant, &purpose, endpoint.secrets.clone()).await?)
    }
}

pub(crate) async fn create<S: Store, P, K: Seal>(
    context: &Context<S, P, K>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let wanted = body::parse(request, context.reach)?;
    let id = EndpointId::from_bits((context.random)());
    let secret = context.secret();
    let secrets = Secrets::first(StoredSecret::Plain(secret.clone()));
    let mut endpoint = wanted.endpoint(tenant, id, secrets, (context.now)())?;
    endpoint.secrets = context.sealed(&endpoint).await?;
    let created = context.store.create_endpoint(&endpoint).await.map_err(|error| {
        // This logs what went wrong.
        drop(Problem::from(error));
        unknown_outcome()
    })?;
    match created {
        Created::Yes => {
            tracing::info!(endpoint.id = %endpoint.id, account.id = %tenant.account, "webhook endpoint created");
            let view = context.view(&endpoint).with_secret(&secret);
            Answer::new(StatusCode::CREATED, &view)
        }
        Created::TooMany => {
            let detail = format!("There are {} webhook endpoints, and no more can be.", Endpoint::COUNT_MAX);
            Err(Problem::new(Code::TooManyEndpoints, detail))
        }
    }
}

pub(crate) async fn list<S: Store, P, K>(
    context: &Context<S, P, K>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(request)?;
    let behind: Option<Place<EndpointId>> = parameters.cursor()?;
    let limit = usize::from(parameters.limit()?);
    parameters.finish()?;
    let place = |endpoint: &Endpoint| Place { created_at: endpoint.created_at, id: endpoint.id.clone() };
    let Rows { read, unreadable } = context.store.endpoints(tenant).await?;
    let mut entries = Entries::default();
    let mut last = None;
    let left = read.iter().filter(|endpoint| behind.as_ref().is_none_or(|behind| place(endpoint) > *behind));
    let mut next = None;
    for (position, endpoint) in left.enumerate() {
        if position == limit || !entries.takes(context.view(endpoint))? {
            next = last;
            break;
        }
        last = Some(place(endpoint));
    }
    // An unreadable endpoint has no place in the list, so every page names it.
    for row in unreadable {
        entries.name_unreadable(row.id);
    }
    Answer::new(StatusCode::OK, &entries.page(next.as_ref()))
}

/// The endpoint with this id, or a 404.
pub(crate) async fn found<S: Store, P, K>(
    context: &Context<S, P, K>,
    tenant: &Tenant,
    id: &EndpointId,
) -> Result<Endpoint, Problem> {
    context.store.endpoint(tenant, id).await?.ok_or_else(not_found)
}

pub(crate) async fn get<S: Store, P, K>(
    context: &Context<S, P, K>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    Parameters::of(request)?.finish()?;
    let endpoint = found(context, tenant, &named(request)?).await?;
    Answer::new(StatusCode::OK, &context.view(&endpoint))
}

/// Changes an endpoint to what `next` returns, and again when another change came first. `None` is not written. New
/// secrets are stored sealed, and so are those that version 0.1 stored plain beside them.
async fn changed<S: Store, P, K: Seal>(
    context: &Context<S, P, K>,
    tenant: &Tenant,
    id: &EndpointId,
    next: impl Fn(&Endpoint) -> Result<Option<Endpoint>, Problem>,
) -> Result<Endpoint, Problem> {
    for _ in 0..TRIES_MAX {
        let endpoint = found(context, tenant, id).await?;
        let Some(mut next) = next(&endpoint)? else { return Ok(endpoint) };
        if next.secrets != endpoint.secrets {
            next.secrets = context.sealed(&next).await?;
        }
        match context.store.change_endpoint(&endpoint, &next).await? {
            Changed::Yes => return Ok(next),
            Changed::Missing => return Err(not_found()),
            Changed::Overtaken => {}
        }
    }
    let detail = "The webhook endpoint keeps changing. The same request may be sent again.";
    Err(Problem::new(Code::Unavailable, detail))
}

pub(crate) async fn change<S: Store, P, K: Seal>(
    context: &Context<S, P, K>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let id = named(request)?;
    let wanted = body::parse(request, context.reach)?;
    let next = |endpoint: &Endpoint| Ok(wanted.applied_to(endpoint, (context.now)()));
    let endpoint = changed(context, tenant, &id, next).await?;
    Answer::new(StatusCode::OK, &context.view(&endpoint))
}

pub(crate) async fn delete<S: Store, P, K>(
    context: &Context<S, P, K>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let id = named(request)?;
    request::body(request, &[])?.finish()?;
    match context.store.delete_endpoint(tenant, &id).await? {
        Changed::Yes => {
            tracing::info!(endpoint.id = %id, account.id = %tenant.account, "webhook endpoint deleted");
            Ok(Answer::done())
        }
        Changed::Missing | Changed::Overtaken => Err(not_found()),
    }
}

pub(crate) async fn rotate_secret<S: Store, P, K: Seal>(
    context: &Context<S, P, K>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let id = named(request)?;
    let overlap = body::overlap(request)?;
    let secret = context.secret();
    let next = |endpoint: &Endpoint| {
        let now = (context.now)();
        let new = StoredSecret::Plain(secret.clone());
        let secrets = endpoint.secrets.rotated(new, now, overlap).map_err(too_many)?;
        Ok(Some(Endpoint { secrets, ..endpoint.changed(now) }))
    };
    let endpoint = changed(context, tenant, &id, next).await?;
    tracing::info!(endpoint.id = %id, account.id = %tenant.account, "webhook secret rotated");
    Answer::new(StatusCode::OK, &context.view(&endpoint).with_secret(&secret))
}

fn too_many(TooManySecrets(until): TooManySecrets) -> Problem {
    let detail = format!(
        "{} earlier secrets are still valid, and the first of them is until {}. Rotate after that, or without overlap.",
        Secrets::RETIRED_MAX,
        until.rfc3339()
    );
    Problem::new(Code::TooManySecrets, detail)
}
