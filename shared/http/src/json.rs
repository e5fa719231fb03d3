//! JSON, read strictly: a duplicate key or deep nesting is an error, and a number with a fraction is never taken for
//! a whole one, because what is read here decides about money.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of a body; the API's own bodies nest 4 levels at most.
const DEPTH_MAX: usize = 16;

/// A JSON value that keeps distinctions which `serde_json::Value` would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    /// A whole number of zero or more.
    Whole(u64),
    /// A whole number below zero.
    Negative,
    /// A number with a fraction or exponent, or too large to be whole.
    Inexact,
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads one JSON document; the error says what is wrong and where, and may be shown to the caller.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let node: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if node.depth() > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(node)
    }

    fn depth(&self) -> usize {
        let below = match self {
            Self::List(items) => items.iter().map(Self::depth).max(),
            Self::Object(fields) => fields.iter().map(|(_, node)| node.depth()).max(),
            _ => return 0,
        };
        below.unwrap_or(0).saturating_add(1)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Whole(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(u64::try_from(value).map_or(Node::Negative, Node::Whole))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Inexact)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields: Vec<(String, Node)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, node)) = map.next_entry::<String, Node>()? {
            if !seen.insert(key.clone()) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice in one object")));
            }
            fields.push((key, node));
        }
        Ok(Node::Object(fields))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_by_name() {
        let error = Node::parse(br#"{"amount": 1, "amount": 2}"#).unwrap_err();
        assert!(error.contains("\"amount\" stands twice"), "{error}");
    }

    #[test]
    fn a_fraction_is_never_taken_for_money() {
        assert_eq!(Node::parse(b"10.0").unwrap(), Node::Inexact);
        assert_eq!(Node::parse(b"1e3").unwrap(), Node::Inexact);
        assert_eq!(Node::parse(b"18446744073709551616").unwrap(), Node::Inexact);
        assert_eq!(Node::parse(b"-1").unwrap(), Node::Negative);
    }

    #[test]
    fn endless_nesting_is_refused() {
        assert!(Node::parse("[".repeat(100_000).as_bytes()).is_err());
        let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
        assert!(Node::parse(deep.as_bytes()).unwrap_err().contains("16 levels"));
    }
}
