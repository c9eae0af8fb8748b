//! When a task is due or starts: at an instant, or on a day without a time.

use jiff::civil::{Date, DateTime, Time};

use crate::Violation;
use crate::instant::{self, Instant};
use crate::offset::ReminderOffset;
use crate::zone::Zone;

/// The time of day that reminders of a day count from, for users who have not set one.
pub const DAY_REMINDER_TIME: Time = jiff::civil::time(9, 0, 0, 0);

/// What a user's tasks are read by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The zone of tasks that name none.
    pub time_zone: Zone,
    /// The time of day that reminders of a day count from.
    pub day_reminder_time: Time,
}

impl Settings {
    /// Those of a user who has set nothing.
    #[must_use]
    pub fn defaults() -> Self {
        Self { time_zone: Zone::utc(), day_reminder_time: DAY_REMINDER_TIME }
    }
}

/// A moment of a task, as its owner means it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Due {
    /// At an instant.
    At(Instant),
    /// On a calendar day, wherever the owner is. The task's zone says when the day begins and ends.
    On(Date),
}

impl Due {
    /// Reads a stored moment: an instant in RFC 3339, and the day if the moment has no time. None without both.
    ///
    /// # Errors
    /// As [`instant::parse`] and [`instant::parse_date`].
    pub fn parse(at: Option<&str>, day: Option<&str>) -> Result<Option<Self>, Violation> {
        match (at, day) {
            (_, Some(day)) => instant::parse_date(day).map(Self::On).map(Some),
            (Some(at), None) => instant::parse(at).map(Self::At).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Whether it has no time.
    #[must_use]
    pub const fn is_day(self) -> bool {
        matches!(self, Self::On(_))
    }

    /// The instant, if it is one.
    #[must_use]
    pub const fn date(self) -> Option<Instant> {
        match self {
            Self::At(instant) => Some(instant),
            Self::On(_) => None,
        }
    }

    /// The day, if it has no time.
    #[must_use]
    pub const fn day(self) -> Option<Date> {
        match self {
            Self::At(_) => None,
            Self::On(day) => Some(day),
        }
    }

    /// The last instant at which a task due then is not overdue: for a day, the day's last. Tasks are sorted and found
    /// by it, so that a day comes after everything that has a time on it.
    #[must_use]
    pub fn end(self, zone: &Zone) -> Instant {
        match self {
            Self::At(instant) => instant,
            Self::On(day) => zone.last_instant_of(day).unwrap_or(Instant::MAX),
        }
    }

    /// The first instant of it: for a day, the day's first.
    #[must_use]
    pub fn start(self, zone: &Zone) -> Instant {
        match self {
            Self::At(instant) => instant,
            Self::On(day) => zone.first_instant_of(day).unwrap_or(Instant::MAX),
        }
    }

    /// The wall-clock time; midnight for a day.
    #[must_use]
    pub fn local(self, zone: &Zone) -> DateTime {
        match self {
            Self::At(instant) => zone.local_of(instant),
            Self::On(day) => day.to_datetime(Time::midnight()),
        }
    }

    /// When a reminder this long before it fires. On a day, reminders count from `day_time`.
    #[must_use]
    pub fn remind_at(self, offset: ReminderOffset, zone: &Zone, day_time: Time) -> Instant {
        let from = match self {
            Self::At(instant) => instant,
            Self::On(day) => zone.instant_of(day.to_datetime(day_time)).unwrap_or(Instant::MAX),
        };
        offset.remind_at(from, zone)
    }

    /// The same kind of moment, moved by as much as the wall clock moves from one local time to another. None at the
    /// end of the calendar.
    #[must_use]
    pub fn moved(self, from: DateTime, to: DateTime, zone: &Zone) -> Option<Self> {
        let moved = self.local(zone).checked_add(to.duration_since(from)).ok()?;
        match self {
            Self::At(_) => zone.instant_of(moved).map(Self::At),
            Self::On(_) => Some(Self::On(moved.date())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    fn local(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    fn day(text: &str) -> Due {
        Due::On(text.parse().unwrap())
    }

    fn at(text: &str) -> Due {
        Due::At(text.parse().unwrap())
    }

    #[test]
    fn stored_moments() {
        let check = |at, day, expected: Result<Option<Due>, &str>| {
            let found = Due::parse(at, day).map_err(Violation::code);
            assert_eq!(found, expected, "{at:?} {day:?}");
        };
        let (noon, end) = ("2031-03-30T12:00:00Z", "2031-03-30T21:59:59.999999Z");
        check(Some(noon), None, Ok(Some(at(noon))));
        check(Some(end), Some("2031-03-30"), Ok(Some(day("2031-03-30"))));
        check(None, None, Ok(None));
        check(Some("2031-03-30"), None, Err("malformed"));
        check(Some(noon), Some(noon), Err("malformed"));
        assert!(day("2031-03-30").is_day() && !at(noon).is_day());
    }

    #[test]
    fn a_day_begins_and_ends_in_its_zone() {
        let check = |due: Due, name: &str, start: &str, end: &str| {
            let zone = zone(name);
            let found = (due.start(&zone).to_string(), due.end(&zone).to_string());
            assert_eq!((found.0.as_str(), found.1.as_str()), (start, end), "{due:?} in {name}");
        };
        check(day("2031-03-30"), "UTC", "2031-03-30T00:00:00Z", "2031-03-30T23:59:59.999999Z");
        // A day of 23 hours.
        check(
            day("2031-03-30"),
            "Europe/Paris",
            "2031-03-29T23:00:00Z",
            "2031-03-30T21:59:59.999999Z",
        );
        check(
            day("9999-12-31"),
            "America/New_York",
            "9999-12-31T05:00:00Z",
            "9999-12-31T23:59:59.999999Z",
        );
        let noon = "2031-03-30T12:00:00Z";
        check(at(noon), "Europe/Paris", noon, noon);
    }

    #[test]
    fn reminders_of_a_day_count_from_a_time_of_that_day() {
        let check = |due: Due, offset: &str, day_time: &str, name: &str, expected: &str| {
            let offset = ReminderOffset::parse(offset).unwrap();
            let found = due.remind_at(offset, &zone(name), day_time.parse().unwrap());
            assert_eq!(found.to_string(), expected, "{offset} before {due:?} in {name}");
        };
        let paris = "Europe/Paris";
        check(day("2031-01-31"), "PT0S", "09:00", paris, "2031-01-31T08:00:00Z");
        check(day("2031-01-31"), "P1D", "09:00", paris, "2031-01-30T08:00:00Z");
        check(day("2031-01-31"), "PT30M", "07:45", paris, "2031-01-31T06:15:00Z");
        // The clock went forward in the night before.
        check(day("2031-03-30"), "P1D", "09:00", paris, "2031-03-29T08:00:00Z");
        check(day("2031-03-30"), "PT24H", "09:00", paris, "2031-03-29T07:00:00Z");
        // 02:30 does not exist on that day.
        check(day("2031-03-30"), "PT0S", "02:30", paris, "2031-03-30T01:30:00Z");
        // A moment does not know the time of day.
        check(at("2031-03-30T12:00:00Z"), "PT1H", "09:00", paris, "2031-03-30T11:00:00Z");
    }

    #[test]
    fn moved_on_the_wall_clock() {
        let check = |due: Due, from: &str, to: &str, expected: Due| {
            let found = due.moved(local(from), local(to), &zone("Europe/Paris"));
            assert_eq!(found, Some(expected), "{due:?} from {from} to {to}");
        };
        let (before, after) = ("2031-03-24T09:00:00", "2031-03-31T09:00:00");
        check(day("2031-03-22"), before, after, day("2031-03-29"));
        // Over the night in which the clock goes forward, an hour less.
        check(at("2031-03-24T07:00:00Z"), before, after, at("2031-03-31T06:00:00Z"));
        check(at("2031-03-22T07:00:00Z"), before, after, at("2031-03-29T07:00:00Z"));
        check(day("2031-03-29"), after, before, day("2031-03-22"));
        // From the end of one month to the end of the next: by days, not by months.
        let month = ["2031-01-31T09:00:00", "2031-02-28T09:00:00"];
        check(day("2031-01-30"), month[0], month[1], day("2031-02-27"));
        // A postponed task comes back to its slot, by less than its period.
        let postponed = "2031-01-15T12:00:00";
        let slot = "2031-01-20T09:00:00";
        check(at("2031-01-11T17:30:00Z"), postponed, slot, at("2031-01-16T14:30:00Z"));
        // A time that the clock skips is later by the gap.
        let days = ["2031-03-29T09:00:00", "2031-03-30T09:00:00"];
        check(at("2031-03-29T01:30:00Z"), days[0], days[1], at("2031-03-30T01:30:00Z"));
        let end = day("9999-12-31").moved(local(days[0]), local(days[1]), &zone("UTC"));
        assert_eq!(end, None);
    }
}
