//! The rule of a series. A `Rule` is valid by construction; whether it ever matches depends on the anchor,
//! which [`Series::validate`](super::Series::validate) checks.

use jiff::civil::{Date, Weekday};

use super::end::{COUNT_MAX, End};
use super::frequency::Frequency;
use super::rrule::Rrule;
use crate::instant::Instant;
use crate::{Fault, Violation};

/// Largest interval, in units of the frequency.
pub const INTERVAL_MAX: u16 = 365;
const DAYS_PER_WEEK: usize = 7;

/// How a series continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub pattern: Pattern,
    pub end: End,
    pub basis: Basis,
    pub month_end: MonthEnd,
    pub catch_up: CatchUp,
}

impl Rule {
    /// The short form `recurrence_pattern`: once per unit, with defaults for everything else.
    #[must_use]
    pub fn every(frequency: Frequency) -> Self {
        Self {
            pattern: Pattern::Structured(Structured {
                frequency,
                interval: 1,
                days_of_week: None,
                day_of_month: None,
            }),
            end: End::Never,
            basis: Basis::Schedule,
            month_end: MonthEnd::Clamp,
            catch_up: CatchUp::NextFuture,
        }
    }
}

impl Rule {
    /// Whether the series ends after a number of completions, so that a caller has to count them.
    #[must_use]
    pub fn counts_completions(&self) -> bool {
        self.basis == Basis::Completion && matches!(self.end, End::AfterCount(_))
    }

    /// Whether the rule names a time of day for its slots.
    pub(super) fn names_time(&self) -> bool {
        matches!(&self.pattern, Pattern::Rrule(rrule) if rrule.names_time())
    }

    /// The same rule with another count, written where the rule has its own.
    #[must_use]
    pub(super) fn with_count(mut self, count: u16) -> Self {
        self.end = End::AfterCount(count);
        if let Pattern::Rrule(rrule) = &mut self.pattern {
            rrule.set_count(count);
        }
        self
    }
}

/// Which dates a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    Structured(Structured),
    /// An RFC 5545 rule. It decides about short months itself, so `month_end` is `skip`.
    Rrule(Box<Rrule>),
}

/// A frequency with the members that refine it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structured {
    pub frequency: Frequency,
    /// 1 to 365, in units of the frequency.
    pub interval: u16,
    /// Weekly only. Without it, the anchor's weekday.
    pub days_of_week: Option<Weekdays>,
    /// Monthly only, 1 to 31. Without it, the anchor's day.
    pub day_of_month: Option<u8>,
}

word_enum! {
    /// What the next slot is calculated from.
    pub enum Basis {
        /// The series' own calendar.
        Schedule = "schedule",
        /// The day on which the last occurrence was completed.
        Completion = "completion",
    }
}

word_enum! {
    /// What happens to a day that its month lacks.
    pub enum MonthEnd {
        /// The last day of the month takes its place.
        Clamp = "clamp",
        /// That month has no slot.
        Skip = "skip",
    }
}

word_enum! {
    /// What happens to slots that have passed when an occurrence is completed.
    pub enum CatchUp {
        /// They are skipped, up to the first that has not passed.
        NextFuture = "next_future",
        /// Each is created when the one before it is completed.
        OneStep = "one_step",
        /// All are created, one after another.
        All = "all",
    }
}

/// A non-empty set of weekdays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    #[must_use]
    pub fn just(weekday: Weekday) -> Self {
        Self(1 << weekday.to_monday_zero_offset())
    }

    /// Ascending, 0 for Monday to 6 for Sunday.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..DAYS_PER_WEEK as u8).filter(move |day| self.0 & 1 << day != 0)
    }

    #[must_use]
    pub fn contains(self, weekday: Weekday) -> bool {
        self.0 & 1 << weekday.to_monday_zero_offset() != 0
    }
}

/// The end as written: a date or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndDate {
    Date(Date),
    Instant(Instant),
}

