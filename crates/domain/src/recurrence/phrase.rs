//! English phrases for describing rules.

use jiff::civil::{Date, Weekday};

use super::frequency::Frequency;
use crate::moment::{MONTHS, WEEKDAYS};

const FROM_MONDAY_TO_FRIDAY: [u8; 5] = [0, 1, 2, 3, 4];

pub(super) fn every(frequency: Frequency, interval: u16) -> String {
    let unit = match frequency {
        Frequency::Daily => "day",
        Frequency::Weekly => "week",
        Frequency::Monthly => "month",
        Frequency::Yearly => "year",
    };
    match interval {
        1 => format!("Every {unit}"),
        interval => format!("Every {interval} {unit}s"),
    }
}

/// Weekdays in ascending order; Monday is 0.
pub(super) fn on_weekdays(days: &[u8]) -> String {
    if days == FROM_MONDAY_TO_FRIDAY {
        return " from Monday to Friday".to_owned();
    }
    let names: Vec<_> = days.iter().map(|day| WEEKDAYS[usize::from(*day)].to_owned()).collect();
    format!(" on {}", listed(&names, "and"))
}

pub(super) fn weekday_name(weekday: Weekday) -> &'static str {
    WEEKDAYS[weekday.to_monday_zero_offset() as usize]
}

/// A month from 1 to 12.
pub(super) fn month_name(month: i8) -> &'static str {
    MONTHS[month.clamp(1, 12) as usize - 1]
}

pub(super) fn day_and_month(date: Date) -> String {
    format!("{} {}", date.day(), month_name(date.month()))
}

/// "first" or "last", "second" or "second to last". The number is not 0.
pub(super) fn ordinal(number: i16) -> String {
    let word = match number.unsigned_abs() {
        1 if number < 0 => return "last".to_owned(),
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        4 => "fourth".to_owned(),
        5 => "fifth".to_owned(),
        n => {
            let suffix = match (n % 100, n % 10) {
                (11..=13, _) => "th",
                (_, 1) => "st",
                (_, 2) => "nd",
                (_, 3) => "rd",
                _ => "th",
            };
            format!("{n}{suffix}")
        }
    };
    if number < 0 { format!("{word} to last") } else { word }
}

pub(super) fn listed(names: &[String], conjunction: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_order() {
        let check = |number, expected: &str| assert_eq!(ordinal(number), expected);
        check(1, "first");
        check(-1, "last");
        check(-2, "second to last");
        check(11, "11th");
        check(21, "21st");
        check(112, "112th");
        check(-33, "33rd to last");
    }
}
