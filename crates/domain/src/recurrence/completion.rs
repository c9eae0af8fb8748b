//! The next date of a series that follows its completions instead of a calendar.

use jiff::civil::Date;

use super::date::{MONTHS_PER_YEAR, add_days, month_index};
use super::frequency::Frequency;
use super::grid::{Grid, date_in};
use super::rrule::{Expansion, Rrule};
use super::rule::{MonthEnd, Pattern, Rule, Structured};

/// Maximum number of months or years to pass over until one has the wanted day: 29 February is at most eight
/// years away.
const STEPS_PER_SKIP_MAX: i64 = 8;

/// The date that follows an occurrence for `slot` that was completed on `done`: one interval after the
/// completion.
///
/// If the rule names dates, such as weekdays or a day of the month, the result is the first such date after
/// both the completion and the slot, so that an early completion does not bring the same slot again. The
/// interval then counts from the completion's week or month. A month that lacks the day is clamped, or with
/// `skip` passed over for the next that has it. None beyond the calendar.
pub(super) fn after_completion(rule: &Rule, done: Date, slot: Date) -> Option<Date> {
    match &rule.pattern {
        Pattern::Structured(pattern) => structured(pattern, rule.month_end, done, slot),
        Pattern::Rrule(rrule) if rrule.repeats_its_anchor() => {
            structured(&plain(rrule), MonthEnd::Skip, done, slot)
        }
        Pattern::Rrule(rrule) => {
            let beyond = add_days(done.max(slot), 1)?;
            Expansion::new(rrule, done, beyond).first_from(beyond)
        }
    }
}

/// The structured equivalent of an rrule that has only a frequency and an interval.
fn plain(rrule: &Rrule) -> Structured {
    Structured {
        frequency: rrule.frequency(),
        interval: rrule.interval(),
        days_of_week: None,
        day_of_month: None,
    }
}

fn structured(pattern: &Structured, month_end: MonthEnd, done: Date, slot: Date) -> Option<Date> {
    let interval = i64::from(pattern.interval);
    let beyond = add_days(done.max(slot), 1)?;
    match (pattern.frequency, pattern.days_of_week, pattern.day_of_month) {
        (Frequency::Daily, ..) => add_days(done, interval),
        (Frequency::Weekly, None, _) => add_days(done, interval * 7),
        (Frequency::Weekly, Some(_), _) => {
            Grid { pattern: *pattern, anchor: done, month_end }.first_from(beyond)
        }
        (Frequency::Monthly, _, None) => {
            first_with_day(month_index(done) + interval, 1, done.day() as u8, month_end)
        }
        (Frequency::Monthly, _, Some(day)) => {
            let clamped = Grid { pattern: *pattern, anchor: done, month_end: MonthEnd::Clamp };
            first_with_day(month_index(clamped.first_from(beyond)?), 1, day, month_end)
        }
        (Frequency::Yearly, ..) => {
            let month = month_index(done) + interval * MONTHS_PER_YEAR;
            first_with_day(month, MONTHS_PER_YEAR, done.day() as u8, month_end)
        }
    }
}

fn first_with_day(month: i64, step: i64, day: u8, month_end: MonthEnd) -> Option<Date> {
    (0..=STEPS_PER_SKIP_MAX).find_map(|index| date_in(month + index * step, day, month_end))
}

#[cfg(test)]
mod tests {
    use super::super::rule::RuleDraft;
    use super::*;

    fn check(draft: RuleDraft, slot: &str, done: &str, expected: &str) {
        let (done, slot) = (done.parse().unwrap(), slot.parse().unwrap());
        let next = after_completion(&draft.clone().build().unwrap(), done, slot);
        assert_eq!(next.map(|d| d.to_string()).as_deref(), Some(expected), "{draft:?}, {done}");
    }

    fn every(interval: i64, frequency: Frequency) -> RuleDraft {
        let (frequency, interval) = (Some(frequency), Some(interval));
        RuleDraft { frequency, interval, ..RuleDraft::default() }
    }

