//! Phrases for repetitions.

use jiff::civil::{Date, Time, Weekday};

use super::language::{Adverb, Edge, Unit};
use super::number::Length;
use super::scan::{Found, Scan, Strength};
use super::schedule::{Days, Schedule, WEEKEND, WORKDAYS};
use crate::order;
use crate::recurrence::{Basis, Frequency, INTERVAL_MAX};

/// Clauses that may follow a repetition, each at most once: days, time, start, end, basis.
const CLAUSES_MAX: usize = 5;
/// Maximum number of days or weekdays in one list.
const LIST_MAX: usize = 31;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repetition {
    pub schedule: Schedule,
    pub basis: Basis,
    pub time: Option<Time>,
    pub start: Option<Date>,
    pub ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Including this day.
    On(Date),
    /// For a duration from the first date on, that day included.
    During(Length),
    Times(u32),
}

/// What has to separate the items of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separation {
    /// A comma, a slash or "and".
    Marked,
    /// Also a space.
    Any,
}

/// The first or last day of a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Start(Date),
    Until(Date),
}

impl Repetition {
    /// Whether its days or its time are stated.
    pub fn is_complete(&self) -> bool {
        self.time.is_some() || self.schedule.days != Days::Anchor
    }
}

impl Scan<'_> {
    /// "every 3rd friday at 9 until june 30th", "the 1st of every month", "after 3 days", "daily".
    pub fn repetition(&self, at: usize) -> Option<Found<Repetition>> {
        let words = &self.words.repetition;
        let (schedule, time, end, basis, strength) = if let Some(end) = self.any(at, words.every) {
            let is_from_completion = self.glued_mark(end, '!');
            let basis = if is_from_completion { Basis::Completion } else { Basis::Schedule };
            let body = end + usize::from(is_from_completion);
            let (schedule, time, end) = self.every(body).filter(|_| !self.is_glued(body))?;
            (schedule, time, end, basis, Strength::Sure)
        } else if let Some((schedule, end)) = self.placed_in_every_month(at) {
            (schedule, None, end, Basis::Schedule, Strength::Sure)
        } else if let Some((schedule, end)) = self.interval_from_completion(at) {
            (schedule, None, end, Basis::Completion, Strength::Sure)
        } else if let Some(start) = self.any(at, words.after) {
            let (schedule, end) = self.interval(start)?;
            (schedule, None, end, Basis::Completion, Strength::Edge)
        } else {
            let (schedule, end, strength) = self.adverb(at)?;
            (schedule, None, end, Basis::Schedule, strength)
        };
        let value = Repetition { schedule, basis, time, start: None, ending: None };
        let found = Found { value, end: self.of_month(end).unwrap_or(end), strength };
        Some(self.clauses(found))
    }

    /// "of the month", "of every month"
    fn of_month(&self, at: usize) -> Option<usize> {
        let words = &self.words.repetition;
        self.any(at, words.of_month).or_else(|| self.any(at, words.of_every_month))
    }

    /// "on the 1st of every month", "last friday of each month", "the 15th of every 2nd month".
    fn placed_in_every_month(&self, at: usize) -> Option<(Schedule, usize)> {
        let words = &self.words.repetition;
        let start = self.any(at, words.on).unwrap_or(self.skip(at, self.words.date.article));
        let (mut schedule, end) = self.placed(start)?;
        let end = match self.any(end, words.of_every_month) {
            Some(end) => end,
            None => {
                let every = self.any(self.skip(end, self.words.date.of), words.every)?;
                let (months, time, end) = self.every(every)?;
                let is_of_months = months.frequency == Frequency::Monthly
                    && months.days == Days::Anchor
                    && time.is_none();
                schedule.interval = is_of_months.then_some(months.interval)?;
                end
            }
        };
        let is_placed = schedule.frequency == Frequency::Monthly && schedule.days != Days::Anchor;
        is_placed.then_some((schedule, end))
    }

    /// "3 days after completion"
    fn interval_from_completion(&self, at: usize) -> Option<(Schedule, usize)> {
        let (schedule, end) = self.interval(at)?;
        Some((schedule, self.any(end, self.words.repetition.from_completion)?))
    }

    fn adverb(&self, at: usize) -> Option<(Schedule, usize, Strength)> {
        let words = &self.words.repetition;
        let sure = self.lookup(at, words.adverbs).map(|(word, end)| (word, end, Strength::Sure));
        let adverb = sure.or_else(|| {
            let (word, end) = self.lookup(at, words.doubtful_adverbs)?;
            Some((word, end, Strength::Edge))
        });
        let Some((adverb, end, strength)) = adverb else {
            let noun_at = self.any(at, words.on).filter(|_| words.is_weekday_noun);
            let (days, end) = self.each_of_weekdays(noun_at.unwrap_or(at))?;
            let strength = match noun_at {
                Some(_) => Strength::Doubtful,
                None if words.is_weekday_noun => Strength::Never,
                None => Strength::Sure,
            };
            return Some((Schedule::weekly(days), end, strength));
        };
        let schedule = match adverb {
            Adverb::Every(number, unit) => every(number, unit)?,
            Adverb::Workdays => Schedule::weekly(WORKDAYS.to_vec()),
            Adverb::Weekend => Schedule::weekly(WEEKEND.to_vec()),
        };
        Some((schedule, end, strength))
    }

    /// "montags und donnerstags", "mondays"
    fn each_of_weekdays(&self, at: usize) -> Option<(Vec<u8>, usize)> {
        let suffix = self.words.repetition.weekday_suffix;
        self.weekdays(at, |at| {
            let name = self.word(at)?.strip_suffix(suffix)?;
            let weekdays = self.words.date.weekdays;
            let day = weekdays.iter().position(|names| names.contains(&name))?;
            Some((day as u8, at + 1))
        })
    }

    /// The schedule after "every", and the time if it names one.
    fn every(&self, at: usize) -> Option<(Schedule, Option<Time>, usize)> {
        let words = &self.words.repetition;
        if let Some((part, end)) = self.lookup(at, self.words.time.parts) {
            let time = self.clock_in_part(part, end);
            return Some((Schedule::every(1, Frequency::Daily), Some(time.value), time.end));
        }
        if let Some((weekday, part)) = self.weekday_with_part(at) {
            let days = vec![weekday.to_monday_zero_offset() as u8];
            let time = self.clock_in_part(part, at + 1);
            return Some((Schedule::weekly(days), Some(time.value), time.end));
        }
        let other = self.any(at, words.other);
        let start = other.unwrap_or(at);
        let plain = self.unit(start).and_then(|(unit, end)| Some((every(1, unit)?, end)));
        let days = plain.or_else(|| {
            let (days, end) = self.weekday_set(start)?;
            Some((Schedule::weekly(days), end))
        });
        if other.is_some() {
            let (schedule, end) = days?;
            return Some((Schedule { interval: schedule.interval * 2, ..schedule }, None, end));
        }
        // A month wins over a weekday: "mar" and "mai" are also weekdays, but "27 march" is a date.
        let found = self.interval(at).or_else(|| self.day_of_year(at)).or_else(|| self.placed(at));
        let (schedule, end) = found.or(days)?;
        Some((schedule, None, end))
    }

    /// "3 days", "two weeks".
    fn interval(&self, at: usize) -> Option<(Schedule, usize)> {
        let (length, end) = self.length(at)?;
        Some((every(u16::try_from(length.number).ok()?, length.unit)?, end))
    }

    /// "jan 27th", "27 january", "14 jan, 14 apr and 14 oct"
    fn day_of_year(&self, at: usize) -> Option<(Schedule, usize)> {
        let ((day, month), first_end) = self.day_in_month(at)?;
        let (dates, end) = self.list(at, Separation::Marked, |at| self.day_in_month(at))?;
        // No rule has other days in other months.
        let (mut months, end) = if dates.iter().all(|(other, _)| *other == day) {
            (dates.iter().map(|(_, month)| *month).collect(), end)
        } else {
            (vec![month], first_end)
        };
        order::sort(&mut months);
        months.dedup();
        let days = Days::OfYear(day, months);
        Some((Schedule { days, ..Schedule::every(1, Frequency::Yearly) }, end))
    }

    fn day_in_month(&self, at: usize) -> Option<((i8, i8), usize)> {
        let first = self.month(at).and_then(|(month, next)| {
            let (day, end, _) = self.day_number(next)?;
            Some((day, month, end))
        });
        let (day, month, end) = first.or_else(|| {
            let (day, next, _) = self.day_number(at)?;
            let (month, end) = self.month(self.skip(next, self.words.date.of))?;
            Some((day, month, end))
        })?;
        // 2000 is a leap year, so it has every date.
        Date::new(2000, month, day).ok()?;
        Some(((day, month), end))
    }

    /// "3rd friday", "last day", "15th workday", "1st and 15th", "3rd week".
    fn placed(&self, at: usize) -> Option<(Schedule, usize)> {
        let words = &self.words.repetition;
        let (places, end) = self.list(at, Separation::Marked, |at| self.ordinal(at))?;
        let only = (places.len() == 1).then_some(places[0]);
        if let Some(after) = self.any(end, words.workday) {
            return Some((Schedule::monthly(Days::Workday(only?)), after));
        }
        if let Some(weekday) = self.any_weekday(end) {
            let day = weekday.value.to_monday_zero_offset() as u8;
            let is_of_month = self.of_month(weekday.end).is_some();
            if words.ordinal_is_interval && !is_of_month && places.iter().all(|place| *place > 0) {
                let interval = u16::try_from(only?).ok()?;
                return Some((Schedule { interval, ..Schedule::weekly(vec![day]) }, weekday.end));
            }
            let is_within_month = places.iter().all(|place| (-2..=5).contains(place));
            return is_within_month
                .then_some((Schedule::monthly(Days::Numbered(places, day)), weekday.end));
        }
        if let Some((unit, after)) = self.unit(end) {
            let is_of_month = self.of_month(after).is_some();
            return match (unit, only) {
                (Unit::Day, Some(-1)) => Some((Schedule::monthly(Days::OfMonth(places)), after)),
                (Unit::Day, _) if is_of_month => Some((of_month(places)?, after)),
                (unit, only) => {
                    Some((every(u16::try_from(only?).ok().filter(|n| *n > 0)?, unit)?, after))
                }
            };
        }
        // An ordinal in words needs a noun.
        let is_day = self.number(at).is_some() || self.of_month(end).is_some();
        is_day.then_some((of_month(places)?, end))
    }

    /// "weekday", "weekend", "mon, wed and fri", "mon-fri".
    fn weekday_set(&self, at: usize) -> Option<(Vec<u8>, usize)> {
        if let Some(end) = self.any(at, self.words.repetition.workday) {
            return Some((WORKDAYS.to_vec(), end));
        }
        if let Some(end) = self.any(at, self.words.date.weekend) {
            return Some((WEEKEND.to_vec(), end));
        }
        let is_short = |day: &Found<Weekday>| day.strength != Strength::Sure;
        let starts_short = is_short(&self.any_weekday(at)?);
        self.weekdays(at, |at| {
            let day = self.any_weekday(at)?;
            // jeden Montag, so früh es geht
            let is_name = !is_short(&day)
                || starts_short
                || self.words.title.is_capital_telling
                || self.is_capitalised(at);
            is_name.then_some((day.value.to_monday_zero_offset() as u8, day.end))
        })
    }

    /// Weekdays and ranges of them.
    fn weekdays(
        &self,
        at: usize,
        item: impl Fn(usize) -> Option<(u8, usize)>,
    ) -> Option<(Vec<u8>, usize)> {
        let (ranges, end) = self.list(at, Separation::Any, |at| {
            let (first, end) = item(at)?;
            let last = self.any(end, self.words.repetition.range).and_then(&item);
            let (last, end) = last.unwrap_or((first, end));
            let days = (0..=(last + 7 - first) % 7).map(|day| (first + day) % 7);
            Some((days.collect::<Vec<_>>(), end))
        })?;
        Some((ranges.concat(), end))
    }

    /// A list of items.
    fn list<T>(
        &self,
        at: usize,
        separation: Separation,
        item: impl Fn(usize) -> Option<(T, usize)>,
    ) -> Option<(Vec<T>, usize)> {
        let (first, mut end) = item(at)?;
        let mut items = vec![first];
        while items.len() < LIST_MAX {
            let mark = self.skip_mark(self.skip_mark(end, ','), '/');
            let next = self.skip(mark, self.words.number.and);
            let is_separated = match separation {
                Separation::Marked => next > end,
                Separation::Any => next > end || !self.is_glued(next),
            };
            match item(next).filter(|_| is_separated) {
                Some((found, after)) => {
                    items.push(found);
                    end = after;
                }
                None => break,
            }
        }
        Some((items, end))
    }

    fn clauses(&self, mut found: Found<Repetition>) -> Found<Repetition> {
        for _ in 0..CLAUSES_MAX {
            let next = self.skip_mark(found.end, ',');
            if self.is_glued(next) {
                break;
            }
            let repetition = &mut found.value;
            let end = self
                .days_clause(next, &mut repetition.schedule)
                .or_else(|| self.time_clause(next, &mut repetition.time))
                .or_else(|| self.start_clause(next, repetition))
                .or_else(|| self.end_clause(next, &mut repetition.ending))
                .or_else(|| self.basis_clause(next, &mut repetition.basis));
            let Some(end) = end.filter(|end| self.ends(*end)) else { break };
            found.end = end;
            if repetition.is_complete() {
                found.strength = Strength::Sure;
            }
        }
        found
    }

    /// "on monday" after a week, "on the 15th" after a month, "on 27 january" after a year.
    fn days_clause(&self, at: usize, schedule: &mut Schedule) -> Option<usize> {
        if schedule.days != Days::Anchor {
            return None;
        }
        let start = self.any(at, self.words.repetition.on);
        let (days, end) = match schedule.frequency {
            Frequency::Daily => return None,
            Frequency::Weekly => {
                let led = |start| self.weekday_set(start).or_else(|| self.each_of_weekdays(start));
                let (days, end) = start.and_then(led).or_else(|| self.each_of_weekdays(at))?;
                (Schedule::weekly(days).days, end)
            }
            Frequency::Monthly => {
                let (placed, end) = self.placed(start?)?;
                if placed.frequency != Frequency::Monthly {
                    return None;
                }
                (placed.days, self.of_month(end).unwrap_or(end))
            }
            Frequency::Yearly => {
                let (placed, end) = self.day_of_year(start?)?;
                (placed.days, end)
            }
        };
        schedule.days = days;
        Some(end)
    }

    fn time_clause(&self, at: usize, time: &mut Option<Time>) -> Option<usize> {
        if time.is_some() {
            return None;
        }
        let found = self.time_of_day(at)?;
        *time = Some(found.value);
        Some(found.end)
    }

    fn start_clause(&self, at: usize, repetition: &mut Repetition) -> Option<usize> {
        if repetition.start.is_some() {
            return None;
        }
        let day = self.bound_day(self.any(at, self.words.repetition.start)?, Edge::First)?;
        repetition.start = Some(day.value);
        self.time_clause(day.end, &mut repetition.time).or(Some(day.end))
    }

    /// "after completion"
    fn basis_clause(&self, at: usize, basis: &mut Basis) -> Option<usize> {
        let end = self.any(at, self.words.repetition.from_completion)?;
        *basis = Basis::Completion;
        Some(end)
    }

    /// A start or end that is separate from its repetition.
    pub fn bound(&self, at: usize) -> Option<Found<Bound>> {
        let words = &self.words.repetition;
        let bound = |list, edge, bound: fn(Date) -> Bound| {
            let day = self.bound_day(self.any(at, list)?, edge)?;
            Some(Found { strength: day.strength.max(Strength::Doubtful), ..day.map(bound) })
        };
        let start = bound(words.start_apart, Edge::First, Bound::Start);
        start.or_else(|| bound(words.until, Edge::Last, Bound::Until))
    }

    /// A date, or the first or last day of a month.
    fn bound_day(&self, at: usize, edge: Edge) -> Option<Found<Date>> {
        self.date(at).or_else(|| {
            let (date, end) = self.edge_of_month(at, edge)?;
            Some(Found { value: date, end, strength: Strength::Doubtful })
        })
    }

    fn end_clause(&self, at: usize, ending: &mut Option<Ending>) -> Option<usize> {
        if ending.is_some() {
            return None;
        }
        let words = &self.words.repetition;
        let (found, end) = if let Some(start) = self.any(at, words.until) {
            let day = self.bound_day(start, Edge::Last)?;
            (Ending::On(day.value), day.end)
        } else {
            let start = self.skip(at, words.during);
            let counted = self.cardinal(start);
            let counted = counted.and_then(|(n, end)| Some((n, self.any(end, words.times)?)));
            match counted {
                Some((number, end)) => (Ending::Times(number), end),
                None => {
                    let (length, end) = self.length(start)?;
                    let long = self.any(end, words.long);
                    if start == at && long.is_none() {
                        return None;
                    }
                    (Ending::During(length), long.unwrap_or(end))
                }
            }
        };
        *ending = Some(found);
        Some(end)
    }
}

/// A multiple of a unit, if a rule can have it.
fn every(number: u16, unit: Unit) -> Option<Schedule> {
    let (each, frequency) = match unit {
        Unit::Minute | Unit::Hour => return None,
        Unit::Day => (1, Frequency::Daily),
        Unit::Week => (1, Frequency::Weekly),
        Unit::Fortnight => (2, Frequency::Weekly),
        Unit::Month => (1, Frequency::Monthly),
        Unit::Quarter => (3, Frequency::Monthly),
        Unit::Year => (1, Frequency::Yearly),
    };
    let interval = number.checked_mul(each)?;
    (1..=INTERVAL_MAX).contains(&interval).then_some(Schedule::every(interval, frequency))
}

fn of_month(places: Vec<i8>) -> Option<Schedule> {
    let is_within = places.iter().all(|place| *place >= -1);
    is_within.then_some(Schedule::monthly(Days::OfMonth(places)))
}
