//! Sealing secrets before they are stored, and opening them where they are used.
//!
//! A sealed secret opens for the tenant and the purpose that it was sealed for, and for no other.

use std::fmt;

use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::{Sealed, StoredSecret, StoredSecrets};
use recoup_domain::signing::{Retired, Secret, Secrets};
use recoup_domain::time::Timestamp;
use thiserror::Error;

use crate::BoxError;

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
