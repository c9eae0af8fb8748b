//! Days: by name, by date, by their position in a period.

use jiff::civil::{Date, Weekday};

use super::calendar::{
    day_and_month, day_of_month, edge, month_edge, weekday_after, weekday_from, weekday_of_week,
};
use super::language::{Edge, List, Unit};
use super::scan::{Found, Scan, Strength};
use crate::instant::{YEAR_MAX, YEAR_MIN};

/// 24/7 is not a date.
const AROUND_THE_CLOCK: (u32, u32) = (24, 7);

impl Scan<'_> {
    /// A day without its lead-in, in a year whose times are instants in every zone.
    pub fn date(&self, at: usize) -> Option<Found<Date>> {
        self.any_date(at).filter(|found| found.value.year() < YEAR_MAX)
    }

    fn any_date(&self, at: usize) -> Option<Found<Date>> {
        self.day_from_today(at)
            .or_else(|| self.counted(at))
            .or_else(|| self.period(at))
            .or_else(|| self.named_day(at))
            .or_else(|| self.place_in_period(at))
            .or_else(|| self.weekday_date(at))
            .or_else(|| self.calendar_date(at))
            .or_else(|| self.day_alone(at))
    }

    /// "this friday", "next friday", "next weekend".
    fn named_day(&self, at: usize) -> Option<Found<Date>> {
        let words = &self.words.date;
        let today = self.today();
        if let Some((weeks, next)) = self.lookup(at, words.next) {
            let (day, end) = match self.any_weekday(next) {
                Some(found) => (found.value, found.end),
                None => (Weekday::Saturday, self.any(next, words.weekend)?),
            };
            return Some(Found::sure(weekday_of_week(today, weeks, day)?, end));
        }
        let start = self.any(at, words.this);
        if let Some(day) = start.and_then(|start| self.any_weekday(start)) {
            return Some(Found::sure(weekday_from(today, day.value)?, day.end));
        }
        let is_led = start.is_some() || at > 0 && self.is_led(at);
        let named = self.skip(start.unwrap_or(at), words.article);
        let end = self.any(named, words.weekend).filter(|_| is_led)?;
        let is_weekend = matches!(today.weekday(), Weekday::Saturday | Weekday::Sunday);
        let day = if is_weekend { today } else { weekday_from(today, Weekday::Saturday)? };
        Some(Found::sure(day, end))
    }

    fn is_led(&self, at: usize) -> bool {
        let leads = self.words.date.lead;
        leads.iter().any(|lead| {
            let start = at.checked_sub(lead.split(' ').count());
            start.is_some_and(|start| self.phrase(start, lead) == Some(at))
        })
    }

    /// "end of month", "end of june", "monatsende".
    fn place_in_period(&self, at: usize) -> Option<Found<Date>> {
        let words = &self.words.date;
        let today = self.today();
        // The end of year party
        let doubtful = |value, end| Found { value, end, strength: Strength::Doubtful };
        if let Some(((wanted, unit), end)) = self.lookup(at, words.edge_words) {
            let offset = i32::from(wanted == Edge::First);
            return Some(doubtful(edge(today, wanted, (unit, offset))?, end));
        }
        let (wanted, next) = self.lookup(at, words.edges)?;
        if let Some((period, end)) = self.lookup(next, words.edge_periods) {
            return Some(doubtful(edge(today, wanted, period)?, end));
        }
        self.edge_of_month(next, wanted).map(|(date, end)| doubtful(date, end))
    }

    /// The first or last day of a month by its name: "june", "June 2032".
    pub fn edge_of_month(&self, at: usize, wanted: Edge) -> Option<(Date, usize)> {
        let (month, end) = self.month(at)?;
        match self.year(end) {
            Some((year, end)) => {
                let first = Date::new(year, month, 1).ok()?;
                Some((edge(first, wanted, (Unit::Month, 0))?, end))
            }
            None => Some((month_edge(self.today(), wanted, month)?, end)),
        }
    }

    /// A weekday, and what may follow it: a date, which then decides, its week, or a duration.
    fn weekday_date(&self, at: usize) -> Option<Found<Date>> {
        let weekday = self.any_weekday(at)?;
        let next = self.skip_mark(weekday.end, ',');
        let named = self.skip(next, self.words.date.article);
        if let Some(date) = self.calendar_date(named).or_else(|| self.day_alone(next)) {
            // Friday the 13th is usually a title.
            let agrees = date.value.weekday() == weekday.value;
            let strength = if agrees { Strength::Sure } else { Strength::Never };
            return Some(Found { strength, ..date });
        }
        // "so" and "do" are also words unless capitalised.
        let is_name = weekday.strength == Strength::Sure
            || self.words.title.is_capital_telling
            || self.is_capitalised(at)
            || at > 0 && self.is_led(at);
        if !is_name {
            return None;
        }
        if let Some((weeks, end)) = self.named_week(weekday.end) {
            return Some(Found::sure(weekday_of_week(self.today(), weeks, weekday.value)?, end));
        }
        if let Some(later) = self.later(weekday_from(self.today(), weekday.value)?, weekday.end) {
            return Some(later);
        }
        let date = weekday_after(self.today(), weekday.value)?;
        Some(weekday.map(|_| date))
    }

    /// A full weekday, or an abbreviated one, which is doubtful.
    pub fn any_weekday(&self, at: usize) -> Option<Found<Weekday>> {
        let words = &self.words.date;
        let find = |names: &[List; 7]| {
            (0..).zip(names).find_map(|(day, names)| {
                Some((Weekday::from_monday_zero_offset(day).ok()?, self.any(at, names)?))
            })
        };
        if let Some((day, end)) = find(&words.weekdays) {
            return Some(Found::sure(day, end));
        }
        let (day, end) = find(&words.short_weekdays)?;
        Some(Found { value: day, end: self.skip_stop(end), strength: Strength::Doubtful })
    }

    /// A calendar date, with or without a year.
    fn calendar_date(&self, at: usize) -> Option<Found<Date>> {
        self.iso_date(at)
            .or_else(|| self.dotted_date(at))
            .or_else(|| self.slashed_date(at))
            .or_else(|| self.month_first(at))
            .or_else(|| self.day_first(at))
    }

    /// 2031-03-26, 2031/03/26
    fn iso_date(&self, at: usize) -> Option<Found<Date>> {
        let year = self.full_year(at)?;
        let is_marked = |mark| self.glued_mark(at + 1, mark) && self.glued_mark(at + 3, mark);
        let month =
            self.glued_number(at + 2, 1, 12).filter(|_| ['-', '/'].map(is_marked) != [false; 2])?;
        let day = self.glued_number(at + 4, 1, 31)?;
        Some(Found::sure(Date::new(year, month as i8, day as i8).ok()?, at + 5))
    }

    /// 24.12.2031, and 24.12. in languages that write dates so.
    fn dotted_date(&self, at: usize) -> Option<Found<Date>> {
        let day = self.number(at).filter(|day| (1..=31).contains(day) && self.digits(at) <= 2)?;
        let month = self.glued_number(at + 2, 1, 12).filter(|_| self.glued_mark(at + 1, '.'))?;
        if !self.glued_mark(at + 3, '.') {
            return None;
        }
        if let Some(year) = self.full_year(at + 4).filter(|_| self.is_glued(at + 4)) {
            return Some(Found::sure(Date::new(year, month as i8, day as i8).ok()?, at + 5));
        }
        let is_date = self.words.date.is_dotted && self.is_end_of_number(at + 4);
        let date = day_and_month(self.today(), day as i8, month as i8).filter(|_| is_date)?;
        Some(Found { value: date, end: at + 4, strength: Strength::Doubtful })
    }

    fn is_end_of_number(&self, at: usize) -> bool {
        !self.is_glued(at) || self.ends(at)
    }

    /// 17/2 and 2/17, with or without a year, and 17-2-2031; not 5/6, which is ambiguous.
    fn slashed_date(&self, at: usize) -> Option<Found<Date>> {
        let first =
            self.number(at).filter(|first| (1..=31).contains(first) && self.digits(at) <= 2)?;
        let mark = if self.glued_mark(at + 1, '-') { '-' } else { '/' };
        let second = self.glued_number(at + 2, 1, 31).filter(|_| self.glued_mark(at + 1, mark))?;
        let (day, month) = match (first, second) {
            (13.., 1..=12) => (first, second),
            (1..=12, 13..) => (second, first),
            _ => return None,
        };
        if (first, second) == AROUND_THE_CLOCK {
            return None;
        }
        let (day, month) = (day as i8, month as i8);
        if self.glued_mark(at + 3, mark) {
            let year = self.full_year(at + 4).filter(|_| self.is_glued(at + 4))?;
            return Some(Found::sure(Date::new(year, month, day).ok()?, at + 5));
        }
        // 17-2 alone is a result or a range.
        let date = day_and_month(self.today(), day, month).filter(|_| mark == '/')?;
        Some(Found { value: date, end: at + 3, strength: Strength::Doubtful })
    }

    /// "Feb 29", "February 29th, 2032"
    fn month_first(&self, at: usize) -> Option<Found<Date>> {
        let (month, day_at) = self.month(at)?;
        let day_at = self.skip(day_at, self.words.date.article);
        let (day, end, is_ordinal) = self.day_number(day_at)?;
        let mut found = self.with_year(day, month, end)?;
        let has_year = found.end > end;
        let doubtful = self.words.date.doubtful_months;
        if self.any(at, doubtful).is_some() && !is_ordinal && !has_year {
            found.strength = Strength::Doubtful;
        }
        Some(found)
    }

    /// "29 Feb", "29th of February 2032", "the 29. Februar"
    fn day_first(&self, at: usize) -> Option<Found<Date>> {
        let start = self.skip(at, self.words.date.article);
        let (day, end, _) = self.day_number(start)?;
        let (month, end) = self.month(self.skip(end, self.words.date.of))?;
        self.with_year(day, month, end)
    }

    fn with_year(&self, day: i8, month: i8, end: usize) -> Option<Found<Date>> {
        let year_at = self.skip_mark(end, ',');
        if let Some((year, end)) = self.year(year_at) {
            return Some(Found::sure(Date::new(year, month, day).ok()?, end));
        }
        Some(Found::sure(day_and_month(self.today(), day, month)?, end))
    }

    /// The day of a month, and whether it is written as an ordinal.
    pub fn day_number(&self, at: usize) -> Option<(i8, usize, bool)> {
        if let Some((day, end)) = self.ordinal(at) {
            return (day > 0).then_some((day, end, true));
        }
        let day = self.number(at).filter(|day| (1..=31).contains(day) && self.digits(at) <= 2)?;
        let is_time = self.glued_mark(at + 1, ':') && self.is_glued(at + 2);
        (!is_time).then_some((day as i8, at + 1, false))
    }

    /// A month by its name, possibly abbreviated.
    pub fn month(&self, at: usize) -> Option<(i8, usize)> {
        let names = (1..).zip(&self.words.date.months);
        let (month, end) =
            names.into_iter().find_map(|(month, names)| Some((month, self.any(at, names)?)))?;
        Some((month, self.skip_stop(end)))
    }

    fn year(&self, at: usize) -> Option<(i16, usize)> {
        let year = self.full_year(at).filter(|_| !self.is_glued(at))?;
        let is_year = self.unit(at + 1).is_none() && self.ends(at + 1);
        is_year.then_some((year, at + 1))
    }

    /// A four-digit year.
    fn full_year(&self, at: usize) -> Option<i16> {
        let year = i16::try_from(self.number(at).filter(|_| self.digits(at) == 4)?).ok()?;
        (YEAR_MIN..=YEAR_MAX).contains(&year).then_some(year)
    }

    /// "17th", "the 17th", "den 3.", "the 5th of next month"
    fn day_alone(&self, at: usize) -> Option<Found<Date>> {
        let start = self.skip(at, self.words.date.article);
        let (day, end) = self.ordinal_in_digits(start)?;
        if let Some(found) = self.day_of_named_month(day, end) {
            return Some(found);
        }
        // A full stop after a number may end the sentence, unless a lead-in precedes the day.
        if self.words.date.is_dotted && start == at && !(at > 0 && self.is_led(at)) {
            return None;
        }
        let date = day_of_month(self.today(), day)?;
        Some(Found { value: date, end, strength: Strength::Edge })
    }
}
