//! Parses a rule: the grammar of RFC 5545, section 3.3.10, and what it forbids.

use jiff::civil::{Date, DateTime, Weekday};

use super::super::end::{COUNT_MAX, End};
use super::super::frequency::Frequency;
use super::{LargeNumbers, Numbers, RRULE_CHARS_MAX, RRULE_INTERVAL_MAX, Rrule};
use crate::Violation;
use crate::instant::{Instant, YEAR_MAX, YEAR_MIN, may_be_followed_by_leap_second};

const RULE: Violation = Violation::Malformed {
    expected: "an RFC 5545 recurrence rule such as FREQ=WEEKLY;BYDAY=MO,WE, each part once",
};
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// Maximum number of each part: days of a month, days of a year, weeks of a year.
const MONTH_DAY_MAX: i16 = 31;
const YEAR_DAY_MAX: i16 = 366;
const WEEK_MAX: i16 = 53;
const MONTH_MAX: i16 = 12;

pub(super) fn rule(text: &str) -> Result<(Rrule, End), Violation> {
    if text.chars().nth(RRULE_CHARS_MAX).is_some() {
        return Err(Violation::TooLong { max: RRULE_CHARS_MAX });
    }
    let text = text.trim().to_ascii_uppercase();
    let text = text.strip_prefix("RRULE:").unwrap_or(&text);
    // Some programs end every part with a semicolon, including the last.
    let text = text.strip_suffix(';').unwrap_or(text);
    let parts = Parts::split(text)?;
    let frequency = parts.frequency()?;
    let mut rule = Rrule {
        text: text.to_owned(),
        frequency,
        interval: parts.interval()?,
        week_start: match parts.get("WKST") {
            Some(day) => weekday(day).ok_or(malformed("a rule whose WKST is MO, TU, … or SU"))?,
            None => Weekday::Monday,
        },
        months: 0,
        month_days: Numbers::NONE,
        year_days: LargeNumbers::NONE,
        weeks: Numbers::NONE,
        weekdays: 0,
        numbered_weekdays: [Numbers::NONE; 7],
        set_positions: LargeNumbers::NONE,
        hour: parts.only_one("BYHOUR", 23)?,
        minute: parts.only_one("BYMINUTE", 59)?,
        second: parts.only_one("BYSECOND", 59)?,
    };
    let months =
        malformed("a rule whose BYMONTH has numbers from 1 to 12, with commas between them");
    parts.numbers("BYMONTH", MONTH_MAX, false, months, |month| rule.months |= 1 << month)?;
    let days = malformed("a rule whose BYMONTHDAY has numbers from 1 to 31, or from -1 to -31");
    parts.numbers("BYMONTHDAY", MONTH_DAY_MAX, true, days, |day| rule.month_days.insert(day))?;
    let days = malformed("a rule whose BYYEARDAY has numbers from 1 to 366, or from -1 to -366");
    parts.numbers("BYYEARDAY", YEAR_DAY_MAX, true, days, |day| rule.year_days.insert(day))?;
    let weeks = malformed("a rule whose BYWEEKNO has numbers from 1 to 53, or from -1 to -53");
    parts.numbers("BYWEEKNO", WEEK_MAX, true, weeks, |week| rule.weeks.insert(week))?;
    let places = malformed("a rule whose BYSETPOS has numbers from 1 to 366, or from -1 to -366");
    parts.numbers("BYSETPOS", YEAR_DAY_MAX, true, places, |n| rule.set_positions.insert(n))?;
    parts.weekdays(&mut rule)?;
    allowed(&rule, &parts)?;
    Ok((rule, parts.end()?))
}

const fn malformed(expected: &'static str) -> Violation {
    Violation::Malformed { expected }
}

fn weekday(word: &str) -> Option<Weekday> {
    let offset = WEEKDAYS.iter().position(|known| *known == word)?;
    Weekday::from_monday_zero_offset(offset as i8).ok()
}

/// Combinations that RFC 5545 forbids.
fn allowed(rule: &Rrule, parts: &Parts<'_>) -> Result<(), Violation> {
    let monthly_or_yearly = matches!(rule.frequency, Frequency::Monthly | Frequency::Yearly);
    let only_with = |with| Err(Violation::NotApplicable { with });
    if rule.numbers_weekdays() && !monthly_or_yearly {
        return only_with("FREQ=MONTHLY or YEARLY where a weekday in BYDAY has a number");
    }
    if rule.numbers_weekdays() && !rule.weeks.is_empty() {
        return only_with("weekdays without numbers in BYDAY where it has BYWEEKNO");
    }
    if !rule.month_days.is_empty() && rule.frequency == Frequency::Weekly {
        return only_with("FREQ=DAILY, MONTHLY or YEARLY where it has BYMONTHDAY");
    }
    if !rule.year_days.is_empty() && rule.frequency != Frequency::Yearly {
        return only_with("FREQ=YEARLY where it has BYYEARDAY");
    }
    if !rule.weeks.is_empty() && rule.frequency != Frequency::Yearly {
        return only_with("FREQ=YEARLY where it has BYWEEKNO");
    }
    let others = parts.0.iter().any(|(name, _)| name.starts_with("BY") && *name != "BYSETPOS");
    if !rule.set_positions.is_empty() && !others {
        return only_with("another part such as BYDAY where it has BYSETPOS");
    }
    Ok(())
}

