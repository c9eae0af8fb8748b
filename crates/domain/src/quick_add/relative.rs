//! Days that are counted from another day, or placed in a named week or month.

use jiff::civil::Date;

use super::calendar::{day_of_month, edge, in_days, weekday_after, weekday_of_week};
use super::language::{Edge, Unit};
use super::number::Length;
use super::scan::{Found, Scan, Strength};

impl Scan<'_> {
    /// A day by its distance from today: "tomorrow", "tomorrow in a week".
    pub fn day_from_today(&self, at: usize) -> Option<Found<Date>> {
        let (days, end) = self.lookup(at, self.words.date.days)?;
        let day = in_days(self.today(), days)?;
        Some(self.later(day, end).unwrap_or(Found::sure(day, end)))
    }

    /// "in two weeks" after a day.
    pub fn later(&self, day: Date, at: usize) -> Option<Found<Date>> {
        let (length, end) = self.within(at)?;
        Some(Found::sure(length.after(day)?, end))
    }

    /// "in 3 days", "in 2 weeks on friday", "3 days from now", "a week from friday".
    pub fn counted(&self, at: usize) -> Option<Found<Date>> {
        let words = &self.words.date;
        if self.any(at, words.within).is_some() {
            let (length, end) = self.within(at)?;
            let day = length.after(self.today())?;
            let is_in_weeks = matches!(length.unit, Unit::Week | Unit::Fortnight);
            let weekday = if is_in_weeks { self.weekday_in_week_of(day, end) } else { None };
            return Some(weekday.unwrap_or(Found::sure(day, end)));
        }
        let (length, end) = self.length(at)?;
        let (from, end) = match self.any(end, words.from_now) {
            Some(end) => (self.today(), end),
            None => self.day_to_count_from(self.any(end, words.from)?)?,
        };
        Some(Found::sure(length.after(from)?, end))
    }

    /// The duration of "in 3 days".
    fn within(&self, at: usize) -> Option<(Length, usize)> {
        let words = &self.words.date;
        let length_at = self.any(at, words.within)?;
        let (length, end) = self.length(length_at)?;
        // Around the World in 80 Days
        let is_title = self.words.title.is_capital_telling
            && (length_at..end).any(|at| self.is_capitalised(at));
        let is_related = self.any(end, words.relating).is_some();
        (!is_title && !is_related).then_some((length, end))
    }

    fn day_to_count_from(&self, at: usize) -> Option<(Date, usize)> {
        if let Some((days, end)) = self.lookup(at, self.words.date.days) {
            return Some((in_days(self.today(), days)?, end));
        }
        let weekday = self.any_weekday(at)?;
        Some((weekday_after(self.today(), weekday.value)?, weekday.end))
    }

    /// "next week", "next week on friday", "next month on the 5th".
    pub fn period(&self, at: usize) -> Option<Found<Date>> {
        let (period, end) = self.lookup(at, self.words.date.periods)?;
        let first = edge(self.today(), Edge::First, period)?;
        let day = match period {
            (Unit::Week, _) => self.weekday_in_week_of(first, end),
            (Unit::Month, _) => self.day_in_month_of(first, end),
            _ => None,
        };
        Some(day.unwrap_or(Found::sure(first, end)))
    }

    /// A weekday after its week.
    fn weekday_in_week_of(&self, day: Date, at: usize) -> Option<Found<Date>> {
        let next = self.skip_mark(at, ',');
        let lead = self.any(next, self.words.date.lead);
        let weekday = self.any_weekday(lead.unwrap_or(next))?;
        let strength = if lead.is_some() { Strength::Sure } else { weekday.strength };
        let value = weekday_of_week(day, 0, weekday.value).filter(|_| self.ends(weekday.end))?;
        Some(Found { value, end: weekday.end, strength })
    }

    /// "on the 5th" after its month.
    fn day_in_month_of(&self, first: Date, at: usize) -> Option<Found<Date>> {
        let words = &self.words.date;
        let led = self.any(self.skip_mark(at, ','), words.lead)?;
        let (day, end) = self.ordinal_in_digits(self.skip(led, words.article))?;
        Some(match Date::new(first.year(), first.month(), day) {
            Ok(date) => Found::sure(date, end),
            Err(_) => Found { value: first, end, strength: Strength::Never },
        })
    }

    /// "of next month" after a day of the month.
    pub fn day_of_named_month(&self, day: i8, at: usize) -> Option<Found<Date>> {
        let (months, end) = self.named_period(at, Unit::Month)?;
        let date = match months {
            0 => day_of_month(self.today(), day)?,
            _ => {
                let first = edge(self.today(), Edge::First, (Unit::Month, months))?;
                Date::new(first.year(), first.month(), day).ok()?
            }
        };
        Some(Found::sure(date, end))
    }

    /// "next week" or "of next week" after a weekday, as weeks from now.
    pub fn named_week(&self, at: usize) -> Option<(i32, usize)> {
        self.named_period(at, Unit::Week)
    }

    /// A period by more than one word: in "friday week plan", "week" is no period.
    fn named_period(&self, at: usize, wanted: Unit) -> Option<(i32, usize)> {
        let start = self.skip(at, self.words.date.of);
        let tables = [self.words.date.periods, self.words.date.edge_periods];
        tables.into_iter().find_map(|table| {
            let ((unit, offset), end) = self.lookup(start, table)?;
            (unit == wanted && end - start > 1).then_some((offset, end))
        })
    }
}
