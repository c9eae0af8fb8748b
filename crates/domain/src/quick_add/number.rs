//! Numbers, ordinals and durations.

use jiff::civil::Date;
use jiff::{SignedDuration, Span};

use super::language::Unit;
use super::scan::Scan;

/// Maximum number of parts of a duration such as "1 hour 30 minutes".
const LENGTH_PARTS_MAX: usize = 3;

/// A number and its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    pub number: u32,
    pub unit: Unit,
}

impl Length {
    /// The date this much later. None for hours and minutes, and beyond the calendar.
    pub fn after(self, date: Date) -> Option<Date> {
        let number = i64::from(self.number);
        let span = match self.unit {
            Unit::Minute | Unit::Hour => return None,
            Unit::Day => Span::new().try_days(number),
            Unit::Week => Span::new().try_weeks(number),
            Unit::Fortnight => Span::new().try_weeks(number * 2),
            Unit::Month => Span::new().try_months(number),
            Unit::Quarter => Span::new().try_months(number * 3),
            Unit::Year => Span::new().try_years(number),
        };
        date.checked_add(span.ok()?).ok()
    }

    /// Days, and the shorter units as a duration. None for months and years, whose length varies.
    pub fn fixed(self) -> Option<(u64, SignedDuration)> {
        let number = u64::from(self.number);
        let elapsed = i64::from(self.number);
        match self.unit {
            Unit::Minute => Some((0, SignedDuration::from_mins(elapsed))),
            Unit::Hour => Some((0, SignedDuration::from_hours(elapsed))),
            Unit::Day => Some((number, SignedDuration::ZERO)),
            Unit::Week => Some((number * 7, SignedDuration::ZERO)),
            Unit::Fortnight => Some((number * 14, SignedDuration::ZERO)),
            Unit::Month | Unit::Quarter | Unit::Year => None,
        }
    }
}

impl Scan<'_> {
    /// A number in digits or as a word.
    pub fn cardinal(&self, at: usize) -> Option<(u32, usize)> {
        match self.number(at) {
            Some(number) => Some((number, at + 1)),
            None => self.lookup(at, self.words.number.cardinals),
        }
    }

    /// A unit of time, possibly abbreviated or glued to its number.
    pub fn unit(&self, at: usize) -> Option<(Unit, usize)> {
        let (unit, end) = self.lookup(at, self.words.number.units)?;
        Some((unit, self.skip_stop(end)))
    }

    /// "3 days", "2h", "a week", "half an hour".
    pub fn length(&self, at: usize) -> Option<(Length, usize)> {
        if let Some(((number, unit), end)) = self.lookup(at, self.words.number.lengths) {
            return Some((Length { number, unit }, end));
        }
        let (number, unit_at) = self.cardinal(at)?;
        let (unit, end) = self.unit(unit_at)?;
        let is_written = self.number(at).is_some() || !self.is_glued(unit_at);
        is_written.then_some((Length { number, unit }, end))
    }

    /// "1 hour 30 minutes": durations to add, largest first.
    pub fn lengths(&self, at: usize) -> Option<(Vec<Length>, usize)> {
        let (first, mut end) = self.length(at)?;
        let mut parts = vec![first];
        while parts.len() < LENGTH_PARTS_MAX {
            let after_and = self.skip(end, self.words.number.and);
            match self.length(after_and) {
                Some((part, part_end)) if parts.iter().all(|known| known.unit != part.unit) => {
                    parts.push(part);
                    end = part_end;
                }
                _ => break,
            }
        }
        Some((parts, end))
    }

    /// "3rd", "3." or "third"; -1 is the last. Digits up to 31.
    pub fn ordinal(&self, at: usize) -> Option<(i8, usize)> {
        let Some(number) = self.number(at) else {
            return self.lookup(at, self.words.number.ordinals);
        };
        let suffixes = self.words.number.ordinal_suffixes;
        let has_suffix = match self.word(at + 1) {
            Some(suffix) => self.is_glued(at + 1) && suffixes.contains(&suffix),
            None => suffixes.is_empty() && self.glued_mark(at + 1, '.'),
        };
        let place = i8::try_from(number).ok().filter(|place| (1..=31).contains(place))?;
        (has_suffix && self.digits(at) <= 2).then_some((place, at + 2))
    }

    /// "3rd" or "3.", but not "third".
    pub fn ordinal_in_digits(&self, at: usize) -> Option<(i8, usize)> {
        self.number(at)?;
        self.ordinal(at)
    }
}
