//! Who did something, as stored: in few bytes, since a refund's item has to stay under 1 KB.

use std::fmt::{Display, Formatter, Result as Written};

use recoup_domain::by::{By, ByKind};
use recoup_domain::payment::ProcessorName;
use recoup_domain::text::Text;
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

/// What begins the id of every key.
const KEY: &str = "key_";

/// Kind and id in one line, and the name, if there is one, in the next. An API key, which most refunds are by, is the rest
/// of its id alone.
#[derive(Debug, SerializeDisplay, DeserializeFromStr)]
pub(crate) struct ByItem(By);

impl Display for ByItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let By { kind, id, name } = &self.0;
        match id.as_str().strip_prefix(KEY).filter(|_| *kind == ByKind::ApiKey) {
            Some(rest) => f.write_str(rest)?,
            None => write!(f, "{} {}", kind.as_str(), id.as_str())?,
        }
        name.as_ref().map_or(Ok(()), |name| write!(f, "\n{}", name.as_str()))
    }
}

impl std::str::FromStr for ByItem {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (line, name) = text.split_once('\n').map_or((text, None), |(line, name)| (line, Some(name)));
        let read =
            |text: &str| Text::new(text.to_owned()).map_err(|_| "an id or a name is empty or too long");
        let (kind, id) = match line.split_once(' ') {
            Some((kind, id)) => (ByKind::parse(kind).ok_or("it is by an unknown kind")?, read(id)?),
            None if line.is_empty() => return Err("it is not known by whom"),
            None => (ByKind::ApiKey, read(&format!("{KEY}{line}"))?),
        };
        Ok(Self(By { kind, id, name: name.map(read).transpose()? }))
    }
}

impl From<By> for ByItem {
    fn from(by: By) -> Self {
        Self(by)
    }
}

impl From<ByItem> for By {
    fn from(ByItem(by): ByItem) -> Self {
        by
    }
}

/// Who made a change of a refund.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum ChangedByItem {
    /// Always true: the refund's own processor.
    Processor(bool),
    /// Anybody else.
    Other(ByItem),
}

impl ChangedByItem {
    pub(crate) fn new(by: &By, processor: ProcessorName) -> Self {
        if *by == By::processor(processor) { Self::Processor(true) } else { Self::Other(by.clone().into()) }
    }

    pub(crate) fn read(self, processor: ProcessorName) -> By {
        match self {
            Self::Processor(_) => By::processor(processor),
            Self::Other(by) => by.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_it_was_is_read_back() {
        let by = |id: &str, name: Option<&str>| By {
            kind: ByKind::Admin,
            id: Text::cut(id),
            name: name.map(Text::cut),
        };
        for by in [by("Jo Smith", None), by("a", Some("two\nlines")), by(" ", Some(" ")), By::recoup()] {
            assert_eq!(By::from(ByItem(by.clone()).to_string().parse::<ByItem>().unwrap()), by);
        }
        let key = By { kind: ByKind::ApiKey, id: Text::cut("key_1"), name: Some(Text::cut("a shop")) };
        assert_eq!(By::from(ByItem(key.clone()).to_string().parse::<ByItem>().unwrap()), key);
        for text in ["", "nobody jo", "admin ", "admin jo\n"] {
            assert!(text.parse::<ByItem>().is_err(), "{text:?}");
        }
    }
}
