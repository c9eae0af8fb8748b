//! Combinations of days and times.

use jiff::SignedDuration;
use jiff::civil::{Date, Time, Weekday};

use super::calendar::weekday_after;
use super::language::Unit;
use super::number::Length;
use super::scan::{Found, Scan, Strength};
use crate::instant::Instant;

const MICROSECONDS_PER_MINUTE: i64 = 60_000_000;

/// The day, time or instant of a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    Time(Time),
    DayTime(Date, Time),
    /// An instant relative to the present.
    Instant(Instant),
}

impl Scan<'_> {
    /// A day, a time, or both, with their lead-in.
    pub fn when(&self, at: usize, now: Instant) -> Option<Found<When>> {
        if let Some(found) = self.elapsed(at, now) {
            return Some(found);
        }
        let lead = self.any(at, self.words.date.lead);
        // "am Morgen" is not a day.
        if self.part(at).is_some() {
            return self.time_and_day(at, None);
        }
        let led = lead.and_then(|start| self.day_and_time(start, true));
        led.or_else(|| self.day_and_time(at, false)).or_else(|| self.time_and_day(at, lead))
    }

    /// "in 2 hours", "in 1 hour 30 minutes", "20 min from now".
    fn elapsed(&self, at: usize, now: Instant) -> Option<Found<When>> {
        let words = &self.words.date;
        let (lengths, end) = match self.any(at, words.within) {
            Some(start) => self.lengths(start)?,
            None => {
                let (lengths, end) = self.lengths(at)?;
                (lengths, self.any(end, words.from_now)?)
            }
        };
        let has_clock = |length: &Length| matches!(length.unit, Unit::Minute | Unit::Hour);
        if !lengths.iter().all(has_clock) || self.any(end, words.relating).is_some() {
            return None;
        }
        let mut elapsed = SignedDuration::ZERO;
        for length in lengths {
            elapsed = elapsed.checked_add(length.fixed()?.1)?;
        }
        let instant = now.checked_add(elapsed)?;
        // Seconds are never meant.
        let minutes = instant.as_second().div_euclid(60);
        let minute = Instant::from_microsecond(minutes * MICROSECONDS_PER_MINUTE)?;
        Some(Found::sure(When::Instant(minute), end))
    }

    fn day_and_time(&self, at: usize, is_led: bool) -> Option<Found<When>> {
        if let Some(found) = self.part_of_today(at).or_else(|| self.part_of_weekday(at)) {
            return Some(found);
        }
        let day = self.date(at)?;
        let next = self.skip_mark(day.end, ',');
        if let Some(time) = self.iso_time(day.end).or_else(|| self.time_of_day(next)) {
            let found = self.day_time(day.value, time);
            let strength =
                if day.strength == Strength::Never { day.strength } else { found.strength };
            return Some(Found { strength, ..found });
        }
        let strength = match day.strength {
            Strength::Doubtful if is_led => Strength::Sure,
            other => other,
        };
        Some(Found { strength, ..day }.map(When::Day))
    }

    fn day_time(&self, day: Date, time: Found<Time>) -> Found<When> {
        Found::sure(When::DayTime(day, time.value), time.end)
    }

    /// "9am tomorrow", "at 9 on friday", or a time alone.
    fn time_and_day(&self, at: usize, lead: Option<usize>) -> Option<Found<When>> {
        let led = lead.and_then(|start| self.time(start));
        let time = led.or_else(|| self.time(at))?;
        let next = self.skip_mark(time.end, ',');
        let next = self.skip(next, self.words.date.lead);
        let day = self.date(next).filter(|day| self.begins(next) && self.ends(day.end));
        let Some(day) = day else { return Some(time.map(When::Time)) };
        let (time, end) = self.moved_by_part(time.value, day.end).unwrap_or((time.value, day.end));
        Some(Found::sure(When::DayTime(day.value, time), end))
    }

    /// "tonight", "this evening at 8".
    fn part_of_today(&self, at: usize) -> Option<Found<When>> {
        let (part, end) = self.lookup(at, self.words.time.today_parts)?;
        Some(self.day_time(self.today(), self.clock_in_part(part, end)))
    }

    /// "Freitagabend", in one word.
    fn part_of_weekday(&self, at: usize) -> Option<Found<When>> {
        let (weekday, part) = self.weekday_with_part(at)?;
        let day = weekday_after(self.today(), weekday)?;
        Some(self.day_time(day, self.clock_in_part(part, at + 1)))
    }

    /// A weekday and a part of the day in one word.
    pub fn weekday_with_part(&self, at: usize) -> Option<(Weekday, i8)> {
        let word = self.word(at)?;
        let weekdays = self.words.date.weekdays.iter().zip(0..);
        let names = weekdays.flat_map(|(names, day)| names.iter().map(move |name| (*name, day)));
        let (day, part) = names.into_iter().find_map(|(name, day)| {
            let rest = word.strip_prefix(name)?;
            let mut parts = self.words.time.parts.iter().chain(self.words.time.part_adverbs);
            Some((day, parts.find(|(known, _)| *known == rest)?.1))
        })?;
        Some((Weekday::from_monday_zero_offset(day).ok()?, part))
    }

    /// The time of 2031-03-26T18:30.
    fn iso_time(&self, at: usize) -> Option<Found<Time>> {
        if self.word(at) != Some("t") || !self.is_glued(at) || !self.is_glued(at + 1) {
            return None;
        }
        self.time(at + 1)
    }
}
