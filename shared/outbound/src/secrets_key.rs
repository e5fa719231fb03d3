//! The key in AWS KMS that seals the accounts' secrets.
//!
//! Environment, account and purpose go with each secret as its encryption context, so a sealed secret that was copied
//! to another tenant's row does not open there. What was opened is kept for a while: a delivery costs no call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use recoup_domain::ids::Tenant;
use recoup_domain::sealed::Sealed;
use recoup_domain::time::Timestamp;
use recoup_ports::seals::{Open, OpenError, Opened, Purpose, Seal, SealError};
use tokio::sync::Mutex as Turn;
use tokio::time::timeout;

use crate::kept::Kept;
use crate::lazy::Lazy;
use crate::unread::{Unread, Words, unread};

/// One call with all its tries.
const CALL_LIMIT: Duration = Duration::from_secs(2);
const WORDS: Words =
    Words { did_not_answer: "the key service did not answer", refused: "the key service refused" };

/// Seals and opens through KMS. A clone shares what is kept.
#[derive(Clone, Debug)]
pub struct SecretsKey {
    client: Lazy<Client>,
    id: Arc<str>,
    now: fn() -> Timestamp,
    call_limit: Duration,
    kept: Arc<Mutex<Kept<Wanted, Opened>>>,
    turns: Arc<Mutex<HashMap<Wanted, Weak<Turn<()>>>>>,
}

/// A sealed secret, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    tenant: Tenant,
    purpose: Purpose,
    sealed: Sealed,
}

impl SecretsKey {
    /// The key with this id or ARN. The client is built when the first secret is sealed or opened.
    pub fn new(client: impl FnOnce() -> Client + Send + 'static, id: &str, now: fn() -> Timestamp) -> Self {
        Self {
            client: Lazy::new(client),
            id: id.into(),
            now,
            call_limit: CALL_LIMIT,
            kept: Arc::new(Mutex::new(Kept::empty())),
            turns: Arc::default(),
        }
    }

    /// The same with another limit for each call.
    #[must_use]
    pub fn within(self, call_limit: Duration) -> Self {
        Self { call_limit, ..self }
    }

    fn with_kept<T>(&self, act: impl FnOnce(&mut Kept<Wanted, Opened>) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn kept(&self, wanted: &Wanted) -> Option<Opened> {
        let now = (self.now)();
        self.with_kept(|kept| kept.fresh(wanted, now).and_then(|entry| entry.value.clone()))
    }

    /// Whoever wants the same secret at once waits here for the one who asks.
    fn turn(&self, wanted: &Wanted) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(wanted).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(wanted.clone(), Arc::downgrade(&turn));
        turn
    }

    async fn decrypt(&self, wanted: &Wanted) -> Result<Opened, Unread> {
        let request = self
            .client
            .get()
            .decrypt()
            .key_id(&*self.id)
            .ciphertext_blob(Blob::new(wanted.sealed.bytes()))
            .set_encryption_context(Some(context(&wanted.tenant, &wanted.purpose)));
        let answer = timeout(self.call_limit, request.send()).await.map_err(|_| Unread::too_late())?;
        let answer = answer.map_err(|error| unread(&error, &WORDS))?;
        let text = answer.plaintext.ok_or(Unread::unusable("the answer has no text"))?;
        Ok(Opened::new(text.into_inner()))
    }

    async fn encrypt(&self, tenant: &Tenant, purpose: &Purpose, text: &[u8]) -> Result<Sealed, Unread> {
        let request = self
            .client
            .get()
            .encrypt()
            .key_id(&*self.id)
            .plaintext(Blob::new(text))
            .set_encryption_context(Some(context(tenant, purpose)));
        let answer = timeout(self.call_limit, request.send()).await.map_err(|_| Unread::too_late())?;
        let answer = answer.map_err(|error| unread(&error, &WORDS))?;
        let sealed = answer.ciphertext_blob.ok_or(Unread::unusable("the answer has no text"))?;
        Ok(Sealed::new(sealed.into_inner()))
    }
}

/// What is sealed with each secret, and has to be said again to open it.
fn context(tenant: &Tenant, purpose: &Purpose) -> HashMap<String, String> {
    HashMap::from([
        ("environment".to_owned(), tenant.environment.as_str().to_owned()),
        ("account".to_owned(), tenant.account.to_string()),
        ("purpose".to_owned(), purpose.to_string()),
    ])
}

impl Seal for SecretsKey {
    async fn seal(&self, tenant: &Tenant, purpose: &Purpose, text: &[u8]) -> Result<Sealed, SealError> {
        self.encrypt(tenant, purpose, text).await.map_err(|Unread { why, cause, .. }| {
            tracing::error!(
                account.id = %tenant.account, environment = tenant.environment.as_str(), %purpose, why, cause,
                "a secret cannot be sealed"
            );
            SealError(why.into())
        })
    }
}

impl Open for SecretsKey {
    async fn open(&self, tenant: &Tenant, purpose: &Purpose, sealed: &Sealed) -> Result<Opened, OpenError> {
        let (of, purpose, sealed) = (tenant.clone(), purpose.clone(), sealed.clone());
        let wanted = Wanted { tenant: of, purpose, sealed };
        if let Some(opened) = self.kept(&wanted) {
            return Ok(opened);
        }
        let turn = self.turn(&wanted);
        let _turn = turn.lock().await;
        if let Some(opened) = self.kept(&wanted) {
            return Ok(opened);
        }
        let decrypted = self.decrypt(&wanted).await;
        let now = (self.now)();
        let Unread { why, cause, away } = match decrypted {
            Ok(opened) => {
                self.with_kept(|kept| kept.keep(&wanted, Some(opened.clone()), now));
                return Ok(opened);
            }
            Err(unread) => unread,
        };
        let kept = if away { self.with_kept(|kept| kept.outlive(&wanted, now)) } else { None };
        tracing::error!(
            account.id = %tenant.account,
            environment = tenant.environment.as_str(),
            purpose = %wanted.purpose,
            why,
            cause,
            kept = kept.is_some(),
            "a secret cannot be opened"
        );
        kept.ok_or_else(|| if away { OpenError::Away(why.into()) } else { OpenError::Refused(why.into()) })
    }
}