/// A rule as written, before validation. Members left out are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleDraft {
    pub frequency: Option<Frequency>,
    pub interval: Option<i64>,
    pub days_of_week: Option<Vec<i64>>,
    pub day_of_month: Option<i64>,
    pub end_date: Option<EndDate>,
    pub count: Option<i64>,
    /// An RFC 5545 rule instead of `frequency` and its refinements; it may include the end.
    pub rrule: Option<String>,
    pub basis: Option<Basis>,
    pub month_end: Option<MonthEnd>,
    pub catch_up: Option<CatchUp>,
}

impl RuleDraft {
    /// Checks every member and fills in the defaults: interval 1, no end, basis `schedule`,
    /// month_end `clamp`, catch_up `next_future`.
    ///
    /// # Errors
    /// All errors, by member.
    pub fn build(self) -> Result<Rule, Vec<Fault>> {
        let mut faults = Vec::new();
        let (pattern, end, month_end) = match self.rrule.as_deref() {
            Some(text) => self.rrule(text, &mut faults),
            None => {
                let pattern = self.pattern(&mut faults).map(Pattern::Structured);
                (pattern, self.end(&mut faults), MonthEnd::Clamp)
            }
        };
        match pattern {
            Some(pattern) if faults.is_empty() => Ok(Rule {
                pattern,
                end,
                basis: self.basis.unwrap_or(Basis::Schedule),
                month_end: self.month_end.unwrap_or(month_end),
                catch_up: self.catch_up.unwrap_or(CatchUp::NextFuture),
            }),
            _ => Err(faults),
        }
    }

    /// An RFC 5545 rule replaces the structured members, and may include the end.
    fn rrule(&self, text: &str, faults: &mut Vec<Fault>) -> (Option<Pattern>, End, MonthEnd) {
        let structured = [
            ("frequency", self.frequency.is_some()),
            ("interval", self.interval.is_some()),
            ("days_of_week", self.days_of_week.as_ref().is_some_and(|days| !days.is_empty())),
            ("day_of_month", self.day_of_month.is_some()),
        ];
        for (member, _) in structured.into_iter().filter(|(_, is_given)| *is_given) {
            faults.push(Fault::new(member, Violation::Conflict { other: "rrule" }));
        }
        if self.month_end == Some(MonthEnd::Clamp) {
            let with = "frequency; an rrule has no slot in a month without the day";
            faults.push(Fault::new("month_end", Violation::NotApplicable { with }));
        }
        let end = self.end(faults);
        match Rrule::parse(text) {
            Ok((_, own)) if own != End::Never && end != End::Never => {
                let member = if self.count.is_some() { "count" } else { "end_date" };
                let other = "COUNT or UNTIL in the rrule";
                faults.push(Fault::new(member, Violation::Conflict { other }));
                (None, end, MonthEnd::Skip)
            }
            Ok((rule, own)) => {
                let end = if own == End::Never { end } else { own };
                (Some(Pattern::Rrule(Box::new(rule))), end, MonthEnd::Skip)
            }
            Err(violation) => {
                faults.push(Fault::new("rrule", violation));
                (None, end, MonthEnd::Skip)
            }
        }
    }

    fn pattern(&self, faults: &mut Vec<Fault>) -> Option<Structured> {
        let interval = in_range("interval", self.interval.unwrap_or(1), INTERVAL_MAX, faults);
        let days_of_week = self.weekdays(faults);
        let day_of_month =
            self.day_of_month.map(|day| in_range("day_of_month", day, 31, faults) as u8);
        let Some(frequency) = self.frequency else {
            faults.push(Fault::new("frequency", Violation::Required));
            return None;
        };
        if days_of_week.is_some() && frequency != Frequency::Weekly {
            let with = "frequency weekly";
            faults.push(Fault::new("days_of_week", Violation::NotApplicable { with }));
        }
        if day_of_month.is_some() && frequency != Frequency::Monthly {
            let with = "frequency monthly";
            faults.push(Fault::new("day_of_month", Violation::NotApplicable { with }));
        }
        Some(Structured { frequency, interval, days_of_week, day_of_month })
    }

