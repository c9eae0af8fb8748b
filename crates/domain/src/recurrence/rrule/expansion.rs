//! The dates of an RFC 5545 rule from an anchor on.
//!
//! The expansion walks over periods (weeks, months or years; months for a daily rule) and filters the days in
//! each: in all combinations that RFC 5545 allows, every `BY…` part is a condition on the day. The walk is
//! bounded by the calendar's end and by its cycle: the Gregorian calendar repeats after 400 years, weekdays
//! included, so what has not matched in that many periods never will. A walk may still visit each day of
//! 8,000 years, so a day is a handful of small numbers, and only a match becomes a date.

use jiff::civil::{Date, Weekday};

use super::super::date::{MONTHS_PER_YEAR, add_days, days_between, month_index};
use super::super::frequency::Frequency;
use super::{Numbers, Rrule};
use crate::instant::YEAR_MAX;

/// Periods in 400 years. An interval makes fewer of them distinct.
const WEEKS_PER_CYCLE: usize = 20_871;
const MONTHS_PER_CYCLE: usize = 4_800;
const YEARS_PER_CYCLE: usize = 400;
/// More months than the calendar has: an interval of days has a longer cycle.
const MONTHS_PER_CALENDAR: usize = 120_000;

/// A rule laid out from its anchor.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Expansion {
    rule: Rrule,
    /// The date that periods are counted from.
    anchor: Date,
    /// The first date that can be a slot.
    earliest: Date,
    /// The rule's months, or the anchor's if a yearly rule names neither month nor day.
    months: u16,
    month_days: Numbers,
    weekdays: u8,
}

