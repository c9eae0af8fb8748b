//! Distances between dates in days and months.

use jiff::SignedDuration;
use jiff::civil::Date;

pub(super) const MONTHS_PER_YEAR: i64 = 12;

/// Months since the year 0.
pub(super) fn month_index(date: Date) -> i64 {
    i64::from(date.year()) * MONTHS_PER_YEAR + i64::from(date.month()) - 1
}

pub(super) fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}

/// None beyond the calendar.
pub(super) fn add_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(SignedDuration::from_hours(days * 24)).ok()
}
