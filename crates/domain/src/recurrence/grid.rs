//! The dates of a structured pattern from an anchor on, by arithmetic, however far away.

use jiff::civil::Date;

use super::date::{MONTHS_PER_YEAR, add_days, days_between, month_index};
use super::frequency::Frequency;
use super::rule::{MonthEnd, Structured, Weekdays};
use crate::instant::YEAR_MAX;

/// Maximum number of months to search for a slot. The Gregorian calendar repeats after 400 years, so a day
/// that has not come in that many months never will.
const STEPS_PER_SLOT_MAX: i64 = 4_800;
/// Maximum number of months to search when counting slots: more than the calendar has.
const STEPS_PER_COUNT_MAX: i64 = 120_000;
const DAYS_PER_WEEK: i64 = 7;
/// A day that every month has.
const DAY_IN_EVERY_MONTH: u8 = 28;

/// A pattern laid out from its anchor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    pub(super) pattern: Structured,
    pub(super) anchor: Date,
    pub(super) month_end: MonthEnd,
}

impl Grid {
    /// The first date of the pattern that is neither before `from` nor before the anchor. None if there is
    /// none within the calendar.
    pub(super) fn first_from(&self, from: Date) -> Option<Date> {
        let from = from.max(self.anchor);
        match self.pattern.frequency {
            Frequency::Daily => {
                let step = i64::from(self.pattern.interval);
                let steps = days_between(self.anchor, from).div_euclid(step);
                let date = add_days(self.anchor, steps * step)?;
                if date >= from { Some(date) } else { add_days(date, step) }
            }
            Frequency::Weekly => {
                let (monday, days, step) = self.weeks()?;
                let week = days_between(monday, from).div_euclid(step);
                // Either in the active week at or before `from`, or on the first day of the next active week.
                [week, week + 1].into_iter().find_map(|week| {
                    days.iter()
                        .filter_map(|day| add_days(monday, week * step + i64::from(day)))
                        .find(|date| *date >= from)
                })
            }
            Frequency::Monthly | Frequency::Yearly => {
                let (first, day, step) = self.months();
                let start = (month_index(from) - first).div_euclid(step);
                (start..start + STEPS_PER_SLOT_MAX)
                    .map(|index| first + index * step)
                    .take_while(|month| in_calendar(*month))
                    .filter_map(|month| date_in(month, day, self.month_end))
                    .find(|date| *date >= from)
            }
        }
    }

    /// The `n`th date of the pattern, counted from 1. None when the calendar ends before it.
    pub(super) fn nth(&self, n: u16) -> Option<Date> {
        let before = i64::from(n.max(1)) - 1;
        match self.pattern.frequency {
            Frequency::Daily => add_days(self.anchor, before * i64::from(self.pattern.interval)),
            Frequency::Weekly => {
                let (monday, days, step) = self.weeks()?;
                let days: Vec<i64> = days.iter().map(i64::from).collect();
                let weekday = days_between(monday, self.anchor);
                // Counts the first week as if its days before the anchor were slots too.
                let missed = days.iter().filter(|day| **day < weekday).count() as i64;
                let index = before + missed;
                let per_week = days.len() as i64;
                let day = days[(index % per_week) as usize];
                add_days(monday, index / per_week * step + day)
            }
            Frequency::Monthly | Frequency::Yearly => self.nth_month(before),
        }
    }

    fn nth_month(&self, before: i64) -> Option<Date> {
        let (first, day, step) = self.months();
        let is_slot = |date: &Date| *date >= self.anchor;
        if day <= DAY_IN_EVERY_MONTH || self.month_end == MonthEnd::Clamp {
            let missed =
                i64::from(!date_in(first, day, self.month_end).as_ref().is_some_and(is_slot));
            let month = first + (before + missed) * step;
            return in_calendar(month).then(|| date_in(month, day, self.month_end))?;
        }
        (0..STEPS_PER_COUNT_MAX)
            .map(|index| first + index * step)
            .take_while(|month| in_calendar(*month))
            .filter_map(|month| date_in(month, day, self.month_end))
            .filter(is_slot)
            .nth(before as usize)
    }

    /// Monday of the anchor's week, the weekdays, and the number of days from one active week to the next.
    fn weeks(&self) -> Option<(Date, Weekdays, i64)> {
        let weekday = self.anchor.weekday();
        let monday = add_days(self.anchor, -i64::from(weekday.to_monday_zero_offset()))?;
        let days = self.pattern.days_of_week.unwrap_or(Weekdays::just(weekday));
        Some((monday, days, i64::from(self.pattern.interval) * DAYS_PER_WEEK))
    }

    /// The anchor's month, the day of the month, and the number of months from one slot to the next; a year
    /// is twelve months.
    fn months(&self) -> (i64, u8, i64) {
        let day = self.pattern.day_of_month.unwrap_or(self.anchor.day() as u8);
        let interval = i64::from(self.pattern.interval);
        let step = match self.pattern.frequency {
            Frequency::Yearly => interval * MONTHS_PER_YEAR,
            _ => interval,
        };
        (month_index(self.anchor), day, step)
    }
}

/// A day of a month, which the month may lack.
pub(super) fn date_in(month: i64, day: u8, month_end: MonthEnd) -> Option<Date> {
    let year = i16::try_from(month.div_euclid(MONTHS_PER_YEAR)).ok()?;
    let first = Date::new(year, month.rem_euclid(MONTHS_PER_YEAR) as i8 + 1, 1).ok()?;
    let last = first.days_in_month();
    match (day as i8 <= last, month_end) {
        (true, _) => Date::new(year, first.month(), day as i8).ok(),
        (false, MonthEnd::Clamp) => Date::new(year, first.month(), last).ok(),
        (false, MonthEnd::Skip) => None,
    }
}

fn in_calendar(month: i64) -> bool {
    month < (i64::from(YEAR_MAX) + 1) * MONTHS_PER_YEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nth_agrees_with_first_from() {
        let mut checked = 0;
        for anchor in ["2024-02-29", "2026-01-31", "2026-01-15", "2026-08-02"] {
            for frequency in Frequency::ALL {
                for (interval, day_of_month, month_end) in [
                    (1, None, MonthEnd::Clamp),
                    (1, None, MonthEnd::Skip),
                    (3, Some(31), MonthEnd::Skip),
                    (5, Some(30), MonthEnd::Clamp),
                    (7, Some(1), MonthEnd::Skip),
                ] {
                    let grid = Grid {
                        pattern: Structured {
                            frequency: *frequency,
                            interval,
                            days_of_week: None,
                            day_of_month: day_of_month.filter(|_| *frequency == Frequency::Monthly),
                        },
                        anchor: anchor.parse().unwrap(),
                        month_end,
                    };
                    let mut walked = grid.first_from(grid.anchor);
                    for n in 1..=40 {
                        assert_eq!(grid.nth(n), walked, "{n} of {grid:?}");
                        walked = grid.first_from(add_days(walked.unwrap(), 1).unwrap());
                        checked += 1;
                    }
                }
            }
        }
        assert_eq!(checked, 4 * 4 * 5 * 40);
    }
}