/// `NAME=VALUE` parts with unique names.
struct Parts<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parts<'a> {
    const KNOWN: [&'static str; 14] = [
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "WKST",
        "BYMONTH",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYDAY",
        "BYSETPOS",
        "BYHOUR",
        "BYMINUTE",
        "BYSECOND",
    ];

    fn split(text: &'a str) -> Result<Self, Violation> {
        let mut parts: Vec<(&str, &str)> = Vec::new();
        for part in text.split(';') {
            let (name, value) = part.split_once('=').ok_or(RULE)?;
            if parts.iter().any(|(known, _)| *known == name) || value.is_empty() {
                return Err(RULE);
            }
            if !Self::KNOWN.contains(&name) {
                return Err(malformed(
                    "made of RFC 5545's parts FREQ, INTERVAL, COUNT, UNTIL, WKST and BY… alone",
                ));
            }
            parts.push((name, value));
        }
        Ok(Self(parts))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn frequency(&self) -> Result<Frequency, Violation> {
        match self.get("FREQ") {
            Some("DAILY") => Ok(Frequency::Daily),
            Some("WEEKLY") => Ok(Frequency::Weekly),
            Some("MONTHLY") => Ok(Frequency::Monthly),
            Some("YEARLY") => Ok(Frequency::Yearly),
            Some("HOURLY" | "MINUTELY" | "SECONDLY") => Err(Violation::TooFrequent),
            _ => Err(malformed("a rule with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")),
        }
    }

    fn interval(&self) -> Result<u16, Violation> {
        let Some(digits) = self.get("INTERVAL") else { return Ok(1) };
        let violation = malformed("a rule whose INTERVAL is a number from 1 to 9999");
        number(digits, RRULE_INTERVAL_MAX).ok_or(violation)
    }

    fn end(&self) -> Result<End, Violation> {
        let count = self.get("COUNT").map(|digits| {
            let violation = malformed("a rule whose COUNT is a number from 1 to 10000");
            number(digits, COUNT_MAX).ok_or(violation)
        });
        match (count.transpose()?, self.get("UNTIL")) {
            (Some(_), Some(_)) => Err(Violation::Conflict { other: "COUNT where it has UNTIL" }),
            (Some(count), None) => Ok(End::AfterCount(count)),
            (None, Some(text)) => until(text).ok_or(malformed(
                "a rule whose UNTIL is a date or a date-time such as 20310330 or 20310330T140000Z",
            )),
            (None, None) => Ok(End::Never),
        }
    }

    /// A part of the time of day, of which a slot has only one.
    fn only_one(&self, name: &str, max: u16) -> Result<Option<i8>, Violation> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let mut numbers = value.split(',').map(|digits| {
            let is_number = (1..=2).contains(&digits.len()) && is_digits(digits);
            digits.parse::<i8>().ok().filter(|n| is_number && *n as u16 <= max)
        });
        let first = numbers.next().flatten();
        let violation = malformed(
            "a rule whose BYHOUR is a number from 0 to 23, BYMINUTE and BYSECOND from 0 to 59",
        );
        let first = first.ok_or(violation)?;
        for other in numbers {
            if other.ok_or(violation)? != first {
                return Err(Violation::TooFrequent);
            }
        }
        Ok(Some(first))
    }

    fn numbers(
        &self,
        name: &str,
        max: i16,
        can_be_negative: bool,
        violation: Violation,
        mut take: impl FnMut(i16),
    ) -> Result<(), Violation> {
        for item in self.get(name).into_iter().flat_map(|list| list.split(',')) {
            let found = signed(item, max).filter(|n| *n > 0 || can_be_negative);
            take(found.ok_or(violation)?);
        }
        Ok(())
    }

    fn weekdays(&self, rule: &mut Rrule) -> Result<(), Violation> {
        let violation = malformed(
            "a rule whose BYDAY has weekdays such as MO, or numbered ones such as 2TU or -1FR",
        );
        for item in self.get("BYDAY").into_iter().flat_map(|list| list.split(',')) {
            let at = item.len().checked_sub(2).filter(|at| item.is_char_boundary(*at));
            let (number, day) = item.split_at(at.ok_or(violation)?);
            let offset = weekday(day).ok_or(violation)?.to_monday_zero_offset() as usize;
            if number.is_empty() {
                rule.weekdays |= 1 << offset;
            } else {
                let number = signed(number, WEEK_MAX).ok_or(violation)?;
                rule.numbered_weekdays[offset].insert(number);
            }
        }
        Ok(())
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits that make a number from 1 to `max`.
fn number(digits: &str, max: u16) -> Option<u16> {
    digits.parse().ok().filter(|number| is_digits(digits) && (1..=max).contains(number))
}

/// A number from 1 to `max` with or without a sign; never 0.
fn signed(text: &str, max: i16) -> Option<i16> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    number(digits, max as u16).map(|number| sign * number as i16)
}

/// `YYYYMMDD`, a local `YYYYMMDDThhmmss`, or one in UTC with `Z`.
fn until(text: &str) -> Option<End> {
    let digits = |from: usize, to: usize| -> Option<i16> {
        text.get(from..to).filter(|digits| is_digits(digits))?.parse().ok()
    };
    let year = digits(0, 4).filter(|year| (YEAR_MIN..=YEAR_MAX).contains(year))?;
    let date = Date::new(year, digits(4, 6)? as i8, digits(6, 8)? as i8).ok()?;
    if text.len() == 8 {
        return Some(End::OnDate(date));
    }
    if text.get(8..9) != Some("T") {
        return None;
    }
    let (hour, minute, second) = (digits(9, 11)?, digits(11, 13)?, digits(13, 15)?);
    // A leap second becomes the second before it.
    let is_leap = second == 60;
    let second = if is_leap { 59 } else { second };
    let time = jiff::civil::Time::new(hour as i8, minute as i8, second as i8, 0).ok()?;
    let local = DateTime::from_parts(date, time);
    if is_leap && !may_be_followed_by_leap_second(local) {
        return None;
    }
    match &text[15..] {
        "" => Some(End::AtLocal(local)),
        "Z" => Some(End::AtInstant(Instant::of_utc(local)?)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
