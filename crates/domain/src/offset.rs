//! Reminder offsets: how long before its due date a task reminds.
//!
//! Days are calendar days on the wall clock of the task's zone; the rest is elapsed time. `P1D` before a
//! Monday 09:00 is Sunday 09:00 even if the clocks change in between; `PT24H` is exactly 24 hours.

use std::fmt;

use jiff::SignedDuration;

use crate::Violation;
use crate::instant::Instant;
use crate::zone::Zone;

/// Maximum offset, counting a day as 24 hours.
pub const OFFSET_DAYS_MAX: u32 = 366;
const SECONDS_PER_DAY: u32 = 86_400;
const OFFSET_SECONDS_MAX: u32 = OFFSET_DAYS_MAX * SECONDS_PER_DAY;

const MALFORMED: Violation = Violation::Malformed {
    expected: "an ISO 8601 duration of whole weeks, days, hours, minutes and seconds, such as \
               P1DT2H, or a number of seconds",
};
const OUT_OF_RANGE: Violation =
    Violation::OutOfRange { min: 0, max: OFFSET_DAYS_MAX as i64, unit: " days" };

/// Calendar days and elapsed seconds before the due date; together at most 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReminderOffset {
    days: u32,
    seconds: u32,
}

impl ReminderOffset {
    /// Reads an ISO 8601 duration with the designators W, D, H, M and S, in this order and in whole numbers,
    /// or digits alone as seconds. Years and months are refused, because their length varies.
    ///
    /// # Errors
    /// `malformed`; `out_of_range` when negative or longer than 366 days.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map_or(Err(OUT_OF_RANGE), Self::from_seconds);
        }
        if let Some(rest) = text.strip_prefix('-').filter(|rest| !rest.starts_with('-')) {
            // Negative, but otherwise a duration.
            return Self::parse(rest).and(Err(OUT_OF_RANGE));
        }
        let body = text.strip_prefix('P').ok_or(MALFORMED)?;
        let (date, time) = match body.split_once('T') {
            Some((_, "")) => return Err(MALFORMED),
            Some((date, time)) => (date, time),
            None if body.is_empty() => return Err(MALFORMED),
            None => (body, ""),
        };
        let days = sum(date, &[('W', 7), ('D', 1)])?;
        let seconds = sum(time, &[('H', 3_600), ('M', 60), ('S', 1)])?;
        Self::new(days, seconds)
    }

    /// Elapsed time alone.
    ///
    /// # Errors
    /// `out_of_range` when negative or longer than 366 days.
    pub fn from_seconds(seconds: i64) -> Result<Self, Violation> {
        Self::new(0, u64::try_from(seconds).map_err(|_| OUT_OF_RANGE)?)
    }

    pub(crate) fn new(days: u64, seconds: u64) -> Result<Self, Violation> {
        let days = u32::try_from(days).map_err(|_| OUT_OF_RANGE)?;
        let seconds = u32::try_from(seconds).map_err(|_| OUT_OF_RANGE)?;
        let total = u64::from(days) * u64::from(SECONDS_PER_DAY) + u64::from(seconds);
        if total > u64::from(OFFSET_SECONDS_MAX) {
            return Err(OUT_OF_RANGE);
        }
        Ok(Self { days, seconds })
    }

    /// Calendar days and elapsed seconds.
    pub(crate) const fn parts(self) -> (u32, u32) {
        (self.days, self.seconds)
    }

    /// Whether the reminder's moment depends on the task's zone.
    #[must_use]
    pub const fn has_days(self) -> bool {
        self.days > 0
    }

    /// When to remind of a task that is due at `due`: the days first, on the wall clock, then the
    /// elapsed time.
    #[must_use]
    pub fn remind_at(self, due: Instant, zone: &Zone) -> Instant {
        let hours = i64::from(self.days) * 24;
        let day = if self.days == 0 {
            // Via the wall clock, the second of two equal times would become the first.
            due
        } else {
            // Days first: at the end of the calendar, the zone's clock may have stopped.
            due.checked_sub(SignedDuration::from_hours(hours))
                .and_then(|day| day.utc().checked_add(zone.offset_at(due)).ok())
                .and_then(|local| zone.instant_of(local))
                .unwrap_or(Instant::MIN)
        };
        day.checked_sub(SignedDuration::from_secs(i64::from(self.seconds))).unwrap_or(Instant::MIN)
    }
}

impl ReminderOffset {
    /// The moment this long after `start`: the days first, on the wall clock, then the elapsed
    /// time. None beyond the calendar.
    #[must_use]
    pub fn after(self, start: Instant, zone: &Zone) -> Option<Instant> {
        let day = if self.days == 0 {
            start
        } else {
            let hours = SignedDuration::from_hours(i64::from(self.days) * 24);
            zone.instant_of(zone.local_of(start).checked_add(hours).ok()?)?
        };
        day.checked_add(SignedDuration::from_secs(i64::from(self.seconds)))
    }
}

/// ISO 8601: weeks as days, seconds as hours, minutes and seconds. Hours are not carried over to days,
/// because 24 hours are not a calendar day.
impl fmt::Display for ReminderOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days == 0 && self.seconds == 0 {
            return f.write_str("PT0S");
        }
        f.write_str("P")?;
        if self.days > 0 {
            write!(f, "{}D", self.days)?;
        }
        if self.seconds > 0 {
            f.write_str("T")?;
        }
        let parts =
            [(self.seconds / 3_600, 'H'), (self.seconds / 60 % 60, 'M'), (self.seconds % 60, 'S')];
        for (number, designator) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{number}{designator}")?;
        }
        Ok(())
    }
}

