//! A series: a rule with its anchor and zone.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

use super::completion::after_completion;
use super::date::add_days;
use super::end::End;
use super::grid::Grid;
use super::rrule::Expansion;
use super::rule::{Basis, CatchUp, Pattern, Rule};
use crate::Violation;
use crate::due::Due;
use crate::instant::Instant;
use crate::zone::Zone;

/// Maximum number of slots of a preview.
pub const PREVIEW_SLOTS_MAX: usize = 500;
/// Maximum number of skipped slots that are listed, earliest first. Further ones are skipped as well.
pub const SKIPPED_SLOTS_MAX: usize = 100;
/// How far before the present the search for the next slot begins: more than the largest change ever made to
/// a zone's clock, which is a day.
const JUMP_MARGIN_HOURS: i64 = 48;
/// Maximum number of slots between there and the present, one a day.
const JUMP_SLOTS_MAX: usize = 8;
const NAMES_TIME: Violation = Violation::Malformed {
    expected: "a rule without BYHOUR, BYMINUTE and BYSECOND, because the task is due on a day",
};

/// Where a series starts. It decides whether its slots are times or whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At a wall-clock time in the series' zone.
    Time(DateTime),
    /// On a day. Each slot is a day, and stands for midnight as a local time.
    Day(Date),
}

impl Anchor {
    /// The anchor of a series whose first task is due then. Fractions of a second are dropped: slots are whole seconds.
    #[must_use]
    pub fn of(due: Due, zone: &Zone) -> Self {
        match due {
            Due::At(instant) => Self::Time(whole_seconds(zone.local_of(instant))),
            Due::On(day) => Self::Day(day),
        }
    }

    /// The anchor with this local time, as [`Anchor::local`] gives it.
    #[must_use]
    pub fn of_local(local: DateTime, is_day: bool) -> Self {
        if is_day { Self::Day(local.date()) } else { Self::Time(local) }
    }

    /// The local time that stands for it.
    #[must_use]
    pub fn local(self) -> DateTime {
        match self {
            Self::Time(local) => local,
            Self::Day(day) => day.to_datetime(Time::midnight()),
        }
    }

    #[must_use]
    pub const fn is_day(self) -> bool {
        matches!(self, Self::Day(_))
    }
}

impl From<DateTime> for Anchor {
    fn from(local: DateTime) -> Self {
        Self::Time(whole_seconds(local))
    }
}

/// A rule with its anchor and zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    rule: Rule,
    /// The local time of the anchor.
    anchor: DateTime,
    /// Whether its slots are days.
    is_of_days: bool,
    zone: Zone,
    /// Time of day of every slot.
    time: Time,
    /// The dates of its slots, ignoring the end.
    dates: Dates,
    /// Last date that the rule's `count` allows, if it lies within the calendar.
    last_counted: Option<Date>,
}

/// One slot of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Wall-clock time in the series' zone, which identifies the slot: across a DST gap, two slots can be
    /// the same instant, and then `due` is a later time than `local`. Midnight of a slot that is a day.
    pub local: DateTime,
    pub due: Due,
}

/// What follows an occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Successor {
    Next {
        slot: DateTime,
        due: Due,
        /// Slots passed over because they are past, in order; at most [`SKIPPED_SLOTS_MAX`].
        skipped: Vec<DateTime>,
    },
    /// The series is over.
    Ended,
}

impl Series {
    #[must_use]
    pub fn new(rule: Rule, anchor: impl Into<Anchor>, zone: Zone) -> Self {
        let anchor = anchor.into();
        let (anchor, is_of_days) = (anchor.local(), anchor.is_day());
        let (time, dates) = Dates::of(&rule, anchor);
        let last_counted = match (rule.end, rule.basis) {
            (End::AfterCount(count), Basis::Schedule) => dates.nth(count),
            _ => None,
        };
        Self { rule, anchor, is_of_days, zone, time, dates, last_counted }
    }

    /// Refuses a rule that has no slot from this anchor on, such as 30 February or an end before the first
    /// slot, and one that gives days a time (RFC 5545, section 3.3.10: BYHOUR and the like need a DTSTART with one).
    ///
    /// # Errors
    /// `never_matches`, `malformed`.
    pub fn validate(&self) -> Result<(), Violation> {
        if self.is_of_days && self.rule.names_time() {
            return Err(NAMES_TIME);
        }
        self.first_slot().map(|_| ()).ok_or(Violation::NeverMatches)
    }