impl Expansion {
    /// `earliest` is the anchor, or the day after it if the time of day has passed.
    pub(in super::super) fn new(rule: &Rrule, anchor: Date, earliest: Date) -> Self {
        let mut months = rule.months;
        let mut month_days = rule.month_days;
        let mut weekdays = rule.weekdays;
        // The anchor supplies what the rule leaves out.
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

    /// The first date that is not before `from`. None if there is none within the calendar.
    pub(in super::super) fn first_from(&self, from: Date) -> Option<Date> {
        self.dates(from).next()
    }

    /// The `n`th date, counted from 1. None if the calendar ends before it.
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
            Frequency::Daily => MONTHS_PER_CALENDAR,
            Frequency::Weekly => WEEKS_PER_CYCLE,
            Frequency::Monthly => MONTHS_PER_CYCLE,
            Frequency::Yearly => YEARS_PER_CYCLE,
        }
    }

    /// The last active period that begins at or before a date, counted in intervals from the anchor's. For a
    /// daily rule, in months.
    fn periods_to(&self, date: Date) -> i64 {
        let interval = i64::from(self.rule.interval);
        match self.rule.frequency {
            Frequency::Daily => month_index(date) - month_index(self.anchor),
            Frequency::Weekly => {
                let first = self.anchor.weekday().since(self.rule.week_start);
                (days_between(self.anchor, date) + i64::from(first)).div_euclid(7 * interval)
            }
            Frequency::Monthly => {
                (month_index(date) - month_index(self.anchor)).div_euclid(interval)
            }
            Frequency::Yearly => {
                (i64::from(date.year()) - i64::from(self.anchor.year())).div_euclid(interval)
            }
        }
    }

    /// The dates of an active period, in order; none beyond the calendar.
    fn period(&self, index: i64) -> Option<Vec<Date>> {
        let units = index * i64::from(self.rule.interval);
        let mut dates = Vec::new();
        match self.rule.frequency {
            Frequency::Daily => {
                let first = self.take_month(month_index(self.anchor) + index, &mut dates)?;
                let passed = days_between(self.anchor, first) - 1;
                // Each day is its own set.
                let places = &self.rule.set_positions;
                let is_taken = places.is_empty() || places.contains(1, 1);
                dates.retain(|date| {
                    let days = passed + i64::from(date.day());
                    is_taken && days.rem_euclid(self.rule.interval.into()) == 0
                });
                return Some(dates);
            }
            Frequency::Weekly => {
                let passed = i64::from(self.anchor.weekday().since(self.rule.week_start));
                let first = add_days(self.anchor, units * 7 - passed)?;
                let days = std::iter::successors(Some(first), |date| date.tomorrow().ok());
                dates.extend(days.take(7).filter(|date| self.matches(&Day::of(*date))));
            }
            Frequency::Monthly => {
                self.take_month(month_index(self.anchor) + units, &mut dates)?;
            }
            Frequency::Yearly => {
                let january = (i64::from(self.anchor.year()) + units) * MONTHS_PER_YEAR;
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

    /// Adds the matching dates of a month, and returns its first day.
    fn take_month(&self, month: i64, dates: &mut Vec<Date>) -> Option<Date> {
        let year = i16::try_from(month.div_euclid(12)).ok().filter(|year| *year <= YEAR_MAX)?;
        let first = Date::new(year, month.rem_euclid(12) as i8 + 1, 1).ok()?;
        if self.months == 0 || self.months & 1 << first.month() != 0 {
            let mut day = Day::of(first);
            for number in 1..=first.days_in_month() {
                if self.matches(&day) {
                    dates.extend(Date::new(year, first.month(), number));
                }
                day = day.next_in_month();
            }
        }
        Some(first)
    }

    fn matches(&self, day: &Day) -> bool {
        (self.months == 0 || self.months & 1 << day.month != 0)
            && (self.month_days.is_empty()
                || self.month_days.contains(day.of_month, day.days_in_month))
            && self.has_weekday(day)
            && (self.rule.year_days.is_empty()
                || self.rule.year_days.contains(day.of_year, day.days_in_year))
            && (self.rule.weeks.is_empty() || self.has_week(day))
    }

    /// A weekday's number counts within the month, or within the year for a yearly rule without months.
    fn has_weekday(&self, day: &Day) -> bool {
        if self.weekdays & 1 << day.weekday != 0 {
            return true;
        }
        let numbers = &self.rule.numbered_weekdays[day.weekday];
        if numbers.is_empty() {
            return self.weekdays == 0 && !self.rule.numbers_weekdays();
        }
        let within_year = self.rule.frequency == Frequency::Yearly && self.rule.months == 0;
        let (place, length) = if within_year {
            (day.of_year, day.days_in_year)
        } else {
            (day.of_month, day.days_in_month)
        };
        let index = place.div_ceil(7);
        numbers.contains(index, index + (length - place) / 7)
    }

    /// Weeks as in ISO 8601, but beginning on the rule's `WKST`: a week belongs to the year that has four of
    /// its days. Only its days within that calendar year match.
    fn has_week(&self, day: &Day) -> bool {
        let start = self.rule.week_start.to_monday_zero_offset() as usize;
        // The week's fourth day, as a day of this year: up to 3 days away.
        let middle = (day.of_year + 3) as i64 - ((day.weekday + 7 - start) % 7) as i64;
        let (middle, length) = if middle < 1 {
            let length = days_in_year(day.year - 1);
            ((middle + length as i64) as usize, length)
        } else if middle as usize > day.days_in_year {
            (middle as usize - day.days_in_year, days_in_year(day.year + 1))
        } else {
            (middle as usize, day.days_in_year)
        };
        let week = middle.div_ceil(7);
        self.rule.weeks.contains(week, week + (length - middle) / 7)
    }
}

/// The numbers of a day that conditions compare.
#[derive(Debug, Clone, Copy)]
struct Day {
    year: i16,
    month: i8,
    of_month: usize,
    days_in_month: usize,
    of_year: usize,
    days_in_year: usize,
    /// Monday 0.
    weekday: usize,
}

impl Day {
    fn of(date: Date) -> Self {
        Self {
            year: date.year(),
            month: date.month(),
            of_month: date.day() as usize,
            days_in_month: date.days_in_month() as usize,
            of_year: date.day_of_year() as usize,
            days_in_year: date.days_in_year() as usize,
            weekday: date.weekday().to_monday_zero_offset() as usize,
        }
    }

    fn next_in_month(self) -> Self {
        Self {
            of_month: self.of_month + 1,
            of_year: self.of_year + 1,
            weekday: (self.weekday + 1) % 7,
            ..self
        }
    }
}

fn days_in_year(year: i16) -> usize {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if is_leap { 366 } else { 365 }
}

fn weekday_bit(weekday: Weekday) -> u8 {
    1 << weekday.to_monday_zero_offset()
}

#[cfg(test)]
#[path = "expansion_tests.rs"]
mod tests;