    /// An empty list counts as absent.
    fn weekdays(&self, faults: &mut Vec<Fault>) -> Option<Weekdays> {
        let days = self.days_of_week.as_deref().filter(|days| !days.is_empty())?;
        if days.len() > DAYS_PER_WEEK {
            let violation = Violation::TooMany { max: DAYS_PER_WEEK };
            faults.push(Fault::new("days_of_week", violation));
        }
        let mut set = 0;
        for (index, day) in days.iter().take(DAYS_PER_WEEK).enumerate() {
            if (0..DAYS_PER_WEEK as i64).contains(day) {
                set |= 1 << day;
            } else {
                let violation = Violation::OutOfRange { min: 0, max: 6, unit: " (0 is Monday)" };
                faults.push(Fault::new(format!("days_of_week/{index}"), violation));
            }
        }
        Some(Weekdays(set))
    }

    fn end(&self, faults: &mut Vec<Fault>) -> End {
        let count = self.count.map(|count| in_range("count", count, COUNT_MAX, faults));
        match (self.end_date, count) {
            (Some(_), Some(_)) => {
                faults.push(Fault::new("count", Violation::Conflict { other: "end_date" }));
                End::Never
            }
            (Some(EndDate::Date(date)), None) => End::OnDate(date),
            (Some(EndDate::Instant(instant)), None) => End::AtInstant(instant),
            (None, Some(count)) => End::AfterCount(count),
            (None, None) => End::Never,
        }
    }
}

