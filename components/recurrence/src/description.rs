//! A rule in words, for people.

use rondo_domain::jiff::civil::Date;
use rondo_domain::recurrence::{
    Basis, End, Frequency, MonthEnd, Pattern, Rule, Series, Structured, Weekdays,
};

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// For example "Every 2 weeks on Monday and Thursday, until 2031-03-30".
pub fn describe(series: &Series) -> String {
    let Rule { pattern: Pattern::Structured(pattern), end, basis, month_end, .. } = series.rule();
    let mut words = every(pattern) + &on(pattern, series.anchor().date(), *month_end);
    if *basis == Basis::Completion {
        words += " after the last one was done";
    }
    words
        + &match end {
            End::Never => String::new(),
            End::OnDate(date) => format!(", until {date}"),
            End::AtInstant(instant) => format!(", until {instant}"),
            End::AfterCount(1) => ", once".to_owned(),
            End::AfterCount(count) => format!(", {count} times"),
        }
}

fn every(pattern: &Structured) -> String {
    let unit = match pattern.frequency {
        Frequency::Daily => "day",
        Frequency::Weekly => "week",
        Frequency::Monthly => "month",
        Frequency::Yearly => "year",
    };
    match pattern.interval {
        1 => format!("Every {unit}"),
        interval => format!("Every {interval} {unit}s"),
    }
}

fn on(pattern: &Structured, anchor: Date, month_end: MonthEnd) -> String {
    match pattern.frequency {
        Frequency::Daily => String::new(),
        Frequency::Weekly => {
            let days = pattern.days_of_week.unwrap_or_else(|| Weekdays::just(anchor.weekday()));
            let names: Vec<_> = days.iter().map(|day| WEEKDAYS[usize::from(day)]).collect();
            format!(" on {}", listed(&names))
        }
        Frequency::Monthly => {
            let day = pattern.day_of_month.map_or(i64::from(anchor.day()), i64::from);
            format!(" on day {day}{}", shorter(day > 28, month_end, "month"))
        }
        Frequency::Yearly => {
            let month = usize::try_from(anchor.month() - 1).map_or("", |month| MONTHS[month]);
            let leap_day = anchor.month() == 2 && anchor.day() == 29;
            format!(" on {} {month}{}", anchor.day(), shorter(leap_day, month_end, "year"))
        }
    }
}

/// What becomes of a day that some months or years do not have.
fn shorter(can_be_missing: bool, month_end: MonthEnd, unit: &str) -> String {
    match month_end {
        _ if !can_be_missing => String::new(),
        MonthEnd::Clamp => " or the last day of a shorter month".to_owned(),
        MonthEnd::Skip => format!(" of the {unit}s that have it"),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use rondo_domain::recurrence::RuleDraft;
    use rondo_domain::zone::Zone;

    use super::*;

    #[test]
    fn rules_in_words() {
        let check = |draft: RuleDraft, anchor: &str, expected: &str| {
            let rule = draft.build().unwrap();
            let series = Series::new(rule, anchor.parse().unwrap(), Zone::utc());
            assert_eq!(describe(&series), expected);
        };
        let every = |frequency| RuleDraft { frequency: Some(frequency), ..RuleDraft::default() };
        let monday = "2031-03-31T09:00:00";
        check(every(Frequency::Daily), monday, "Every day");
        check(every(Frequency::Weekly), monday, "Every week on Monday");
        check(
            RuleDraft {
                interval: Some(2),
                days_of_week: Some(vec![0, 3, 6]),
                count: Some(5),
                ..every(Frequency::Weekly)
            },
            monday,
            "Every 2 weeks on Monday, Thursday and Sunday, 5 times",
        );
        check(
            every(Frequency::Monthly),
            monday,
            "Every month on day 31 or the last day of a shorter month",
        );
        check(
            RuleDraft { month_end: Some(MonthEnd::Skip), ..every(Frequency::Monthly) },
            monday,
            "Every month on day 31 of the months that have it",
        );
        check(
            RuleDraft { basis: Some(Basis::Completion), ..every(Frequency::Yearly) },
            monday,
            "Every year on 31 March after the last one was done",
        );
    }
}
