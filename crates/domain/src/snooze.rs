//! The moments to which the links in a reminder's mail snooze it.

use jiff::{SignedDuration, ToSpan as _};

use crate::instant::Instant;
use crate::zone::Zone;

/// How long a reminder is snoozed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snooze {
    /// An hour from now.
    Hour,
    /// The day after today, at the wall-clock time at which the reminder fired.
    Tomorrow,
}

impl Snooze {
    /// The moment in `zone` to which a reminder that fired for `remind_at` is snoozed. None only at the very
    /// end of the calendar.
    #[must_use]
    pub fn until(self, remind_at: Instant, now: Instant, zone: &Zone) -> Option<Instant> {
        match self {
            Self::Hour => now.checked_add(SignedDuration::from_hours(1)),
            Self::Tomorrow => {
                let tomorrow = zone.local_of(now).date().checked_add(1.day()).ok()?;
                zone.instant_of(tomorrow.to_datetime(zone.local_of(remind_at).time()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let check = |snooze: Snooze, zone: &str, remind_at: &str, now: &str, expected: &str| {
            let zone = Zone::parse(zone).unwrap();
            let until = snooze.until(remind_at.parse().unwrap(), now.parse().unwrap(), &zone);
            assert_eq!(until.unwrap().to_string(), expected, "{snooze:?} at {now}");
        };
        let paris = "Europe/Paris";
        let nine = "2031-03-28T08:00:00Z";
        check(Snooze::Hour, paris, nine, "2031-03-28T08:05:00Z", "2031-03-28T09:05:00Z");
        check(Snooze::Tomorrow, paris, nine, "2031-03-28T08:05:00Z", "2031-03-29T08:00:00Z");
        // Read a day late, on the eve of a clock change: 09:00 stays 09:00.
        check(Snooze::Tomorrow, paris, nine, "2031-03-29T20:00:00Z", "2031-03-30T07:00:00Z");
        // After local midnight, but before midnight in UTC.
        check(Snooze::Tomorrow, paris, nine, "2031-03-28T23:30:00Z", "2031-03-30T07:00:00Z");
        // 02:30 does not exist on that night.
        let night = "2031-03-28T01:30:00Z";
        check(Snooze::Tomorrow, paris, night, "2031-03-29T08:00:00Z", "2031-03-30T01:30:00Z");
    }
}
