//! Points in time to the millisecond, and the business days after them.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{datetime, format_description};
use time::{Date, OffsetDateTime, UtcOffset, Weekday};

use crate::text_form::text_form;

const MILLIS: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const DAY: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");

/// A moment in UTC, to the millisecond, in the years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(OffsetDateTime);

text_form!([] Timestamp, this => this.rfc3339(), text => Self::parse(&text).ok_or("not a time"));

impl Timestamp {
    /// The last of them.
    pub(crate) const LAST: Self = Self(datetime!(9999-12-31 23:59:59.999 UTC));

    /// Milliseconds since 1970; `None` outside the years that RFC 3339 can write.
    pub fn from_unix_millis(millis: u64) -> Option<Self> {
        let nanos = i128::from(millis).checked_mul(1_000_000)?;
        let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
        (moment.year() <= 9999).then_some(Self(moment))
    }

    /// Milliseconds since 1970.
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0.unix_timestamp_nanos().checked_div(1_000_000).unwrap_or(0)).unwrap_or(0)
    }

    /// Reads RFC 3339 with any offset; finer than a millisecond is cut.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?.to_offset(UtcOffset::UTC);
        let millis = moment.unix_timestamp_nanos().checked_div(1_000_000)?;
        Self::from_unix_millis(u64::try_from(millis).ok()?)
    }

    /// `2026-11-22T09:30:00.000Z`: always 24 characters, so that text sorts as time does.
    pub fn rfc3339(self) -> String {
        self.0.format(MILLIS).unwrap_or_default()
    }

    /// So much later, to the millisecond; the last moment of the year 9999 at most.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self::from_unix_millis(self.unix_millis().saturating_add(millis)).unwrap_or(Self::LAST)
    }

    /// So much earlier, to the millisecond; the first moment of 1970 at least.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self::from_unix_millis(self.unix_millis().saturating_sub(millis)).unwrap_or(self)
    }

    /// The time since an earlier moment; none since a later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.unix_millis().saturating_sub(earlier.unix_millis()))
    }

    /// Its day in UTC, `2026-11-22`.
    pub fn date(self) -> String {
        self.0.date().format(DAY).unwrap_or_default()
    }

    /// The first moment of a day in UTC, written `2026-11-22`.
    pub fn of_day(text: &str) -> Option<Self> {
        // What is read has to be written in the same way, or one day would have two names.
        Self::parse(&format!("{text}T00:00:00.000Z")).filter(|day| day.date() == text)
    }

    /// The day, `2026-11-25`, that lies `days` business days (weekdays, UTC) later.
    pub fn business_days_later(self, days: u8) -> String {
        let mut date = self.0.date();
        let mut left = days;
        while left > 0 {
            date = date.next_day().unwrap_or(Date::MAX);
            if !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) {
                left = left.saturating_sub(1);
            }
        }
        date.format(DAY).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_written_and_nothing_else_is_one() {
        for text in ["1970-01-01", "2024-02-29", "2026-11-22", "9999-12-31"] {
            let day = Timestamp::of_day(text).unwrap();
            assert_eq!((day.date().as_str(), day.rfc3339()), (text, format!("{text}T00:00:00.000Z")));
        }
        for text in
            ["", "latest", "2026-11-31", "2025-02-29", "2026-1-2", "20261122", "1969-12-31", "2026-11-22 "]
        {
            assert_eq!(Timestamp::of_day(text), None, "{text}");
        }
        assert_eq!(Timestamp::of_day("2026-11-22T00:00:00.000Z"), None);
    }
}
