//! Points in time to the millisecond, and the business days after them.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Weekday};

use crate::or_abort::OrAbort;

use crate::text_form::text_form;

const MILLIS: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const DAY: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");

/// A moment in UTC, to the millisecond, in the years 1970 to 9999, which RFC 3339 can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    unix_millis: u64,
}

text_form!([] Timestamp, this => this.rfc3339(), text => Self::parse(&text).ok_or("not a time"));

impl Timestamp {
    /// The last moment: 9999-12-31T23:59:59.999Z.
    pub const LAST: Self = Self { unix_millis: 253_402_300_799_999 };

    /// The moment so many milliseconds after 1970 began; `None` after [`Timestamp::LAST`].
    pub fn from_unix_millis(unix_millis: u64) -> Option<Self> {
        (unix_millis <= Self::LAST.unix_millis).then_some(Self { unix_millis })
    }

    /// Milliseconds since 1970.
    pub fn unix_millis(self) -> u64 {
        self.unix_millis
    }

    /// Whole seconds since 1970.
    pub fn unix_seconds(self) -> u64 {
        self.unix_millis / 1_000
    }

    /// Reads RFC 3339 with any offset; finer than a millisecond is cut.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let millis = moment.unix_timestamp_nanos() / 1_000_000;
        Self::from_unix_millis(u64::try_from(millis).ok()?)
    }

    /// `2026-11-22T09:30:00.000Z`: always 24 characters, so that text sorts as time does.
    pub fn rfc3339(self) -> String {
        self.utc().format(MILLIS).or_abort("every moment up to the last one can be written")
    }

    /// The moment `wait` later, to the millisecond; at most [`Timestamp::LAST`].
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        let unix_millis = self.unix_millis.saturating_add(whole_millis(wait));
        Self { unix_millis }.min(Self::LAST)
    }

    /// The moment `time` earlier, to the millisecond; at least the first moment of 1970.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self { unix_millis: self.unix_millis.saturating_sub(whole_millis(time)) }
    }

    /// The time since an earlier moment; zero since a later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.unix_millis.saturating_sub(earlier.unix_millis))
    }

    /// The day in UTC, `2026-11-22`.
    pub fn date(self) -> String {
        day(self.utc().date())
    }

    /// The first moment of a day in UTC, written `2026-11-22`.
    pub fn of_day(text: &str) -> Option<Self> {
        // The text must be the one that `date` writes, or one day would have two names.
        Self::parse(&format!("{text}T00:00:00.000Z")).filter(|day| day.date() == text)
    }

    /// The day, `2026-11-25`, that lies `days` business days (weekdays, UTC) later; the last day of 9999 at most.
    pub fn business_days_later(self, days: u8) -> String {
        let days_after = std::iter::successors(self.utc().date().next_day(), |date| date.next_day());
        let mut business_days =
            days_after.filter(|date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday));
        match days.checked_sub(1) {
            None => self.date(),
            Some(before) => day(business_days.nth(usize::from(before)).unwrap_or(Date::MAX)),
        }
    }

    fn utc(self) -> OffsetDateTime {
        let nanos = i128::from(self.unix_millis).checked_mul(1_000_000);
        let moment = nanos.and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok());
        moment.or_abort("every moment up to the last one has a date")
    }
}

fn day(date: Date) -> String {
    date.format(DAY).or_abort("every day up to the last one can be written")
}

/// A duration in whole milliseconds; `u64::MAX` for one that is longer.
pub fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