    #[test]
    fn an_interval_after_the_completion() {
        // Completed late, and completed early.
        check(every(3, Frequency::Daily), "2026-01-10", "2026-01-12", "2026-01-15");
        check(every(3, Frequency::Daily), "2026-01-10", "2026-01-05", "2026-01-08");
        check(every(2, Frequency::Weekly), "2026-01-10", "2026-01-12", "2026-01-26");
        check(every(1, Frequency::Monthly), "2026-01-10", "2026-01-31", "2026-02-28");
        check(every(1, Frequency::Monthly), "2026-02-28", "2026-02-28", "2026-03-28");
        check(every(1, Frequency::Yearly), "2024-02-29", "2024-02-29", "2025-02-28");
    }

    #[test]
    fn a_missing_day_is_passed_over() {
        let skip = |draft| RuleDraft { month_end: Some(MonthEnd::Skip), ..draft };
        check(skip(every(1, Frequency::Monthly)), "2026-01-31", "2026-01-31", "2026-03-31");
        check(skip(every(13, Frequency::Monthly)), "2026-01-31", "2026-01-31", "2027-03-31");
        check(skip(every(1, Frequency::Yearly)), "2024-02-29", "2024-02-29", "2028-02-29");
        check(skip(every(1, Frequency::Yearly)), "2096-02-29", "2096-02-29", "2104-02-29");
        let on_31st = RuleDraft { day_of_month: Some(31), ..every(12, Frequency::Monthly) };
        check(skip(on_31st), "2026-01-31", "2026-02-03", "2026-03-31");
    }

    #[test]
    fn named_weekdays() {
        // Monday and Wednesday; 12 January 2026 is a Monday.
        let days = |interval| RuleDraft {
            days_of_week: Some(vec![0, 2]),
            ..every(interval, Frequency::Weekly)
        };
        check(days(1), "2026-01-12", "2026-01-12", "2026-01-14");
        check(days(1), "2026-01-12", "2026-01-13", "2026-01-14");
        check(days(1), "2026-01-12", "2026-01-15", "2026-01-19");
        check(days(2), "2026-01-12", "2026-01-15", "2026-01-26");
        // Completed a day early: this was Wednesday's, so Monday is next.
        check(days(1), "2026-01-14", "2026-01-13", "2026-01-19");
    }

    #[test]
    fn a_named_day_of_the_month() {
        let on = |day, interval| RuleDraft {
            day_of_month: Some(day),
            ..every(interval, Frequency::Monthly)
        };
        check(on(15, 1), "2026-01-15", "2026-01-20", "2026-02-15");
        check(on(15, 1), "2026-01-15", "2026-02-10", "2026-02-15");
        // Completed early.
        check(on(15, 1), "2026-01-15", "2026-01-10", "2026-02-15");
        check(on(15, 2), "2026-01-15", "2026-01-15", "2026-03-15");
        check(on(31, 1), "2026-01-31", "2026-01-31", "2026-02-28");
        check(on(31, 1), "2026-02-28", "2026-02-28", "2026-03-31");
    }

    #[test]
    fn an_rrule_follows_the_completion_too() {
        let rrule = |text: &str| RuleDraft { rrule: Some(text.into()), ..RuleDraft::default() };
        check(rrule("FREQ=DAILY;INTERVAL=3"), "2026-01-10", "2026-01-12", "2026-01-15");
        check(rrule("FREQ=MONTHLY"), "2026-01-31", "2026-01-31", "2026-03-31");
        // The second Tuesday: 13 January, 10 February and 10 March 2026.
        let tuesday = "FREQ=MONTHLY;BYDAY=2TU";
        check(rrule(tuesday), "2026-01-13", "2026-01-20", "2026-02-10");
        check(rrule(tuesday), "2026-01-13", "2026-02-03", "2026-02-10");
        check(rrule(tuesday), "2026-01-13", "2026-01-05", "2026-02-10");
        check(rrule("FREQ=MONTHLY;INTERVAL=2;BYDAY=2TU"), "2026-01-13", "2026-01-20", "2026-03-10");
        check(
            rrule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH"),
            "2026-01-12",
            "2026-01-16",
            "2026-01-26",
        );
    }
}
