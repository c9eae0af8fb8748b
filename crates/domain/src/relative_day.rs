//! Days that are counted from today, such as the end of this week.

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::Violation;

/// Maximum number of digits of a distance.
pub const DIGITS_MAX: usize = 3;

/// A day, seen from today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelativeDay {
    /// So many days later; earlier if it is negative.
    Days(i64),
    /// The first day of this week, a Monday (ISO 8601).
    WeekStart,
    WeekEnd,
    MonthStart,
    MonthEnd,
}

impl RelativeDay {
    /// Words, each with its day.
    pub const WORDS: [(&str, Self); 7] = [
        ("yesterday", Self::Days(-1)),
        ("today", Self::Days(0)),
        ("tomorrow", Self::Days(1)),
        ("start_of_week", Self::WeekStart),
        ("end_of_week", Self::WeekEnd),
        ("start_of_month", Self::MonthStart),
        ("end_of_month", Self::MonthEnd),
    ];

    /// Reads one of [`WORDS`](Self::WORDS), or a distance in days or weeks like `+7d` or `-2w`. Without a sign it is
    /// later; a plus sign in a URL that was not escaped arrives as a space.
    ///
    /// # Errors
    /// `malformed`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        if let Some((_, day)) = Self::WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*day);
        }
        let (sign, distance) = match text.strip_prefix('-') {
            Some(distance) => (-1, distance),
            None => (1, text.strip_prefix(['+', ' ']).unwrap_or(text)),
        };
        let days = match (distance.strip_suffix('d'), distance.strip_suffix('w')) {
            (Some(digits), _) => number(digits),
            (_, Some(digits)) => number(digits).map(|weeks| 7 * weeks),
            _ => None,
        };
        let expected = "a day such as today, +7d or end_of_week";
        days.map(|days| Self::Days(sign * days)).ok_or(Violation::Malformed { expected })
    }

    /// The calendar day. None beyond the calendar's end.
    #[must_use]
    pub fn from(self, today: Date) -> Option<Date> {
        let after_monday = i64::from(today.weekday().to_monday_zero_offset());
        match self {
            Self::Days(days) => today.checked_add(days.days()).ok(),
            Self::WeekStart => today.checked_sub(after_monday.days()).ok(),
            Self::WeekEnd => today.checked_add((6 - after_monday).days()).ok(),
            Self::MonthStart => Some(today.first_of_month()),
            Self::MonthEnd => Some(today.last_of_month()),
        }
    }
}

fn number(digits: &str) -> Option<i64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.len() > DIGITS_MAX || !is_number { None } else { digits.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_seen_from_a_day() {
        for (text, today, expected) in [
            ("today", "2031-03-30", "2031-03-30"),
            ("yesterday", "2031-01-01", "2030-12-31"),
            ("tomorrow", "2028-02-28", "2028-02-29"),
            ("+7d", "2031-12-30", "2032-01-06"),
            (" 7d", "2031-12-30", "2032-01-06"),
            ("7d", "2031-12-30", "2032-01-06"),
            ("-2w", "2031-03-15", "2031-03-01"),
            ("+0d", "2031-03-15", "2031-03-15"),
            // A Monday, a Wednesday and a Sunday of one week.
            ("start_of_week", "2026-11-23", "2026-11-23"),
            ("start_of_week", "2026-11-25", "2026-11-23"),
            ("start_of_week", "2026-11-29", "2026-11-23"),
            ("end_of_week", "2026-11-23", "2026-11-29"),
            ("end_of_week", "2026-11-29", "2026-11-29"),
            ("end_of_week", "2026-12-30", "2027-01-03"),
            ("start_of_month", "2028-02-29", "2028-02-01"),
            ("end_of_month", "2028-02-01", "2028-02-29"),
        ] {
            let day = RelativeDay::parse(text).unwrap().from(today.parse().unwrap());
            assert_eq!(day.unwrap().to_string(), expected, "{text} from {today}");
        }
        assert_eq!(RelativeDay::parse("+1d").unwrap().from(Date::MAX), None);
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "", "d", "+d", "++1d", "+-1d", "  1d", "1", "1m", "Today", "1.5d", "+7D", "+1000d",
            "\u{661}d",
        ] {
            assert_eq!(RelativeDay::parse(text).unwrap_err().code(), "malformed", "{text}");
        }
    }
}
