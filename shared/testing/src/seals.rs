//! A key in the process, for tests of who seals and opens what; the real one is tried in `recoup-outbound`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use recoup_domain::ids::Tenant;
use recoup_domain::sealed::{Sealed, StoredSecret, StoredSecrets};
use recoup_domain::signing::{Retired, Secret, Secrets};
use recoup_ports::seals::{Open, OpenError, Opened, Purpose, Seal, SealError};

/// Mixed into every byte, so that a test that looks for a plain secret does not find it in a sealed one.
const MASK: u8 = 0xA5;

/// Seals and opens, counts both, and may be away. A clone is the same key.
#[derive(Clone, Debug, Default)]
pub struct TestKey(Arc<State>);

#[derive(Debug, Default)]
struct State {
    seals: AtomicUsize,
    opens: AtomicUsize,
    away: AtomicBool,
}

/// What the text is bound to, then the text: two seals of one text are equal, which those of KMS are not.
fn bound(tenant: &Tenant, purpose: &Purpose) -> Vec<u8> {
    format!("{} {} {purpose}\0", tenant.environment.as_str(), tenant.account).into_bytes()
}

impl TestKey {
    /// From now on it answers nobody, or everybody again.
    pub fn set_away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    /// How many texts were sealed since the last call.
    pub fn take_seals(&self) -> usize {
        self.0.seals.swap(0, Ordering::SeqCst)
    }

    /// How many texts were opened since the last call.
    pub fn take_opens(&self) -> usize {
        self.0.opens.swap(0, Ordering::SeqCst)
    }

    /// The secret, sealed; not counted.
    pub fn sealed(&self, tenant: &Tenant, purpose: &Purpose, text: &[u8]) -> Sealed {
        let masked = text.iter().map(|byte| byte ^ MASK);
        Sealed::new(bound(tenant, purpose).into_iter().chain(masked).collect())
    }

    /// The text, if it was sealed for this; not counted.
    pub fn opened(&self, tenant: &Tenant, purpose: &Purpose, sealed: &Sealed) -> Option<Vec<u8>> {
        let masked = sealed.bytes().strip_prefix(bound(tenant, purpose).as_slice())?;
        Some(masked.iter().map(|byte| byte ^ MASK).collect())
    }

    /// Secrets as they are stored since they are sealed.
    pub fn all_sealed(&self, tenant: &Tenant, purpose: &Purpose, secrets: &StoredSecrets) -> StoredSecrets {
        let one = |secret: &StoredSecret| match secret {
            StoredSecret::Plain(secret) => StoredSecret::Sealed(self.sealed(tenant, purpose, secret.bytes())),
            StoredSecret::Sealed(_) => secret.clone(),
        };
        let retired = secrets.retired.iter();
        let retired = retired.map(|old| Retired { secret: one(&old.secret), until: old.until }).collect();
        Secrets { current: one(&secrets.current), retired }
    }

    /// A stored secret that has to be sealed, and for this.
    pub fn secret(&self, tenant: &Tenant, purpose: &Purpose, stored: &StoredSecret) -> Secret {
        let StoredSecret::Sealed(sealed) = stored else { panic!("it is stored plain") };
        let bytes = self.opened(tenant, purpose, sealed).expect("it is sealed for this tenant and purpose");
        Secret::new(bytes).expect("it has a secret's length")
    }

    fn is_away(&self) -> bool {
        self.0.away.load(Ordering::SeqCst)
    }
}

impl Seal for TestKey {
    async fn seal(&self, tenant: &Tenant, purpose: &Purpose, text: &[u8]) -> Result<Sealed, SealError> {
        if self.is_away() {
            return Err(SealError("the key is away".into()));
        }
        self.0.seals.fetch_add(1, Ordering::SeqCst);
        Ok(self.sealed(tenant, purpose, text))
    }
}

impl Open for TestKey {
    async fn open(&self, tenant: &Tenant, purpose: &Purpose, sealed: &Sealed) -> Result<Opened, OpenError> {
        if self.is_away() {
            return Err(OpenError::Away("the key is away".into()));
        }
        self.0.opens.fetch_add(1, Ordering::SeqCst);
        let opened = self.opened(tenant, purpose, sealed);
        opened.map(Opened::new).ok_or_else(|| OpenError::Refused("it was sealed for another".into()))
    }
}