    /// The first slot after a local time, which need not be a slot. None if the series is over by then.
    ///
    /// On basis `completion`, the slot that would follow an occurrence at `local` completed on its day; the
    /// rule's count is ignored, because it is unknown there.
    #[must_use]
    pub fn slot_after(&self, local: DateTime) -> Option<DateTime> {
        match self.rule.basis {
            Basis::Schedule => {
                let passed = local.time() >= self.time;
                let from = add_days(local.date(), i64::from(passed))?;
                self.slot_on(self.dates.first_from(from)?)
            }
            Basis::Completion => self.slot_after_completion(local.date(), local.date()),
        }
    }

    /// What follows an occurrence.
    ///
    /// `completed_slot` is the occurrence's slot, `completed_at` the instant of its completion, and `now` the
    /// present, which decides what is past. `completions_so_far` counts the completed occurrences of the
    /// series, including this one; it matters for a count on basis `completion`. `taken` are slots of other
    /// occurrences, which are passed over, because a skipped occurrence may have moved ahead of others.
    ///
    /// With catch_up `all`, each successor follows from the one before it, as with `one_step`; the caller
    /// repeats the call while the result's `due` is past.
    #[must_use]
    pub fn successor(
        &self,
        completed_slot: DateTime,
        completed_at: Instant,
        now: Instant,
        completions_so_far: u32,
        taken: &[DateTime],
    ) -> Successor {
        if self.rule.basis == Basis::Completion {
            if matches!(self.rule.end, End::AfterCount(n) if completions_so_far >= n.into()) {
                return Successor::Ended;
            }
            let done = self.zone.local_of(completed_at).date();
            return self.next(self.slot_after_completion(done, completed_slot.date()), Vec::new());
        }
        let mut after = completed_slot;
        let mut passed = Vec::new();
        // Each step but the last ends on another taken slot.
        for _ in 0..=taken.len() {
            let (next, skipped) = match self.rule.catch_up {
                CatchUp::NextFuture => self.next_future(after, now),
                CatchUp::OneStep | CatchUp::All => (self.slot_after(after), Vec::new()),
            };
            passed.extend(skipped);
            match next {
                Some(slot) if taken.contains(&slot) => after = slot,
                free => return self.next(free, passed),
            }
        }
        Successor::Ended
    }

    /// The first `count` slots, at most [`PREVIEW_SLOTS_MAX`]; the anchor is the first if the rule matches
    /// it. On basis `completion`, as if each were completed on its day.
    #[must_use]
    pub fn preview(&self, count: usize) -> Vec<Slot> {
        let count = match (self.rule.basis, self.rule.end) {
            (Basis::Completion, End::AfterCount(end)) => count.min(end.into()),
            _ => count,
        };
        std::iter::successors(self.first_slot(), |slot| self.slot_after(*slot))
            .take(count.min(PREVIEW_SLOTS_MAX))
            .map_while(|local| Some(Slot { local, due: self.due(local)? }))
            .collect()
    }

    /// The rule of the rest of the series from a slot on, as a series of its own: a count is reduced by the
    /// slots passed. `completions_before` is that number on basis `completion`.
    #[must_use]
    pub fn rest_from(&self, slot: DateTime, completions_before: u32) -> Rule {
        let End::AfterCount(count) = self.rule.end else { return self.rule.clone() };
        let passed = match self.rule.basis {
            Basis::Schedule => {
                let slots = std::iter::successors(self.first_slot(), |at| self.slot_after(*at));
                slots.take(count.into()).take_while(|at| *at < slot).count()
            }
            Basis::Completion => completions_before as usize,
        };
        let passed = u16::try_from(passed).unwrap_or(u16::MAX);
        self.rule.clone().with_count(count.saturating_sub(passed).max(1))
    }

    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The local time of the anchor.
    #[must_use]
    pub fn anchor(&self) -> DateTime {
        self.anchor
    }