/// A number from 1 to `max`. Otherwise a fault is added and 1 takes its place.
fn in_range(member: &str, value: i64, max: u16, faults: &mut Vec<Fault>) -> u16 {
    match u16::try_from(value) {
        Ok(number) if (1..=max).contains(&number) => number,
        _ => {
            let violation = Violation::OutOfRange { min: 1, max: i64::from(max), unit: "" };
            faults.push(Fault::new(member, violation));
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(draft: RuleDraft, expected: &[(&str, &str)]) {
        let faults = draft.clone().build().err().unwrap_or_default();
        let faults: Vec<_> = faults.iter().map(|f| (f.at.as_str(), f.violation.code())).collect();
        assert_eq!(faults, expected, "{draft:?}");
    }

    fn every(frequency: Frequency) -> RuleDraft {
        RuleDraft { frequency: Some(frequency), ..RuleDraft::default() }
    }

    #[test]
    fn a_frequency_is_enough() {
        for frequency in Frequency::ALL {
            assert_eq!(every(*frequency).build(), Ok(Rule::every(*frequency)));
        }
        check(RuleDraft::default(), &[("frequency", "required")]);
    }

    #[test]
    fn ranges() {
        let interval = |n| RuleDraft { interval: Some(n), ..every(Frequency::Daily) };
        check(interval(1), &[]);
        check(interval(365), &[]);
        for n in [0, -1, 366, 65_537, i64::MAX] {
            check(interval(n), &[("interval", "out_of_range")]);
        }
        let count = |n| RuleDraft { count: Some(n), ..every(Frequency::Daily) };
        check(count(10_000), &[]);
        check(count(10_001), &[("count", "out_of_range")]);
        check(count(0), &[("count", "out_of_range")]);
        let day = |n| RuleDraft { day_of_month: Some(n), ..every(Frequency::Monthly) };
        check(day(31), &[]);
        check(day(32), &[("day_of_month", "out_of_range")]);
        check(day(0), &[("day_of_month", "out_of_range")]);
    }

    #[test]
    fn weekdays() {
        let days = |days: &[i64], frequency| RuleDraft {
            days_of_week: Some(days.to_vec()),
            ..every(frequency)
        };
        check(days(&[0, 6, 0], Frequency::Weekly), &[]);
        check(days(&[], Frequency::Daily), &[]);
        check(days(&[0], Frequency::Daily), &[("days_of_week", "not_applicable")]);
        check(
            days(&[0, 7, -1], Frequency::Weekly),
            &[("days_of_week/1", "out_of_range"), ("days_of_week/2", "out_of_range")],
        );
        check(days(&[1; 8], Frequency::Weekly), &[("days_of_week", "too_many")]);
        let built = |list: &[i64]| {
            let rule = days(list, Frequency::Weekly).build().unwrap();
            let Pattern::Structured(structured) = rule.pattern else { panic!("{rule:?}") };
            structured.days_of_week.map(|days| days.iter().collect::<Vec<_>>())
        };
        assert_eq!(built(&[4, 0, 4]), Some(vec![0, 4]));
        assert_eq!(built(&[]), None);
    }

    #[test]
    fn members_that_do_not_go_together() {
        let end_date = Some(EndDate::Date("2026-12-31".parse().unwrap()));
        check(
            RuleDraft { end_date, count: Some(3), ..every(Frequency::Daily) },
            &[("count", "conflict")],
        );
        check(
            RuleDraft { day_of_month: Some(3), ..every(Frequency::Yearly) },
            &[("day_of_month", "not_applicable")],
        );
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let draft = RuleDraft {
            interval: Some(0),
            day_of_month: Some(40),
            count: Some(0),
            ..RuleDraft::default()
        };
        check(
            draft,
            &[
                ("interval", "out_of_range"),
                ("day_of_month", "out_of_range"),
                ("frequency", "required"),
                ("count", "out_of_range"),
            ],
        );
    }

    #[test]
    fn an_rrule_stands_alone() {
        let rrule = |text: &str| RuleDraft { rrule: Some(text.into()), ..RuleDraft::default() };
        check(rrule("FREQ=DAILY"), &[]);
        check(rrule("FREQ=DAILY;COUNT=3"), &[]);
        check(rrule("FREQ=SECONDLY"), &[("rrule", "too_frequent")]);
        check(
            RuleDraft {
                frequency: Some(Frequency::Daily),
                interval: Some(1),
                month_end: Some(MonthEnd::Clamp),
                ..rrule("x")
            },
            &[
                ("frequency", "conflict"),
                ("interval", "conflict"),
                ("month_end", "not_applicable"),
                ("rrule", "malformed"),
            ],
        );
        let counted = |text| RuleDraft { count: Some(3), ..rrule(text) };
        check(counted("FREQ=DAILY"), &[]);
        check(counted("FREQ=DAILY;COUNT=3"), &[("count", "conflict")]);
        check(counted("FREQ=DAILY;UNTIL=20310330"), &[("count", "conflict")]);
        assert_eq!(counted("FREQ=DAILY").build().unwrap().end, End::AfterCount(3));
        let rule = rrule("FREQ=DAILY;COUNT=3").build().unwrap();
        assert_eq!((rule.end, rule.month_end), (End::AfterCount(3), MonthEnd::Skip));
    }

    #[test]
    fn only_a_count_on_basis_completion_counts_completions() {
        let check = |basis, count, rrule: Option<&str>, expected| {
            let frequency = rrule.is_none().then_some(Frequency::Daily);
            let rrule = rrule.map(Into::into);
            let draft =
                RuleDraft { basis: Some(basis), count, frequency, rrule, ..RuleDraft::default() };
            let rule = draft.clone().build().unwrap();
            assert_eq!(rule.counts_completions(), expected, "{draft:?}");
        };
        check(Basis::Completion, Some(3), None, true);
        check(Basis::Completion, None, Some("FREQ=DAILY;COUNT=3"), true);
        check(Basis::Completion, None, None, false);
        check(Basis::Schedule, Some(3), None, false);
    }
}
