//! The dates of an RFC 5545 rule, seen from an anchor.
//!
//! A rule is a walk over periods (days, weeks, months or years) and a filter on the days in each:
//! that every `BY…` part is a condition on the day holds for all combinations that RFC 5545 allows.
//! Every walk is bounded, by the calendar's end and by the calendar's cycle: the Gregorian calendar
//! repeats after 400 years, weekdays included, so what has not matched in as many periods as it has
//! never will.

use jiff::civil::{Date, Weekday};

use super::super::grid::{add_days, days_between, month_index};
use super::super::rule::Frequency;
use super::{Numbers, Rrule};
use crate::instant::YEAR_MAX;

/// Periods in 400 years. With an interval, fewer periods are different from one another.
const DAYS_PER_CYCLE: usize = 146_097;
const WEEKS_PER_CYCLE: usize = 20_871;
const MONTHS_PER_CYCLE: usize = 4_800;
const YEARS_PER_CYCLE: usize = 400;

/// A rule laid out from the date that it starts on.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Expansion {
    rule: Rrule,
    /// The date that periods are counted from.
    anchor: Date,
    /// The first date that can be a slot.
    earliest: Date,
    /// The rule's months, or the anchor's where a yearly rule names neither month nor day.
    months: u16,
    month_days: Numbers,
    weekdays: u8,
}

impl Expansion {
    /// `earliest` is the anchor, or the day after it when the time of day has passed.
    pub(in super::super) fn new(rule: &Rrule, anchor: Date, earliest: Date) -> Self {
        let mut months = rule.months;
        let mut month_days = rule.month_days;
        let mut weekdays = rule.weekdays;
        // What a rule does not say, its anchor does.
        if !rule.names_days() {
            match rule.frequency {
                Frequency::Daily => {}
                Frequency::Weekly => weekdays = weekday_bit(anchor.weekday()),
                Frequency::Yearly if !rule.weeks.is_empty() => {
                    weekdays = weekday_bit(anchor.weekday());
                }
                Frequency::Yearly if months == 0 => {
                    months = 1 << anchor.month();
                    month_days.insert(anchor.day().into());
                }
                Frequency::Monthly | Frequency::Yearly => month_days.insert(anchor.day().into()),
            }
        }
        Self { rule: rule.clone(), anchor, earliest, months, month_days, weekdays }
    }

    /// The first date that is not before `from`. None when there is none within the calendar.
    pub(in super::super) fn first_from(&self, from: Date) -> Option<Date> {
        self.dates(from).next()
    }

    /// The `n`th date, counted from 1. None when the calendar ends before it.
    pub(in super::super) fn nth(&self, n: u16) -> Option<Date> {
        self.dates(self.earliest).nth(usize::from(n.max(1)) - 1)
    }

    /// The dates from `from` on, in order.
    fn dates(&self, from: Date) -> impl Iterator<Item = Date> {
        let from = from.max(self.earliest);
        let start = self.periods_to(from);
        let mut empty = 0;
        (start..)
            .map_while(move |index| {
                let dates = self.period(index)?;
                empty = if dates.is_empty() { empty + 1 } else { 0 };
                (empty <= self.periods_per_cycle()).then_some(dates)
            })
            .flatten()
            .filter(move |date| *date >= from)
    }

    const fn periods_per_cycle(&self) -> usize {
        match self.rule.frequency {
            Frequency::Daily => DAYS_PER_CYCLE,
            Frequency::Weekly => WEEKS_PER_CYCLE,
            Frequency::Monthly => MONTHS_PER_CYCLE,
            Frequency::Yearly => YEARS_PER_CYCLE,
        }
    }

    /// The last active period that begins at or before a date, counted in intervals from the
    /// anchor's.
    fn periods_to(&self, date: Date) -> i64 {
        let units = match self.rule.frequency {
            Frequency::Daily => days_between(self.anchor, date),
            Frequency::Weekly => {
                let first = self.anchor.weekday().since(self.rule.week_start);
                (days_between(self.anchor, date) + i64::from(first)).div_euclid(7)
            }
            Frequency::Monthly => month_index(date) - month_index(self.anchor),
            Frequency::Yearly => i64::from(date.year()) - i64::from(self.anchor.year()),
        };
        units.div_euclid(i64::from(self.rule.interval))
    }

