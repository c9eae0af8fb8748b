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

/// A rule with its anchor and zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    rule: Rule,
    /// Wall-clock time in the zone at which the series starts.
    anchor: DateTime,
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
    /// the same instant, and then `utc` is a later time than `local`.
    pub local: DateTime,
    pub utc: Instant,
}

/// What follows an occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Successor {
    Next {
        slot: DateTime,
        due: Instant,
        /// Slots passed over because they are past, in order; at most [`SKIPPED_SLOTS_MAX`].
        skipped: Vec<DateTime>,
    },
    /// The series is over.
    Ended,
}

impl Series {
    /// Fractions of a second are dropped: slots are whole seconds.
    #[must_use]
    pub fn new(rule: Rule, anchor: DateTime, zone: Zone) -> Self {
        let anchor = whole_seconds(anchor);
        let (time, dates) = Dates::of(&rule, anchor);
        let last_counted = match (rule.end, rule.basis) {
            (End::AfterCount(count), Basis::Schedule) => dates.nth(count),
            _ => None,
        };
        Self { rule, anchor, zone, time, dates, last_counted }
    }

    /// Refuses a rule that has no slot from this anchor on, such as 30 February or an end before the first
    /// slot.
    ///
    /// # Errors
    /// `never_matches`.
    pub fn validate(&self) -> Result<(), Violation> {
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
            .map_while(|local| Some(Slot { local, utc: self.zone.instant_of(local)? }))
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

    #[must_use]
    pub fn anchor(&self) -> DateTime {
        self.anchor
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
        let is_past = |slot| self.zone.instant_of(slot).is_some_and(|instant| instant < now);
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
        let is_past = |slot: &DateTime| self.zone.instant_of(*slot).is_some_and(|at| at < now);
        std::iter::successors(self.slot_after(slot.max(shortly_before)), |slot| {
            self.slot_after(*slot)
        })
        .take(JUMP_SLOTS_MAX)
        .find(|slot| !is_past(slot))
    }

    fn next(&self, slot: Option<DateTime>, skipped: Vec<DateTime>) -> Successor {
        match slot.and_then(|slot| Some((slot, self.zone.instant_of(slot)?))) {
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

/// The wall-clock anchor of a series whose first task is due at an instant.
#[must_use]
pub fn anchor_of(due: Instant, zone: &Zone) -> DateTime {
    whole_seconds(zone.local_of(due))
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
