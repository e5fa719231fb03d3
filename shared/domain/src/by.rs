//! Who did something: a key, a person, a processor, or we ourselves.

use crate::api_key::KeyUse;
use crate::ids::KeyId;
use crate::payment::{ProcessorName, fact};
use crate::text::Text;

fact!(
    /// What kind of somebody.
    ByKind {
        /// An API key.
        ApiKey = "api_key",
        /// A client, by one of its access tokens.
        Client = "client",
        /// A person in the console.
        User = "user",
        /// A processor, by what it said.
        Processor = "processor",
        /// A person who may invoke `admin`.
        Admin = "admin",
        /// Recoup itself: nobody said anything.
        Recoup = "recoup"
    }
);

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// What kind of somebody.
    pub kind: ByKind,
    /// Which one.
    pub id: Text<64>,
    /// Its name, for people.
    pub name: Option<Text<64>>,
}

impl By {
    /// The holder of a key, or of a client's token.
    pub fn key(r#use: KeyUse, id: &KeyId, name: Option<Text<64>>) -> Self {
        let kind = match r#use {
            KeyUse::Api => ByKind::ApiKey,
            KeyUse::Client => ByKind::Client,
        };
        Self { kind, id: Text::cut(id.as_str()), name }
    }

    /// A processor.
    pub fn processor(name: ProcessorName) -> Self {
        Self { kind: ByKind::Processor, id: Text::cut(name.as_str()), name: None }
    }

    /// A person who may invoke `admin`.
    pub fn admin(operator: Text<64>) -> Self {
        Self { kind: ByKind::Admin, id: operator, name: None }
    }

    /// Recoup itself.
    pub fn recoup() -> Self {
        Self { kind: ByKind::Recoup, id: Text::cut("recoup"), name: None }
    }
}
