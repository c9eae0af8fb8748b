//! The days of a repetition, and the rule for them.

use jiff::civil::{Date, DateTime, Time};

use super::calendar::day_and_month;
use crate::order;
use crate::recurrence::{Basis, Frequency, MonthEnd, Pattern, Rule, RuleDraft, Series};
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

    /// The schedule of a rule, without its end; none if a line cannot say it.
    pub fn of(rule: &Rule) -> Option<Self> {
        let schedule = match &rule.pattern {
            Pattern::Structured(pattern) => Self {
                frequency: pattern.frequency,
                interval: pattern.interval,
                days: match (pattern.frequency, pattern.days_of_week, pattern.day_of_month) {
                    (Frequency::Weekly, Some(days), _) => Days::Weekdays(days.iter().collect()),
                    (Frequency::Monthly, _, Some(day)) => Days::OfMonth(vec![day as i8]),
                    _ => Days::Anchor,
                },
            },
            Pattern::Rrule(rrule) => Self::of_rrule(&rrule.as_str().to_ascii_uppercase())?,
        };
        // The words for months say that the last day takes the place of a missing one.
        let is_skipped = rule.month_end == MonthEnd::Skip && schedule.may_lack_days();
        (!is_skipped).then_some(schedule)
    }

    fn may_lack_days(&self) -> bool {
        match (&self.days, self.frequency) {
            (Days::Anchor, Frequency::Monthly | Frequency::Yearly) => true,
            (Days::OfMonth(days), _) => days.iter().any(|day| *day > 28),
            (Days::OfYear(day, _), _) => *day > 28,
            _ => false,
        }
    }

    fn of_rrule(rrule: &str) -> Option<Self> {
        let (mut frequency, mut interval) = (None, 1);
        let mut by: [Option<&str>; 4] = [None; 4];
        const BY: [&str; 4] = ["BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"];
        for part in rrule.split(';') {
            match part.split_once('=')? {
                ("FREQ", "DAILY") => frequency = Some(Frequency::Daily),
                ("FREQ", "WEEKLY") => frequency = Some(Frequency::Weekly),
                ("FREQ", "MONTHLY") => frequency = Some(Frequency::Monthly),
                ("FREQ", "YEARLY") => frequency = Some(Frequency::Yearly),
                ("INTERVAL", number) => interval = number.parse().ok()?,
                ("COUNT" | "UNTIL", _) | ("WKST", "MO") => {}
                (name, value) => by[BY.iter().position(|known| *known == name)?] = Some(value),
            }
        }
        let weekday = |code: &str| WEEKDAY_CODES.iter().position(|known| *known == code);
        let weekdays = |codes: &str| {
            let days = codes.split(',').map(|code| weekday(code).map(|day| day as u8));
            days.collect::<Option<Vec<_>>>()
        };
        let numbers =
            |list: &str| list.split(',').map(|n| n.parse().ok()).collect::<Option<Vec<i8>>>();
        let (days, frequency) = match (frequency?, by) {
            (frequency, [None, None, None, None]) => (Days::Anchor, frequency),
            (Frequency::Weekly, [Some(codes), None, None, None]) => {
                (Self::weekly(weekdays(codes)?).days, Frequency::Weekly)
            }
            (Frequency::Daily, [Some(codes), None, None, None]) if interval == 1 => {
                (Self::weekly(weekdays(codes)?).days, Frequency::Weekly)
            }
            (Frequency::Monthly, [None, Some(days), None, None]) => {
                let days = numbers(days)?;
                let is_known = |day: &i8| *day == -1 || *day > 0;
                days.iter().all(is_known).then_some((Days::OfMonth(days), Frequency::Monthly))?
            }
            (Frequency::Monthly, [Some(codes), None, None, Some(place)]) => {
                let place = place.parse().ok()?;
                let is_workdays = weekdays(codes)? == WORKDAYS;
                is_workdays.then_some((Days::Workday(place), Frequency::Monthly))?
            }
            (Frequency::Monthly, [Some(codes), None, None, None]) => {
                let split = |code: &str| {
                    let (number, code) = code.split_at_checked(code.len().checked_sub(2)?)?;
                    Some((number.parse::<i8>().ok()?, weekday(code)? as u8))
                };
                let found = codes.split(',').map(split).collect::<Option<Vec<_>>>()?;
                let (_, day) = *found.first()?;
                let is_one = found.iter().all(|(_, other)| *other == day);
                let places = found.iter().map(|(place, _)| *place).collect();
                is_one.then_some((Days::Numbered(places, day), Frequency::Monthly))?
            }
            (Frequency::Yearly, [None, Some(day), Some(months), None]) => {
                let day = day.parse().ok().filter(|day| *day > 0)?;
                (Days::OfYear(day, numbers(months)?), Frequency::Yearly)
            }
            _ => return None,
        };
        Some(Self { frequency, interval, days })
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
    fn a_rule_is_read_as_the_schedule_that_made_it() {
        let dates = |day, months: &[i8]| Schedule {
            days: Days::OfYear(day, months.to_vec()),
            ..Schedule::every(1, Frequency::Yearly)
        };
        for schedule in [
            Schedule::every(3, Frequency::Daily),
            Schedule { interval: 2, ..Schedule::weekly(vec![1, 4]) },
            Schedule::monthly(Days::OfMonth(vec![27])),
            Schedule::monthly(Days::OfMonth(vec![-1])),
            Schedule { interval: 3, ..Schedule::monthly(Days::OfMonth(vec![1, 15])) },
            Schedule::monthly(Days::Numbered(vec![1, -1], 4)),
            Schedule::monthly(Days::Workday(-1)),
            dates(14, &[1, 4]),
        ] {
            let rule = schedule.draft(Basis::Schedule).build().unwrap();
            assert_eq!(Schedule::of(&rule), Some(schedule));
        }
    }

    #[test]
    fn rules_in_german() {
        let check = |rrule: &str, expected: &str| {
            let draft = RuleDraft { rrule: Some(rrule.to_owned()), ..RuleDraft::default() };
            let anchor: DateTime = "2031-03-31T09:00:00".parse().unwrap();
            let series = Series::new(draft.build().unwrap(), anchor, Zone::utc());
            let language = crate::quick_add::Language::German;
            assert_eq!(crate::quick_add::describe_in(&series, language), expected, "{rrule}");
        };
        check("FREQ=WEEKLY;BYDAY=MO,WE", "Jede Woche am Montag und Mittwoch");
        check("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "Jede Woche von Montag bis Freitag");
        check("FREQ=MONTHLY;BYDAY=2TU", "Jeden Monat am 2. Dienstag");
        check(
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
            "Jeden Monat am letzten Werktag, 3-mal",
        );
        check(
            "FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=1;UNTIL=20400101",
            "Jedes Jahr am 1. Januar und am 1. Juli, bis Sonntag, 1. Januar 2040",
        );
        // What a line cannot say is in English.
        check("FREQ=MONTHLY", "Every month on day 31");
        check("FREQ=MONTHLY;BYMONTHDAY=30", "Every month on day 30");
        check("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "Every month on Friday if it is day 13");
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