    /// When the task of a slot is due. None only at the end of the calendar.
    #[must_use]
    pub fn due(&self, slot: DateTime) -> Option<Due> {
        if self.is_of_days {
            return Some(Due::On(slot.date()));
        }
        self.zone.instant_of(slot).map(Due::At)
    }

    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    fn first_slot(&self) -> Option<DateTime> {
        // With month_end `skip`, a series on basis `completion` is not bound to fixed months.
        match (self.dates.first_from(self.anchor.date()), self.rule.basis) {
            (None, Basis::Completion) => self.slot_after(self.anchor),
            (date, _) => self.slot_on(date?),
        }
    }

    /// The first slot that is not past, and the past ones before it.
    fn next_future(&self, after: DateTime, now: Instant) -> (Option<DateTime>, Vec<DateTime>) {
        let is_past = |slot| self.is_past(slot, now);
        let mut next = self.slot_after(after);
        let mut skipped = Vec::new();
        while let Some(slot) = next.filter(|slot| is_past(*slot)) {
            if skipped.len() == SKIPPED_SLOTS_MAX {
                next = self.jump(slot, now);
                break;
            }
            skipped.push(slot);
            next = self.slot_after(slot);
        }
        (next, skipped)
    }

    /// Jumps from a past slot over all other past slots without visiting each.
    fn jump(&self, slot: DateTime, now: Instant) -> Option<DateTime> {
        let shortly_before = self
            .zone
            .local_of(now)
            .checked_sub(SignedDuration::from_hours(JUMP_MARGIN_HOURS))
            .ok()?;
        std::iter::successors(self.slot_after(slot.max(shortly_before)), |slot| {
            self.slot_after(*slot)
        })
        .take(JUMP_SLOTS_MAX)
        .find(|slot| !self.is_past(*slot, now))
    }

    fn is_past(&self, slot: DateTime, now: Instant) -> bool {
        self.due(slot).is_some_and(|due| due.end(&self.zone) < now)
    }

    fn next(&self, slot: Option<DateTime>, skipped: Vec<DateTime>) -> Successor {
        match slot.and_then(|slot| Some((slot, self.due(slot)?))) {
            Some((slot, due)) => Successor::Next { slot, due, skipped },
            None => Successor::Ended,
        }
    }

    fn slot_after_completion(&self, done: Date, slot: Date) -> Option<DateTime> {
        self.slot_on(after_completion(&self.rule, done, slot)?)
    }

    /// The slot on a date of the pattern, unless the series is over by then.
    fn slot_on(&self, date: Date) -> Option<DateTime> {
        let slot = date.to_datetime(self.time);
        let within = match self.rule.end {
            End::Never => true,
            End::OnDate(last) => date <= last,
            End::AtInstant(last) => self.zone.instant_of(slot)? <= last,
            End::AtLocal(last) => slot <= last,
            End::AfterCount(_) => self.last_counted.is_none_or(|last| date <= last),
        };
        within.then_some(slot)
    }
}

fn whole_seconds(local: DateTime) -> DateTime {
    local.with().subsec_nanosecond(0).build().unwrap_or(local)
}

/// The dates of a pattern from an anchor on.
#[derive(Debug, Clone, PartialEq)]
enum Dates {
    Grid(Grid),
    Expansion(Box<Expansion>),
}

impl Dates {
    /// With their time of day.
    fn of(rule: &Rule, anchor: DateTime) -> (Time, Self) {
        let date = anchor.date();
        match &rule.pattern {
            Pattern::Structured(pattern) => {
                let grid = Grid { pattern: *pattern, anchor: date, month_end: rule.month_end };
                (anchor.time(), Self::Grid(grid))
            }
            Pattern::Rrule(rrule) => {
                let time = rrule.time(anchor.time());
                let earliest = if time < anchor.time() { add_days(date, 1) } else { None };
                let expansion = Expansion::new(rrule, date, earliest.unwrap_or(date));
                (time, Self::Expansion(Box::new(expansion)))
            }
        }
    }

    fn first_from(&self, from: Date) -> Option<Date> {
        match self {
            Self::Grid(grid) => grid.first_from(from),
            Self::Expansion(expansion) => expansion.first_from(from),
        }
    }

    fn nth(&self, n: u16) -> Option<Date> {
        match self {
            Self::Grid(grid) => grid.nth(n),
            Self::Expansion(expansion) => expansion.nth(n),
        }
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
