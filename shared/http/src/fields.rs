//! A body's fields, taken one by one: each refusal names the parameter by its path, and fields left over are unknown.

use recoup_domain::ids::InvalidId;
use recoup_domain::money::{Currency, WrittenAmount};
use recoup_domain::text::{Metadata, Text};

use crate::idempotency::{HEADER, is_nearly_its_name};
use crate::json::Node;
use crate::problem::{Code, Problem};

/// A value with its path in the body.
#[derive(Debug)]
pub struct Entry {
    path: String,
    node: Node,
}

/// A field as given in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given<T> {
    /// The field is absent.
    Absent,
    /// The field is null.
    Null,
    /// The field has a value.
    Value(T),
}

/// The fields of one object that have not been taken yet.
#[derive(Debug)]
pub struct Fields {
    path: String,
    left: Vec<(String, Node)>,
}

impl Fields {
    /// Reads a whole body; an empty one has no fields.
    ///
    /// `known` has each name that the body may have, by path: `amount`, `routing.merchants[].amount`, and `metadata.*`
    /// where the caller chooses the names. Unknown names are refused first: a misspelt name explains a missing one.
    pub fn parse(body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self { path: String::new(), left: Vec::new() });
        }
        let node = Node::parse(body).map_err(|why| {
            Problem::new(Code::InvalidJson, format!("The body is not the JSON this endpoint reads: {why}."))
        })?;
        if !matches!(node, Node::Object(_)) {
            return Err(Problem::new(Code::InvalidJson, "The body must be a JSON object."));
        }
        refuse_unknown(&node, known, &Place::default())?;
        refuse_nul(&node, "")?;
        Entry { path: String::new(), node }.object()
    }

    fn path_of(&self, name: &str) -> String {
        joined(&self.path, name)
    }

    /// Takes a field, if it is there and not null.
    pub fn take(&mut self, name: &str) -> Option<Entry> {
        match self.take_nullable(name) {
            Given::Absent | Given::Null => None,
            Given::Value(entry) => Some(entry),
        }
    }

    /// Takes a field that decides about money: null is refused, since it may be a number that the caller's code lost.
    pub fn take_said(&mut self, name: &str) -> Result<Option<Entry>, Problem> {
        match self.take_nullable(name) {
            Given::Absent => Ok(None),
            Given::Value(entry) => Ok(Some(entry)),
            Given::Null => {
                Err(invalid(&self.path_of(name), "must not be null; leave it out if you mean nothing by it"))
            }
        }
    }

    /// Takes a field for which null and absent differ.
    pub fn take_nullable(&mut self, name: &str) -> Given<Entry> {
        let Some(position) = self.left.iter().position(|(key, _)| key == name) else { return Given::Absent };
        match self.left.remove(position).1 {
            Node::Null => Given::Null,
            node => Given::Value(Entry { path: self.path_of(name), node }),
        }
    }

    /// The names of the fields that have not been taken yet.
    pub fn names(&self) -> Vec<String> {
        self.left.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Takes a field that must be there.
    pub fn require(&mut self, name: &str) -> Result<Entry, Problem> {
        self.take(name).ok_or_else(|| {
            let path = self.path_of(name);
            Problem::new(Code::MissingParameter, format!("{path} is required.")).about(path)
        })
    }

    /// Whether a field is there, without taking it.
    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(key, node)| key == name && *node != Node::Null)
    }

    /// Refuses fields that were not taken.
    pub fn finish(self) -> Result<(), Problem> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(&self.path_of(name))),
        }
    }
}

impl Entry {
    /// The path of the value, such as `routing.merchants[1].amount`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The problem with this value, whose detail is `<path> <what>.`
    pub fn invalid(&self, what: impl std::fmt::Display) -> Problem {
        invalid(&self.path, what)
    }

    /// An object.
    pub fn object(self) -> Result<Fields, Problem> {
        match self.node {
            Node::Object(left) => Ok(Fields { path: self.path, left }),
            _ => Err(invalid(&self.path, "must be an object")),
        }
    }

    /// A list of at most `max` values.
    pub fn list(self, max: usize) -> Result<Vec<Entry>, Problem> {
        let Node::List(items) = self.node else {
            return Err(invalid(&self.path, "must be a list"));
        };
        if items.len() > max {
            return Err(invalid(&self.path, format_args!("must have at most {max} entries")));
        }
        let entries = items.into_iter().enumerate();
        Ok(entries.map(|(index, node)| Entry { path: format!("{}[{index}]", self.path), node }).collect())
    }

    /// A text and its path.
    pub fn string(self) -> Result<(String, String), Problem> {
        match self.node {
            Node::Text(text) => Ok((text, self.path)),
            _ => Err(invalid(&self.path, "must be a string")),
        }
    }

