//! Today's date, to tell which exceptions are over.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use autoneural_base::error::{Error, Result};

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u64,
    month: u64,
    day: u64,
}

/// Latest moment that is taken, in the year 9999: beyond it dates have no four digits.
const LATEST: u64 = 253_402_300_799;

impl Date {
    /// The day of a date in TOML.
    pub fn of_toml(date: &toml::value::Date) -> Self {
        Date { year: date.year.into(), month: date.month.into(), day: date.day.into() }
    }

    /// The day (UTC) so many seconds after the beginning of 1970.
    pub fn of_seconds(seconds: u64) -> Self {
        let (mut days, mut year) = (seconds / 86_400, 1970);
        let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        while days >= 365 + u64::from(leap(year)) {
            days -= 365 + u64::from(leap(year));
            year += 1;
        }
        let mut month = 1;
        for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        Date { year, month, day: days + 1 }
    }

    /// The day so many days later.
    pub fn days_later(self, days: u64) -> Self {
        Self::of_seconds((self.days() + days).saturating_mul(86_400).min(LATEST))
    }

    /// How many days later this one is than another; 0 where it is not.
    pub fn days_after(self, other: Date) -> u64 {
        self.days().saturating_sub(other.days())
    }

    /// Days since the beginning of 1970; 0 for what is before.
    fn days(self) -> u64 {
        let leaps = |year: u64| year / 4 - year / 100 + year / 400;
        let Some(past) = self.year.checked_sub(1970).filter(|_| self.month > 0) else { return 0 };
        let is_leap = leaps(self.year) > leaps(self.year - 1);
        let lengths = [31, 28 + u64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let months: u64 = lengths.iter().take(self.month as usize - 1).sum();
        365 * past + leaps(self.year - 1) - leaps(1969) + months + self.day.saturating_sub(1)
    }

    /// Today (UTC): that of `source_date_epoch` (seconds since 1970, as reproducible builds set `SOURCE_DATE_EPOCH`)
    /// where there is one, else that of the system's clock.
    ///
    /// # Errors
    /// Text that is no number of seconds.
    pub fn today(source_date_epoch: Option<&str>) -> Result<Self> {
        let Some(text) = source_date_epoch else {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            return Ok(Self::of_seconds(since.as_secs().min(LATEST)));
        };
        match text.parse::<u64>() {
            Ok(seconds) if seconds <= LATEST => Ok(Self::of_seconds(seconds)),
            _ => Err(Error::input("SOURCE_DATE_EPOCH", "is no number of seconds since 1970")),
        }
    }
}

impl serde::Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_days_of_the_calendar() {
        // From `date -u -d @SECONDS +%F`.
        for (seconds, wanted) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (1_798_675_200, "2026-12-31"),
            (1_798_761_600, "2027-01-01"),
            (LATEST, "9999-12-31"),
        ] {
            let day = Date::of_seconds(seconds);
            assert_eq!(day.to_string(), wanted);
            assert_eq!(day.days(), seconds / 86_400);
        }
        assert!(Date::today(Some("soon")).is_err() && Date::today(Some("253402300800")).is_err());
        let (leap_day, after) = (Date::of_seconds(951_782_400), Date::of_seconds(951_868_800));
        assert!(leap_day < after);
        assert_eq!((after.days_after(leap_day), leap_day.days_after(after)), (1, 0));
        assert_eq!((leap_day.days_later(1), leap_day.days_later(366).to_string()), (after, "2001-03-01".to_string()));
        assert_eq!(Date { year: 1969, month: 12, day: 31 }.days(), 0);
    }
}
