//! Describes a rule in words.

use jiff::civil::Date;

use super::end::End;
use super::frequency::Frequency;
use super::phrase::{day_and_month, every, on_weekdays};
use super::rule::{Basis, MonthEnd, Pattern, Structured, Weekdays};
use super::series::Series;

/// A series in plain English, for example "Every 2 weeks on Monday and Thursday, until 2031-03-30".
#[must_use]
pub fn describe(series: &Series) -> String {
    let rule = series.rule();
    let anchor = series.anchor();
    let mut words = match &rule.pattern {
        Pattern::Structured(pattern) => {
            every(pattern.frequency, pattern.interval)
                + &days(pattern, anchor.date(), rule.month_end)
        }
        Pattern::Rrule(rrule) => rrule.describe(anchor),
    };
    if rule.basis == Basis::Completion {
        words += " after the last one was done";
    }
    words
        + &match rule.end {
            End::Never => String::new(),
            End::OnDate(date) => format!(", until {date}"),
            End::AtInstant(instant) => format!(", until {instant}"),
            End::AtLocal(local) => format!(", until {} {}", local.date(), local.time()),
            End::AfterCount(1) => ", once".to_owned(),
            End::AfterCount(count) => format!(", {count} times"),
        }
}

fn days(pattern: &Structured, anchor: Date, month_end: MonthEnd) -> String {
    match pattern.frequency {
        Frequency::Daily => String::new(),
        Frequency::Weekly => {
            let days = pattern.days_of_week.unwrap_or_else(|| Weekdays::just(anchor.weekday()));
            on_weekdays(&days.iter().collect::<Vec<_>>())
        }
        Frequency::Monthly => {
            let day = pattern.day_of_month.map_or(i64::from(anchor.day()), i64::from);
            format!(" on day {day}{}", missing(day > 28, month_end, "month"))
        }
        Frequency::Yearly => {
            let leap_day = anchor.month() == 2 && anchor.day() == 29;
            format!(" on {}{}", day_and_month(anchor), missing(leap_day, month_end, "year"))
        }
    }
}

/// What happens to a day that some months or years lack.
fn missing(can_be_missing: bool, month_end: MonthEnd, unit: &str) -> String {
    match month_end {
        _ if !can_be_missing => String::new(),
        MonthEnd::Clamp => " or the last day of a shorter month".to_owned(),
        MonthEnd::Skip => format!(" of the {unit}s that have it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recurrence::RuleDraft;
    use crate::zone::Zone;

    const MONDAY: &str = "2031-03-31T09:00:00";

    fn check(draft: RuleDraft, expected: &str) {
        let rule = draft.build().unwrap();
        let monday: jiff::civil::DateTime = MONDAY.parse().unwrap();
        let series = Series::new(rule, monday, Zone::utc());
        assert_eq!(describe(&series), expected);
    }

    #[test]
    fn structured_rules() {
        let every = |frequency| RuleDraft { frequency: Some(frequency), ..RuleDraft::default() };
        check(every(Frequency::Daily), "Every day");
        check(every(Frequency::Weekly), "Every week on Monday");
        check(
            RuleDraft {
                interval: Some(2),
                days_of_week: Some(vec![0, 3, 6]),
                count: Some(5),
                ..every(Frequency::Weekly)
            },
            "Every 2 weeks on Monday, Thursday and Sunday, 5 times",
        );
        check(
            RuleDraft { days_of_week: Some(vec![0, 1, 2, 3, 4]), ..every(Frequency::Weekly) },
            "Every week from Monday to Friday",
        );
        check(
            every(Frequency::Monthly),
            "Every month on day 31 or the last day of a shorter month",
        );
        check(
            RuleDraft { month_end: Some(MonthEnd::Skip), ..every(Frequency::Monthly) },
            "Every month on day 31 of the months that have it",
        );
        check(
            RuleDraft { basis: Some(Basis::Completion), ..every(Frequency::Yearly) },
            "Every year on 31 March after the last one was done",
        );
    }

    #[test]
    fn rrules() {
        let check = |text: &str, expected: &str| {
            check(RuleDraft { rrule: Some(text.to_owned()), ..RuleDraft::default() }, expected);
        };
        check("FREQ=DAILY;INTERVAL=3;COUNT=1", "Every 3 days, once");
        check("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "Every day from Monday to Friday");
        check("FREQ=WEEKLY;UNTIL=20310430", "Every week on Monday, until 2031-04-30");
        check("FREQ=WEEKLY;BYDAY=SU,WE", "Every week on Wednesday and Sunday");
        check("FREQ=MONTHLY", "Every month on day 31");
        check("FREQ=MONTHLY;BYMONTHDAY=1,15", "Every month on day 1 and day 15");
        check("FREQ=MONTHLY;BYMONTHDAY=-1", "Every month on the last day");
        check("FREQ=MONTHLY;BYDAY=2TU", "Every month on the second Tuesday");
        check(
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU,-2MO",
            "Every 2 months on the second to last Monday, the first Sunday and the last Sunday",
        );
        check("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "Every month on the last workday");
        check("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "Every month on Friday if it is day 13");
        check("FREQ=YEARLY", "Every year on 31 March");
        check("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "Every year on the fourth Thursday in November");
        check("FREQ=YEARLY;BYMONTH=1,5", "Every year on day 31 in January and May");
        check("FREQ=YEARLY;BYDAY=20MO", "Every year on the 20th Monday of the year");
        check("FREQ=YEARLY;BYYEARDAY=100,-1", "Every year on the 100th and last day of the year");
        check("FREQ=YEARLY;BYWEEKNO=20", "Every year on Monday in week 20");
        check("FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=FR", "Every year on Friday in week 1 and the last");
        check("FREQ=DAILY;BYHOUR=7;BYMINUTE=30", "Every day at 07:30");
    }
}
