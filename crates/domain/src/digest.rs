//! When a daily digest is due: at the same time of each local day.

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};

use crate::instant::Instant;
use crate::zone::Zone;

/// The first digest after `after`: its instant and its local day. A time in a gap moves forward by the gap's
/// length; a time in an overlap is the first of the two. None only at the very end of the calendar.
#[must_use]
pub fn next(at: Time, zone: &Zone, after: Instant) -> Option<(Instant, Date)> {
    // A gap can move yesterday's digest to today.
    let mut day = zone.local_of(after).date().checked_sub(1.day()).ok()?;
    loop {
        let instant = zone.instant_of(day.to_datetime(at))?;
        if instant > after {
            return Some((instant, day));
        }
        day = day.checked_add(1.day()).ok()?;
    }
}

/// The local day of a digest that is due at `instant`.
#[must_use]
pub fn day_of(at: Time, zone: &Zone, instant: Instant) -> Date {
    let local = zone.local_of(instant);
    match local.date().checked_sub(1.day()) {
        Ok(before) if zone.instant_of(before.to_datetime(at)) == Some(instant) => before,
        _ => local.date(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        let check = |zone: &str, at: &str, after: &str, expected: (&str, &str)| {
            let (zone, at) = (Zone::parse(zone).unwrap(), at.parse().unwrap());
            let (instant, day) = next(at, &zone, after.parse().unwrap()).unwrap();
            let words = (instant.to_string(), day.to_string());
            assert_eq!((words.0.as_str(), words.1.as_str()), expected, "{at} {zone} {after}");
            assert_eq!(day_of(at, &zone, instant), day, "{at} {zone} {after}");
        };
        let paris = "Europe/Paris";
        let on_the_28th = ("2031-03-28T07:00:00Z", "2031-03-28");
        check(paris, "08:00", "2031-03-27T07:00:00Z", on_the_28th);
        check(paris, "08:00", "2031-03-28T06:59:59Z", on_the_28th);
        let on_the_29th = ("2031-03-29T07:00:00Z", "2031-03-29");
        check(paris, "08:00", "2031-03-28T07:00:00Z", on_the_29th);
        // The clock goes forward that night; the digest stays at 08:00.
        let on_the_30th = ("2031-03-30T06:00:00Z", "2031-03-30");
        check(paris, "08:00", "2031-03-29T07:00:00Z", on_the_30th);
        // 02:30 does not exist and becomes 03:30. In autumn it occurs twice, and the digest comes once.
        let in_the_gap = ("2031-03-30T01:30:00Z", "2031-03-30");
        check(paris, "02:30", "2031-03-29T12:00:00Z", in_the_gap);
        let in_the_overlap = ("2031-10-26T00:30:00Z", "2031-10-26");
        check(paris, "02:30", "2031-10-25T12:00:00Z", in_the_overlap);
        let after_the_overlap = ("2031-10-27T01:30:00Z", "2031-10-27");
        check(paris, "02:30", "2031-10-26T00:30:00Z", after_the_overlap);
        check(
            "Asia/Kathmandu",
            "00:00",
            "2026-06-01T18:00:00Z",
            ("2026-06-01T18:15:00Z", "2026-06-02"),
        );
        // Samoa skipped 30 December 2011, so its digest comes on the 31st.
        check(
            "Pacific/Apia",
            "23:30",
            "2011-12-30T09:29:00Z",
            ("2011-12-30T09:30:00Z", "2011-12-29"),
        );
        check(
            "Pacific/Apia",
            "09:00",
            "2011-12-29T19:00:00Z",
            ("2011-12-30T19:00:00Z", "2011-12-30"),
        );
    }
}
