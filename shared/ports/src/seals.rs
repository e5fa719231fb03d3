//! Sealing secrets before they are stored, and opening them where they are used.
//!
//! A sealed secret opens for the tenant and the purpose that it was sealed for, and for no other.

use std::fmt;

use recoup_domain::delivery::Target;
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::{Sealed, StoredSecret, StoredSecrets};
use recoup_domain::signing::{Retired, Secret, Secrets};
use recoup_domain::time::Timestamp;
use thiserror::Error;

use crate::rows::Rows;
use crate::{BoxError, ReadError, WriteError};

/// What a secret is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// It signs webhooks to this endpoint.
    Endpoint(EndpointId),
    /// It signs webhooks to refunds' own URLs.
    Account,
    /// It opens this processor.
    Processor(ProcessorName),
}

/// The purpose as it is sealed with the secret: `template.yaml` limits each role to the purposes it needs by the first
/// word, so another form would open nothing that is stored.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(id) => write!(f, "endpoint {id}"),
            Self::Account => f.write_str("account"),
            Self::Processor(name) => write!(f, "processor {}", name.as_str()),
        }
    }
}

impl From<&Target> for Purpose {
    fn from(receiver: &Target) -> Self {
        match receiver {
            Target::Endpoint(id) => Self::Endpoint(id.clone()),
            Target::RefundUrl => Self::Account,
        }
    }
}

/// A text that was sealed, and is open; never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened(Vec<u8>);

impl Opened {
    /// What the key opened.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(…)")
    }
}

/// The key did not answer, or refused to seal. Nothing was stored.
#[derive(Debug, Error)]
#[error("the secret cannot be sealed")]
pub struct SealError(#[source] pub BoxError);

/// Why a secret was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The key did not answer. Worth a retry.
    #[error("the key did not answer")]
    Away(#[source] BoxError),
    /// The key opens this secret for nobody, or not for this tenant and purpose. Not worth a retry before somebody has
    /// put it right.
    #[error("the secret cannot be opened")]
    Refused(#[source] BoxError),
}

/// Seals texts of at most 4,096 bytes.
pub trait Seal {
    /// The text as only this tenant's purpose opens it.
    fn seal(
        &self,
        tenant: &Tenant,
        purpose: &Purpose,
        text: &[u8],
    ) -> impl Future<Output = Result<Sealed, SealError>> + Send;
}

/// Opens what was sealed. What was opened is kept for some minutes.
pub trait Open {
    /// The text that was sealed for this tenant and purpose.
    fn open(
        &self,
        tenant: &Tenant,
        purpose: &Purpose,
        sealed: &Sealed,
    ) -> impl Future<Output = Result<Opened, OpenError>> + Send;
}

/// A receiver's secrets, some of which are plain: version 0.1 sealed none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainSecrets {
    /// Whose they are.
    pub tenant: Tenant,
    /// The receiver for which they sign.
    pub receiver: Target,
    /// The secrets.
    pub secrets: StoredSecrets,
}

/// A page of a walk through the table.
#[derive(Clone, Debug, Default)]
pub struct PlainPage {
    /// Receivers with a plain secret.
    pub found: Rows<PlainSecrets>,
    /// Where the next page begins; `None` at the end of the table.
    pub next: Option<String>,
}

/// The outcome of replacing secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The new secrets are stored, now or by an earlier call whose answer was lost.
    Yes,
    /// The secrets have changed since they were read; nothing was written.
    Overtaken,
}

/// Finds and replaces the secrets that sign webhooks.
pub trait KeepSecrets {
    /// The receivers with a plain secret, of all tenants, among the next items of the table. `from` is the `next` of the
    /// page before; `None` if it is no such text.
    fn plain_secrets(
        &self,
        from: Option<&str>,
    ) -> impl Future<Output = Result<Option<PlainPage>, ReadError>> + Send;

    /// Replaces a receiver's secrets if the current one is still that of `from`.
    fn replace_secrets(
        &self,
        tenant: &Tenant,
        receiver: &Target,
        from: &StoredSecrets,
        to: &StoredSecrets,
    ) -> impl Future<Output = Result<Replaced, WriteError>> + Send;
}

/// Secrets as they are to be stored: each that is still plain is sealed, the others stay as they are. So a rotation
/// needs no right to open what it retires.
pub async fn sealed<S: Seal>(
    seal: &S,
    tenant: &Tenant,
    purpose: &Purpose,
    secrets: StoredSecrets,
) -> Result<StoredSecrets, SealError> {
    let one = async |secret| match secret {
        StoredSecret::Sealed(_) => Ok(secret),
        StoredSecret::Plain(secret) => {
            seal.seal(tenant, purpose, secret.bytes()).await.map(StoredSecret::Sealed)
        }
    };
    let current = one(secrets.current).await?;
    let mut retired = Vec::with_capacity(secrets.retired.len());
    for Retired { secret, until } in secrets.retired {
        retired.push(Retired { secret: one(secret).await?, until });
    }
    Ok(Secrets { current, retired })
}

/// The secrets that sign at a moment, open.
pub async fn opened<O: Open>(
    open: &O,
    tenant: &Tenant,
    purpose: &Purpose,
    secrets: &StoredSecrets,
    now: Timestamp,
) -> Result<Secrets, OpenError> {
    let one = async |secret: &StoredSecret| match secret {
        StoredSecret::Plain(secret) => Ok(secret.clone()),
        StoredSecret::Sealed(sealed) => {
            let opened = open.open(tenant, purpose, sealed).await?;
            Secret::new(opened.bytes().to_vec())
                .ok_or_else(|| OpenError::Refused("it has a wrong length".into()))
        }
    };
    let current = one(&secrets.current).await?;
    let mut retired = Vec::new();
    for Retired { secret, until } in secrets.retired.iter().filter(|retired| now < retired.until) {
        retired.push(Retired { secret: one(secret).await?, until: *until });
    }
    Ok(Secrets { current, retired })
}