    /// A text, read with `read`.
    pub fn read<T, E: std::fmt::Display>(
        self,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Problem> {
        let (text, path) = self.string()?;
        read(&text).map_err(|why| invalid(&path, why))
    }

    /// An id of any kind.
    pub fn id<T: for<'text> TryFrom<&'text str, Error = InvalidId>>(self) -> Result<T, Problem> {
        self.read(|text| T::try_from(text))
    }

    /// One of these names.
    pub fn one_of<T>(self, names: &[&str], parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
        self.read(|text| parse(text).ok_or_else(|| format!("must be one of {}", names.join(", "))))
    }

    /// A bounded text.
    pub fn text<const MAX: usize>(self) -> Result<Text<MAX>, Problem> {
        let (text, path) = self.string()?;
        Text::new(text).map_err(|why| invalid(&path, why))
    }

    /// A currency, given as its code.
    pub fn currency(self) -> Result<Currency, Problem> {
        self.read(|code| {
            Currency::parse(code).ok_or_else(|| match Currency::parse(&code.to_ascii_uppercase()) {
                Some(meant) => format!("must be upper case: {}", meant.code()),
                None => "must be an ISO 4217 code such as EUR".to_owned(),
            })
        })
    }

    /// True or false.
    pub fn boolean(self) -> Result<bool, Problem> {
        match self.node {
            Node::Bool(value) => Ok(value),
            _ => Err(invalid(&self.path, "must be true or false")),
        }
    }

    /// A whole number of at most `max`.
    pub fn whole(self, max: u32) -> Result<u32, Problem> {
        let number = match self.node {
            Node::Whole(number) => u32::try_from(number).ok().filter(|number| *number <= max),
            _ => None,
        };
        number.ok_or_else(|| {
            invalid(&self.path, format_args!("must be an integer from 0 to {max}, never a float"))
        })
    }

    /// An amount: an integer in minor units or a decimal string in major units.
    pub fn amount(self) -> Result<WrittenAmount, Problem> {
        match self.node {
            Node::Whole(minor) => Ok(WrittenAmount::Minor(minor)),
            Node::Text(text) => Ok(WrittenAmount::Major(text)),
            Node::Negative => Err(invalid(&self.path, "must not be negative")),
            _ => Err(invalid(
                &self.path,
                "must be an integer in minor units or a decimal string in major units, never a float",
            )),
        }
    }

    /// The caller's own key-value pairs.
    pub fn metadata(self) -> Result<Metadata, Problem> {
        let path = self.path.clone();
        let mut pairs = std::collections::BTreeMap::new();
        for (key, node) in self.object()?.left {
            let Node::Text(value) = node else {
                return Err(invalid(&format!("{path}.{key}"), "must be a string"));
            };
            pairs.insert(key, value);
        }
        Metadata::new(pairs).map_err(|why| invalid(&path, why))
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A value's place, for the caller (`merchants[1].id`) and for the list of known names (`merchants[].id`).
#[derive(Default)]
struct Place {
    path: String,
    pattern: String,
}

fn refuse_unknown(node: &Node, known: &[&str], place: &Place) -> Result<(), Problem> {
    match node {
        Node::Object(fields) => {
            if known.contains(&joined(&place.pattern, "*").as_str()) {
                return Ok(());
            }
            for (name, node) in fields {
                let (path, pattern) = (joined(&place.path, name), joined(&place.pattern, name));
                let holds = |known: &&str| {
                    let below = known.strip_prefix(pattern.as_str());
                    below.is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
                };
                if !known.iter().any(holds) {
                    return Err(unknown(&path));
                }
                refuse_unknown(node, known, &Place { path, pattern })?;
            }
            Ok(())
        }
        Node::List(items) => items.iter().enumerate().try_for_each(|(index, node)| {
            let path = format!("{}[{index}]", place.path);
            refuse_unknown(node, known, &Place { path, pattern: format!("{}[]", place.pattern) })
        }),
        Node::Null | Node::Bool(_) | Node::Whole(_) | Node::Negative | Node::Inexact | Node::Text(_) => {
            Ok(())
        }
    }
}

/// No text that people write contains NUL, and many receivers' databases cannot store it.
fn refuse_nul(node: &Node, path: &str) -> Result<(), Problem> {
    match node {
        Node::Text(text) if text.contains('\0') => Err(invalid(path, "must not contain NUL (U+0000)")),
        Node::Object(fields) => fields.iter().try_for_each(|(name, node)| {
            if name.contains('\0') {
                return Err(invalid(path, "must not have a name that contains NUL (U+0000)"));
            }
            refuse_nul(node, &joined(path, name))
        }),
        Node::List(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, node)| refuse_nul(node, &format!("{path}[{index}]")))
        }
        Node::Null | Node::Bool(_) | Node::Whole(_) | Node::Negative | Node::Inexact | Node::Text(_) => {
            Ok(())
        }
    }
}

/// The problem of a parameter that does not exist, with a hint where the value belongs.
pub(crate) fn unknown(path: &str) -> Problem {
    let mut detail = format!("{path} is not a parameter here.");
    if is_nearly_its_name(path) || path == HEADER {
        detail.push_str(" The key is sent in the header Idempotency-Key.");
    }
    if path == "expand" {
        detail.push_str(" It is one of GET /v1/refunds/{refund_id} and of the lists of refunds.");
    }
    Problem::new(Code::UnknownParameter, detail).about(path)
}

/// An `invalid_parameter` problem about the value at a path.
pub fn invalid(path: &str, what: impl std::fmt::Display) -> Problem {
    Problem::new(Code::InvalidParameter, format!("{path} {what}.")).about(path)
}