/// Sums `<number><designator>` pairs. Each designator occurs at most once, in the given order.
fn sum(mut text: &str, designators: &[(char, u64)]) -> Result<u64, Violation> {
    let mut designators = designators.iter();
    let mut total = 0_u64;
    while !text.is_empty() {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let designator = text[digits..].chars().next().filter(|_| digits > 0).ok_or(MALFORMED)?;
        let (_, unit) = designators.find(|(known, _)| *known == designator).ok_or(MALFORMED)?;
        total = text[..digits]
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*unit))
            .and_then(|part| total.checked_add(part))
            .ok_or(OUT_OF_RANGE)?;
        text = &text[digits + 1..];
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text() {
        let check = |text: &str, expected: &str| {
            let answer = ReminderOffset::parse(text)
                .map_or_else(|violation| violation.code().to_owned(), |offset| offset.to_string());
            assert_eq!(answer, expected, "{text}");
        };
        check("P7D", "P7D");
        check("P1W", "P7D");
        check("P1W2D", "P9D");
        check("PT1H", "PT1H");
        check("PT24H", "PT24H");
        check("PT90M", "PT1H30M");
        check("PT3661S", "PT1H1M1S");
        check("P1DT2H", "P1DT2H");
        check("P0D", "PT0S");
        check("PT0S", "PT0S");
        check("3600", "PT1H");
        check("86400", "PT24H");
        check("0", "PT0S");
        check("P366D", "P366D");
        check("PT8784H", "PT8784H");
        check("P366DT1S", "out_of_range");
        check("P367D", "out_of_range");
        check("P53W", "out_of_range");
        check("-P1D", "out_of_range");
        check("-1", "out_of_range");
        check("P99999999999999999999D", "out_of_range");
        check("99999999999999999999", "out_of_range");
        check("PT18446744073709551615H", "out_of_range");
        for malformed in [
            "", "P", "PT", "P1DT", "1H", "P1H", "PT1D", "P1M", "P1Y", "PT1.5H", "PT1S1M", "PT1H1H",
            "P1D ", "p1d", "--P1D", "PD", "+3600", "1 hour", "P1é", "-",
        ] {
            check(malformed, "malformed");
        }
    }

    #[test]
    fn after_a_moment() {
        let check = |offset: &str, zone: &str, expected: &str| {
            let start = "2026-03-28T08:00:00Z".parse().unwrap();
            let offset = ReminderOffset::parse(offset).unwrap();
            let after = offset.after(start, &Zone::parse(zone).unwrap()).unwrap();
            assert_eq!(after.to_string(), expected, "{offset} in {zone}");
        };
        check("PT10M", "UTC", "2026-03-28T08:10:00Z");
        check("P1D", "UTC", "2026-03-29T08:00:00Z");
        // Over the spring night of 29 March 2026, a day in Paris has 23 hours.
        check("P1D", "Europe/Paris", "2026-03-29T07:00:00Z");
        check("P1DT1H", "Europe/Paris", "2026-03-29T08:00:00Z");
    }

    #[test]
    fn days_on_the_wall_clock_then_elapsed_time() {
        let check = |offset: &str, due: &str, zone: &str, expected: &str| {
            let remind_at = ReminderOffset::parse(offset)
                .unwrap()
                .remind_at(due.parse().unwrap(), &Zone::parse(zone).unwrap());
            assert_eq!(remind_at.to_string(), expected, "{offset} before {due} in {zone}");
        };
        check("PT1H", "2026-01-12T14:00:00Z", "UTC", "2026-01-12T13:00:00Z");
        check("PT0S", "2026-01-12T14:00:00Z", "UTC", "2026-01-12T14:00:00Z");
        // Over the spring night of 29 March 2026, a day in Paris has 23 hours.
        check("P1D", "2026-03-29T07:00:00Z", "Europe/Paris", "2026-03-28T08:00:00Z");
        check("PT24H", "2026-03-29T07:00:00Z", "Europe/Paris", "2026-03-28T07:00:00Z");
        check("P1DT2H", "2026-03-29T07:00:00Z", "Europe/Paris", "2026-03-28T06:00:00Z");
        // The day before falls into the gap: 02:30 becomes 03:30.
        check("P1D", "2026-03-30T00:30:00Z", "Europe/Paris", "2026-03-29T01:30:00Z");
        // The day before falls into the overlap: the first 02:30.
        check("P1D", "2026-10-26T01:30:00Z", "Europe/Paris", "2026-10-25T00:30:00Z");
        // An hour before the second 02:30 is the first.
        check("PT1H", "2026-10-25T01:30:00Z", "Europe/Paris", "2026-10-25T00:30:00Z");
        check("PT0S", "2026-10-25T01:30:00Z", "Europe/Paris", "2026-10-25T01:30:00Z");
        // Samoa skipped 30 December 2011: a day before the 31st is the 31st, two days before it the 29th.
        check("P1D", "2011-12-30T19:00:00Z", "Pacific/Apia", "2011-12-30T19:00:00Z");
        check("P2D", "2011-12-30T19:00:00Z", "Pacific/Apia", "2011-12-29T19:00:00Z");
        check("P1D", "2026-06-01T03:15:00Z", "Asia/Kathmandu", "2026-05-31T03:15:00Z");
        // Both ends of the calendar.
        let last = "9999-12-31T23:59:59Z";
        check("PT1H", last, "Pacific/Kiritimati", "9999-12-31T22:59:59Z");
        check("P1D", last, "Pacific/Kiritimati", "9999-12-30T23:59:59Z");
        check("P1DT1H", last, "America/New_York", "9999-12-30T22:59:59Z");
        check("P200D", last, "Europe/Paris", "9999-06-14T22:59:59Z");
        check("P366D", "1000-01-01T00:00:00Z", "Asia/Kathmandu", "0998-12-31T00:00:00Z");
    }
}