    /// The dates of an active period, in order; none beyond the calendar.
    fn period(&self, index: i64) -> Option<Vec<Date>> {
        let units = index * i64::from(self.rule.interval);
        let mut dates = Vec::new();
        match self.rule.frequency {
            Frequency::Daily => self.take(add_days(self.anchor, units)?, 1, &mut dates),
            Frequency::Weekly => {
                let passed = i64::from(self.anchor.weekday().since(self.rule.week_start));
                self.take(add_days(self.anchor, units * 7 - passed)?, 7, &mut dates);
            }
            Frequency::Monthly => self.take_month(month_index(self.anchor) + units, &mut dates)?,
            Frequency::Yearly => {
                let january = (i64::from(self.anchor.year()) + units) * 12;
                for month in january..january + 12 {
                    self.take_month(month, &mut dates)?;
                }
            }
        }
        if !self.rule.set_positions.is_empty() {
            let length = dates.len();
            let mut place = 0;
            dates.retain(|_| {
                place += 1;
                self.rule.set_positions.contains(place, length)
            });
        }
        Some(dates)
    }

    fn take_month(&self, month: i64, dates: &mut Vec<Date>) -> Option<()> {
        let year = i16::try_from(month.div_euclid(12)).ok().filter(|year| *year <= YEAR_MAX)?;
        let first = Date::new(year, month.rem_euclid(12) as i8 + 1, 1).ok()?;
        if self.has_month(first) {
            self.take(first, first.days_in_month().into(), dates);
        }
        Some(())
    }

    /// Those of `count` days that match.
    fn take(&self, first: Date, count: i64, dates: &mut Vec<Date>) {
        let days = std::iter::successors(Some(first), |date| date.tomorrow().ok());
        dates.extend(days.take(count as usize).filter(|date| self.matches(*date)));
    }

    fn matches(&self, date: Date) -> bool {
        self.has_month(date)
            && self.has_month_day(date)
            && self.has_weekday(date)
            && self.has_year_day(date)
            && self.has_week(date)
    }

    fn has_month(&self, date: Date) -> bool {
        self.months == 0 || self.months & 1 << date.month() != 0
    }

    fn has_month_day(&self, date: Date) -> bool {
        self.month_days.is_empty()
            || self.month_days.contains(date.day() as usize, date.days_in_month() as usize)
    }

    fn has_year_day(&self, date: Date) -> bool {
        let (day, length) = (date.day_of_year() as usize, date.days_in_year() as usize);
        self.rule.year_days.is_empty() || self.rule.year_days.contains(day, length)
    }

    /// A number on a weekday counts within the month, or within the year for a yearly rule that
    /// names no months.
    fn has_weekday(&self, date: Date) -> bool {
        if self.weekdays == 0 && !self.rule.numbers_weekdays() {
            return true;
        }
        if self.weekdays & weekday_bit(date.weekday()) != 0 {
            return true;
        }
        let within_year = self.rule.frequency == Frequency::Yearly && self.rule.months == 0;
        let (day, length) = if within_year {
            (date.day_of_year() as usize, date.days_in_year() as usize)
        } else {
            (date.day() as usize, date.days_in_month() as usize)
        };
        let weekday = date.weekday().to_monday_zero_offset() as usize;
        let index = day.div_ceil(7);
        self.rule.numbered_weekdays[weekday].contains(index, index + (length - day) / 7)
    }

    /// Weeks as in ISO 8601, but beginning on the rule's `WKST`: a week belongs to the year that
    /// has four of its days. Those days of a year are meant that lie in the calendar year.
    fn has_week(&self, date: Date) -> bool {
        if self.rule.weeks.is_empty() {
            return true;
        }
        let passed = i64::from(date.weekday().since(self.rule.week_start));
        let Some(middle) = add_days(date, 3 - passed) else { return false };
        let day = middle.day_of_year() as usize;
        let week = day.div_ceil(7);
        let weeks = week + (middle.days_in_year() as usize - day) / 7;
        self.rule.weeks.contains(week, weeks)
    }
}

fn weekday_bit(weekday: Weekday) -> u8 {
    1 << weekday.to_monday_zero_offset()
}

#[cfg(test)]
#[path = "expansion_tests.rs"]
mod tests;
