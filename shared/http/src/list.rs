//! Lists: their parameters, their opaque cursor, and their pages.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::{Request, RequestExt};
use recoup_domain::ids::EventId;
use recoup_domain::time::Timestamp;
use recoup_ports::lists::Place;
use serde::Serialize;

use crate::fields::{invalid, unknown};
use crate::problem::Problem;
use crate::respond::unwritable;

/// Entries of a page by default.
const LIMIT_DEFAULT: u16 = 20;
/// The only parameter that is a list: `expand=a,b`, `expand[]=a&expand[]=b`, or the name twice, as clients write lists.
pub const EXPAND: &str = "expand";
/// Most entries of a page.
const LIMIT_MAX: u16 = 100;

/// The parameters of a query string, taken one by one; those left over are unknown.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of a request; a duplicate is refused, except of [`EXPAND`], which is a list.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        let mut left: Vec<(String, String)> = Vec::new();
        if let Some(given) = request.query_string_parameters_ref() {
            for (name, value) in given.iter() {
                if name.contains('\0') || value.contains('\0') {
                    return Err(invalid(name, "must not contain NUL (U+0000)"));
                }
                let name = if name.strip_suffix("[]") == Some(EXPAND) { EXPAND } else { name };
                match left.iter_mut().find(|(other, _)| other == name) {
                    None => left.push((name.to_owned(), value.to_owned())),
                    Some((_, values)) if name == EXPAND => {
                        values.push(',');
                        values.push_str(value);
                    }
                    Some(_) => return Err(invalid(name, "stands twice")),
                }
            }
        }
        Ok(Self(left))
    }

    /// Takes a parameter, if it is there, and reads it with `read`.
    pub fn take<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let Some(position) = self.0.iter().position(|(key, _)| key == name) else { return Ok(None) };
        let (_, value) = self.0.remove(position);
        read(&value).map(Some).map_err(|why| invalid(name, why))
    }

    /// Takes a time.
    pub fn moment(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let what = "must be an RFC 3339 time such as 2026-11-22T00:00:00.000Z";
        self.take(name, |text| Timestamp::parse(text).ok_or(what))
    }

    /// Takes the most entries that a page may have.
    pub fn limit(&mut self) -> Result<u16, Problem> {
        let read = |text: &str| {
            let limit: Option<u16> = text.parse().ok();
            limit.filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or("must be 1 to 100")
        };
        Ok(self.take("limit", read)?.unwrap_or(LIMIT_DEFAULT))
    }

    /// Takes the position at which the page before ended.
    pub fn cursor<P: Position>(&mut self) -> Result<Option<P>, Problem> {
        self.take("cursor", |text| position(text).ok_or("must be the next_cursor of the page before"))
    }

    /// Refuses parameters that were not taken.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(&name)),
        }
    }
}

/// The position at which a page of a list ended; it stays one when what stood there is deleted. A cursor is its text in
/// opaque form.
pub trait Position: Sized {
    /// The position as text.
    fn text(&self) -> String;

    /// Reads a position back.
    fn read(text: &str) -> Option<Self>;
}

impl<I: Display + for<'a> TryFrom<&'a str>> Position for Place<I> {
    fn text(&self) -> String {
        format!("{}#{}", self.created_at.rfc3339(), self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (created_at, id) = text.split_once('#')?;
        Some(Self { created_at: Timestamp::parse(created_at)?, id: I::try_from(id).ok()? })
    }
}

impl Position for EventId {
    fn text(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Self::try_from(text).ok()
    }
}

fn cursor(position: &impl Position) -> String {
    URL_SAFE_NO_PAD.encode(position.text())
}

fn position<P: Position>(cursor: &str) -> Option<P> {
    P::read(&String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?)
}

/// Most bytes of a page's entries in Lambda's response, which may have 6 MB.
pub const PAGE_BYTES_MAX: usize = 5_000_000;

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

/// The entries of a page, up to its size.
#[derive(Debug)]
pub struct Entries<T> {
    data: Vec<T>,
    bytes: usize,
    unreadable: Vec<String>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { data: Vec::new(), bytes: 0, unreadable: Vec::new() }
    }
}

impl<T: Serialize> Entries<T> {
    /// Takes an entry; false if the page is full, and the next page starts with this entry. The first is always taken.
    pub fn takes(&mut self, entry: T) -> Result<bool, Problem> {
        let text = serde_json::to_string(&entry).map_err(unwritable)?;
        let bytes = self.bytes.saturating_add(answered_bytes(&text));
        if bytes > PAGE_BYTES_MAX && !self.data.is_empty() {
            return Ok(false);
        }
        self.bytes = bytes;
        self.data.push(entry);
        Ok(true)
    }

    /// Names an entry that is left out because it cannot be read.
    pub fn name_unreadable(&mut self, id: String) {
        if !self.unreadable.contains(&id) {
            self.unreadable.push(id);
        }
    }

    /// The number of entries so far, including the unreadable ones.
    pub fn count(&self) -> usize {
        self.data.len().saturating_add(self.unreadable.len())
    }

    /// The page; `next` is the position at which it ends, if another page follows.
    pub fn page(self, next: Option<&impl Position>) -> Page<T> {
        let Self { data, unreadable, .. } = self;
        Page { object: "list", data, has_more: next.is_some(), next_cursor: next.map(cursor), unreadable }
    }
}

/// The bytes of a text in Lambda's response, which is JSON that holds our JSON as a string.
fn answered_bytes(text: &str) -> usize {
    let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    text.len().saturating_add(escaped).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use recoup_domain::ids::{EndpointId, RefundId};

    use super::*;

    #[test]
    fn what_is_counted_is_what_lambda_answers() {
        let entries = [vec!["plain".to_owned()], vec!["\"quoted\" and \\ \n".to_owned(), "é€".to_owned()]];
        for entry in entries {
            let text = serde_json::to_string(&entry).unwrap();
            // The string's own quotes stand in for the comma.
            assert_eq!(serde_json::to_string(&text).unwrap().len() - 1, answered_bytes(&text));
        }
    }

    #[test]
    fn an_entry_too_large_for_any_page_is_still_shown_alone() {
        let large = "x".repeat(PAGE_BYTES_MAX + 1);
        let mut entries = Entries::default();
        assert!(entries.takes(large.clone()).unwrap());
        assert!(!entries.takes("small".to_owned()).unwrap());
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nothing_else_is_one() {
        let created_at = Timestamp::from_unix_millis(1_795_000_000_123).unwrap();
        let here = Place { created_at, id: RefundId::from_bits(7) };
        assert_eq!(position(&cursor(&here)), Some(here.clone()));
        let event = EventId::from_bits(7);
        assert_eq!(position(&cursor(&event)), Some(event.clone()));
        let endpoint = Place { created_at, id: EndpointId::from_bits(7) };
        assert_eq!(position(&cursor(&endpoint)), Some(endpoint.clone()));
        for text in ["", "x", "AAAA", "cmZkXzEjcmZkXzE", &cursor(&event), &cursor(&endpoint)] {
            assert_eq!(position::<Place>(text), None, "{text}");
        }
        for text in ["", "x", "AAAA", "cmZkXzEjcmZkXzE", &cursor(&here), &cursor(&endpoint)] {
            assert_eq!(position::<EventId>(text), None, "{text}");
        }
    }
}
