//! Resolves the name of a day relative to today.
//!
//! A weekday is the first one after today; a date without a year is the first one from today on.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::language::{Edge, Period, Unit};

/// Months to search for a day of the month: from 31 January, the next 30th is in March.
const MONTHS_MAX: i32 = 2;
/// Years to search for a date: from 1 March 2096, the next 29 February is in 2104.
const YEARS_MAX: i16 = 8;

pub(super) fn in_days(date: Date, days: i32) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

/// The first given weekday after a date.
pub(super) fn weekday_after(date: Date, weekday: Weekday) -> Option<Date> {
    let days = date.weekday().until(weekday);
    in_days(date, if days == 0 { 7 } else { days.into() })
}

/// The first given weekday on or after a date.
pub(super) fn weekday_from(date: Date, weekday: Weekday) -> Option<Date> {
    in_days(date, date.weekday().until(weekday).into())
}

/// The given weekday of the week that is this many weeks later; weeks begin on Monday.
pub(super) fn weekday_of_week(date: Date, weeks: i32, weekday: Weekday) -> Option<Date> {
    let monday = edge(date, Edge::First, (Unit::Week, weeks))?;
    in_days(monday, weekday.to_monday_zero_offset().into())
}

/// The first given day of a month on or after a date.
pub(super) fn day_of_month(date: Date, day: i8) -> Option<Date> {
    (0..=MONTHS_MAX).find_map(|months| {
        let month = date.first_of_month().checked_add(months.months()).ok()?;
        Date::new(month.year(), month.month(), day).ok().filter(|found| *found >= date)
    })
}

/// The first given date on or after a date.
pub(super) fn day_and_month(date: Date, day: i8, month: i8) -> Option<Date> {
    (0..=YEARS_MAX).find_map(|years| {
        Date::new(date.year() + years, month, day).ok().filter(|found| *found >= date)
    })
}

/// The first or last day of a period.
pub(super) fn edge(date: Date, edge: Edge, (unit, offset): Period) -> Option<Date> {
    let first = |offset: i32| match unit {
        Unit::Day => in_days(date, offset),
        Unit::Week => {
            let monday = in_days(date, -i32::from(date.weekday().to_monday_zero_offset()))?;
            in_days(monday, offset * 7)
        }
        Unit::Month => date.first_of_month().checked_add(offset.months()).ok(),
        Unit::Quarter => {
            let month = (date.month() - 1) / 3 * 3 + 1;
            let start = Date::new(date.year(), month, 1).ok()?;
            start.checked_add((offset * 3).months()).ok()
        }
        Unit::Year => date.first_of_year().checked_add(offset.years()).ok(),
        Unit::Minute | Unit::Hour | Unit::Fortnight => None,
    };
    match edge {
        Edge::First => first(offset),
        Edge::Last => in_days(first(offset + 1)?, -1),
    }
}

/// The first or last day of a month: this year's, or next year's if this year's is over.
pub(super) fn month_edge(date: Date, wanted: Edge, month: i8) -> Option<Date> {
    (0..=1).find_map(|years| {
        let first = Date::new(date.year() + years, month, 1).ok()?;
        edge(first, wanted, (Unit::Month, 0)).filter(|found| *found >= date)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn weekdays() {
        let check = |today: &str, day, after: &str, from: &str, next_week: &str| {
            let today = date(today);
            assert_eq!(weekday_after(today, day), Some(date(after)), "after {today}");
            assert_eq!(weekday_from(today, day), Some(date(from)), "from {today}");
            let found = weekday_of_week(today, 1, day);
            assert_eq!(found, Some(date(next_week)), "next of {today}");
        };
        // The days are a Wednesday, Friday, Sunday and Monday.
        check("2031-03-26", Weekday::Friday, "2031-03-28", "2031-03-28", "2031-04-04");
        check("2031-03-28", Weekday::Friday, "2031-04-04", "2031-03-28", "2031-04-04");
        check("2031-03-30", Weekday::Friday, "2031-04-04", "2031-04-04", "2031-04-04");
        check("2031-03-31", Weekday::Friday, "2031-04-04", "2031-04-04", "2031-04-11");
        check("2031-03-26", Weekday::Monday, "2031-03-31", "2031-03-31", "2031-03-31");
    }

    #[test]
    fn days() {
        let check = |today: &str, day, expected: &str| {
            assert_eq!(day_of_month(date(today), day), Some(date(expected)), "{day} from {today}");
        };
        check("2031-03-26", 27, "2031-03-27");
        check("2031-03-26", 26, "2031-03-26");
        check("2031-03-26", 25, "2031-04-25");
        check("2031-01-31", 30, "2031-03-30");
        check("2031-12-31", 1, "2032-01-01");
        assert_eq!(day_and_month(date("2031-03-26"), 29, 2), Some(date("2032-02-29")));
        assert_eq!(day_and_month(date("2096-03-01"), 29, 2), Some(date("2104-02-29")));
        assert_eq!(day_and_month(date("2031-03-26"), 30, 2), None);
    }

    #[test]
    fn edges() {
        let check = |today: &str, wanted, period, expected: &str| {
            assert_eq!(
                edge(date(today), wanted, period),
                Some(date(expected)),
                "{period:?} of {today}"
            );
        };
        check("2031-03-26", Edge::Last, (Unit::Week, 0), "2031-03-30");
        check("2031-03-31", Edge::First, (Unit::Week, 1), "2031-04-07");
        check("2032-01-31", Edge::Last, (Unit::Month, 1), "2032-02-29");
        check("2031-12-31", Edge::First, (Unit::Month, 1), "2032-01-01");
        check("2031-12-31", Edge::Last, (Unit::Day, 0), "2031-12-31");
        check("2031-03-26", Edge::Last, (Unit::Quarter, 0), "2031-03-31");
        check("2031-11-01", Edge::First, (Unit::Quarter, 1), "2032-01-01");
        check("2031-03-26", Edge::Last, (Unit::Year, 0), "2031-12-31");
        assert_eq!(month_edge(date("2031-03-26"), Edge::Last, 2), Some(date("2032-02-29")));
        assert_eq!(month_edge(date("2031-03-26"), Edge::Last, 3), Some(date("2031-03-31")));
        assert_eq!(month_edge(date("2031-03-26"), Edge::First, 3), Some(date("2032-03-01")));
    }
}
