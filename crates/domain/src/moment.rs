//! Instants in words for mails and pages: in the reader's zone, and never relative, because the time of
//! reading is unknown.

use jiff::civil::Date;

use crate::due::Due;
use crate::instant::Instant;
use crate::zone::Zone;

pub(crate) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `Monday, 12 January 2026 at 14:00 (Europe/Paris)`.
#[must_use]
pub fn in_words(instant: Instant, zone: &Zone) -> String {
    let local = zone.local_of(instant);
    let day = day_in_words(local.date());
    format!("{day} at {:02}:{:02} ({zone})", local.hour(), local.minute())
}

/// When a task is due, on the reader's clock: `Monday, 12 January 2026 at 14:00 (Europe/Paris)`, or for a day
/// `Monday, 12 January 2026`, which needs no clock.
#[must_use]
pub fn due_in_words(due: Due, zone: &Zone) -> String {
    match due {
        Due::At(instant) => in_words(instant, zone),
        Due::On(day) => day_in_words(day),
    }
}

/// `Monday, 12 January 2026`.
#[must_use]
pub fn day_in_words(date: Date) -> String {
    let name = |names: &[&'static str], place: i8| {
        usize::try_from(place).ok().and_then(|place| names.get(place).copied()).unwrap_or_default()
    };
    format!(
        "{}, {} {} {}",
        name(&WEEKDAYS, date.weekday().to_monday_zero_offset()),
        date.day(),
        name(&MONTHS, date.month() - 1),
        date.year(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let check = |zone: &str, instant: &str, expected: &str| {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(in_words(instant.parse().unwrap(), &zone), expected);
        };
        let day = Due::On("2026-11-26".parse().unwrap());
        assert_eq!(due_in_words(day, &Zone::utc()), "Thursday, 26 November 2026");
        let paris = "Monday, 12 January 2026 at 14:00 (Europe/Paris)";
        check("Europe/Paris", "2026-01-12T13:00:00Z", paris);
        check("UTC", "2026-12-31T23:59:59Z", "Thursday, 31 December 2026 at 23:59 (UTC)");
        let kathmandu = "Friday, 1 January 2027 at 05:44 (Asia/Kathmandu)";
        check("Asia/Kathmandu", "2026-12-31T23:59:59Z", kathmandu);
        let last = "Friday, 31 December 9999 at 23:59 (Pacific/Kiritimati)";
        check("Pacific/Kiritimati", "9999-12-31T23:59:59Z", last);
    }
}
