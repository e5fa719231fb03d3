//! Lists: their parameters, their opaque cursor, and how a page looks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::{Request, RequestExt};
use recoup_domain::ids::{EndpointId, EventId, RefundId};
use recoup_domain::time::Timestamp;
use recoup_ports::lists::Place;
use serde::Serialize;

use crate::fields::{invalid, unknown};
use crate::problem::Problem;

/// Entries of a page where nothing is said.
const LIMIT_DEFAULT: u16 = 20;
/// The one parameter that is a list: `expand=a,b`, `expand[]=a&expand[]=b`, or the name twice, as clients write lists.
pub const EXPAND: &str = "expand";
/// Most entries of a page.
const LIMIT_MAX: u16 = 100;

/// The parameters of a query string, taken one by one; what nobody took is unknown.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of a request; one that stands twice is refused, but for [`EXPAND`], which is a list.
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

    /// A parameter that `read` understands, if it is there.
    pub fn take<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let Some(position) = self.0.iter().position(|(key, _)| key == name) else { return Ok(None) };
        let (_, value) = self.0.remove(position);
        read(&value).map(Some).map_err(|why| invalid(name, why))
    }

    /// A moment.
    pub fn moment(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let what = "must be an RFC 3339 time such as 2026-11-22T00:00:00.000Z";
        self.take(name, |text| Timestamp::parse(text).ok_or(what))
    }

    /// How many entries a page may have.
    pub fn limit(&mut self) -> Result<u16, Problem> {
        let read = |text: &str| {
            let limit: Option<u16> = text.parse().ok();
            limit.filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or("must be 1 to 100")
        };
        Ok(self.take("limit", read)?.unwrap_or(LIMIT_DEFAULT))
    }

    /// Where the page before ended.
    pub fn cursor<P: Position>(&mut self) -> Result<Option<P>, Problem> {
        self.take("cursor", |text| position(text).ok_or("must be the next_cursor of the page before"))
    }

    /// Refuses what was not taken.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(&name)),
        }
    }
}

/// Where a page of a list ended; a cursor is its text, made opaque.
pub trait Position: Sized {
    /// As it is written.
    fn text(&self) -> String;

    /// Reads it back.
    fn read(text: &str) -> Option<Self>;
}

impl Position for Place {
    fn text(&self) -> String {
        format!("{}#{}", self.created_at.rfc3339(), self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (created_at, id) = text.split_once('#')?;
        Some(Self { created_at: Timestamp::parse(created_at)?, id: RefundId::try_from(id).ok()? })
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

/// An endpoint's place: when it was made, then its id. It stays a place when the endpoint is gone.
impl Position for (Timestamp, EndpointId) {
    fn text(&self) -> String {
        format!("{}#{}", self.0.rfc3339(), self.1)
    }

    fn read(text: &str) -> Option<Self> {
        let (created_at, id) = text.split_once('#')?;
        Some((Timestamp::parse(created_at)?, EndpointId::try_from(id).ok()?))
    }
}

fn cursor(position: &impl Position) -> String {
    URL_SAFE_NO_PAD.encode(position.text())
}

fn position<P: Position>(cursor: &str) -> Option<P> {
    P::read(&String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?)
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page; `next` is where the one behind it starts, if there is one.
    pub fn new(data: Vec<T>, next: Option<&impl Position>) -> Self {
        Self { object: "list", data, has_more: next.is_some(), next_cursor: next.map(cursor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nothing_else_is_one() {
        let created_at = Timestamp::from_unix_millis(1_795_000_000_123).unwrap();
        let here = Place { created_at, id: RefundId::random(7) };
        assert_eq!(position(&cursor(&here)), Some(here.clone()));
        let event = EventId::random(7);
        assert_eq!(position(&cursor(&event)), Some(event.clone()));
        let endpoint = (created_at, EndpointId::random(7));
        assert_eq!(position(&cursor(&endpoint)), Some(endpoint.clone()));
        for text in ["", "x", "AAAA", "cmZkXzEjcmZkXzE", &cursor(&event), &cursor(&endpoint)] {
            assert_eq!(position::<Place>(text), None, "{text}");
        }
        for text in ["", "x", "AAAA", "cmZkXzEjcmZkXzE", &cursor(&here), &cursor(&endpoint)] {
            assert_eq!(position::<EventId>(text), None, "{text}");
        }
    }
}
