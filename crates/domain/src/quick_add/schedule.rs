//! The days of a repetition, and the rule for them.

use jiff::civil::{Date, DateTime, Time};

use super::calendar::day_and_month;
use crate::order;
use crate::recurrence::{Basis, Frequency, Rule, RuleDraft, Series};
use crate::zone::Zone;

/// Codes of RFC 5545, section 3.3.10, from Monday.
const WEEKDAY_CODES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
pub(super) const WORKDAYS: [u8; 5] = [0, 1, 2, 3, 4];
pub(super) const WEEKEND: [u8; 2] = [5, 6];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    pub frequency: Frequency,
    /// In units of the frequency.
    pub interval: u16,
    pub days: Days,
}

/// The days of a week, month or year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Days {
    /// The day of the first date.
    Anchor,
    /// Monday 0, ascending, each once; weekly.
    Weekdays(Vec<u8>),
    /// 1 to 31, -1 for the last; monthly.
    OfMonth(Vec<i8>),
    /// For example the third and the last of some weekdays; monthly.
    Numbered(Vec<i8>, u8),
    /// For example the 15th workday, Monday to Friday; monthly.
    Workday(i8),
    /// The same day of some months, ascending; yearly.
    OfYear(i8, Vec<i8>),
}

impl Schedule {
    pub fn every(interval: u16, frequency: Frequency) -> Self {
        Self { frequency, interval, days: Days::Anchor }
    }

    pub fn weekly(mut weekdays: Vec<u8>) -> Self {
        order::sort(&mut weekdays);
        weekdays.dedup();
        Self { days: Days::Weekdays(weekdays), ..Self::every(1, Frequency::Weekly) }
    }

    pub fn monthly(days: Days) -> Self {
        Self { days, ..Self::every(1, Frequency::Monthly) }
    }

    /// The rule, without its end.
    pub fn draft(&self, basis: Basis) -> RuleDraft {
        let basis = Some(basis);
        if let Some(rule) = self.rrule() {
            return RuleDraft { rrule: Some(rule), basis, ..RuleDraft::default() };
        }
        RuleDraft {
            frequency: Some(self.frequency),
            interval: Some(self.interval.into()),
            days_of_week: match &self.days {
                Days::Weekdays(days) => Some(days.iter().map(|day| i64::from(*day)).collect()),
                _ => None,
            },
            day_of_month: match &self.days {
                Days::OfMonth(days) => days.first().map(|day| i64::from(*day)),
                _ => None,
            },
            basis,
            ..RuleDraft::default()
        }
    }

    /// The rule in RFC 5545's form, if the structured form cannot express it.
    fn rrule(&self) -> Option<String> {
        let part = match &self.days {
            Days::OfMonth(days) if days.len() > 1 || days.contains(&-1) => {
                format!("BYMONTHDAY={}", listed(days.iter().map(i8::to_string)))
            }
            Days::Numbered(numbers, day) => {
                let code = WEEKDAY_CODES.get(usize::from(*day))?;
                format!("BYDAY={}", listed(numbers.iter().map(|n| format!("{n}{code}"))))
            }
            Days::Workday(place) => {
                let codes = listed(WEEKDAY_CODES.iter().take(WORKDAYS.len()));
                format!("BYDAY={codes};BYSETPOS={place}")
            }
            Days::OfYear(day, months) if months.len() > 1 => {
                format!("BYMONTH={};BYMONTHDAY={day}", listed(months.iter()))
            }
            _ => return None,
        };
        let frequency = if self.frequency == Frequency::Yearly { "YEARLY" } else { "MONTHLY" };
        let interval = match self.interval {
            1 => String::new(),
            interval => format!("INTERVAL={interval};"),
        };
        Some(format!("FREQ={frequency};{interval}{part}"))
    }

    /// The first date on or after a date, ignoring the interval.
    pub fn first_from(&self, from: Date) -> Option<Date> {
        if let Days::OfYear(day, months) = &self.days {
            return months.iter().filter_map(|month| day_and_month(from, *day, *month)).min();
        }
        let rule = Self { interval: 1, ..self.clone() }.draft(Basis::Schedule).build().ok()?;
        first(rule, from.to_datetime(Time::midnight())).map(|slot| slot.date())
    }
}

fn first(rule: Rule, anchor: DateTime) -> Option<DateTime> {
    Some(Series::new(rule, anchor, Zone::utc()).preview(1).first()?.local)
}

fn listed(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let check = |days, interval, expected: &str| {
            let schedule = Schedule { interval, ..Schedule::monthly(days) };
            let draft = schedule.draft(Basis::Schedule);
            assert!(draft.clone().build().is_ok(), "{draft:?}");
            assert_eq!(draft.rrule.as_deref().unwrap_or(""), expected);
        };
        check(Days::Anchor, 2, "");
        check(Days::OfMonth(vec![27]), 1, "");
        check(Days::OfMonth(vec![-1]), 1, "FREQ=MONTHLY;BYMONTHDAY=-1");
        check(Days::OfMonth(vec![1, 15]), 3, "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1,15");
        check(Days::Numbered(vec![1, -1], 4), 1, "FREQ=MONTHLY;BYDAY=1FR,-1FR");
        check(Days::Workday(-1), 1, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1");
    }

    #[test]
    fn first_dates() {
        let check = |schedule: Schedule, expected: &str| {
            let from = "2031-03-26".parse().unwrap();
            assert_eq!(schedule.first_from(from), Some(expected.parse().unwrap()), "{schedule:?}");
        };
        check(Schedule::every(3, Frequency::Daily), "2031-03-26");
        check(Schedule { interval: 2, ..Schedule::weekly(vec![1]) }, "2031-04-01");
        check(Schedule::monthly(Days::OfMonth(vec![-1])), "2031-03-31");
        check(Schedule::monthly(Days::Numbered(vec![3], 4)), "2031-04-18");
        let dates = |day, months: &[i8]| Schedule {
            days: Days::OfYear(day, months.to_vec()),
            ..Schedule::every(1, Frequency::Yearly)
        };
        check(dates(29, &[2]), "2032-02-29");
        check(dates(14, &[1, 4]), "2031-04-14");
    }
}
